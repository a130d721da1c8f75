"""Predicts larger catalogs from a calibration, before they are asked anything, and sets the outcome beside it.

    python benchmarks/held_out.py predict CALIBRATION CLUSTER DATABASE... --out FILE
    python benchmarks/held_out.py measure CALIBRATION CLUSTER DATABASE... --out FILE

``predict`` reads the sizes of the databases and writes what each class will take, warm and cold. ``measure`` runs the
trials that are missing and adds what each class took. Warm times are processor time spread over the cores, so that
what else the machine does is left out; cold times are elapsed, and what else it does is in them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skyshard.basics.progress import unwatched
from skyshard.bench.model.class_time import Setting, TemplateWork, class_time, template_works
from skyshard.bench.model.disk_efficiency import disk_efficiency
from skyshard.bench.model.fit_costs import FittedCosts, fit_costs
from skyshard.bench.model.hardware import Hardware, read_hardware
from skyshard.bench.model.observations import Observation, observe
from skyshard.bench.model.work import CatalogSize
from skyshard.bench.record.trial_folder import MANIFEST, read_trials
from skyshard.bench.workload.workload import find_workload, read_workload
from skyshard.scenarios.calibration_run import HARDWARE, CalibrationTrial, measure
from skyshard.scenarios.catalog_facts import row_bytes
from skyshard.scenarios.projection_run import trial_folders
from skyshard.testbed import Testbed

UNBOUND = 1e9
"""Here the prices of rows were measured on the same memory; it is no bound of its own."""
KEPT = "held-out"
"""Trials of held-out databases begin with it, so that they are not taken for the calibration's."""


@dataclass(frozen=True)
class Calibration:
    """What the calibration tells."""

    fitted: FittedCosts
    classes: dict[str, list[TemplateWork]]
    hardware: Hardware
    efficiency: float

    @classmethod
    def read(cls, folder: Path) -> Calibration:
        trials = [one for one in trial_folders([folder]) if not one.name.startswith(KEPT)]
        observations, _ = observe(read_trials(trials)[0], "processor")
        hardware = read_hardware(folder / HARDWARE)
        efficiency = disk_efficiency(observations, hardware) or 1.0
        return cls(fit_costs(observations), template_works(observations), hardware, efficiency)

    def times(self, name: str, size: CatalogSize, *, is_cold: bool) -> dict[str, object]:
        """Predicted seconds with the 95 % interval of the fit, and what decides them."""
        hardware = self.hardware.model_copy(update={"memory_mb_per_s": UNBOUND})
        setting = Setting(size, hardware, hardware.nodes or 1, self.efficiency, is_cold=is_cold)
        found = class_time(self.classes[name], self.fitted.costs, setting)
        drawn = [class_time(self.classes[name], one, setting).total_s for one in self.fitted.drawn]
        reach = float(np.exp(1.96 * np.hypot(np.log(drawn).std(), self.fitted.scatter)))
        low, high = found.total_s / reach, found.total_s * reach
        return {
            "predicted_s": _three(found.total_s),
            "low_s": _three(low),
            "high_s": _three(high),
            "decided_by": found.regime.value,
        }


def _three(value: float) -> float:
    return float(f"{value:.3g}")


def catalog_sizes(cluster: Path, databases: Sequence[str]) -> dict[str, CatalogSize]:
    """Sizes from the registry; nothing is asked of the databases."""
    sizes = {}
    with Testbed(cluster) as testbed:
        for database in databases:
            catalog = testbed.registry.published.catalog(database)
            widths = row_bytes(catalog)
            rows = {name: float(table.rows) for name, table in catalog.tables.items() if name in widths}
            chunks = len({chunk for table in catalog.tables.values() for chunk in table.chunks})
            sizes[database] = CatalogSize(rows, {k: float(v) for k, v in widths.items()}, chunks)
    return sizes


def predict(folder: Path, cluster: Path, databases: Sequence[str]) -> list[dict[str, object]]:
    known = Calibration.read(folder)
    return [
        {"database": database, "class": name, "cache": "cold" if is_cold else "warm", "rows": sum(size.rows.values()),
         **known.times(name, size, is_cold=is_cold)}
        for database, size in catalog_sizes(cluster, databases).items()
        for name in known.classes
        for is_cold in (False, True)
    ]  # fmt: skip


def measured(folder: Path, cluster: Path, databases: Sequence[str]) -> list[Observation]:
    """The trials of the databases, run where they are missing."""
    file, made = find_workload("calibration"), []
    with Testbed(cluster) as testbed:
        for database in databases:
            for is_cold in (False, True):
                trial = folder / f"{KEPT}-{'cold' if is_cold else 'warm'}-{database}"
                if not (trial / MANIFEST).exists():
                    asked = CalibrationTrial(file, read_workload(file), trial)
                    measure(testbed, database, asked, is_cold=is_cold, watcher=unwatched)
                made.append(trial)
    return observe(read_trials(made)[0], "processor")[0]


def with_outcome(predictions: list[dict[str, object]], observations: Sequence[Observation]) -> list[dict[str, object]]:
    """Each prediction with the mean over the class's templates, as measured."""
    done = []
    for one in predictions:
        name = f"{KEPT}-{one['cache']}-{one['database']}"
        mine = [seen for seen in observations if seen.trial.endswith(name) and seen.class_name == one["class"]]
        took = _three(float(np.mean([seen.time_s for seen in mine])))
        stretch = _three(float(np.mean([seen.stretch for seen in mine])))
        done.append({**one, "measured_s": took, "stretch": stretch})
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["predict", "measure"])
    parser.add_argument("calibration", type=Path)
    parser.add_argument("cluster", type=Path)
    parser.add_argument("databases", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    if given.what == "predict":
        content = predict(given.calibration, given.cluster, given.databases)
    else:
        observations = measured(given.calibration, given.cluster, given.databases)
        content = with_outcome(json.loads(given.out.read_text()), observations)
    given.out.write_text("[\n" + ",\n".join(json.dumps(one) for one in content) + "\n]\n")


if __name__ == "__main__":
    main()
