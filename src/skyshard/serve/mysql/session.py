"""One client's session: each command relayed to the session's server, or answered by the door.

Rules: one command at a time, as the protocol has it; while one is answered the client is listened to, so that one that
goes away is noticed at once. Whatever ends the session ends its queries and its sessions on the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from skyshard.basics.errors import SkyshardError, UserError
from skyshard.cluster.accounts import LISTS_ACCOUNT
from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import DOOR_FAILED
from skyshard.serve.access import Identity
from skyshard.serve.lanes import Lanes
from skyshard.serve.mysql import errors
from skyshard.serve.mysql.asked_for import AskedFor, Way, way_of, without_leading
from skyshard.serve.mysql.catalog_answer import Asking, send_catalog_answer
from skyshard.serve.mysql.describe import Describer
from skyshard.serve.mysql.door_sessions import DoorSessions
from skyshard.serve.mysql.kept_definitions import KeptDefinitions
from skyshard.serve.mysql.last_answer import (
    LastAnswer,
    asks_found_rows,
    asks_only_found_rows,
    asks_what_happened,
)
from skyshard.serve.mysql.named_statements import NamedStatements
from skyshard.serve.mysql.packets import Command, eof, error, error_of, lenenc, ok, row
from skyshard.serve.mysql.prepared import OF_STATEMENTS, PreparedStatements
from skyshard.serve.mysql.qserv_statements import QservStatements
from skyshard.serve.mysql.server_session import ServerGone, ServerSession
from skyshard.serve.mysql.session_state import ASK, SessionState
from skyshard.serve.mysql.wire import TooLong, Wire
from skyshard.serve.services import Services
from skyshard.serve.submitted_runs import SubmittedRuns

KILL_BYTES = 5
"""Of the command that ends a session: its code, and the session's number."""
_KEEPS_STATE = frozenset((Command.PING, Command.STATISTICS, Command.FIELD_LIST, Command.STMT_CLOSE, Command.STMT_FETCH))
"""Commands after which the session is as it was before."""
_OWN = {Command.QUIT, Command.QUERY, Command.SET_OPTION, Command.STMT_PREPARE, Command.PROCESS_KILL}
_RELAYED = frozenset(Command) - _OWN


@dataclass(frozen=True, slots=True)
class Behind:
    """What all sessions of a door share."""

    services: Services
    lanes: Lanes
    runs: SubmittedRuns
    sessions: DoorSessions
    renew: Callable[[], Awaitable[int]]
    """Brings the empty tables up to date; the registry's generation that they are of."""
    number: Callable[[], int]
    """That generation, as it was found last."""
    kept: KeptDefinitions
    kill: Callable[[Identity, int, bool], Awaitable[bool]]
    """Ends what another session of a user runs, or that session; False if there is none."""


def tell_failed(problem: Exception) -> None:
    """A session ends by what nobody expected."""
    ONLY_LOGGED.tell(DOOR_FAILED, door="mysql", error=f"{type(problem).__name__}: {problem}")


class Session:
    """A session that has logged in. ``server`` is its own on the MariaDB behind the door."""

    def __init__(
        self, client: Wire, server: ServerSession, behind: Behind, socket: str, who: Identity, thread: int
    ) -> None:
        self.who, self.thread = who, thread
        self._client, self._server, self._behind = client, server, behind
        self._describer, self._lister = Describer(socket), Describer(socket, LISTS_ACCOUNT)
        self._last = LastAnswer()
        self._asking = Asking(
            behind.services, behind.lanes, self._describer, behind.renew, behind.number, behind.kept,
            functools.partial(behind.sessions.running, who, thread), who, self._last,
        )  # fmt: skip
        self._qserv = QservStatements(client, behind, who, self._describer, self._lister)
        self._prepared = PreparedStatements(client, self._asking)
        self._named = NamedStatements(client, server, self._prepared, self._relay_fresh)
        self._state: SessionState | None = None
        self._next: asyncio.Task[bytes | None] | None = None
        self._answering: asyncio.Task[None] | None = None
        self._is_killed = self._is_relaying = False
        self.is_busy = False

    async def run(self) -> None:
        """Answer commands until the client goes, or is sent away."""
        try:
            while (payload := await self._read()) is not None and payload[:1] != bytes([Command.QUIT]):
                self.is_busy = True
                self._client.begin_answer()
                await self._answered(self._command(payload))
                self.is_busy = False
        except TooLong:
            with contextlib.suppress(OSError):
                await self._client.send(error(errors.TOO_LONG, "08S01", "Got a packet bigger than the door takes"))
        except (OSError, ServerGone):
            pass
        except Exception as problem:
            tell_failed(problem)
            self.is_busy = False  # what is sent is to arrive
            with contextlib.suppress(OSError):
                await self._client.send(error(errors.UNKNOWN, "HY000", "The door failed; its log says why"))
        finally:
            await self.close()

    async def close(self) -> None:
        """End it, and what it runs."""
        for task in (self._answering, self._next):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self._client.abort() if self.is_busy else await self._client.close()
        await self._server.close()
        await self._describer.close()
        await self._lister.close()

    def stop_statement(self) -> bool:
        """End the statement that the door is answering; False if there is none."""
        if self._answering is None or self._answering.done() or self._is_relaying:
            return False
        self._is_killed = True
        self._answering.cancel()
        return True

    def stop(self) -> None:
        """End the session."""
        self._client.abort()

    async def _read(self) -> bytes | None:
        """The next command; its reading may have begun while the last one was answered."""
        task, self._next = self._next or asyncio.ensure_future(self._client.read()), None
        return await task

    async def _answered(self, work: Coroutine[Any, Any, None]) -> None:
        """Answer one command; a client that goes away meanwhile ends it, though it may have sent the next one."""
        self._answering = asyncio.ensure_future(work)
        self._next = asyncio.ensure_future(self._client.read())
        self._client.ended.add_done_callback(self._give_up)
        try:
            await self._answering
        except asyncio.CancelledError:
            if not self._is_killed:
                raise OSError("the client has gone") from None
            self._is_killed = False
            await self._client.send_instead(errors.interrupted())
        finally:
            self._client.ended.remove_done_callback(self._give_up)

    def _give_up(self, _: asyncio.Future[None]) -> None:
        """The client has gone, and what is answered to it ends."""
        if self._answering is not None:
            self._answering.cancel()

    async def _command(self, payload: bytes) -> None:
        code = payload[0] if payload else 0
        if code == Command.QUERY:
            await self._query(payload)
        elif code == Command.STMT_PREPARE:
            await self._prepare(payload)
        elif code in OF_STATEMENTS and (number := self._prepared.number_in(payload)) is not None:
            await self._of_prepared(number, payload)
        elif code == Command.FIELD_LIST:
            await self._fields(payload)
        elif code == Command.PROCESS_KILL and len(payload) == KILL_BYTES:
            self._last.begin(is_own=True)
            await self._kill(AskedFor(Way.KILL, int.from_bytes(payload[1:], "little")))
        elif code in _RELAYED:
            if code == Command.RESET_CONNECTION:
                self._prepared.forget_all()
                self._named.forget_all()
            if code == Command.INIT_DB:
                await self._behind.renew()
            await self._relay(payload)
        else:
            await self._client.send(error(errors.UNKNOWN_COMMAND, "08S01", "Unknown command"))

    async def _relay(self, payload: bytes) -> None:
        """Pass a command on, and its answer back as it is."""
        if payload[0] not in _KEEPS_STATE:
            self._state = None
            self._last.begin(is_own=False)
        self._is_relaying = True
        await self._server.command(payload)
        async for answer in self._server.answer(payload[0]):
            await self._client.send(answer)
        self._is_relaying = False

    async def _relay_fresh(self, payload: bytes) -> None:
        """Pass a statement on, which may ask what is published."""
        await self._behind.renew()
        await self._relay(payload)

    async def _relay_behind(self, payload: bytes, text: str) -> None:
        """Pass a statement on, which may ask what the one before it left, though the door answered that."""
        if self._last.is_own and asks_found_rows(text):
            await self._tell_found_rows(payload, text)
            return
        if self._last.is_own and asks_what_happened(text):
            await self._server.ask(self._last.told.encode())
        await self._relay_fresh(payload)

    async def _tell_found_rows(self, payload: bytes, text: str) -> None:
        """How many rows the last answer found, in the server's own form."""
        found, end = await self._server.ask(payload[1:]), eof(self._client.status)
        if found.error or self._last.rows is None or not asks_only_found_rows(text):
            words = "how many rows were found is not known here; ask for it by SELECT FOUND_ROWS(), or by COUNT(*)"
            await self._refuse(found.error or error(errors.NOT_SUPPORTED, "42000", words))
            return
        rows, self._last.rows = row([b"%d" % self._last.rows]), 1
        await self._client.send(lenenc(len(found.definitions)), *found.definitions, end, rows, end)

    async def _present_state(self) -> SessionState:
        """What the client has set.

        Raises:
            UserError: its server does not say, as where a statement has less time than that takes.
        """
        if self._state is None:
            found = await self._server.ask(ASK)
            if found.error:
                raise UserError(error_of(found.error)[1])
            self._state = SessionState.of(found.values()[0])
            self._client.wait_for_reader(self._state.write_s)
            self._client.status = self._state.status
        return self._state

    async def _prepare(self, payload: bytes) -> None:
        """Statements that are relayed may be prepared, and those over catalogs."""
        self._prepared.is_last = False
        try:
            state = await self._present_state()
            text = state.decode(payload[1:])
            asked = way_of(text, state.database)
            if asked.way is Way.CATALOG:
                await self._prepared.prepare(text, state)
                return
        except SkyshardError as problem:
            await self._send_error(problem)
            return
        if asked.way is Way.RELAY and not asks_found_rows(text):
            await self._relay(payload)
            return
        words = "This command is not supported in the prepared statement protocol yet"
        await self._client.send(error(errors.NO_STATEMENTS, "HY000", words))

    async def _of_prepared(self, number: int, payload: bytes) -> None:
        if payload[0] == Command.STMT_EXECUTE:
            self._last.begin(is_own=True)
        try:
            await self._prepared.handle(number, payload, await self._present_state())
        except SkyshardError as problem:
            await self._send_error(problem)

    async def _send_error(self, problem: SkyshardError) -> None:
        if isinstance(problem, ServerGone):
            raise problem
        await self._refuse(errors.error_packet(problem))

    async def _refuse(self, packet: bytes) -> None:
        self._last.failed(packet)
        await self._client.send(packet)

    async def _query(self, payload: bytes) -> None:
        statement = payload[1:]
        text = statement.decode("utf-8", "surrogateescape")
        asked = way_of(text, self._state.database if self._state else "")
        try:
            if asked.way is not Way.RELAY and self._state is None:
                asked = way_of(text, (await self._present_state()).database)
            if asked.way is not Way.RELAY:
                self._last.begin(is_own=True)
            await self._answer(asked, payload, text)
        except SkyshardError as problem:
            await self._send_error(problem)

    async def _answer(self, asked: AskedFor, payload: bytes, text: str) -> None:
        client, way = self._client, asked.way
        if way is Way.RELAY:
            await self._relay_behind(payload, text)
        elif way is Way.CATALOG:
            await send_catalog_answer(self._asking, client, payload[1:], await self._present_state())
        elif way is Way.LIMITED:
            state = replace(await self._present_state(), limit_s=asked.limit_s or 0.0)
            statement = asked.text.encode("utf-8", "surrogateescape")
            await send_catalog_answer(self._asking, client, statement, state)
        elif way is Way.DESCRIBE:
            await self._behind.renew()
            await self._describe(payload[1:], await self._present_state())
        elif way is Way.NAMED:
            await self._named.answer(payload, await self._present_state())
        elif way is Way.KILL:
            await self._kill(asked)
        elif way is Way.IGNORE:
            await client.send(ok(client.status))
        elif way is Way.REFUSE:
            await self._refuse(errors.refused_statement(asked.text))
        else:
            state = await self._present_state()
            if way in (Way.LISTS, Way.SUBMIT):  # which are read, so in the session's letters
                text = state.decode(payload[1:])
                asked = way_of(text, state.database)
                if asked.way is not way:
                    await self._refuse(errors.refused_statement(asked.text))
                    return
            await self._qserv.answer(asked, text, state)

    async def _describe(self, statement: bytes, state: SessionState) -> None:
        """Describe a table, by a session that may read the empty ones: it gets the very text that was looked at, in
        whose strings, read in the session's character set, no statement may hide."""
        text = state.decode(statement)
        if way_of(text, state.database).way is not Way.DESCRIBE:
            await self._refuse(errors.refused_statement(text))
            return
        asked = f"SET STATEMENT sql_select_limit = {state.limit} FOR {without_leading(text)}"
        async for answer in self._describer.pass_on(asked.encode(), replace(state, charset="utf8mb4")):
            await self._client.send(answer)

    async def _fields(self, payload: bytes) -> None:
        """The columns of a table, which a client's own session may not read."""
        await self._behind.renew()
        try:
            async for answer in self._describer.fields(payload, await self._present_state()):
                await self._client.send(answer)
        except SkyshardError as problem:
            await self._send_error(problem)

    async def _kill(self, asked: AskedFor) -> None:
        if await self._behind.kill(self.who, asked.number, asked.is_query):
            await self._client.send(ok(self._client.status))
        else:
            await self._refuse(error(1094, "HY000", f"Unknown thread id: {asked.number}"))
