"""Measures what queries cost here: one private cluster, skies that differ in chunks and in rows, warm and cold.

    OUT/hardware.yaml     this machine as a node of the cluster that was measured
    OUT/warm-1-t0.02/     a trial for each round and sky: t, all chunks with few rows; c, few full chunks
    OUT/cold-1-c0.05/     the same, the caches emptied before every query
    OUT/columns-1-c0.05/  the same by columns, warm

Rounds go over all skies in turn, so that a machine that is busy for a while does not look like a size. What exists is
not measured again.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from skyshard.basics.errors import UserError
from skyshard.basics.progress import Watcher, announce
from skyshard.basics.scan_way import ScanWay
from skyshard.bench.drive.driver_processes import wall_clock
from skyshard.bench.record.trial_folder import MANIFEST
from skyshard.bench.target import Target
from skyshard.bench.trial.run_trial import run_trial
from skyshard.bench.trial.send_phases import sample_data
from skyshard.bench.trial.trial_setup import TrialDriver, TrialEngines, TrialQueries, TrialRecord, TrialWatch
from skyshard.bench.workload.workload import ClassLoad, Workload
from skyshard.bench.workload.workload_fit import workload_templates
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.host.output_folder import require_writable, writing_to
from skyshard.runtime import open_runtime
from skyshard.scenarios.catalog_facts import catalog_facts
from skyshard.scenarios.cluster_probe import ClusterProbe
from skyshard.scenarios.cold_target import ColdTarget, StoppableClock
from skyshard.scenarios.machine_hardware import this_machine
from skyshard.scenarios.testbed_target import TestbedTarget
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.write.write_catalog import write_catalog
from skyshard.testbed import Testbed

HARDWARE = "hardware.yaml"
COLUMNS = "columns"
"""Of trials by columns: the first word of their folders' names."""
COLD_QUERIES = 4
"""Cold queries of a class, unless it has more templates."""


@dataclass(frozen=True, slots=True)
class Sky:
    """One catalog of a calibration."""

    fraction: float
    by: str
    """t: thinning, c: coverage."""

    @property
    def name(self) -> str:
        return f"{self.by}{self.fraction:g}"


SKIES = (Sky(0.02, "t"), Sky(0.05, "c"), Sky(0.1, "t"), Sky(0.15, "c"))


@dataclass(frozen=True, slots=True)
class CalibrationRun:
    """A calibration of this machine."""

    file: Path
    workload: Workload
    out: Path
    recipe: str = "calibration"
    skies: tuple[Sky, ...] = SKIES
    nodes: int = 2
    rounds: int = 2
    is_cold: bool = True
    """Measure cold, too."""
    has_columns: bool = False
    """Measure scans by columns, too."""
    seed: int | None = None

    def run(self, watcher: Watcher) -> list[Path]:
        """Make what is missing; returns the trial folders."""
        self._require_inputs()
        cluster = PrivateCluster(self.out / "cluster")
        if not (self.out / HARDWARE).exists():
            announce(watcher, "measuring the disk and the memory")
            write_hardware(self.out, self.nodes)
        try:
            return self._measure(cluster, watcher)
        finally:
            if cluster.exists:
                cluster.destroy()

    def _require_inputs(self) -> None:
        workload_templates(self.file, self.workload)
        read_recipe(self.recipe)
        if len(self.skies) < 3 or self.rounds < 1:
            raise UserError(
                f"{len(self.skies)} skies in {self.rounds} rounds are too few to calibrate",
                remedy="give three fractions or more, some by --thin, and one round or more",
            )
        with writing_to(self.out):
            require_writable(self.out)

    def _measure(self, cluster: PrivateCluster, watcher: Watcher) -> list[Path]:
        folders = {
            self.out / f"{heat}-{number}-{sky.name}": (heat, sky)
            for number in range(1, self.rounds + 1)
            for heat in self._heats(number)
            for sky in self.skies
        }
        missing = {folder: what for folder, what in folders.items() if not (folder / MANIFEST).exists()}
        if missing:
            cluster.start(self.nodes)
            with Testbed(cluster.folder) as testbed:
                for sky in self.skies:
                    make_sky(testbed, self.out, sky, self.recipe, watcher, columns="all" if self.has_columns else None)
                for folder, (heat, sky) in missing.items():
                    announce(watcher, f"{heat}, {sky.name}")
                    as_rows: ScanWay | None = "rows" if self.has_columns else None
                    asked = replace(self.trial(folder), scan="columns" if heat == COLUMNS else as_rows)
                    measure(testbed, database_of(sky), asked, is_cold=heat == "cold", watcher=watcher)
        return list(folders)

    def _heats(self, number: int) -> tuple[str, ...]:
        """What is measured of each sky in a round."""
        cold = ("cold",) if self.is_cold and number == 1 else ()
        return ("warm", *cold, *((COLUMNS,) if self.has_columns else ()))

    def trial(self, folder: Path) -> CalibrationTrial:
        return CalibrationTrial(self.file, self.workload, folder, self.seed)


@dataclass(frozen=True, slots=True)
class CalibrationTrial:
    """What is asked in one trial, and where it goes."""

    file: Path
    workload: Workload
    folder: Path
    seed: int | None = None
    scan: ScanWay | None = None


def database_of(sky: Sky) -> str:
    """A name for its database.

    >>> database_of(Sky(0.05, "c"))
    'sky_c50000'
    """
    return f"sky_{sky.by}{round(sky.fraction * 1e6)}"


def make_sky(
    testbed: Testbed, out: Path, sky: Sky, recipe: str, watcher: Watcher, *, columns: str | None = None
) -> None:
    """Make and ingest a sky, unless its database is there; its files are beneath ``out`` meanwhile."""
    if database_of(sky) in testbed.registry.published.databases():
        return
    place = out / f"sky-{sky.name}"
    with open_runtime("inline") as runtime:
        write_catalog(
            read_recipe(recipe), place, fraction=sky.fraction,
            shrink="thinning" if sky.by == "t" else "coverage", runtime=runtime, watcher=watcher,
        )  # fmt: skip
    testbed.ingest(place, database=database_of(sky), columns=columns, watcher=watcher)
    shutil.rmtree(place)


def measure(testbed: Testbed, database: str, asked: CalibrationTrial, *, is_cold: bool, watcher: Watcher) -> None:
    """One trial of a database; cold: every query finds empty caches, and fewer are asked."""
    shutil.rmtree(asked.folder, ignore_errors=True)
    workload = cold_workload(asked.workload) if is_cold else asked.workload
    workload = workload.model_copy(update={"check_answers": False})
    templates = workload_templates(asked.file, workload)
    inner, clock = TestbedTarget(testbed, "czar", asked.scan), StoppableClock(wall_clock())
    target: Target = ColdTarget(inner, clock) if is_cold else inner
    queries = TrialQueries(workload, templates, database, asked.seed)
    queries = replace(queries, profile=sample_data(queries, inner))
    probe = ClusterProbe(testbed)
    try:
        record = TrialRecord(asked.folder, catalog_facts(testbed, database))
        run_trial(queries, TrialEngines(target), record, TrialDriver(clock=clock), TrialWatch(watcher, probe))
    finally:
        probe.close()


def cold_workload(workload: Workload) -> Workload:
    """The same classes without warm-up, each template a few times."""

    def fewer(load: ClassLoad) -> ClassLoad:
        return load.model_copy(
            update={"warm_up": 0, "count": max(COLD_QUERIES, len(load.templates)), "duration_s": None}
        )

    phases = [
        phase.model_copy(update={"classes": [fewer(load) for load in phase.classes]}) for phase in workload.phases
    ]
    return workload.model_copy(update={"phases": phases})


def write_hardware(out: Path, nodes: int) -> Path:
    """Measure this machine and write its hardware file."""
    out.mkdir(parents=True, exist_ok=True)
    content = this_machine(out, nodes=nodes).model_dump(exclude_none=True)
    file = out / HARDWARE
    file.write_text(yaml.safe_dump(content, sort_keys=False, width=120), encoding="utf-8")
    return file


def skies_of(covered: Sequence[float], thinned: Sequence[float]) -> tuple[Sky, ...]:
    """Skies by their fractions, in the order of their size."""
    skies = [*(Sky(one, "c") for one in covered), *(Sky(one, "t") for one in thinned)]
    return tuple(sorted(skies, key=lambda sky: sky.fraction))
