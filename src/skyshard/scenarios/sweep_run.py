"""Runs sweeps: a private cluster for each node count, and in it a catalog, an ingest and a trial for each fraction.

Sizes run from small to large. Before the largest runs, the prediction for it is written to ``prediction.json``. Trials
that exist already are not run again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.basics.progress import Watcher, announce
from skyshard.basics.scan_way import ScanWay
from skyshard.bench.compare.sweep import Forecast, Size, Sweep, forecasts, sweep_of
from skyshard.bench.model.published_results import check_model, cliff, read_published
from skyshard.bench.pages.sweep_page import write_sweep
from skyshard.bench.record.trial_folder import MANIFEST, Trial, read_trial
from skyshard.bench.workload.workload import Workload
from skyshard.bench.workload.workload_fit import names_of, workload_templates
from skyshard.cluster.private_cluster import MAX_NODES, PrivateCluster
from skyshard.host.output_folder import require_writable, writing_to
from skyshard.host.shipped_data import data_file
from skyshard.runtime import open_runtime
from skyshard.scenarios.catalog_facts import PROFILE
from skyshard.scenarios.trial_run import TrialRun
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.recipe.release_profile import read_profile
from skyshard.synth.rows.generate import open_sky
from skyshard.synth.write.write_catalog import plan, write_catalog
from skyshard.testbed import Testbed


@dataclass(frozen=True, slots=True)
class SweepRun:
    """One sweep: a workload at several fractions of DR1 and node counts."""

    file: Path
    workload: Workload
    out: Path
    recipe: str
    fractions: tuple[float, ...]
    """Shares of DR1, by objects of the profile."""
    nodes: tuple[int, ...]
    on_nodes: tuple[int, ...]
    """Node counts that projections are made for."""
    scan: ScanWay | None = None
    """How the czar scans; None: as it does by itself, without column images."""

    @property
    def target(self) -> str:
        """That of its trials."""
        return "czar" if self.scan is None else f"czar:{self.scan}"

    def run(self, watcher: Watcher) -> tuple[Sweep, Path]:
        """Run the missing trials, fit, and write; returns the sweep and its page. Inputs are checked first."""
        shares = {fraction: self._share_of_recipe(fraction) for fraction in sorted(set(self.fractions))}
        self._require_inputs()
        predicted: dict[str, Forecast] = {}
        sizes: list[Size] = []
        for count in self.nodes:
            sizes += self._on(count, shares, sizes, predicted, watcher)
        published = read_published(data_file("queries", "published", f"{PROFILE}.yaml"))
        scans = published.concurrent_object_scans
        found = sweep_of(
            sizes, predicted, recipe=self.recipe, profile=PROFILE, on_nodes=self.on_nodes,
            published=check_model(published), cliff=cliff(scans.scans, scans.mean_s),
        )  # fmt: skip
        return found, write_sweep(found, self.out)

    def _require_inputs(self) -> None:
        """Raises UserError for a workload, counts or a folder that would fail later."""
        templates = workload_templates(self.file, self.workload)
        if not self.fractions or not self.nodes:
            raise UserError("there is nothing to sweep", remedy="give --fractions and --nodes, such as 1e-6,2e-6 and 2")
        for count in (*self.nodes, *self.on_nodes):
            if not 1 <= count <= MAX_NODES:
                raise UserError(f"{count} nodes are not possible", remedy=f"give counts from 1 to {MAX_NODES}")
        has = names_of({name: spec.table for name, spec in open_sky(read_recipe(self.recipe)).specs.items()})
        for key, template in templates.items():
            if missing := template.missing(has):
                raise UserError(
                    f"recipe '{self.recipe}' makes no {missing}, which template '{key}' asks for",
                    remedy=f"give --leave-out {key}, or another recipe",
                )
        with writing_to(self.out):
            require_writable(self.out)

    def _on(
        self,
        count: int,
        shares: dict[float, float],
        before: Sequence[Size],
        predicted: dict[str, Forecast],
        watcher: Watcher,
    ) -> list[Size]:
        """Run all fractions with one node count, in a cluster that is removed at the end."""
        cluster = PrivateCluster(self.out / f"cluster-{count}")
        sizes: list[Size] = []
        try:
            for fraction in shares:
                trial = self.out / f"trial-{count}-{fraction:g}"
                if fraction == max(shares) and count == self.nodes[0] and not predicted:
                    predicted |= self._predict([*before, *sizes], (self._planned(shares[fraction]), count))
                if not (trial / MANIFEST).exists():
                    announce(watcher, self._which(len(before) + len(sizes) + 1, count, fraction))
                    self._measure(cluster, count, shares[fraction], fraction, trial, watcher)
                read = read_trial(trial)
                self._require_same(trial, read)
                sizes.append(Size(_true_fraction(read.manifest.catalog, fraction), count, read))
        finally:
            if cluster.exists:
                cluster.destroy()
        return sizes

    def _require_same(self, trial: Path, read: Trial) -> None:
        """Raises UserError for a trial of another sweep, which scanned otherwise."""
        wanted, found = self.target.replace(":", "-"), read.manifest.target
        if found != wanted:
            raise UserError(f"'{trial}' is a trial of '{found}', not of '{wanted}'", remedy="choose another --out")

    def _which(self, number: int, count: int, fraction: float) -> str:
        """For people: which trial of how many comes next, and of what."""
        total = len(self.nodes) * len(set(self.fractions))
        return f"trial {number} of {total}: {count} {'node' if count == 1 else 'nodes'}, {fraction:g} of DR1"

    def _measure(
        self, cluster: PrivateCluster, count: int, share: float, fraction: float, trial: Path, watcher: Watcher
    ) -> None:
        if not cluster.is_running:
            cluster.start(count)
        sky = self.out / f"sky-{fraction:g}"
        with open_runtime("inline") as runtime:
            write_catalog(read_recipe(self.recipe), sky, fraction=share, runtime=runtime, watcher=watcher)
        database = f"sweep_{count}_{round(fraction * 1e12)}"
        with Testbed(cluster.folder) as testbed:
            columns = "all" if self.scan in ("auto", "columns") else None
            testbed.ingest(sky, database=database, columns=columns, watcher=watcher)
            if self.workload.check_answers:
                testbed.load_mono(database, watcher=watcher)
        shutil.rmtree(trial, ignore_errors=True)
        TrialRun(self.file, self.workload, trial, database, (self.target,), cluster.folder).run(watcher)
        shutil.rmtree(sky, ignore_errors=True)

    def _predict(self, sizes: Sequence[Size], at: tuple[float, int]) -> dict[str, Forecast]:
        """The forecasts for the largest fraction, written to a file before it runs, or read from it."""
        file = self.out / "prediction.json"
        if file.exists():
            try:
                content = json.loads(file.read_text(encoding="utf-8"))
                return {name: Forecast.model_validate(one) for name, one in content.items()}
            except (ValueError, AttributeError, RecursionError):
                raise UserError(f"'{file}' holds no predictions", remedy="remove it, or choose another --out") from None
        made = forecasts(sizes, at)
        self.out.mkdir(parents=True, exist_ok=True)
        kept = {name: one.model_dump(mode="json") for name, one in made.items()}
        file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        return made

    def _planned(self, share: float) -> float:
        """The fraction of DR1 that the chunks of a share of the recipe are expected to hold; chunks are whole."""
        return self._objects(share) / read_profile(PROFILE).tables["Object"].rows

    def _objects(self, share: float) -> int:
        """Objects that a share of the recipe is expected to hold. Raises UserError when it makes none."""
        rows = plan(read_recipe(self.recipe), self.out / "none", fraction=share).expected_rows
        if not rows.get("Object"):
            raise UserError(f"recipe '{self.recipe}' makes no rows of Object", remedy="choose another --recipe")
        return rows["Object"]

    def _share_of_recipe(self, fraction: float) -> float:
        """The recipe's own fraction that has as many objects as a share of DR1.

        Raises:
            UserError: the recipe is too small for it.
        """
        if not 0 < fraction <= 1:
            raise UserError(f"fraction {fraction:g} is not in (0, 1]", remedy="give shares of DR1, such as 1e-6")
        expected = self._objects(1.0)
        full = read_profile(PROFILE).tables["Object"].rows
        share = fraction * full / expected
        if share > 1.0:
            wanted = f"{fraction * full:,.0f} objects"
            raise UserError(
                f"fraction {fraction:g} of DR1 is {wanted}, recipe '{self.recipe}' has {expected:,}",
                remedy=f"take fractions up to {expected / full:.2g}, or a larger recipe",
            )
        return share


def _true_fraction(catalog: dict[str, object], asked: float) -> float:
    """A catalog's actual share of DR1; it differs from the share that was asked for, since chunks are whole."""
    made = catalog.get("made")
    share = made.get("share_of_profile") if isinstance(made, dict) else None
    return float(share) if share else asked
