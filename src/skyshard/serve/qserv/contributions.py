"""Contributions: files that clients name or bring, one a table and chunk, kept until their database is published."""

from __future__ import annotations

import contextlib
import functools
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from starlette.datastructures import UploadFile
from starlette.routing import Route

from skyshard.basics.errors import ClusterError, SkyshardError, UserError, words_of
from skyshard.catalog.dialect_marks import mark_of, require_line_end
from skyshard.host.processes import is_running_here, own_name
from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import DOOR_FAILED
from skyshard.serve.access import Scope
from skyshard.serve.http.form import open_form
from skyshard.serve.lanes import Lanes
from skyshard.serve.qserv.chunk_routes import require_chunk
from skyshard.serve.qserv.contributed_files import Allowed, count_rows, fetch, keep
from skyshard.serve.qserv.envelope import Asked, Desk, NotThere, Payload
from skyshard.serve.qserv.form_head import first_fields
from skyshard.serve.qserv.ingest_json import contribution_json
from skyshard.serve.qserv.ingest_state import (
    CHARSETS,
    ContribState,
    Contribution,
    IngestState,
    Registered,
    TransState,
    charset_of,
    now_ms,
    regular_tables,
)
from skyshard.serve.qserv.json_rows import encoding_of
from skyshard.serve.qserv.posted_rows import lines_of

MARKS, LINE_END = ("fields_terminated_by", "fields_enclosed_by", "fields_escaped_by"), "lines_terminated_by"
ESCAPE = "fields_escaped_by"
REGULAR = -1
Brought = IO[bytes] | Callable[[], bytes]
"""A file that a request brought, or what makes its content."""


class Contributions:
    """Adds, reads and forgets them. Safe for threads."""

    def __init__(self, state: IngestState, allowed: Allowed, *, limit_bytes: int, ending: threading.Event) -> None:
        """``ending`` is set when the process ends: files that are being brought are not waited for then."""
        self._state = state
        self._ending = ending
        self._allowed = allowed
        self._limit_bytes = limit_bytes

    def add(self, asked: Asked, *, is_async: bool, url: str) -> Contribution:
        """Note a contribution; its rows are read later.

        Raises:
            UserError: its transaction is not STARTED, its table is not registered, its chunk is none of the layout,
                its character set is none, or another one than that of rows before it.
        """
        number, table = asked.whole("transaction_id"), asked.text("table")
        with self._state.lock:
            registered = self._state.changeable(self._state.with_transaction(number).database)
            if registered.transaction(number).state is not TransState.STARTED:
                raise UserError(f"transaction {number} is not STARTED", remedy="start another one")
            if table not in registered.tables:
                raise UserError(f"no table '{table}' is registered", remedy="register it: POST /ingest/table")
            chunk = self._chunk(asked, registered, table)
            charset = asked.text("charset_name", "")
            require_charset(registered, charset)
            made = Contribution(
                id=self._state.next_number("contribution"), transaction=number, table=table, chunk=chunk, url=url,
                is_overlap=chunk != REGULAR and asked.flag("overlap"), is_async=is_async, created_ms=now_ms(),
                charset=charset, dialect=_dialect(asked), process=own_name(),
            )  # fmt: skip
            registered.contributions.append(made)
            self._state.put(registered)
        return made

    def _chunk(self, asked: Asked, registered: Registered, table: str) -> int:
        if table in regular_tables(registered):
            return REGULAR
        chunk = asked.whole("chunk")
        require_chunk(registered, chunk)
        return chunk

    def read(self, number: int, *, brought: Brought | None = None) -> Contribution:
        """Find or bring the file of a contribution; what fails is noted in it."""
        registered, one = self._state.with_contribution(number)
        changes: dict[str, Any] = {"state": ContribState.FINISHED, "error": "", "can_retry": False}
        try:
            changes |= self._kept(registered, one, brought)
        except SkyshardError as error:
            can_retry = isinstance(error, ClusterError) and error.retryable
            changes |= {"state": ContribState.READ_FAILED, "error": words_of(error), "can_retry": can_retry}
        except OSError as error:
            what = f"the file cannot be read: {error.strerror}"
            changes |= {"state": ContribState.READ_FAILED, "error": what, "system_error": error.errno or 0}
        except Exception as error:  # or it would be IN_PROGRESS for ever
            ONLY_LOGGED.tell(DOOR_FAILED, door="ingest", error=f"{type(error).__name__}: {error}")
            changes |= {"state": ContribState.READ_FAILED, "error": "the server failed; its log says why"}
        try:
            return self._change(number, changes)
        except NotThere:  # its transaction was aborted meanwhile
            if changes.get("is_ours"):
                Path(changes["path"]).unlink(missing_ok=True)
            raise

    def _kept(self, registered: Registered, one: Contribution, brought: Brought | None) -> dict[str, Any]:
        """Where the rows of a contribution are now, and what is to be noted of their file."""
        folder = self._state.files(registered.database)
        folder.mkdir(parents=True, exist_ok=True)
        path, is_ours = folder / f"{one.id}.txt", True
        if callable(brought):
            path.write_bytes(brought())
        elif brought is not None:
            keep(brought, path)
        else:
            path, is_ours = fetch(one.url, self._allowed, path, limit_bytes=self._limit_bytes, ending=self._ending)
        found = path.stat()
        return {
            "path": str(path), "is_ours": is_ours, "bytes": found.st_size, "changed_ns": found.st_mtime_ns,
            "rows": count_rows(path),
        }  # fmt: skip

    def _change(self, number: int, changes: dict[str, Any]) -> Contribution:
        with self._state.lock:
            registered, one = self._state.with_contribution(number)
            if one.state is ContribState.CANCELLED:
                if changes.get("is_ours"):
                    Path(changes["path"]).unlink(missing_ok=True)
            else:
                for name, value in (changes | {"ended_ms": now_ms()}).items():
                    setattr(one, name, value)
                self._state.put(registered)
            return one

    def recover(self) -> None:
        """What a process that is gone left under way has failed; it may be tried again where a URL says from where."""
        self._state.remove_strays()
        with self._state.lock:
            for registered in self._state.databases():
                left = [one for one in registered.contributions if one.state is ContribState.IN_PROGRESS]
                left = [one for one in left if not is_running_here(one.process)]
                for one in left:
                    one.state, one.can_retry = ContribState.READ_FAILED, bool(one.url)
                    one.error, one.ended_ms = "the process that read it is gone", now_ms()
                if left:
                    self._state.put(registered)

    def again(self, number: int) -> None:
        """Let one that failed, and may be tried again, begin anew."""
        with self._state.lock:
            registered, one = self._state.with_contribution(number)
            if one.state is not ContribState.READ_FAILED or not one.can_retry:
                raise UserError(
                    f"contribution {number} is {one.state}", remedy="only one with retry_allowed is retried"
                )
            one.state, one.process = ContribState.IN_PROGRESS, own_name()
            self._state.put(registered)

    def cancel(self, number: int) -> Contribution:
        """One that is read stays; UserError for one that has ended."""
        with self._state.lock:
            registered, one = self._state.with_contribution(number)
            if one.state is not ContribState.IN_PROGRESS:
                raise UserError(f"contribution {number} is {one.state}", remedy="abort its transaction")
            one.state, one.ended_ms = ContribState.CANCELLED, now_ms()
            self._state.put(registered)
            return one

    def cancel_all(self, transaction: int) -> Registered:
        """The same for all of a transaction that have not ended."""
        with self._state.lock:
            registered = self._state.with_transaction(transaction)
            for one in registered.of(transaction):
                if one.state is ContribState.IN_PROGRESS:
                    one.state, one.ended_ms = ContribState.CANCELLED, now_ms()
            self._state.put(registered)
            return registered

    def require_same(self, one: Contribution) -> None:
        """UserError where a file is not any more what it was when it was contributed."""
        try:
            now = Path(one.path).stat()
        except OSError as error:
            what = f"the file of contribution {one.id} is gone: {error.strerror}"
            raise UserError(what, remedy="bring it back, or drop the database") from None
        if (now.st_size, now.st_mtime_ns) != (one.bytes, one.changed_ns):
            what = f"the file of contribution {one.id} has changed since it was contributed"
            raise UserError(what, remedy="drop the database, and contribute anew")

    def forget(self, registered: Registered, gone: Sequence[Contribution]) -> None:
        """Remove contributions and the copies of their files; the caller keeps the rest."""
        for one in gone:
            if one.is_ours:
                Path(one.path).unlink(missing_ok=True)
        kept = {one.id for one in gone}
        registered.contributions = [one for one in registered.contributions if one.id not in kept]
        if not registered.contributions:
            with contextlib.suppress(OSError):
                shutil.rmtree(self._state.files(registered.database))


def _dialect(asked: Asked) -> dict[str, str]:
    """How rows are written, as far as it is said. An empty escape is none, any other empty mark the default one."""
    absent = "\0"
    given = {name: asked.text(name, absent) for name in (*MARKS, LINE_END)}
    for name in MARKS:
        mark_of(name, given[name])
    require_line_end(given[LINE_END])
    return {name: text for name, text in given.items() if text != absent and (text or name == ESCAPE)}


def require_charset(registered: Registered, charset: str) -> None:
    """UserError where rows in a character set cannot stand beside those that are there: all are read in one."""
    mine = charset_of(charset)
    if mine not in CHARSETS:
        raise UserError(f"charset_name '{charset[:100]}' cannot be read", remedy=f"use {' or '.join(CHARSETS)}")
    other = next((one for one in registered.contributions if charset_of(one.charset) != mine), None)
    if other is not None:
        what = f"contribution {other.id} of {registered.database} is in {charset_of(other.charset)}, this one in {mine}"
        raise UserError(what, remedy="write all in one character set; without charset_name it is latin1")


class ContributionRoutes:
    """What Qserv's workers answer."""

    def __init__(self, contributions: Contributions, lanes: Lanes, state: IngestState) -> None:
        self._contributions = contributions
        self._lanes = lanes
        self._state = state

    def routes(self, desk: Desk) -> list[Route]:
        return [
            *desk.route("POST", "/ingest/file", self._file, Scope.INGEST),
            *desk.route("PUT", "/ingest/file/{contribution}", self._file_again, Scope.INGEST),
            *desk.route("POST", "/ingest/file-async", self._file_async, Scope.INGEST),
            *desk.route("PUT", "/ingest/file-async/{contribution}", self._file_again, Scope.INGEST),
            *desk.route("GET", "/ingest/file-async/{contribution}", self._one, Scope.INGEST),
            *desk.route("DELETE", "/ingest/file-async/{contribution}", self._cancel, Scope.INGEST),
            *desk.route("GET", "/ingest/file-async/trans/{transaction}", self._all, Scope.INGEST),
            *desk.route("DELETE", "/ingest/file-async/trans/{transaction}", self._cancel_all, Scope.INGEST),
            *desk.route("POST", "/ingest/data", self._data, Scope.INGEST),
            *desk.route("GET", "/ingest/trans/contrib/{contribution}", self._contribution, Scope.INGEST),
            *desk.route("POST", "/ingest/csv", functools.partial(self._csv, desk), None, is_json=False),
        ]

    async def _file(self, asked: Asked) -> Payload:
        made = await self._lanes.call(self._contributions.add, asked, is_async=False, url=asked.text("url"))
        return await self._shown(await self._lanes.work(self._contributions.read, made.id))

    async def _file_async(self, asked: Asked) -> Payload:
        made = await self._lanes.call(self._contributions.add, asked, is_async=True, url=asked.text("url"))
        self._lanes.begin(self._contributions.read, made.id)
        return await self._shown(made)

    async def _file_again(self, asked: Asked) -> Payload:
        number = asked.whole("contribution")
        await self._lanes.call(self._contributions.again, number)
        return await self._shown(await self._lanes.work(self._contributions.read, number))

    async def _csv(self, desk: Desk, asked: Asked) -> Payload:
        """The token may be a field of the form, before its file, as Qserv's clients send it."""
        fields, request = await first_fields(asked.request)
        await desk.require(asked.with_body(fields), Scope.INGEST)
        async with open_form(request) as form:
            told = asked.with_body({name: value for name, value in form.items() if isinstance(value, str)})
            told.check_version()
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            if not files:
                raise UserError("the form has no file", remedy="send the rows as the last part")
            rows = files[-1]
            made = await self._lanes.call(self._contributions.add, told, is_async=False, url="")
            read = await self._lanes.work(self._contributions.read, made.id, brought=rows.file)
        return await self._shown(read)

    async def _data(self, asked: Asked) -> Payload:
        """Rows in the request itself, as JSON."""
        encoding = encoding_of(asked.text("binary_encoding", "hex"))
        made = await self._lanes.call(self._contributions.add, asked, is_async=False, url="")
        registered = await self._lanes.call(self._state.with_transaction, made.transaction)
        schema = registered.tables[made.table]["schema"]
        rows = functools.partial(lines_of, asked.body.get("rows"), schema, made.charset, encoding)
        return await self._shown(await self._lanes.work(self._contributions.read, made.id, brought=rows))

    async def _one(self, asked: Asked) -> Payload:
        _, one = await self._lanes.call(self._state.with_contribution, asked.whole("contribution"))
        return await self._shown(one)

    async def _contribution(self, asked: Asked) -> Payload:
        registered, one = await self._lanes.call(self._state.with_contribution, asked.whole("contribution"))
        return {"contribution": contribution_json(registered, one)}

    async def _all(self, asked: Asked) -> Payload:
        number = asked.whole("transaction")
        registered = await self._lanes.call(self._state.with_transaction, number)
        return {"contribs": [contribution_json(registered, one) for one in registered.of(number)]}

    async def _cancel(self, asked: Asked) -> Payload:
        return await self._shown(await self._lanes.call(self._contributions.cancel, asked.whole("contribution")))

    async def _cancel_all(self, asked: Asked) -> Payload:
        """Those of a transaction that are under way; others stay as they are."""
        number = asked.whole("transaction")
        registered = await self._lanes.call(self._contributions.cancel_all, number)
        return {"contribs": [contribution_json(registered, one) for one in registered.of(number)]}

    async def _shown(self, one: Contribution) -> Payload:
        registered = await self._lanes.call(self._state.with_transaction, one.transaction)
        return {"contrib": contribution_json(registered, one)}
