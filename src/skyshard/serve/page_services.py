"""What the page shows beside the history: what is under way, nodes, catalogs, transactions, the sky. Values, and the
Protocol that gives them; ``skyshard.cli.serving`` makes it real.

Rules: times are seconds since 1970; what is not known is None, never 0. Calls are synchronous, and may wait for
servers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Subject = Literal["query", "transaction", "node"]
SUBJECTS: tuple[Subject, ...] = ("query", "transaction", "node")
"""What stories are told of."""
RunningState = Literal["queued", "executing", "lost"]
"""lost: the process that answered it is gone."""


@dataclass(frozen=True, slots=True)
class RunningQuery:
    """A statement that has not ended."""

    key: str
    """By which it is stopped: its number, or its name where it is answered at once."""
    number: int | None
    """Of the history; None: it comes there when it has ended."""
    database: str
    statement: str
    state: RunningState
    lane: str
    """Empty where it is not known."""
    submitted_s: float
    begun_s: float | None
    chunks: int
    chunks_done: int
    rows: int
    bytes: int
    left_s: float | None
    """Seconds to its end, if the other chunks take as long as those that are done."""
    can_stop: bool
    column_bytes: int = 0
    """Of column images that were read so far."""


@dataclass(frozen=True, slots=True)
class NodeNow:
    """A node: what was decided of it, whether it answers, what it holds and does."""

    name: str
    decided: str
    """joining, active, read-only, draining, drained."""
    down_s: float | None
    """Since when it does not answer."""
    outages: int
    """That began in the last 24 hours."""
    statements: int | None
    """That its server works on now, but for the one that asks."""
    statements_a_second: float | None
    """That its server has answered since it was asked before."""
    chunks: int
    rows: int
    bytes: int
    share: float
    """Its bytes against the mean of all nodes."""
    missing: int
    """Tables that it should hold and that do not count: not good, or never verified."""
    free_bytes: int | None
    """Of the disk of its data."""
    disk_bytes: int | None


@dataclass(frozen=True, slots=True)
class CatalogNow:
    """A database, its own rows, and how many nodes hold its chunks."""

    name: str
    state: str
    """ingesting, published, dropping."""
    aliases: tuple[str, ...]
    tables: int
    rows: int
    bytes: int
    """Of all replicas."""
    replicas: int
    """Wanted."""
    level: int | None
    """The fewest nodes that any of its chunks is whole on; None where it has none."""
    chunks: int
    under: int
    """Chunks with fewer replicas than wanted, lost ones among them."""
    lost: int
    """Chunks that no node holds whole."""
    changed_s: float
    directors: tuple[str, ...]
    """Tables with chunks of which the sky can be shown."""


@dataclass(frozen=True, slots=True)
class TransactionNow:
    """A transaction of an ingest, or of another change of rows."""

    number: int
    database: str
    state: str
    source: str
    attempt: int
    begun_s: float
    ended_s: float | None
    rows: int
    """That it has recorded, overlap copies not counted."""
    parts: int
    """Contributions that it has recorded."""
    loaded: int
    """Those of them that nodes hold."""
    error: str
    """What made it end, or wait: with the input and the row, where one is at fault."""


@dataclass(frozen=True, slots=True)
class BenchClassNow:
    """A class of a benchmark's queries; latencies are seconds from the time when a query was due."""

    name: str
    queries: int
    """That have ended."""
    errors: int
    last_s: float
    median_s: float
    """Of the last twenty at most."""


@dataclass(frozen=True, slots=True)
class BenchNow:
    """A benchmark that another process runs against this cluster."""

    process: str
    """A name that no other process has."""
    workload: str
    target: str
    database: str
    stage: str
    """A phase, in which queries are sent, or what is done before and after."""
    done: int | None
    """Queries of the phase, or steps; None where they are counted only at its end."""
    total: int | None
    """Planned; None where the phase ends by the clock."""
    begun_s: float
    stage_begun_s: float
    said_s: float
    """When the process has said so."""
    classes: tuple[BenchClassNow, ...]


@dataclass(frozen=True, slots=True)
class SkyNow:
    """The chunks of a director: lists of one length, ascending by chunk; angles in degrees."""

    database: str
    table: str
    chunk: Sequence[int]
    ra_min: Sequence[float]
    ra_max: Sequence[float]
    dec_min: Sequence[float]
    dec_max: Sequence[float]
    rows: Sequence[int]
    nodes: Sequence[int]
    """How many nodes that answer hold the chunk; 0: it is lost, or all of its nodes are down."""


class Overview(Protocol):
    """What is now."""

    def running(self) -> Sequence[RunningQuery]:
        """Submitted ones of all processes, those answered at once of this one; newest first."""

    def busy(self) -> Mapping[str, Sequence[int]]:
        """Database → chunks that queries of this process have asked nodes for and not got yet, ascending."""

    def nodes(self) -> Sequence[NodeNow]: ...

    def catalogs(self) -> Sequence[CatalogNow]: ...

    def transactions(self) -> Sequence[TransactionNow]:
        """The last ones, newest first; those that have not ended are always among them."""

    def benchmarks(self) -> Sequence[BenchNow]:
        """That run now, those that began first first."""

    def sky(self, database: str, table: str) -> SkyNow:
        """Of a director of a database; UserError if there is none."""

    def story(self, subject: Subject, name: str) -> Mapping[str, Any]:
        """What happened to a query, a transaction or a node, without places of the server; UserError if there is
        none."""

    def stop(self, key: str) -> bool:
        """Stop a query by its key; False if it has ended. UserError if there is none."""
