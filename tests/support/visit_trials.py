"""Samples of visits whose slopes, level, noise, rows and faults were put in, so that what is read is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from tests.support.bench_trials import made_manifest, made_workload

from skyshard.bench.record.visit_samples import VISIT_SAMPLES
from skyshard.bench.record.visit_summary import VisitFacts, summarise_visits
from skyshard.bench.record.visit_trial import VisitTrial

READS = (("DiaObjectLast", 0.2, 40.0), ("DiaSource", 0.5, 60.0), ("DiaForcedSource", 0.3, 90.0))
"""Table, its part of the reads' time, its rows a tile at the window's end."""
WRITES = (("DiaObject", "insert", 0.3), ("DiaObjectLast", "upsert", 0.3), ("DiaSource", "insert", 0.2),
          ("DiaForcedSource", "insert", 0.15), ("", "commit", 0.05))  # fmt: skip


@dataclass(frozen=True)
class MadeVisits:
    """What is put in. Times are of a whole visit, in seconds."""

    visits: int = 480
    tiles: int = 4
    window: int = 240
    start_s: float = 0.05
    before: float = 0.4
    """Slope of reads for a thousand visits."""
    after: float = 0.0
    store_s: float = 0.03
    noise: float = 0.03
    """Standard deviation of a visit's logarithm."""
    shared: float = 0.0
    """Autocorrelation of successive visits' noise."""
    driver_s: float = 0.001
    """Of each tile, in which no operation runs."""
    failed: tuple[tuple[int, int], ...] = ()
    """(visit, tile) whose first try fails."""
    lost: tuple[tuple[int, int], ...] = ()
    wrong: tuple[tuple[int, int], ...] = ()
    seed: int = 1
    phase: str = "visits"

    def read_s(self) -> np.ndarray:
        """Of each visit, without noise."""
        number = np.arange(self.visits)
        filled = np.minimum(number, self.window)
        return self.start_s + (self.before * filled + self.after * (number - filled)) / 1000


FACTS = VisitFacts(window_visits=240, visits_per_month=20, fields=4, target_s=0.1)


def made_visit_trial(
    made: MadeVisits, facts: VisitFacts = FACTS, *, target: str = "sqlite", day: int = 0
) -> VisitTrial:
    """A whole trial; its manifest names a workload of queries, whose phase has the name of that of visits."""
    workload = made_workload()
    phases = [one.model_copy(update={"name": made.phase}) for one in workload.phases]
    workload = workload.model_copy(update={"phases": phases})
    manifest = made_manifest(workload, day=day).model_copy(update={"target": target})
    samples = made_samples(made)
    return VisitTrial(manifest, summarise_visits(samples, {made.phase: facts}), samples)


def made_samples(made: MadeVisits) -> pa.Table:
    """The samples: all tiles of a visit take the same time, and begin together; visits follow one another."""
    random = np.random.default_rng(made.seed)
    noise = np.exp(_noise(made, random))
    reads, stores = made.read_s() * noise, np.full(made.visits, made.store_s) * noise
    span = reads + stores + made.driver_s
    due = np.concatenate([[0.0], np.cumsum(span)[:-1]])
    visit, tile = (one.ravel() for one in np.meshgrid(np.arange(made.visits), np.arange(made.tiles), indexing="ij"))
    base = _Columns(made, visit, tile, due[visit])
    at, parts = due[visit].copy(), []
    filled = np.minimum(visit, made.window) / made.window
    for table, part, rows in READS:
        took = reads[visit] * part
        parts.append(base.rows(table, "select", at, at + took, (rows * filled).astype(int)))
        at = at + took
    for table, kind, part in WRITES:
        took = stores[visit] * part
        parts.append(base.rows(table, kind, at, at + took, np.full(len(visit), 5 if table else 0)))
        at = at + took
    parts.append(base.rows("", "tile", due[visit], at + made.driver_s, np.full(len(visit), 20)))
    return pa.concat_tables(parts)


def _noise(made: MadeVisits, random: np.random.Generator) -> np.ndarray:
    fresh = random.normal(size=made.visits) * made.noise * np.sqrt(1 - made.shared**2)
    found = np.empty(made.visits)
    last = random.normal() * made.noise
    for number in range(made.visits):
        last = made.shared * last + fresh[number]
        found[number] = last
    return found


def _error_where(mask: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.array([None, "ServerGone"], object)[mask.astype(int)]
    return found


class _Columns:
    """Makes the rows of one kind of operation for all tiles."""

    def __init__(self, made: MadeVisits, visit: np.ndarray, tile: np.ndarray, due: np.ndarray) -> None:
        self._made, self._visit, self._tile, self._due = made, visit, tile, due
        pairs = list(zip(visit.tolist(), tile.tolist(), strict=True))
        self._failed, self._lost, self._wrong = (
            np.array([one in listed for one in pairs]) for listed in (made.failed, made.lost, made.wrong)
        )

    def rows(self, table: str, kind: str, sent: np.ndarray, done: np.ndarray, rows: np.ndarray) -> pa.Table:
        count = len(self._visit)
        is_tile = kind == "tile"
        errors = _error_where(self._lost & is_tile)
        known = np.where(self._wrong, False, True) if is_tile else np.full(count, None)
        found = self._table(table, kind, sent, done, rows, errors, known, np.ones(count, bool))
        if is_tile and self._failed.any():
            early = _error_where(self._failed)
            begun = self._table(table, kind, sent, sent, rows * 0, early, np.full(count, None), self._failed)
            return pa.concat_tables([begun, found])
        return found

    def _table(
        self, table: str, kind: str, sent: np.ndarray, done: np.ndarray, rows: np.ndarray, errors: np.ndarray,
        known: np.ndarray, mask: np.ndarray,
    ) -> pa.Table:  # fmt: skip
        count = len(self._visit)
        columns = {
            "phase": np.full(count, self._made.phase), "visit": self._visit, "tile": self._tile.astype(np.int32),
            "time": 60000.0 + self._visit / 2.4, "table": np.full(count, table), "kind": np.full(count, kind),
            "due_s": self._due, "sent_s": sent, "done_s": done, "rows": rows.astype(np.int64),
            "bytes": (rows * 120).astype(np.int64), "server_s": (done - sent) * 0.6, "client_s": (done - sent) * 0.3,
            "error": errors, "answer_ok": known,
        }  # fmt: skip
        arrays = [pa.array(columns[field.name].tolist(), field.type) for field in VISIT_SAMPLES]
        return pa.Table.from_arrays(arrays, schema=VISIT_SAMPLES).filter(pa.array(mask))
