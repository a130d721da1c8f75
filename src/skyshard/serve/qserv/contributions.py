"""Contributions: files that clients name or bring, one a table and chunk, kept until their database is published."""

from __future__ import annotations

import contextlib
import re
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from skyshard.basics.errors import ClusterError, SkyshardError, UserError, words_of
from skyshard.catalog.dialect_marks import mark_of, require_line_end
from skyshard.host.processes import own_name
from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import DOOR_FAILED
from skyshard.serve.qserv.chunk_routes import require_chunk
from skyshard.serve.qserv.contributed_files import Allowed, HttpFailed, Source, count_rows, fetch, keep
from skyshard.serve.qserv.envelope import Asked, NotThere
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

MARKS, LINE_END = ("fields_terminated_by", "fields_enclosed_by", "fields_escaped_by"), "lines_terminated_by"
ESCAPE = "fields_escaped_by"
REGULAR = -1
METHODS = ("GET", "POST", "PUT", "DELETE")
_BETWEEN_HEADERS = re.compile(r",(?=\s*[\w-]+:)")
_HEADER = re.compile(
    r"(?!(?i:host|content-length|transfer-encoding|connection)\s*:)[!#$%&'*+.^`|~\w-]+:[\t\x20-\x7e]*", re.ASCII
)
WARNINGS, MOST_WARNINGS = 64, 65_535
"""Of servers that a client wants to be told; here rows are loaded strictly, so that there are none."""
RETRIES, MOST_RETRIES = 1, 10
"""Of a contribution that nobody waits for, as Qserv is set up."""
RETRY_S = 1.0
"""Before it is tried again."""
OTHERS_S = 10.0
"""Between two looks whether another process has cancelled what is brought here."""
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
        self._name = f"{own_name()} {uuid.uuid4().hex[:8]}"
        self._serving = state.serving(self._name)
        self._under_way = 0
        self._unwanted: set[int] = set()
        """Those under way here that were cancelled, or whose transaction was aborted."""

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
                charset=charset, dialect=_dialect(asked), process=self._name, **_of_http(asked),
                most_warnings=whole_of(asked, "max_num_warnings", WARNINGS, MOST_WARNINGS) or WARNINGS,
                most_retries=whole_of(asked, "num_retries", RETRIES, MOST_RETRIES) if is_async else 0,
            )  # fmt: skip
            registered.contributions.append(made)
            self._begin()
            self._state.put(registered)
        return made

    def _begin(self) -> None:
        """One more is under way: other processes are to know that this one is there. Within the lock."""
        if not self._under_way:
            self._serving.take()
        self._under_way += 1

    def _end(self, number: int) -> None:
        with self._state.lock:
            self._unwanted.discard(number)
            self._under_way -= 1
            if not self._under_way:
                self._serving.leave()

    def _chunk(self, asked: Asked, registered: Registered, table: str) -> int:
        if table in regular_tables(registered):
            return REGULAR
        chunk = asked.whole("chunk")
        require_chunk(registered, chunk)
        return chunk

    def read(self, number: int, *, brought: Brought | None = None, retries: int = 0) -> Contribution:
        """Find or bring the file of a contribution; what fails is noted in it, and tried again so often at most."""
        try:
            for left in range(retries, -1, -1):
                if (registered := self._begun(number)) is None:
                    break
                changes = self._tried(*registered, brought)
                if not (left and changes["can_retry"] and self._goes_on(number, changes)):
                    return self._change(number, changes)
                self._ending.wait(RETRY_S)
            return self._state.with_contribution(number)[1]
        finally:
            self._end(number)

    def read_all(self, made: Contribution) -> Contribution:
        """The same as often as its client wants."""
        return self.read(made.id, retries=made.most_retries)

    def _begun(self, number: int) -> tuple[Registered, Contribution] | None:
        """A contribution that is read now; None where it was cancelled before."""
        with self._state.lock:
            registered, one = self._state.with_contribution(number)
            if one.state is not ContribState.IN_PROGRESS:
                return None
            one.begun_ms = now_ms()
            self._state.put(registered)
            return registered, one

    def _tried(self, registered: Registered, one: Contribution, brought: Brought | None) -> dict[str, Any]:
        """What becomes of a contribution by reading its file."""
        changes: dict[str, Any] = {"state": ContribState.FINISHED, "error": "", "can_retry": False}
        changes |= {"http_error": 0, "system_error": 0}
        try:
            changes |= self._kept(registered, one, brought)
        except SkyshardError as error:
            can_retry = isinstance(error, ClusterError) and error.retryable
            changes |= {"state": ContribState.READ_FAILED, "error": words_of(error), "can_retry": can_retry}
            changes["http_error"] = error.status if isinstance(error, HttpFailed) else 0
        except OSError as error:
            what = f"the file cannot be read: {error.strerror}"
            changes |= {"state": ContribState.READ_FAILED, "error": what, "system_error": error.errno or 0}
        except Exception as error:  # or it would be IN_PROGRESS for ever
            ONLY_LOGGED.tell(DOOR_FAILED, door="ingest", error=f"{type(error).__name__}: {error}")
            changes |= {"state": ContribState.READ_FAILED, "error": "the server failed; its log says why"}
        return changes

    def _goes_on(self, number: int, changes: dict[str, Any]) -> bool:
        """Whether a try that failed is noted, and followed by another one."""
        with self._state.lock:
            registered, one = self._state.with_contribution(number)
            if one.state is not ContribState.IN_PROGRESS or self._ending.is_set():
                return False
            one.note_failure(changes["error"], system_error=changes["system_error"], http_error=changes["http_error"])
            self._state.put(registered)
            return True

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
            source = Source(one.url, one.method, one.sent, one.headers)
            path, is_ours = fetch(
                source, self._allowed, path, limit_bytes=self._limit_bytes, ending=self._ending,
                is_wanted=self._wanted(one.id),
            )  # fmt: skip
        found = path.stat()
        return {
            "path": str(path), "is_ours": is_ours, "bytes": found.st_size, "changed_ns": found.st_mtime_ns,
            "rows": count_rows(path),
        }  # fmt: skip

    def _wanted(self, number: int) -> Callable[[], bool]:
        """What says whether a contribution is wanted still; another process may have cancelled it, too."""
        looked_s = time.monotonic()

        def is_wanted() -> bool:
            nonlocal looked_s
            if time.monotonic() >= looked_s + OTHERS_S:
                looked_s = time.monotonic()
                with contextlib.suppress(ClusterError):  # a file that is removed just now
                    self._look_for_end(number)
            return number not in self._unwanted

        return is_wanted

    def _look_for_end(self, number: int) -> None:
        try:
            is_over = self._state.with_contribution(number)[1].state is not ContribState.IN_PROGRESS
        except NotThere:
            is_over = True
        if is_over:
            self._unwanted.add(number)

    def _want_no_more(self, one: Contribution) -> None:
        """Where it is brought by another process, that one sees it by itself."""
        if one.process == self._name:
            self._unwanted.add(one.id)

    def _change(self, number: int, changes: dict[str, Any]) -> Contribution:
        try:
            with self._state.lock:
                registered, one = self._state.with_contribution(number)
                if one.state is ContribState.IN_PROGRESS:
                    for name, value in (changes | {"ended_ms": now_ms()}).items():
                        setattr(one, name, value)
                    self._state.put(registered)
                    return one
        except NotThere:  # its transaction was aborted meanwhile
            _forget_copy(changes)
            raise
        _forget_copy(changes)
        return one

    def recover(self) -> None:
        """What a process that is gone left under way has failed; it may be tried again where a URL says from where."""
        self._state.remove_strays()
        self._fail_lost()

    def _fail_lost(self) -> None:
        with self._state.lock:
            for registered in self._state.databases():
                left = [one for one in registered.contributions if one.state is ContribState.IN_PROGRESS]
                gone = {name for name in {one.process for one in left} if not self._state.is_serving(name)}
                left = [one for one in left if one.process in gone]
                for one in left:
                    one.state, one.can_retry = ContribState.READ_FAILED, bool(one.url)
                    one.error, one.ended_ms = "the process that read it is gone", now_ms()
                if left:
                    self._state.put(registered)

    def found(self, number: int) -> tuple[Registered, Contribution]:
        """A contribution, as it is; one that a process read which is gone has failed."""
        registered, one = self._state.with_contribution(number)
        if one.state is ContribState.IN_PROGRESS and not self._state.is_serving(one.process):
            self._fail_lost()
            return self._state.with_contribution(number)
        return registered, one

    def of(self, transaction: int) -> Registered:
        """The database of a transaction; contributions of it that a process read which is gone have failed."""
        registered = self._state.with_transaction(transaction)
        reading = {one.process for one in registered.of(transaction) if one.state is ContribState.IN_PROGRESS}
        if all(map(self._state.is_serving, reading)):
            return registered
        self._fail_lost()
        return self._state.with_transaction(transaction)

    def again(self, number: int) -> Contribution:
        """Let one that failed, and may be tried again, begin anew."""
        with self._state.lock:
            registered, one = self._state.with_contribution(number)
            if one.state is not ContribState.READ_FAILED or not one.can_retry:
                raise UserError(
                    f"contribution {number} is {one.state}", remedy="only one with retry_allowed is retried"
                )
            one.note_failure(one.error, system_error=one.system_error, http_error=one.http_error)
            one.error, one.system_error, one.http_error, one.can_retry, one.ended_ms = "", 0, 0, False, 0
            one.state, one.process = ContribState.IN_PROGRESS, self._name
            self._begin()
            self._state.put(registered)
            return one

    def cancel(self, number: int) -> Contribution:
        """One that is read stays; UserError for one that has ended."""
        with self._state.lock:
            registered, one = self._state.with_contribution(number)
            if one.state is not ContribState.IN_PROGRESS:
                raise UserError(f"contribution {number} is {one.state}", remedy="abort its transaction")
            one.state, one.ended_ms = ContribState.CANCELLED, now_ms()
            self._want_no_more(one)
            self._state.put(registered)
            return one

    def cancel_all(self, transaction: int) -> Registered:
        """The same for all of a transaction that have not ended."""
        with self._state.lock:
            registered = self._state.with_transaction(transaction)
            for one in registered.of(transaction):
                if one.state is ContribState.IN_PROGRESS:
                    one.state, one.ended_ms = ContribState.CANCELLED, now_ms()
                    self._want_no_more(one)
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
            if one.state is ContribState.IN_PROGRESS:
                self._want_no_more(one)
            if one.is_ours:
                Path(one.path).unlink(missing_ok=True)
        kept = {one.id for one in gone}
        registered.contributions = [one for one in registered.contributions if one.id not in kept]
        if not registered.contributions:
            with contextlib.suppress(OSError):
                shutil.rmtree(self._state.files(registered.database))


def _forget_copy(changes: dict[str, Any]) -> None:
    """Remove what was brought for a contribution that nobody wants any more."""
    if changes.get("is_ours"):
        Path(changes["path"]).unlink(missing_ok=True)


def whole_of(asked: Asked, name: str, default: int, most: int) -> int:
    """A number from 0 on, at most so many; UserError where it is none."""
    found = asked.whole(name) if asked.value(name, default) != default else default
    if found < 0:
        raise UserError(f"'{name}' is {found}", remedy=f"send {name} from 0 to {most}")
    return min(found, most)


def _of_http(asked: Asked) -> dict[str, Any]:
    """How a file is asked for at a URL of HTTP; headers are a list, or a text with commas between them.

    Raises:
        UserError: another method, or a header that is none, or one that says where the request ends or whither it goes.
    """
    method = (asked.text("http_method", "") or "GET").upper()
    if method not in METHODS:
        raise UserError(f"http_method '{method[:40]}' is not sent", remedy=f"use {', '.join(METHODS)}")
    given = asked.value("http_headers", "")
    if not isinstance(given, str) and not (isinstance(given, list) and all(isinstance(one, str) for one in given)):
        raise UserError("'http_headers' has to be a list of texts", remedy='send ["Name: value"]')
    headers = [one.strip() for one in (_BETWEEN_HEADERS.split(given) if isinstance(given, str) else given)]
    headers = [one for one in headers if one]
    if wrong := [one for one in headers if not _HEADER.fullmatch(one)]:
        raise UserError(f"http_headers: '{wrong[0][:40]}' is not sent", remedy="send headers as 'Name: value'")
    return {"method": method, "sent": asked.text("http_data", ""), "headers": headers}


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
