"""``skyshard bench project``: trials, a profile, hardware and published tests, brought together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.bench.model.hardware import Hardware, read_hardware
from skyshard.bench.model.observations import TimeBy, observe
from skyshard.bench.model.projection import MOST_NODES, Basis, Projection, Target, project
from skyshard.bench.model.published_cells import PublishedTests
from skyshard.bench.model.published_results import read_published
from skyshard.bench.model.work import CatalogSize
from skyshard.bench.pages.projection_page import write_projection
from skyshard.bench.record.trial_folder import read_trials
from skyshard.bench.record.visit_trial import is_visit_trial
from skyshard.bench.workload.workload import Workload, find_workload, read_workload
from skyshard.host.shipped_data import data_file
from skyshard.scenarios.calibration_run import HARDWARE
from skyshard.scenarios.catalog_facts import PROFILE
from skyshard.synth.recipe.release_profile import Profile, read_profile

KPM_CHUNKS = 7737
"""Chunks of the catalogs of the KPM tests: 85 stripes from declination -87.9 to 45.5 degrees."""
PUBLISHED_HARDWARE = "ldm-552-2018"
ALONE = "alone"


@dataclass(frozen=True, slots=True)
class ProjectionRun:
    """What to project, and from what."""

    trials: tuple[Path, ...]
    fraction: float = 0.5
    nodes: int = 0
    """0: as many as the hardware file says."""
    hardware: str = PUBLISHED_HARDWARE
    profile: str = PROFILE
    load: str = "kpm-50"
    """The workload of the load; ``alone``: each class alone, with that workload's targets."""
    by: TimeBy = "elapsed"
    measured_on: Path | None = None
    """Hardware file of the trials; ``hardware.yaml`` beside them if None and it is there."""

    def run(self, out: Path | None = None) -> tuple[Projection, Path | None]:
        """The projection, and its page where ``out`` names a folder.

        Raises:
            UserError: a trial, file or number is wrong, or the trials tell too little.
        """
        if not 0 < self.fraction <= 1:
            raise UserError(f"fraction {self.fraction:g} is not in (0, 1]", remedy="give a share of DR1, such as 0.5")
        hardware = read_hardware(self.hardware)
        nodes = self.nodes or hardware.nodes or 0
        if not 1 <= nodes <= MOST_NODES:
            raise UserError(f"{nodes} nodes are not possible", remedy=f"give --nodes from 1 to {MOST_NODES}")
        if of_visits := [folder for folder in self.trials if is_visit_trial(folder)]:
            raise UserError(
                f"'{of_visits[0]}' is a trial of visits, a projection is of queries",
                remedy="name trials such as those of skyshard bench calibrate",
            )
        observations, left_out = observe(read_trials(self.trials)[0], self.by)
        if not observations:
            why = f": {left_out[0]}" if left_out else ""
            raise UserError(f"no class of these trials ran alone{why}", remedy="run skyshard bench calibrate")
        profile, load = read_profile(self.profile), read_workload(find_workload(self.load))
        target = Target(
            size_of(profile, self.fraction), profile.name, self.fraction, hardware, nodes, load, self.load != ALONE
        )
        found = project(Basis(observations, self._measured_on(), published_tests(), self.by), target)
        found = found.model_copy(update={"cautions": [*found.cautions, *left_out]})
        return found, write_projection(found, out) if out is not None else None

    def _measured_on(self) -> Hardware | None:
        if self.measured_on is not None:
            return read_hardware(self.measured_on)
        beside = [trial.parent / HARDWARE for trial in self.trials]
        return next((read_hardware(file) for file in beside if file.is_file()), None)


def published_tests() -> PublishedTests:
    """The KPM tests: results, sizes of their catalogs, hardware, loads."""
    results = read_published(data_file("queries", "published", f"{PROFILE}.yaml"))
    profile = read_profile(PROFILE)
    sizes = {column.fraction: size_of(profile, column.fraction) for column in results.columns}
    return PublishedTests(results, sizes, read_hardware(PUBLISHED_HARDWARE), shipped_workload)


def shipped_workload(name: str) -> Workload:
    return read_workload(find_workload(name))


def size_of(profile: Profile, fraction: float) -> CatalogSize:
    """A share of a profile's catalog: as it was measured, where it was, else in proportion."""
    measured = next((one.rows for one in profile.measured if one.fraction == fraction), {})
    rows = {name: float(measured.get(name, table.rows * fraction)) for name, table in profile.tables.items()}
    return CatalogSize(rows, {name: table.bytes_per_row for name, table in profile.tables.items()}, KPM_CHUNKS)


def trial_folders(found: Sequence[Path]) -> list[Path]:
    """Trials by their folders, or all trials in a folder of a calibration.

    Raises:
        UserError: a folder is no trial and holds none.
    """
    folders: list[Path] = []
    for one in found:
        inside = (
            [] if (one / "manifest.json").is_file() else sorted(file.parent for file in one.glob("*/manifest.json"))
        )
        folders += inside or [one]
    return folders
