"""What doors ask of the czar and the registry, as Protocols and values; ``skyshard.cli.serving`` makes them real.

Rules: every call here is synchronous and may wait for servers: doors call them in the threads of ``lanes``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from skyshard.db.connection import Endpoint
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.serve.access import Access, Identity, Scope
from skyshard.serve.open_answer import OpenAnswer as OpenAnswer
from skyshard.serve.page_services import Overview
from skyshard.serve.tap_services import TapServices
from skyshard.serve.told_errors import without_paths
from skyshard.serve.user_limits import Meter

LaneName = Literal["interactive", "scan"]
Open = Callable[[], AbstractContextManager["OpenAnswer"]]


class Queries(Protocol):
    """Statements that are answered at once; errors are UserError, Refusal, ClusterError."""

    def lane(self, sql: str, database: str) -> LaneName:
        """In which lane a statement would be answered; the plan is kept for when it is."""

    def open(self, sql: str, database: str) -> AbstractContextManager[OpenAnswer]:
        """Begin to answer a statement."""

    def prepare(self, sql: str, database: str) -> tuple[LaneName, Open]:
        """Its lane, and what opens it: the plan of a look-up is made once for both."""

    def explain(self, sql: str, database: str) -> Mapping[str, Any]:
        """How it would be answered: lane, chunks, why, statements, merge."""

    def analyze(self, sql: str, database: str) -> Mapping[str, Any]:
        """Answer it, drop its rows, and say where the time went, by node."""

    def cancel(self, query: str) -> bool:
        """Stop a query on all servers; False if it is not under way in this process."""

    def written_out(self, sql: str, database: str) -> str:
        """A statement as a server without functions of ours understands it, its databases by the names they have
        here."""


@dataclass(frozen=True, slots=True)
class PastQuery:
    """A statement of the history, under way or ended; times in seconds since 1970, None where it is not there yet."""

    number: int
    is_submitted: bool
    database: str
    statement: str
    state: str
    """queued, executing, completed, failed, cancelled, expired."""
    kind: str
    lane: str
    submitted_s: float
    begun_s: float | None
    ended_s: float | None
    chunks: int
    chunks_done: int
    rows: int
    bytes: int
    error: str
    owner: str = ""
    """Who submitted it at a door; empty: nobody that doors know."""
    column_bytes: int = 0
    """Of column images that were read."""

    @property
    def told_error(self) -> str:
        """Its error as clients are told it."""
        return without_paths(self.error)

    def is_of(self, who: Identity) -> bool:
        """Whether somebody may see, end and forget it: its owner, and an administrator."""
        return who.scope is Scope.ADMIN or (bool(self.owner) and self.owner == who.name)

    def shown_to(self, who: Identity) -> PastQuery:
        """As somebody may see it in a list: what is not theirs without its statement and its error."""
        return replace(self, error=self.told_error) if self.is_of(who) else replace(self, statement="", error="")


OPEN_STATES = ("queued", "executing")
"""Of queries that have not ended."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which queries of the history are wanted; what is empty or None says nothing about them."""

    states: Sequence[str] = ()
    text: str = ""
    """In the statement, in any case; no pattern."""
    database: str = ""
    since_s: float | None = None
    """Submitted then or later; in seconds since 1970, as the next."""
    until_s: float | None = None
    """Submitted before."""
    below: int | None = None
    """Numbers below this one: those that come after a page that ended with it."""
    most: int = 50
    owner: str = ""
    """Only what somebody submitted."""
    most_bytes: int = 0
    """Of their statements and errors together, so that fewer may come; the first comes anyhow. 0: no limit."""


class Submissions(Protocol):
    """Submitted queries: they run in this process, their results are kept for days. UserError for unknown numbers."""

    def submit(self, sql: str, database: str, owner: str, limit_s: float = 0.0) -> int:
        """Note a statement of somebody, which the caller has to :meth:`run`. One that takes longer than ``limit_s``,
        from when it begins on, is cancelled, which its error says; 0: no limit."""

    def run(self, number: int, meter: Meter | None = None) -> None:
        """Answer a submitted statement; its errors, the meter's among them, go to the history."""

    def left_over(self) -> Sequence[int]:
        """Statements that a process noted and, as it ended, did not run."""

    def status(self, number: int) -> PastQuery: ...

    def result(self, number: int) -> OpenAnswer:
        """The rows of a completed query, read in bounded memory.

        Raises:
            UserError: it has not completed, or its rows are gone.
        """

    def cancel(self, number: int) -> PastQuery:
        """Stop a query and wait until it has ended; one that has ended stays as it is."""

    def delete_result(self, number: int) -> None:
        """Forget the rows of a completed query; UserError if it has none."""

    def find(self, wanted: Wanted) -> list[PastQuery]:
        """Newest first."""

    def kept_of(self, owner: str) -> int:
        """How many submitted queries of somebody hold a result, or are to."""

    def states(self, numbers: Collection[int]) -> Mapping[int, str]:
        """The states of some queries; without those that the history does not have."""


class Catalogs(Protocol):
    """What is published."""

    def generation(self) -> int:
        """A number that changes whenever anything published changes."""

    def databases(self) -> list[str]:
        """Names, aliases among them."""

    def catalog(self, name: str) -> Catalog:
        """Tables, columns, types, rows of a database; UserError if there is none."""


class Health(Protocol):
    """Whether the process can answer."""

    def faults(self) -> list[str]:
        """Why not, one line each; empty: it can."""


@dataclass(frozen=True, slots=True)
class EndedSums:
    """Statements that ended in one state and lane, summed; ``within``: how many lasted no longer than each of
    ``SECONDS``."""

    state: str
    lane: str
    queries: int
    elapsed_s: float
    chunks: int
    bytes: int
    within: tuple[int, ...]


SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Bounds of the histogram of queries' times."""


@dataclass(frozen=True, slots=True)
class StateNow:
    """What a scrape shows as it is now."""

    nodes_up: dict[str, bool]
    replicas: dict[str, int]
    transactions: dict[str, int]
    open_queries: dict[str, int]
    column_bytes: int = 0
    """Of column images that statements of this process have read since it began."""


class Measures(Protocol):
    """What the registry says for monitoring. Of what has ended only that which came after a number is read: up to a
    settled number, which is given too, nothing changes any more, so that nobody has to read it again."""

    def ended_queries(self, after: int) -> tuple[Sequence[EndedSums], Sequence[EndedSums], int]:
        """Statements up to the settled number, later ones, and that number."""

    def ingested_rows(self, after: int) -> tuple[int, int, int]:
        """Rows of finished transactions, in the same way."""

    def now(self) -> StateNow: ...


class EmptyServer(Protocol):
    """A MariaDB of this process, behind the MySQL door, that holds no rows."""

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens once it has been started."""

    def start(self) -> None:
        """UserError, ClusterError: there is no MariaDB, or it does not start."""

    def stop(self) -> None:
        """End it, and remove all of it; safe when it does not run."""


@dataclass(frozen=True, slots=True)
class TextMarks:
    """How a delimited text is written; each mark is one character, or none."""

    separator: str
    quote: str
    escape: str
    charset: Literal["utf8", "latin1"]
    null: str = "\\N"
    """How NULL is written, without quotes."""
    null_word: bool = False
    """The word NULL without quotes is NULL, too."""


@dataclass(frozen=True, slots=True)
class UserTable:
    """A table that a client brings: its rows as delimited text without header."""

    database: str
    name: str
    columns: Mapping[str, str]
    """Name → type as MariaDB spells it, maybe with NOT NULL."""
    rows: Path
    """Read before the call returns."""
    marks: TextMarks
    indexes: Sequence[Sequence[str]] = ()
    """Columns of each."""
    is_director: bool = False
    key: str = ""
    """Director: the column of its key; empty: rows are numbered. Dependent: that with the director's key."""
    position: tuple[str, str] | None = None
    """Director: longitude and latitude columns, in degrees."""
    director: tuple[str, str] | None = None
    """Dependent: database and table of the director that it follows; every row has to have one there."""
    unique: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Unique indexes of the whole table: name → columns, each ``name``, or ``name(10)`` for the beginning of a text."""


class UserTables(Protocol):
    """Tables that clients bring, in databases of their own; errors, UserError and ClusterError, leave nothing."""

    def add(self, table: UserTable) -> None:
        """Make a table, and its database where there is none yet, and publish it."""

    def drop_table(self, database: str, table: str) -> None: ...

    def drop_database(self, database: str) -> None: ...


@dataclass(frozen=True, slots=True)
class TableIndex:
    """An index of a published table; ``columns`` as ``name``, or ``name(10)`` for the beginning of a text."""

    name: str
    columns: Sequence[str]
    is_unique: bool


@dataclass(frozen=True, slots=True)
class CountedRows:
    """Rows of one chunk's table, or of its overlap table; ``chunk`` -1 for a regular table."""

    chunk: int
    is_overlap: bool
    rows: int


class Ingests(Protocol):
    """Ingests of folders with ``metadata.json``, and what is published."""

    @property
    def folder(self) -> Path:
        """Where the ingest REST keeps what it was told, until it is published."""

    def published(self) -> list[Mapping[str, Any]]:
        """Published databases as Qserv's configuration lists them, each with its striping."""

    def check(self, folder: Path) -> None:
        """UserError where the tables of a folder cannot be understood; rows need not be there yet."""

    def ingest(self, folder: Path, ending: threading.Event) -> None:
        """Ingest and publish all of a folder, or nothing of it; begun again, it goes on.

        Raises:
            ClusterError: ``ending`` was set before it was done, or a node failed (retryable).
        """

    def drop(self, database: str) -> None:
        """Drop a published database."""

    def drop_table(self, database: str, table: str) -> None:
        """Drop a published table, or go on with that where it was interrupted.

        Raises:
            UserError: there is none, tables follow it, or an ingest of its database has not ended.
            ClusterError: its database is in use (retryable), or a node is down.
        """

    def rebuild_indexes(self, database: str) -> Mapping[str, int]:
        """Make director indexes anew: director → keys."""

    def add_index(self, database: str, table: str, name: str, columns: Sequence[str], unique: bool) -> None:
        """Give a published table an index, on every chunk and replica; nothing is done where it is there.

        Raises:
            UserError: no such column, another index has the name, or values of a unique one occur twice.
            ClusterError: a node failed; begun again, it is made anew (retryable).
        """

    def drop_index(self, database: str, table: str, name: str) -> None:
        """Take it away again; UserError where there is none that was added by this name."""

    def indexes(self, database: str, table: str, overlap: bool) -> Sequence[TableIndex]:
        """All of a published table, or of its overlap tables."""

    def counted(self, database: str, table: str) -> Sequence[CountedRows]:
        """The rows of a published table."""

    def require_published(self, database: str, tables: Sequence[str] = ()) -> None:
        """UserError where a database, or a table of it, is not published."""


@dataclass(frozen=True, slots=True)
class Services:
    """All that doors ask."""

    queries: Queries
    submissions: Submissions
    catalogs: Catalogs
    access: Access
    health: Health
    measures: Measures
    tap: TapServices
    user_tables: UserTables
    ingests: Ingests
    empty_server: EmptyServer
    overview: Overview
