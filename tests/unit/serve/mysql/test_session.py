"""A client's session, beside a server that answers as little as it can."""

from __future__ import annotations

import asyncio
import socket

from tests.support.played_services import PlayedQueries, played_services

from skyshard.serve.access import EVERYONE, Identity
from skyshard.serve.lanes import Lanes
from skyshard.serve.mysql.door_sessions import DoorSessions
from skyshard.serve.mysql.errors import out_of_time
from skyshard.serve.mysql.kept_definitions import KeptDefinitions
from skyshard.serve.mysql.packets import Command, error_of, ok
from skyshard.serve.mysql.server_session import ServerSession
from skyshard.serve.mysql.session import Behind, Session
from skyshard.serve.mysql.wire import Wire
from skyshard.serve.open_answer import NO_GENERATION
from skyshard.serve.submitted_runs import SubmittedRuns


async def wires() -> tuple[Wire, Wire]:
    """Two ends of one connection."""
    one, other = [await asyncio.open_connection(sock=end) for end in socket.socketpair()]
    return Wire(*one), Wire(*other)


async def serve_without_time(server: Wire) -> None:
    """Every statement is out of time, before it begins."""
    while payload := await server.read():
        await server.reply(out_of_time() if payload[0] == Command.QUERY else ok())


async def renewed() -> int:
    return NO_GENERATION


async def killed(who: Identity, number: int, is_query: bool) -> bool:
    return False


async def asked(*commands: bytes) -> list[bytes]:
    """The first payload that answers each command."""
    client, door = await wires()
    behind, server = await wires()
    played = asyncio.ensure_future(serve_without_time(server))
    queries = PlayedQueries({})
    services, lanes = played_services(queries), Lanes(queries)
    runs = SubmittedRuns(services.submissions, lanes, services.access)
    shared = Behind(services, lanes, runs, DoorSessions(), renewed, lambda: NO_GENERATION, KeptDefinitions(), killed)
    session = Session(door, ServerSession(behind), shared, "/nowhere", EVERYONE, 1)
    running, answers = asyncio.ensure_future(session.run()), []
    for command in commands:
        await client.command(command)
        answers.append(await client.read() or b"")
    await client.close()
    await running
    await server.close()
    await played
    lanes.close()
    return answers


def test_a_session_that_has_no_time_to_say_what_is_set_on_it_goes_on() -> None:
    """What is asked is an error, of the text protocol and prepared; the next command is answered."""
    sql = b"SELECT ra FROM Object"
    commands = [bytes([code]) + sql for code in (Command.QUERY, Command.STMT_PREPARE, Command.QUERY)]
    *refused, last = asyncio.run(asked(*commands, bytes([Command.PING])))
    assert ["max_statement_time exceeded" in error_of(payload)[1] for payload in refused] == [True] * 3
    assert last == ok()
