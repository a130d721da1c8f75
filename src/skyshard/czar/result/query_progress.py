"""A query under way: what it has done so far, how long each unit took, whether it is to stop. Values, no I/O."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from skyshard.basics.errors import ClusterError, Refusal
from skyshard.basics.scan_way import ScanWay
from skyshard.registry.catalog.mutable_chunks import Visible


class Cancelled(ClusterError):
    """The query was stopped on request."""


def left_of(elapsed_s: float, done: int, total: int) -> float | None:
    """Seconds that are left when so many chunks of all took so long; None before the first."""
    return elapsed_s * (total - done) / done if done else None


@dataclass(frozen=True, slots=True)
class UnitTime:
    """One unit, as it was answered: chunks of one node, rows that came, seconds it took."""

    node: str
    chunks: tuple[int, ...]
    rows: int
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class SlowStatement:
    """A statement that a node answered: of which chunks, in how many seconds, and whether its scan lane did."""

    chunks: tuple[int, ...]
    elapsed_s: float
    statement: str
    is_scan: bool

    @property
    def each_s(self) -> float:
        """Seconds for each chunk."""
        return self.elapsed_s / max(1, len(self.chunks))


@dataclass(slots=True, eq=False)
class Running:
    """Counters of one query; any thread may read them while it runs.

    ``limit_bytes``: more partial result than this is refused; None is no limit. ``is_partial_allowed``: chunks of which
    no replica answers are left out and listed in ``lost``. ``clock``: text in front of each statement that sets the
    time to that of the query; empty where the statement does not ask for it. ``is_submitted``: its whole story is kept.
    ``as_text``: node → why its rows came as text where images would be faster.
    ``slow_statements``: by node the statement that took longest for each chunk; None: they are not kept.
    ``statement``, ``database``, ``lane``, ``begun_s`` (since 1970): what is answered, and since when; ``asked``: the
    chunks of the pull that has most. ``scan``: how scans are to be answered. ``column_chunks``, ``column_bytes``:
    chunks that were read by columns, and the bytes of these; ``not_by_columns``: why others were rows after all.
    """

    query: str
    limit_bytes: int | None = None
    is_partial_allowed: bool = False
    chunks: int = 0
    chunks_done: int = 0
    rows: int = 0
    bytes: int = 0
    lost: list[int] = field(default_factory=list)
    units: list[UnitTime] = field(default_factory=list)
    retried: int = 0
    clock: str = ""
    is_submitted: bool = False
    as_text: dict[str, str] = field(default_factory=dict)
    slow_statements: dict[str, SlowStatement] | None = None
    statement: str = ""
    database: str = ""
    lane: str = ""
    begun_s: float = field(default_factory=time.time)
    asked: tuple[int, ...] = ()
    scan: ScanWay = "auto"
    column_chunks: int = 0
    column_bytes: int = 0
    not_by_columns: dict[str, None] = field(default_factory=dict)
    visible: dict[str, Visible] = field(default_factory=dict)
    """Of mutable databases by their stored names: the stores whose rows it sees."""
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def coverage(self) -> float:
        """Share of the chunks that were to be read that has been."""
        return 1.0 if not self.chunks else 1.0 - len(self.lost) / self.chunks

    def restart(self) -> None:
        """Count from the start again: nothing of what was done counts."""
        self.chunks_done = self.rows = self.bytes = self.column_chunks = self.column_bytes = 0
        self.lost, self.units = [], []
        if self.slow_statements:
            self.slow_statements = {}

    def note(self, node: str, statement: SlowStatement) -> None:
        """Keep a statement that a node answered, if it is the slowest and such are kept."""
        kept = self.slow_statements
        if kept is not None and (node not in kept or statement.each_s > kept[node].each_s):
            kept[node] = statement

    def stop(self) -> None:
        self._stop.set()

    @property
    def is_stopped(self) -> bool:
        return self._stop.is_set()

    def check(self) -> None:
        """Raises Cancelled when the query is to stop."""
        if self._stop.is_set():
            raise Cancelled(f"query {self.query} was cancelled")

    def add(self, node: str, chunks: Sequence[int], rows: int, size: int, elapsed_s: float) -> None:
        """Count a unit in.

        Raises:
            Refusal: the partial results have become larger than the limit.
        """
        self.chunks_done += len(chunks)
        self.rows += rows
        self.bytes += size
        self.units.append(UnitTime(node, tuple(chunks), rows, elapsed_s))
        if self.limit_bytes is not None and self.bytes > self.limit_bytes:
            raise Refusal(
                "result-too-large",
                f"{self.bytes:,} bytes of rows came from {self.chunks_done} of {self.chunks} chunks, the limit is "
                f"{self.limit_bytes:,} bytes",
                remedy="restrict the area, name fewer columns, add a LIMIT, or raise the limit (--max-bytes)",
            )
