"""Predicts larger catalogs from a calibration, before they are asked anything, and sets the outcome beside it.

    python benchmarks/held_out.py run OUT [--held-out 0.25,0.6] [--quick]
    python benchmarks/held_out.py predict CALIBRATION CLUSTER DATABASE... --out FILE
    python benchmarks/held_out.py measure CALIBRATION CLUSTER DATABASE... --out FILE

``run`` does all of it, or goes on: calibrates into OUT, makes the larger skies, predicts and measures, and prints the
table of docs/measurements/projection.md; --quick takes the sky ``mini``. ``predict`` reads the sizes of the databases
and writes what each class will take, warm and cold. ``measure`` runs the trials that are missing and adds what each
class took. Warm times are processor time spread over the cores, so that what else the machine does is left out; cold
times are elapsed, and what else it does is in them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skyshard.basics.progress import Progress, unwatched
from skyshard.basics.readable import seconds
from skyshard.bench.model.class_time import Setting, TemplateWork, class_time, template_works
from skyshard.bench.model.disk_efficiency import disk_efficiency
from skyshard.bench.model.fit_costs import FittedCosts, fit_costs
from skyshard.bench.model.hardware import Hardware, read_hardware
from skyshard.bench.model.observations import Observation, observe
from skyshard.bench.model.work import CatalogSize
from skyshard.bench.record.trial_folder import MANIFEST, read_trials
from skyshard.bench.workload.workload import find_workload, read_workload
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.pages.page_template import markdown_table
from skyshard.scenarios.calibration_run import (
    HARDWARE,
    SKIES,
    CalibrationRun,
    CalibrationTrial,
    Sky,
    database_of,
    make_sky,
    measure,
    skies_of,
)
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
    if asked := [place.name for database in databases for place in places(folder, database) if place.exists()]:
        sys.exit(f"{', '.join(asked)}: they have been asked already; remove these trials, then it is a prediction")
    known = Calibration.read(folder)
    return [
        {"database": database, "class": name, "cache": "cold" if is_cold else "warm", "rows": sum(size.rows.values()),
         **known.times(name, size, is_cold=is_cold)}
        for database, size in catalog_sizes(cluster, databases).items()
        for name in known.classes
        for is_cold in (False, True)
    ]  # fmt: skip


def places(folder: Path, database: str) -> list[Path]:
    """Folders of a database's trials, warm and cold."""
    return [folder / f"{KEPT}-{heat}-{database}" for heat in ("warm", "cold")]


def measured(folder: Path, cluster: Path, databases: Sequence[str]) -> list[Observation]:
    """The trials of the databases, run where they are missing."""
    file, made = find_workload("calibration"), []
    with Testbed(cluster) as testbed:
        for database in databases:
            for is_cold, trial in zip((False, True), places(folder, database), strict=True):
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
        stretches = [
            seen.stretch for seen in mine if np.isfinite(seen.stretch)
        ]  # none where no processor time is known
        stretch = _three(float(np.mean(stretches))) if stretches else None
        done.append({**one, "measured_s": took, "stretch": stretch})
    return done


def run(given: argparse.Namespace) -> None:
    """Calibrate, make the larger skies, predict, and only then ask them."""
    out, cluster = given.out, PrivateCluster(given.out / "held-out-cluster")
    file = find_workload("calibration")
    skies = skies_of([0.5], [0.3, 0.6]) if given.quick else SKIES
    recipe, rounds = ("mini", 1) if given.quick else ("calibration", 2)
    calibration = CalibrationRun(file, read_workload(file), out, recipe, skies, rounds=rounds)
    calibration.run(tell)
    larger = [Sky(fraction, "t") for fraction in given.held_out]
    databases, predictions, outcome = [database_of(sky) for sky in larger], out / "predicted.json", out / "outcome.json"
    cluster.start(calibration.nodes)
    try:
        with Testbed(cluster.folder) as testbed:
            for sky in larger:
                make_sky(testbed, out, sky, recipe, tell)
        if not predictions.exists():
            write(predictions, predict(out, cluster.folder, databases))
        found = with_outcome(json.loads(predictions.read_text()), measured(out, cluster.folder, databases))
        write(outcome, found)
    finally:
        cluster.destroy()
    print(table(found))


def tell(progress: Progress) -> None:
    if progress.note:
        print(progress.note, file=sys.stderr, flush=True)


def table(found: Sequence[dict[str, Any]]) -> str:
    """The outcomes as the page of measurements has them."""
    heads = ["rows", "class", "caches", "predicted", "interval of the fit", "decided by", "measured",
             "measured / predicted", "stretch"]  # fmt: skip
    rows = [
        [
            f"{one['rows'] / 1e6:.3g} M", one["class"], one["cache"], seconds(one["predicted_s"]),
            f"{seconds(one['low_s'])} to {seconds(one['high_s'])}", one["decided_by"], seconds(one["measured_s"]),
            f"{one['measured_s'] / one['predicted_s']:.2f}", "–" if one["stretch"] is None else f"{one['stretch']:.1f}",
        ]
        for one in found
    ]  # fmt: skip
    held = [one for one in found if one["low_s"] <= one["measured_s"] <= one["high_s"]]
    counts = {heat: sum(one["cache"] == heat for one in held) for heat in ("warm", "cold")}
    said = ", ".join(f"{count} of {len(found) // 2} {heat}" for heat, count in counts.items())
    return f"{markdown_table(heads, rows)}\n\nWithin the interval: {said}."


def write(file: Path, content: Sequence[object]) -> None:
    file.write_text("[\n" + ",\n".join(json.dumps(one) for one in content) + "\n]\n")


def fractions(text: str) -> list[float]:
    return [float(one) for one in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="what", required=True)
    whole = kinds.add_parser("run")
    whole.add_argument("out", type=Path)
    whole.add_argument("--held-out", type=fractions, help="fractions of the recipe; 0.25,0.6, quick: 1")
    whole.add_argument("--quick", action="store_true")
    for name in ("predict", "measure"):
        part = kinds.add_parser(name)
        part.add_argument("calibration", type=Path)
        part.add_argument("cluster", type=Path)
        part.add_argument("databases", nargs="+")
        part.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    if given.what == "run":
        given.held_out = given.held_out or ([1.0] if given.quick else [0.25, 0.6])
        run(given)
        return
    if given.what == "predict":
        content = predict(given.calibration, given.cluster, given.databases)
    else:
        observations = measured(given.calibration, given.cluster, given.databases)
        content = with_outcome(json.loads(given.out.read_text()), observations)
    write(given.out, content)


if __name__ == "__main__":
    main()
