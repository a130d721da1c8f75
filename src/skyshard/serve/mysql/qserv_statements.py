"""Qserv's own statements: submitted queries, and the lists of running and past ones.

Sources: Qserv's user documentation, "Asynchronous queries", and what its clients send.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from skyshard.basics.errors import SkyshardError
from skyshard.serve.access import Identity
from skyshard.serve.lanes import Lanes
from skyshard.serve.mysql import errors
from skyshard.serve.mysql.asked_for import AskedFor, Way, way_of, without_leading
from skyshard.serve.mysql.catalog_answer import limited, send_rows
from skyshard.serve.mysql.definitions import ColumnType, Definition, definitions_of
from skyshard.serve.mysql.describe import Describer
from skyshard.serve.mysql.door_sessions import DoorSessions
from skyshard.serve.mysql.kept_definitions import ResultHead
from skyshard.serve.mysql.packets import eof, error, is_error, lenenc, ok, row
from skyshard.serve.mysql.query_lists import (
    drop_list,
    fill_list,
    is_of_running,
    make_list,
    over_lists,
    show_processes,
)
from skyshard.serve.mysql.session_state import SessionState
from skyshard.serve.mysql.wire import Wire
from skyshard.serve.services import OPEN_STATES, PastQuery, Services, Wanted
from skyshard.serve.submitted_runs import SubmittedRuns
from skyshard.serve.text_charsets import with_charset

_TEXT_BYTES, _UTF8MB4 = 1024, 45
MOST_LISTED = 10_000
PAGE_ROWS, PAGE_BYTES = 500, 1 << 20
"""Of the history, read at a time for a list: what one who asks costs, however long the history is."""


class Work(Protocol):
    """What the sessions of a door share."""

    @property
    def services(self) -> Services: ...
    @property
    def lanes(self) -> Lanes: ...
    @property
    def runs(self) -> SubmittedRuns: ...
    @property
    def sessions(self) -> DoorSessions: ...


class QservStatements:
    """Those of one session."""

    def __init__(self, client: Wire, work: Work, who: Identity, describer: Describer, lister: Describer) -> None:
        self._client, self._who = client, who
        self._lanes, self._runs = work.lanes, work.runs
        self._describer, self._lister = describer, lister
        self._submissions, self._running = work.services.submissions, work.services.overview.running
        self._sessions = work.sessions

    async def answer(self, asked: AskedFor, text: str, state: SessionState) -> None:
        """Answer one of them; errors of ours come out."""
        ways: dict[Way, Callable[[AskedFor, str, SessionState], Awaitable[None]]] = {
            Way.LISTS: self._lists, Way.PROCESSES: self._lists, Way.SUBMIT: self._submit, Way.RESULT: self._result,
            Way.DELETE_RESULT: self._delete, Way.CANCEL: self._cancel,
        }  # fmt: skip
        await ways[asked.way](asked, text, state)

    async def _small(self, definitions: list[Definition], *rows: list[bytes | None]) -> None:
        end = eof(self._client.status)
        heads = [lenenc(len(definitions)), *(one.payload() for one in definitions), end]
        await self._client.send(*heads, *map(row, rows), end)

    async def _lists(self, asked: AskedFor, text: str, state: SessionState) -> None:
        """Make the lists that a statement asks, answer it over them, and drop them."""
        names, sql = ["processlist"], show_processes(is_full=asked.is_full)
        if asked.way is Way.LISTS:
            state.require_plain()
            names, sql = over_lists(text, state.database)
        own = replace(state, charset="utf8mb4", results="utf8mb4", collation="utf8mb4_general_ci")
        for name in names:
            await self._lister.run(make_list(name).encode(), own)
            async for queries in self._listed(is_running=is_of_running(name)):
                for statement in fill_list(name, (one.shown_to(self._who) for one in queries)):
                    await self._lister.run(statement.encode("utf-8", "surrogateescape"), own)
        sql = f"SET STATEMENT sql_select_limit = {state.limit} FOR {without_leading(sql)}"
        async for answer in self._lister.pass_on(sql.encode(), replace(state, charset="utf8mb4")):
            await self._client.send(errors.of_lists(answer) if is_error(answer) else answer)
        for name in names:
            await self._lister.run(drop_list(name).encode(), own)

    async def _listed(self, *, is_running: bool) -> AsyncIterator[list[PastQuery]]:
        """What is listed, the newest first, by the page: nobody holds the history."""
        if is_running:
            yield await self._at_once()
        wanted = Wanted(OPEN_STATES if is_running else (), most=PAGE_ROWS, most_bytes=PAGE_BYTES)
        left = MOST_LISTED
        while left and (page := await self._lanes.call(self._submissions.find, wanted)):
            yield page
            left -= len(page)
            wanted = replace(wanted, below=page[-1].number, most=min(PAGE_ROWS, left))

    async def _at_once(self) -> list[PastQuery]:
        """What is answered at once by this process."""
        running = await self._lanes.call(self._running)
        return self._sessions.listed({one.key: one for one in running if one.number is None})

    async def _submit(self, asked: AskedFor, _: str, state: SessionState) -> None:
        within = asked.limit_s if asked.limit_s is not None else state.limit_s
        submitted = way_of(asked.text, state.database)
        if submitted.way is Way.LIMITED:
            asked, within = submitted, submitted.limit_s or 0.0
        elif submitted.way is not Way.CATALOG:
            await self._client.send(errors.refused_statement(f"SUBMIT {asked.text}"))
            return
        state.require_plain()
        sql = limited(with_charset(asked.text, state.charset), state.limit)
        number = await self._runs.submit(sql, state.database, self._who.name, limit_s=within)
        job = Definition(b"jobId", ColumnType.LONGLONG, 20)
        place = Definition(b"resultLocation", ColumnType.VAR_STRING, _TEXT_BYTES, _UTF8MB4)
        await self._small([job, place], [str(number).encode(), f"table:result_{number}".encode()])

    async def _result(self, asked: AskedFor, _: str, state: SessionState) -> None:
        """The rows of a submitted query, defined as its statement's are."""
        number = asked.number
        try:
            past = await self._runs.known(number, self._who)
        except SkyshardError:
            text = f"Table 'qserv_result({number})' doesn't exist"
            await self._client.send(error(errors.NO_TABLE, "42S02", text))
            return
        own = replace(state, charset="utf8mb4", database=past.database)
        async with self._lanes.ready(lambda: self._submissions.result(number)) as stream:
            found = await self._describer.describe(past.statement.encode(), own)
            columns = found.columns
            if len(columns) != len(stream.columns):
                columns = definitions_of(stream.schema, stream.columns)
            await send_rows(self._client, stream, ResultHead.of(columns), state.encode(), limit=state.limit)

    async def _delete(self, asked: AskedFor, _: str, __: SessionState) -> None:
        past = await self._runs.known(asked.number, self._who)
        await self._lanes.call(self._submissions.delete_result, past.number)
        await self._client.send(ok())

    async def _cancel(self, asked: AskedFor, text: str, _: SessionState) -> None:
        try:
            past = await self._runs.known(asked.number, self._who)
            await self._lanes.call(self._submissions.cancel, past.number)
        except SkyshardError as problem:
            await self._client.send(errors.unknown_query(asked.number, problem))
            return
        shown = f"Trying to kill query: {' '.join(text.split())}".encode("utf-8", "surrogateescape")
        await self._small([Definition(b"command", ColumnType.VAR_STRING, _TEXT_BYTES, _UTF8MB4)], [shown])
