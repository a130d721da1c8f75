"""One catalog statement answered to one client: definitions, then rows as the czar gives them, with back-pressure.

The server that has every table empty says what the columns are, while the czar begins. Where it does not know what
the statement calls (scisql, qserv_areaspec), it is asked about the czar's own form of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import pyarrow as pa

from skyshard.basics.errors import SkyshardError
from skyshard.serve.access import Identity
from skyshard.serve.lanes import AnswerStream, Lanes
from skyshard.serve.mysql.asked_for import has_limit
from skyshard.serve.mysql.definitions import Definition, definitions_of
from skyshard.serve.mysql.describe import Describer
from skyshard.serve.mysql.door_sessions import StatementNow
from skyshard.serve.mysql.errors import error_packet, is_of_names
from skyshard.serve.mysql.packets import eof, lenenc
from skyshard.serve.mysql.row_packets import Piece
from skyshard.serve.mysql.server_session import SmallResult
from skyshard.serve.mysql.session_state import NO_LIMIT, SessionState
from skyshard.serve.mysql.text_rows import Encode, encoded_rows
from skyshard.serve.mysql.wire import Wire
from skyshard.serve.services import Services
from skyshard.serve.user_limits import OverQuota

FEW_ROWS = 500
"""So few rows are encoded on the event loop; more in a thread beside it."""
_END = "; \t\r\n"
RowWriter = Callable[[pa.RecordBatch, Sequence[Definition], int, Encode], Iterator[Piece]]
"""Rows of the text protocol, or of the binary one."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What answering needs; ``renew`` brings the empty tables up to date, and says of which generation they are;
    ``running`` notes a statement, of a text and a database, as long as it is answered."""

    services: Services
    lanes: Lanes
    describer: Describer
    renew: Callable[[], Awaitable[int]]
    running: Callable[[str, str], AbstractContextManager[StatementNow]]
    who: Identity


@dataclass(frozen=True, slots=True)
class Asked:
    """A catalog statement as the czar gets it, how it is described, and how its rows are written."""

    text: str
    describe: Callable[[], Awaitable[SmallResult]]
    rows: RowWriter = encoded_rows


async def send_catalog_answer(asking: Asking, client: Wire, statement: bytes, state: SessionState) -> None:
    """Answer a statement, or send why not. Being cancelled stops its query on all servers.

    Raises:
        OSError: the client has gone.
    """
    try:
        state.require_plain()
        text = state.decode(statement)
    except SkyshardError as problem:
        await client.send(error_packet(problem))
        return
    await send_answer(asking, client, Asked(text, lambda: asking.describer.describe(statement, state)), state)


async def send_answer(asking: Asking, client: Wire, asked: Asked, state: SessionState) -> None:
    """The same of a statement that has been read."""
    with asking.running(asked.text, state.database) as running:
        await _send_answer(asking, client, asked, state, running)


async def _send_answer(asking: Asking, client: Wire, asked: Asked, state: SessionState, running: StatementNow) -> None:
    unanswered = client.sequence
    number = await asking.renew()  # before the czar plans: else it might plan by what was published before that look
    described = asyncio.ensure_future(asked.describe())
    try:
        async with asking.lanes.answer(limited(asked.text, state.limit), state.database, who=asking.who) as stream:
            running.query = stream.query
            definitions = await _definitions(asking, await described, number, asked.text, state, stream)
            await send_rows(client, stream, definitions, state.encode(), asked.rows)
    except SkyshardError as problem:
        found = await described
        is_native = bool(found.error) and is_of_names(found.error) and client.sequence == unanswered
        is_native = is_native and not isinstance(problem, OverQuota)
        await client.send(found.error if is_native else error_packet(problem))
    finally:
        described.cancel()
        await asyncio.gather(described, return_exceptions=True)


def limited(sql: str, limit: int) -> str:
    """A statement that obeys SQL_SELECT_LIMIT.

    >>> limited("SELECT a FROM t;", 1), limited("SELECT a FROM t LIMIT 5", 1)
    ('SELECT a FROM t\\nLIMIT 1', 'SELECT a FROM t LIMIT 5')
    """
    return sql if limit == NO_LIMIT or has_limit(sql) else f"{sql.rstrip(_END)}\nLIMIT {limit}"


async def _definitions(
    asking: Asking, found: SmallResult, number: int, text: str, state: SessionState, stream: AnswerStream
) -> list[Definition]:
    """As a server gives them for the statement, or for the czar's form of it; else made of the answer's types.

    ``number``: the generation before either was begun. Where something was published since, as when an alias was given
    to another release, the answer may be of other tables than the description: then only its own types are right.
    """
    if await asking.renew() != number:
        return definitions_of(stream.schema, stream.columns)
    if len(found.columns) == len(stream.columns):
        return found.columns
    written = await asking.lanes.call(asking.services.queries.written_out, text, state.database)
    charset = state.charset if state.charset in ("utf8mb4", "utf8", "utf8mb3") else "utf8mb4"
    found = await asking.describer.describe(written.encode(), replace(state, charset=charset))
    if len(found.columns) == len(stream.columns):
        names = [name.encode() for name in stream.columns]
        return [one.named(name) for one, name in zip(found.columns, names, strict=True)]
    return definitions_of(stream.schema, stream.columns)


async def send_rows(
    client: Wire,
    stream: AnswerStream,
    definitions: Sequence[Definition],
    encode: Encode,
    rows: RowWriter = encoded_rows,
) -> None:
    """The result set: the number of columns, definitions, rows, its end; errors come out of the stream."""
    put_head(client, definitions)
    async for batch in stream:
        await _send_batch(client, batch.num_rows, rows(batch, definitions, client.sequence, encode))
    await client.send(eof())


def put_head(client: Wire, definitions: Sequence[Definition]) -> None:
    for payload in (lenenc(len(definitions)), *(one.payload() for one in definitions), eof()):
        client.put(payload)


async def _send_batch(client: Wire, rows: int, pieces: Iterator[Piece]) -> None:
    """Rows, a piece at a time, each taken before the next one is made."""
    if rows <= FEW_ROWS:
        for data, sequence in pieces:
            await client.send_packets(data, sequence)
        return
    loop = asyncio.get_running_loop()
    while (piece := await loop.run_in_executor(None, next, pieces, None)) is not None:
        await client.send_packets(*piece)
