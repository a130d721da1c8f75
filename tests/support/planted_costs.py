"""Trials of a machine whose costs are known, for tests of the model: times are worked out, not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from skyshard.bench.model.hardware import Hardware
from skyshard.bench.model.node_time import Costs, Place, time_on
from skyshard.bench.model.work import Answer, CatalogSize, demand_of, work_of
from skyshard.bench.record.environment import Environment
from skyshard.bench.record.latency_stats import summarise
from skyshard.bench.record.samples import Sample, sample_table
from skyshard.bench.record.trial_folder import Trial
from skyshard.bench.record.trial_manifest import TrialManifest
from skyshard.bench.workload.workload import Workload

WIDTHS = {"Object": 400.0, "Source": 120.0, "ForcedSource": 45.0}
CORES = 2
SHARED = {"chunk_s": 2e-4, "answer_s": 2e-8}
PLANTED: Mapping[str, tuple[str, Costs]] = {
    "LV/object_by_id": ("SELECT ra FROM Object WHERE objectId = 17", Costs(2e-3, 0.0, **SHARED)),
    "LV/small_area": (
        "SELECT ra FROM Object WHERE qserv_areaspec_box(1.0, 1.0, 1.1, 1.1)", Costs(2e-3, 6e-7, **SHARED),
    ),
    "FTSObj/window": ("SELECT ra, decl FROM Object WHERE z_apFlux BETWEEN 1 AND 2", Costs(5e-3, 1e-6, **SHARED)),
    "FTSObj/extent": ("SELECT MIN(ra), MAX(ra) FROM Object", Costs(4e-3, 1e-6, **SHARED)),
    "FTSSrc/count_flux": ("SELECT COUNT(*) FROM Source WHERE flux_sinc BETWEEN 1 AND 2", Costs(5e-3, 4e-7, **SHARED)),
    "FTSFSrc/count_flux": ("SELECT COUNT(*) FROM ForcedSource WHERE psfFlux > 1", Costs(5e-3, 2e-7, **SHARED)),
    "joinObjSrc/flux_window": (
        "SELECT o.ra FROM Object o, Source s WHERE o.objectId = s.objectId AND s.flux_sinc > 1",
        Costs(6e-3, 7e-7, chunk_s=SHARED["chunk_s"]),
    ),
    "nearN/count_pairs": (
        "SELECT COUNT(*) FROM Object o1, Object o2 WHERE qserv_areaspec_box(0.0, 0.0, 10.0, 10.0) AND "
        "scisql_angSep(o1.ra, o1.decl, o2.ra, o2.decl) < 0.015",
        Costs(5e-3, 1e-6, pair_s=5e-8, **SHARED),
    ),
}  # fmt: skip
"""By template: its statement, and what it costs."""

MACHINE = Hardware(
    version=1, name="planted", nodes=2, cores=1, memory_gb=8, disk_mb_per_s=100, disk_read_ms=1, disk_iops=1000,
    network_mb_per_s=1000, memory_mb_per_s=1e6,
)  # fmt: skip
"""One of two nodes that share the machine of the trials."""


@dataclass(frozen=True, slots=True)
class PlantedSky:
    """A catalog by its size."""

    objects: int
    chunks: int

    @property
    def size(self) -> CatalogSize:
        rows = {"Object": float(self.objects), "Source": 18.0 * self.objects, "ForcedSource": 91.0 * self.objects}
        return CatalogSize(rows, WIDTHS, self.chunks)

    def answer(self, template: str) -> Answer:
        sky = {"FTSObj/window": (0.01 * self.objects, 0.2 * self.objects), "joinObjSrc/flux_window": (
            0.1 * self.objects, 2.0 * self.objects)}  # fmt: skip
        rows, size = sky.get(template, (1.0, 8.0))
        chunks = {"LV/object_by_id": 1, "LV/small_area": 2, "nearN/count_pairs": min(32, self.chunks)}
        return Answer(float(chunks.get(template, self.chunks)), rows, size)


SKIES = (PlantedSky(10_000, 110), PlantedSky(25_000, 6), PlantedSky(50_000, 110), PlantedSky(75_000, 16))


def planted_workload() -> Workload:
    classes: dict[str, list[str]] = {}
    for key in PLANTED:
        classes.setdefault(key.partition("/")[0], []).append(key.partition("/")[2])
    phases = [
        {"name": name, "classes": [{"class": name, "templates": templates, "count": 5, "target_s": 3600}]}
        for name, templates in classes.items()
    ]
    base = {"version": 1, "name": "planted", "description": "", "database": "d", "seed": 1}
    return Workload.model_validate(base | {"phases": phases})


def planted_trial(sky: PlantedSky, *, scatter: float = 0.0, seed: int = 1, is_cold: bool = False) -> Trial:
    """A trial of two nodes that share two cores; cold: nothing is in memory."""
    workload, random = planted_workload(), np.random.default_rng(seed)
    samples: list[Sample] = []
    for key, (sql, costs) in PLANTED.items():
        name, answer = key.partition("/")[0], sky.answer(key)
        for _ in range(5):
            took = planted_time(sky, key, sql, costs, is_cold=is_cold) * float(np.exp(random.normal(0, scatter)))
            begun = len(samples) * 100.0
            samples.append(
                Sample(name, name, key, sql, 0, False, begun, begun, None, begun + took, 0.0, rows=round(answer.rows),
                       bytes=round(answer.bytes), chunks=round(answer.chunks))
            )  # fmt: skip
    statements = list(dict.fromkeys(sample.sql for sample in samples))
    table = sample_table(samples, statements)
    return Trial(_manifest(workload, sky, is_cold=is_cold), summarise(workload, table), table, statements, None)


def planted_time(sky: PlantedSky, key: str, sql: str, costs: Costs, *, is_cold: bool) -> float:
    demand = demand_of(work_of(sql, sky.size.rows), sky.size, sky.answer(key), sky.size)
    if not is_cold:
        lanes = max(1.0, min(CORES, demand.chunks))
        work_s = (demand.rows * costs.row_s + demand.pairs * costs.pair_s) / lanes
        return costs.overhead_s + demand.chunks * costs.chunk_s + work_s + demand.answer_bytes * costs.answer_s
    empty = MACHINE.model_copy(update={"memory_gb": 1e-9})
    return time_on(demand, costs, Place(empty, 2, sky.size.bytes, 0.5)).total_s


def _manifest(workload: Workload, sky: PlantedSky, *, is_cold: bool) -> TrialManifest:
    started = datetime(2026, 7, 1, tzinfo=UTC)
    return TrialManifest(
        version=1, started=started, stopped=started + timedelta(minutes=1), is_partial=False, workload=workload,
        workload_digest=workload.digest({}), seed=1, database="d", target="czar",
        target_facts={"cache": "cold"} if is_cold else {},
        catalog={"nodes": 2, "rows": {name: round(count) for name, count in sky.size.rows.items()},
                 "row_bytes": dict(WIDTHS), "chunks": sky.chunks},
        environment=Environment(
            skyshard="0.2", revision="r", python="3.11", packages={}, cpu_model="x", cores=CORES, memory_bytes=2**34,
            kernel="k",
        ),
    )  # fmt: skip


def planted_trials(*, scatter: float = 0.0, cold: Sequence[PlantedSky] = ()) -> list[tuple[str, Trial]]:
    warm = [(f"warm{n}", planted_trial(sky, scatter=scatter, seed=n)) for n, sky in enumerate(SKIES)]
    return [*warm, *((f"cold{n}", planted_trial(sky, seed=n, is_cold=True)) for n, sky in enumerate(cold))]


def larger(sky: PlantedSky, times: int) -> PlantedSky:
    return replace(sky, objects=sky.objects * times)
