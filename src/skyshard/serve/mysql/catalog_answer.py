"""One catalog statement answered to one client: definitions, then rows as the czar gives them, with back-pressure.

The server that has every table empty says what the columns are, once for all statements that differ in keys or areas
only. Where it does not know what the statement calls (scisql, qserv_areaspec), it is asked about the czar's own form of
it. What is known by then is sent in one piece.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import pyarrow as pa

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.serve.access import Identity
from skyshard.serve.answer_stream import FEW_ROWS, AnswerStream
from skyshard.serve.lanes import Lanes
from skyshard.serve.mysql.asked_for import has_limit, may_not_end
from skyshard.serve.mysql.definitions import Definition, definitions_of
from skyshard.serve.mysql.describe import Describer
from skyshard.serve.mysql.door_sessions import StatementNow
from skyshard.serve.mysql.errors import NOT_GROUPED, error_packet, is_of_names, out_of_time
from skyshard.serve.mysql.kept_definitions import MOST_TEXT, KeptDefinitions, ResultHead
from skyshard.serve.mysql.last_answer import LastAnswer
from skyshard.serve.mysql.packets import eof, error_of
from skyshard.serve.mysql.row_packets import Piece
from skyshard.serve.mysql.server_session import SmallResult
from skyshard.serve.mysql.session_state import NO_LIMIT, SessionState
from skyshard.serve.mysql.text_rows import Encode, encoded_rows
from skyshard.serve.mysql.wire import Wire
from skyshard.serve.open_answer import NO_GENERATION
from skyshard.serve.services import Services
from skyshard.serve.sql_words import masked
from skyshard.serve.text_charsets import with_charset
from skyshard.serve.user_limits import OverQuota

_END = "; \t\r\n"
_OF_DUMPS = re.compile(r"\A(\s*SELECT\s+)/\*!40001 SQL_NO_CACHE \*/", re.IGNORECASE)
"""How statements of programs that dump tables begin; the czar reads no comment that a server runs."""
_OF_TEXT = re.compile(
    r"\b(CHARSET|COLLATION)\s*\(\s*(?!(?:`?\w+`?\s*\.\s*)*(?:`\w+`|[A-Za-z_]\w*)\s*\))", re.IGNORECASE
)
"""Of texts that a statement makes: their character set is the session's, which the czar's servers do not have."""
FIRST_ROWS = 100
"""Of an answer of many, which are sent before the others are written."""
RowWriter = Callable[[pa.RecordBatch, Sequence[Definition], int, Encode], Iterator[Piece]]
"""Rows of the text protocol, or of the binary one."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What answering needs; ``renew`` brings the empty tables up to date, and says of which generation they are, as
    ``number`` does at once; ``running`` notes a statement, of a text and a database, as long as it is answered."""

    services: Services
    lanes: Lanes
    describer: Describer
    renew: Callable[[], Awaitable[int]]
    number: Callable[[], int]
    kept: KeptDefinitions
    running: Callable[[str, str], AbstractContextManager[StatementNow]]
    who: Identity
    last: LastAnswer
    """What the session's next statement may ask for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A catalog statement as the czar gets it, how it is described, and how its rows are written; ``is_all``: its text
    is all that the description depends on."""

    text: str
    describe: Callable[[], Awaitable[SmallResult]]
    rows: RowWriter = encoded_rows
    is_all: bool = True

    def key(self, stream: AnswerStream, state: SessionState) -> Hashable:
        """By what its definitions are kept; None where they are not."""
        state = replace(state, limit_s=0.0) if state.limit_s else state
        if stream.form:
            return stream.form, state, self.rows
        return (self.text, state) if self.is_all and len(self.text) <= MOST_TEXT else None


async def send_catalog_answer(asking: Asking, client: Wire, statement: bytes, state: SessionState) -> None:
    """Answer a statement, or send why not. Being cancelled stops its query on all servers.

    Raises:
        OSError: the client has gone.
    """
    try:
        state.require_plain()
        text = state.decode(statement)
    except SkyshardError as problem:
        asking.last.failed(error_packet(problem))
        await client.send(asking.last.error)
        return
    await send_answer(asking, client, Asked(text, lambda: asking.describer.describe(statement, state)), state)


async def send_answer(asking: Asking, client: Wire, asked: Asked, state: SessionState) -> None:
    """The same of a statement that has been read; one that takes longer than its session lets it is stopped."""
    if not state.limit_s:
        await _send_shown(asking, client, asked, state)
        return
    limit = asyncio.timeout(state.limit_s)
    try:
        async with limit:
            await _send_shown(asking, client, asked, state)
    except TimeoutError:
        if not limit.expired():
            raise
        asking.last.failed(out_of_time())
        await client.send_instead(asking.last.error)


async def _send_shown(asking: Asking, client: Wire, asked: Asked, state: SessionState) -> None:
    """While lists of what runs show it."""
    with asking.running(asked.text, state.database) as running:
        await _send_answer(asking, client, asked, state, running)


async def _send_answer(asking: Asking, client: Wire, asked: Asked, state: SessionState, running: StatementNow) -> None:
    unanswered = client.sequence

    def opened(stream: AnswerStream) -> bool:
        running.query = stream.query
        return stream.chunks <= 1 and asking.kept.has(stream.generation, asked.key(stream, state))

    try:
        _require_texts_of_columns(asked.text)
        sql = limited(with_charset(_OF_DUMPS.sub(r"\1SQL_NO_CACHE", asked.text), state.charset), state.limit)
        async with asking.lanes.answer(sql, state.database, who=asking.who, opened=opened) as stream:
            head = await _head(asking, asked, state, stream)
            rows = await send_rows(client, stream, head, state.encode(), asked.rows)
        asking.last.answered(asked.text, rows)
    except SkyshardError as problem:
        found = error_packet(problem)
        if client.sequence == unanswered and not isinstance(problem, ClusterError | OverQuota):
            found = await _native_error(asking, asked) or found
        asking.last.failed(found)
        await client.send_last(found)


def _require_texts_of_columns(sql: str) -> None:
    """Raises UserError where a statement asks for the character set of a text that it makes."""
    if found := _OF_TEXT.search(masked(sql)):
        raise UserError(f"{found.group(1).upper()} is answered of columns only", remedy="name a column in it")


async def _native_error(asking: Asking, asked: Asked) -> bytes:
    """What a server says of a statement that cannot be answered, if it is about names or the language."""
    await asking.renew()
    found = await _of_server(asked)
    return found.error if found.error and is_of_names(found.error) else b""


async def _of_server(asked: Asked) -> SmallResult:
    """What a server says of a statement as it was written; nothing of one that it may never end."""
    return SmallResult() if may_not_end(asked.text) else await asked.describe()


def limited(sql: str, limit: int) -> str:
    """A statement that obeys SQL_SELECT_LIMIT.

    >>> limited("SELECT a FROM t;", 1), limited("SELECT a FROM t LIMIT 5", 1)
    ('SELECT a FROM t\\nLIMIT 1', 'SELECT a FROM t LIMIT 5')
    """
    return sql if limit == NO_LIMIT or has_limit(sql) else f"{sql.rstrip(_END)}\nLIMIT {limit}"


async def _head(asking: Asking, asked: Asked, state: SessionState, stream: AnswerStream) -> ResultHead:
    """The definitions of an answer's columns, from what is kept if possible.

    They are asked of tables of the very generation that the answer is of. Where something was published since, as when
    an alias was given to another release, only the answer's own types are right.
    """
    number, key = stream.generation, asked.key(stream, state)
    if (kept := asking.kept.find(number, key)) is not None:
        return kept
    if number != NO_GENERATION and (number == asking.number() or number == await asking.renew()):
        found = await _described(asking, asked, state, stream)
        if found is not None and asking.number() == number:
            head = ResultHead.of(found)
            if key is not None:
                asking.kept.keep(number, key, head)
            return head
    return ResultHead.of(definitions_of(stream.schema, stream.columns))


async def _described(
    asking: Asking, asked: Asked, state: SessionState, stream: AnswerStream
) -> Sequence[Definition] | None:
    """As a server gives them for the statement, or for the czar's form of it; None where it knows neither.

    Raises:
        UserError: the session asks for strictness that the statement lacks.
    """
    found = await _of_server(asked)
    if found.error and error_of(found.error)[0] in NOT_GROUPED:
        raise UserError(error_of(found.error)[1])
    if len(found.columns) == len(stream.columns):
        return found.columns
    sql = with_charset(asked.text, state.charset)
    written = await asking.lanes.call(asking.services.queries.written_out, sql, state.database)
    charset = state.charset if state.charset in ("utf8mb4", "utf8", "utf8mb3") else "utf8mb4"
    found = await asking.describer.describe(written.encode(), replace(state, charset=charset))
    if len(found.columns) == len(stream.columns):
        names = [name.encode() for name in stream.columns]
        return [one.named(name) for one, name in zip(found.columns, names, strict=True)]
    return None


async def send_rows(
    client: Wire,
    stream: AnswerStream,
    head: ResultHead,
    encode: Encode,
    rows: RowWriter = encoded_rows,
    limit: int = NO_LIMIT,
) -> int:
    """The result set: the number of columns, definitions, rows, its end; errors come out of the stream. Returns the
    number of rows, which is ``limit`` at most."""
    sent, end = 0, eof(client.status)
    for payload in (*head.payloads[:-1], end):
        client.put(payload)
    if not stream.is_ready:
        await client.drain()
    async for batch in stream if limit == NO_LIMIT else _first_rows(stream, limit):
        if not sent and batch.num_rows > FEW_ROWS:  # the first ones wait for no thread
            first, batch, sent = batch.slice(0, FIRST_ROWS), batch.slice(FIRST_ROWS), FIRST_ROWS
            await _put_batch(client, FIRST_ROWS, rows(first, head.definitions, client.sequence, encode))
            await client.drain()
        sent += batch.num_rows
        await _put_batch(client, batch.num_rows, rows(batch, head.definitions, client.sequence, encode))
        if not stream.is_ready:
            await client.drain()
    await client.send_last(end)
    return sent


async def _first_rows(stream: AnswerStream, limit: int) -> AsyncIterator[pa.RecordBatch]:
    async for batch in stream:
        yield batch.slice(0, min(limit, batch.num_rows))
        limit -= batch.num_rows
        if limit <= 0:
            return


async def _put_batch(client: Wire, rows: int, pieces: Iterator[Piece]) -> None:
    """Rows, a piece at a time; many are written in a thread, each piece taken before the next one is made."""
    if rows <= FEW_ROWS:
        for data, sequence in pieces:
            client.put_packets(data, sequence)
        return
    loop = asyncio.get_running_loop()
    while (piece := await loop.run_in_executor(None, next, pieces, None)) is not None:
        client.put_packets(*piece)
        await client.drain()
