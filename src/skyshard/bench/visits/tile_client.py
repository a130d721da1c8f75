"""One tile of one visit, as its client processes it: read, then store, and again where a server fails.

A store changes nothing when it is sent again, so that a try whose reply was lost is simply repeated.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from skyshard.apdb.model import Operation, Reading, StoreSession, TableName, TileRows, VisitStore
from skyshard.apdb.sky.compare_reads import AnswerSums
from skyshard.basics.errors import ClusterError, words_of
from skyshard.bench.clock import Clock
from skyshard.bench.visits.visit_record import VisitSample

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0


@dataclass(frozen=True, slots=True)
class VisitTask:
    """What all tiles of a visit have to do."""

    phase: str
    since: float
    """Beginning of the history, MJD TAI."""
    reads_history: bool
    stores: bool
    columns: dict[TableName, tuple[str, ...] | None]
    """That are read of DiaSource and DiaForcedSource; None: all."""
    due_s: float
    retry_s: float


@dataclass(frozen=True, slots=True)
class TileTask:
    """What a tile has to do, and what it stores."""

    visit: VisitTask
    rows: TileRows


@dataclass(slots=True)
class TileOutcome:
    """What came of it."""

    tile: int
    samples: list[VisitSample] = field(default_factory=list)
    read: dict[TableName, pa.Table] = field(default_factory=dict)
    """Answers of the try that ended well, until they are summed up."""
    sums: dict[TableName, AnswerSums] = field(default_factory=dict)
    tries: int = 0
    was_there: bool = False
    error: ClusterError | None = None
    """Why it was given up; None: it was not."""


class TileClient:
    """A session of a store for one tile after the other; opened when it is needed, and again after a failure."""

    def __init__(self, store: VisitStore, clock: Clock, stop: threading.Event) -> None:
        self._store, self._clock, self._stop = store, clock, stop
        self._session: StoreSession | None = None

    def process(self, task: TileTask) -> TileOutcome:
        """Process a tile, trying for ``retry_s`` seconds; what is not a server's failure is raised."""
        outcome, pause_s = TileOutcome(task.rows.tile.id.detector), _FIRST_PAUSE_S
        begun_s = self._clock.now()
        while True:
            sent_s = self._clock.now()
            outcome.tries += 1
            try:
                samples = self._try(task, outcome, sent_s)
            except ClusterError as error:
                self.close()
                outcome.samples.append(self._whole(task, sent_s, words_of(error)))
                if self._clock.now() - begun_s >= task.visit.retry_s or self._stop.is_set():
                    outcome.error = error
                    return outcome
                self._clock.wait_until(self._clock.now() + pause_s, self._stop)
                pause_s = min(2.0 * pause_s, _LONGEST_PAUSE_S)
            else:
                outcome.samples += samples
                return outcome

    def _try(self, task: TileTask, outcome: TileOutcome, sent_s: float) -> list[VisitSample]:
        session = self._session = self._session or self._store.open_session()
        whole = self._whole(task, sent_s, None)
        samples: list[VisitSample] = []
        outcome.read = {}

        def read(name: TableName, ask: Callable[[], Reading]) -> None:
            begun_s = self._clock.now()
            reading = ask()
            outcome.read[name] = reading.rows
            samples.extend(whole.in_turn(reading.operations, begun_s, self._clock.now()))

        tile = task.rows.tile
        span = (tile.padded, task.visit.since, tile.time)
        read("DiaObjectLast", lambda: session.read_objects(tile.padded))
        if task.visit.reads_history:
            read("DiaSource", lambda: session.read_sources(*span, task.visit.columns["DiaSource"]))
            read("DiaForcedSource", lambda: session.read_forced(*span, task.visit.columns["DiaForcedSource"]))
        stored: list[Operation] = []
        if task.visit.stores:
            begun_s = self._clock.now()
            receipt = session.store(task.rows)
            outcome.was_there, stored = receipt.was_there, list(receipt.operations)
            samples += whole.in_turn(stored, begun_s, self._clock.now())
        ended = self._whole(task, sent_s, None, rows=sum(one.rows for one in stored), size=sum(o.bytes for o in stored))
        return [*samples, ended]

    def _whole(self, task: TileTask, sent_s: float, error: str | None, rows: int = 0, size: int = 0) -> VisitSample:
        """The sample of the tile until now."""
        tile, visit = task.rows.tile, task.visit
        return VisitSample(
            visit.phase, tile.id.visit, tile.id.detector, tile.time, "", "tile", visit.due_s, sent_s, self._clock.now(),
            rows, size, error=error,
        )  # fmt: skip

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(ClusterError):
                session.close()
