"""What trials say: for each template of a trial, its time, and the work that it did there. No I/O.

Only classes that ran alone, one query at a time, tell what a query costs; others are left out and named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.errors import UserError
from skyshard.bench.model.work import CHUNK_DEG2, Answer, CatalogSize, Demand, Reach, Work, demand_of, work_of
from skyshard.bench.record.telemetry import node_names
from skyshard.bench.record.trial_folder import Trial
from skyshard.bench.workload.workload import Closed

COLD = "cold"
FEWEST_CPU_S = 0.05
"""Processor time of a phase below which its counters say nothing."""
CACHE = "cache"
"""Key of a trial's target facts that says whether caches were emptied before every query."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One template in one trial."""

    trial: str
    class_name: str
    template: str
    """``class/name``."""
    is_cold: bool
    nodes: int
    cores: int
    """Of the machine that all nodes shared."""
    n: int
    time_s: float
    """Median service time; by processor time, as if nothing else had run."""
    elapsed_s: float
    """Median service time."""
    stretch: float
    """Service time over the processor time of the phase's queries, spread over the cores: above 1, others ran too, or
    queries waited. NaN where the trial has no counters."""
    work: Work
    size: CatalogSize
    answer: Answer
    demand: Demand

    @property
    def lanes(self) -> float:
        """Cores that worked on it."""
        return max(1.0, min(self.cores, self.demand.chunks))


TimeBy = Literal["elapsed", "processor"]
"""``processor``: service times divided by the phase's stretch, for machines that others use; warm trials only."""


def observe(trials: Sequence[tuple[str, Trial]], by: TimeBy = "elapsed") -> tuple[list[Observation], list[str]]:
    """The observations of trials, and what was left out, as sentences.

    Raises:
        UserError: a trial does not say how large its catalog is.
    """
    found: list[Observation] = []
    left_out: list[str] = []
    for name, trial in trials:
        size = catalog_size(name, trial)
        for phase in trial.manifest.workload.phases:
            load = phase.classes[0]
            is_alone = isinstance(load.arrivals, Closed) and load.arrivals.clients == 1
            if len(phase.classes) == 1 and is_alone:
                found += _scaled(list(_of_phase(name, trial, size, phase.name)), trial, phase.name, by)
            else:
                left_out.append(f"phase '{phase.name}' of {name}: more than one query at a time")
    return found, sorted(set(left_out))


def catalog_size(name: str, trial: Trial) -> CatalogSize:
    """Rows, widths and chunks of a trial's catalog. Raises UserError where its manifest does not have them."""
    facts = trial.manifest.catalog
    rows, widths, chunks = facts.get("rows"), facts.get("row_bytes"), facts.get("chunks")
    if not isinstance(rows, dict) or not isinstance(widths, dict) or not isinstance(chunks, int) or not chunks:
        raise UserError(
            f"trial '{name}' does not say how many bytes a row of its catalog has",
            remedy="run it again with this release, against the czar",
        )
    known = {str(table): float(count) for table, count in rows.items() if table in widths}
    if not sum(known.values()) > 0:
        raise UserError(f"trial '{name}' was of a catalog without rows", remedy="name trials of catalogs with rows")
    return CatalogSize(known, {str(k): float(v) for k, v in widths.items()}, chunks, _chunk_deg2(trial))


def _chunk_deg2(trial: Trial) -> float:
    """Mean area of a chunk; that of the KPM tests where the trial has no map."""
    if trial.sky is None or not len(trial.sky.chunk_ids):
        return CHUNK_DEG2
    sky = trial.sky
    middle = np.radians((sky.dec_min + sky.dec_max) / 2)
    return float(np.mean((sky.ra_max - sky.ra_min) % 360 * (sky.dec_max - sky.dec_min) * np.cos(middle)))


def _scaled(found: list[Observation], trial: Trial, phase: str, by: TimeBy) -> list[Observation]:
    """The observations of a phase with their stretch, and without it where processor time counts."""
    stretch = phase_stretch(trial, phase, found[0].lanes) if found else np.nan
    if by == "processor" and np.isfinite(stretch) and not found[0].is_cold:
        return [replace(one, time_s=one.time_s / stretch, stretch=stretch) for one in found]
    return [replace(one, stretch=stretch) for one in found]


def phase_stretch(trial: Trial, phase: str, lanes: float) -> float:
    """Time that a phase's queries took, over the processor time of all servers and the driver spread over the lanes."""
    rows = trial.samples.filter(pc.equal(trial.samples["phase"], phase))
    if trial.telemetry is None or not len(rows):
        return np.nan
    begun, ended = pc.min(rows["sent_s"]).as_py(), pc.max(rows["last_row_s"]).as_py()
    used = sum(_used_s(trial.telemetry, node, begun, ended) for node in node_names(trial.telemetry))
    return float(pc.sum(rows["service_s"]).as_py() / (used / lanes)) if used > FEWEST_CPU_S else np.nan


def _used_s(telemetry: pa.Table, node: str, begun: float, ended: float) -> float:
    """Seconds of processor that a process used between two moments; counters are read once a second."""
    rows = telemetry.filter(pc.and_(pc.equal(telemetry["node"], node), pc.is_valid(telemetry["cpu_s"]))).sort_by("t_s")
    if len(rows) < 2:
        return 0.0
    moments, used = rows["t_s"].to_numpy(), rows["cpu_s"].to_numpy()
    return float(np.interp(ended, moments, used) - np.interp(begun, moments, used))


def _of_phase(name: str, trial: Trial, size: CatalogSize, phase: str) -> Iterator[Observation]:
    samples = trial.samples
    mask = pc.and_(pc.equal(samples["phase"], phase), pc.is_null(samples["error"]))
    answered = samples.filter(pc.and_(mask, pc.invert(samples["is_warm_up"])))
    for template in pc.unique(answered["template"]).to_pylist():
        yield _of_template(name, trial, size, answered.filter(pc.equal(answered["template"], template)))


def _of_template(name: str, trial: Trial, size: CatalogSize, rows: pa.Table) -> Observation:
    works = [work_of(trial.statements[number], size.rows) for number in rows["statement"].to_pylist()]
    area = float(np.mean([one.area_deg2 for one in works]))
    work = Work(works[0].tables, works[0].reach, works[0].is_near, area)
    answer = Answer(*(_mean(rows[column]) for column in ("chunks", "rows", "bytes")))
    if work.reach is Reach.AREA and not answer.chunks:
        answer = Answer(1.0, answer.rows, answer.bytes)
    demand = demand_of(work, size, answer, size)
    if (read := _mean(rows["column_bytes"])) and demand.rows:
        work = replace(work, column_row_bytes=read / demand.rows)
        demand = demand_of(work, size, answer, size)
    manifest = trial.manifest
    nodes = manifest.catalog.get("nodes", 1)
    return Observation(
        trial=name, class_name=str(rows["class"][0]), template=str(rows["template"][0]),
        is_cold=manifest.target_facts.get(CACHE) == COLD, nodes=nodes if isinstance(nodes, int) else 1,
        cores=manifest.environment.cores, n=len(rows), time_s=float(np.median(rows["service_s"].to_numpy())),
        elapsed_s=float(np.median(rows["service_s"].to_numpy())), stretch=np.nan,
        work=work, size=size, answer=answer, demand=demand,
    )  # fmt: skip


def _mean(column: pa.ChunkedArray) -> float:
    return float(pc.mean(column).as_py() or 0.0)
