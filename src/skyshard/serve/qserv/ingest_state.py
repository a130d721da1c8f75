"""What clients of the ingest REST have registered, and not published yet, with its transactions and contributions.

Rules: one JSON file a database, written whole at each change before the answer, so that a restart goes on. States
follow ``NEXT``. Rows go to the nodes at publish, by one ingest of all finished transactions: all of them, or none.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skyshard.basics.errors import ClusterError, UserError
from skyshard.host.atomic_files import new_file
from skyshard.serve.folder_locks import FileLock, FolderLock
from skyshard.serve.qserv.envelope import NotThere

CHARSETS = ("latin1", "utf8")
_READ_AS = {"": "latin1", "ascii": "latin1", "binary": "latin1"} | dict.fromkeys(
    ("utf8mb3", "utf8mb4", "utf-8"), "utf8"
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
PUBLISH = ".publish"
"""How the folder of a database ends that is being published."""
SERVING = ".serving"
"""How a file ends that a process holds which reads contributions."""
CHECK = "check-"
"""How folders begin in which tables are looked at as they are registered; only within the lock."""


def require_name(kind: str, name: str, *, taken: Sequence[str] = ()) -> str:
    """The same name, of which a file's name is made; ``taken`` are those of our own files.

    Raises:
        UserError: it is none for a database or table.
    """
    if not _NAME.fullmatch(name) or name in taken:
        but = f"; not {' or '.join(taken)}" if taken else ""
        what = f"'{name[:100]}' is no name for a {kind}"
        raise UserError(what, remedy=f"use a letter, then letters, digits and _, 64 at most{but}")
    return name


def charset_of(name: str) -> str:
    """What rows are read in, by the name that a client gave; without one it is latin1, as Qserv's is.

    >>> charset_of(""), charset_of("UTF8MB4"), charset_of("koi8r")
    ('latin1', 'utf8', 'koi8r')
    """
    return _READ_AS.get(name.lower(), name.lower())


class TransState(StrEnum):
    """Of a transaction, in Qserv's words."""

    STARTED = "STARTED"
    FINISHED = "FINISHED"
    ABORTED = "ABORTED"


class ContribState(StrEnum):
    """Of a contribution, in Qserv's words."""

    IN_PROGRESS = "IN_PROGRESS"
    FINISHED = "FINISHED"
    READ_FAILED = "READ_FAILED"
    CANCELLED = "CANCELLED"


NEXT: Mapping[TransState, Mapping[bool, TransState]] = {
    TransState.STARTED: {False: TransState.FINISHED, True: TransState.ABORTED},
    TransState.FINISHED: {},
    TransState.ABORTED: {},
}
"""State → whether it is aborted → the next one."""


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class FailedTry(_Kept):
    """A try to read the file of a contribution, after which there was another one; times as of a transaction."""

    begun_ms: int
    ended_ms: int
    error: str
    system_error: int = 0
    http_error: int = 0


class Contribution(_Kept):
    """One file of one table and chunk."""

    id: int
    transaction: int
    table: str
    chunk: int
    """-1 for a regular table."""
    is_overlap: bool
    url: str
    """Where it came from; empty where the request brought it."""
    path: str = ""
    """The file that holds its rows; empty until it is read."""
    is_ours: bool = False
    """Whether the file is a copy, which is removed with it."""
    dialect: dict[str, str] = {}
    charset: str = ""
    is_async: bool = True
    state: ContribState = ContribState.IN_PROGRESS
    error: str = ""
    system_error: int = 0
    http_error: int = 0
    can_retry: bool = False
    bytes: int = 0
    rows: int = 0
    changed_ns: int = 0
    """Of the file, when it was looked at."""
    created_ms: int = 0
    ended_ms: int = 0
    process: str = ""
    """The one that reads it, or has read it."""
    method: str = "GET"
    """Of HTTP, as what follows."""
    sent: str = ""
    headers: list[str] = []
    """Each as ``Name: value``."""
    most_warnings: int = 64
    most_retries: int = 0
    begun_ms: int = 0
    """When the last try to read it began."""
    failed: list[FailedTry] = []

    def note_failure(self, error: str, *, system_error: int = 0, http_error: int = 0) -> None:
        """Keep a try that failed, before the next one."""
        one = FailedTry(
            begun_ms=self.begun_ms, ended_ms=now_ms(), error=error, system_error=system_error, http_error=http_error
        )
        self.failed = [*self.failed, one]


class Transaction(_Kept):
    """A super-transaction; times in milliseconds since 1970, 0 for none."""

    id: int
    state: TransState = TransState.STARTED
    context: dict[str, Any] = {}
    begun_ms: int = 0
    ended_ms: int = 0


class Registered(_Kept):
    """A database that is not published yet."""

    version: Literal[1] = 1
    database: str
    stripes: int = Field(ge=1)
    substripes: int = Field(ge=1)
    overlap_deg: float = Field(ge=0)
    auto_index: bool = True
    is_reopened: bool = False
    """It is published, and open for more tables."""
    made_ms: int = 0
    tables: dict[str, dict[str, Any]] = {}
    """Name → the JSON that registered it."""
    settings: dict[str, Any] = {}
    """What ``/ingest/config`` was given."""
    is_publishing: bool = False
    """Its publish has begun, and has not been refused: nothing of it changes any more."""
    transactions: list[Transaction] = []
    contributions: list[Contribution] = []

    @property
    def family(self) -> str:
        return f"layout_{self.stripes}_{self.substripes}"

    def transaction(self, number: int) -> Transaction:
        """UserError if there is none."""
        found = next((one for one in self.transactions if one.id == number), None)
        if found is None:
            raise NotThere(f"no transaction {number} of {self.database}", remedy="start one: POST /ingest/trans")
        return found

    def of(self, transaction: int) -> list[Contribution]:
        return [one for one in self.contributions if one.transaction == transaction]

    def in_state(self, state: TransState) -> list[Transaction]:
        return [one for one in self.transactions if one.state is state]

    def end(self, number: int, *, abort: bool, now_ms: int) -> Transaction:
        """Commit or abort a transaction.

        Raises:
            UserError: it has ended, or a contribution to be committed failed or is under way.
        """
        found = self.transaction(number)
        after = NEXT[found.state].get(abort)
        if after is None:
            raise UserError(f"transaction {number} is {found.state}", remedy="only one that is STARTED can be ended")
        if not abort:
            self._require_read(number)
        found.state, found.ended_ms = after, now_ms
        return found

    def _require_read(self, number: int) -> None:
        wrong = [one for one in self.of(number) if one.state in (ContribState.IN_PROGRESS, ContribState.READ_FAILED)]
        if wrong:
            what = f"contribution {wrong[0].id} of transaction {number} is {wrong[0].state}"
            raise UserError(f"{what}: {wrong[0].error}", remedy="wait for it, or abort the transaction")


class Numbers(_Kept):
    """The numbers given last, over all databases; none is given twice."""

    version: Literal[1] = 1
    transaction: int = 0
    contribution: int = 0


class IngestState:
    """Reads and writes the files of one folder. Safe for threads, and for several processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FolderLock(folder)

    def serving(self, process: str) -> FileLock:
        """Held by a process that reads contributions, as long as it is there; on any host."""
        return FileLock(self._folder / f"{process.replace(' ', '-')}{SERVING}")

    def is_serving(self, process: str) -> bool:
        """Whether the process of such a name, on whatever host, is there."""
        with self._lock:
            return bool(process) and self.serving(process).is_taken

    @property
    def lock(self) -> FolderLock:
        """Held by whoever reads, changes and writes."""
        return self._lock

    def files(self, database: str) -> Path:
        """The folder for copies of contributed files."""
        return self._path(database).with_suffix(".files")

    def databases(self) -> list[Registered]:
        """All that are registered, by name."""
        return [self._read(path, Registered) for path in sorted(self._folder.glob("*.json")) if path.stem != "numbers"]

    def find(self, database: str) -> Registered | None:
        path = self._path(database)
        return self._read(path, Registered) if path.exists() else None

    def get(self, database: str) -> Registered:
        """UserError if it is not registered."""
        found = self.find(database)
        if found is None:
            raise UserError(f"no database '{database}' is being ingested", remedy="register it: POST /ingest/database")
        return found

    def changeable(self, database: str) -> Registered:
        """The same, to be changed.

        Raises:
            ClusterError: it is being published (retryable), or that was interrupted: rows that came now would be lost.
        """
        found = self.get(database)
        self.require_no_publish(database)
        if found.is_publishing:
            what = f"the publish of '{database}' was interrupted"
            raise ClusterError(what, remedy="publish it again, which goes on; then ask again", retryable=True)
        return found

    def require_no_publish(self, database: str) -> None:
        """Raises ClusterError while a process publishes a database (retryable)."""
        with self._lock:
            if self._publish(database).is_taken:
                raise _is_published_now(database)

    @contextlib.contextmanager
    def publishing(self, database: str) -> Iterator[Registered]:
        """Inside, nobody else changes or publishes a database; afterwards neither, unless it was wrong or forgotten.

        Raises:
            ClusterError: it is being published already (retryable).
            UserError: it is not registered, or has a transaction that is open.
        """
        publish = self._publish(database)
        with self._lock:
            self.require_no_publish(database)
            registered = self.get(database)
            if opened := registered.in_state(TransState.STARTED):
                what = f"transaction {opened[0].id} of {database} is {opened[0].state}"
                raise UserError(what, remedy="commit or abort it")
            if not publish.take():
                raise _is_published_now(database)
        try:
            yield registered
        except UserError:
            self.note_publishing(registered, False)
            raise
        finally:
            with self._lock:
                publish.leave()

    def note_publishing(self, registered: Registered, is_publishing: bool) -> None:
        """Keep whether its rows may be on their way to the nodes, or there."""
        registered.is_publishing = is_publishing
        with self._lock:
            self.put(registered)

    def with_transaction(self, number: int) -> Registered:
        """The database of a transaction; UserError if there is none."""
        for one in self.databases():
            if any(held.id == number for held in one.transactions):
                return one
        raise NotThere(f"no transaction {number}", remedy="start one: POST /ingest/trans")

    def with_contribution(self, number: int) -> tuple[Registered, Contribution]:
        """UserError if there is none."""
        for one in self.databases():
            for held in one.contributions:
                if held.id == number:
                    return one, held
        raise NotThere(f"no contribution {number}", remedy="those of published databases are forgotten")

    def put(self, registered: Registered) -> None:
        self._write(self._path(registered.database), registered)

    def forget(self, database: str) -> None:
        self._path(database).unlink(missing_ok=True)

    def remove_strays(self) -> None:
        """Remove what a process that was killed left: drafts, and folders of what is not registered any more."""
        with self._lock:
            for draft in self._folder.glob(".*.tmp"):
                draft.unlink(missing_ok=True)
            for left in self._folder.glob(f"*{SERVING}"):
                FileLock(left).is_taken  # noqa: B018 - which removes one that nobody holds
            kept = {path.stem for path in self._folder.glob("*.json")}
            for path in self._folder.iterdir():
                is_stray = path.suffix in (".files", PUBLISH) and path.stem not in kept
                if path.is_dir() and (is_stray or path.name.startswith(CHECK)):
                    shutil.rmtree(path, ignore_errors=True)

    def next_number(self, kind: Literal["transaction", "contribution"]) -> int:
        """One more; kept before it is given."""
        path = self._folder / "numbers.json"
        numbers = self._read(path, Numbers) if path.exists() else Numbers()
        setattr(numbers, kind, getattr(numbers, kind) + 1)
        self._write(path, numbers)
        return int(getattr(numbers, kind))

    def _publish(self, database: str) -> FileLock:
        """Held by the process that publishes a database."""
        return FileLock(self._path(database).with_suffix(".publishing"))

    def _path(self, database: str) -> Path:
        return self._folder / f"{require_name('database', database, taken=['numbers'])}.json"

    def _read(self, path: Path, kind: Any) -> Any:
        try:
            return kind.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            what = f"what was registered in {path.name} cannot be read: {type(error).__name__}"
            raise ClusterError(what, remedy="remove the file, and register anew") from None

    def _write(self, path: Path, content: BaseModel) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with new_file(path) as draft:
            draft.write_text(content.model_dump_json(indent=1))


def _is_published_now(database: str) -> ClusterError:
    return ClusterError(f"'{database}' is being published", remedy="ask again once it is", retryable=True)


def now_ms() -> int:
    return int(time.time() * 1000)


def regular_tables(registered: Registered) -> Sequence[str]:
    return [name for name, table in registered.tables.items() if not table.get("is_partitioned")]
