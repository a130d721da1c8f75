"""The demo, end to end: a private cluster, a synthetic sky, ingest, verification, a workload, a report.

Every step is also a command of its own.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Watcher, announce, unwatched
from skyshard.bench.workload.workload import find_workload, read_workload
from skyshard.bench.workload.workload_fit import Fitted, best_fit, names_of
from skyshard.cluster.installation import find_mariadbd
from skyshard.cluster.private_cluster import MAX_NODES, PrivateCluster
from skyshard.host.output_folder import REMEDY, require_writable, writing_to
from skyshard.ingest.transaction.ingest_report import IngestReport
from skyshard.runtime import RuntimeKind, open_runtime
from skyshard.scenarios.trial_run import TrialRun
from skyshard.synth.recipe.recipe import Recipe, read_recipe
from skyshard.synth.rows.generate import open_sky
from skyshard.synth.write.synth_plan import plan
from skyshard.synth.write.write_catalog import write_catalog
from skyshard.testbed import Testbed

MARK = ".skyshard-demo"
COPIES = 4
"""How many times the sky is on disk: files, chunk tables with overlap, staging, the oracle."""


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo leaves behind."""

    report: Path
    cluster: Path
    rows: int
    is_good: bool
    elapsed_s: float


def run_demo(
    out: Path,
    *,
    recipe: str = "tiny",
    workload: str = "quick",
    nodes: int = 2,
    runtime: RuntimeKind = "ray",
    watcher: Watcher = unwatched,
) -> DemoResult:
    """Run everything below ``out`` and stop the cluster, whatever happens.

    Raises:
        UserError: an input is wrong, or ``out`` holds something other than an earlier demo. Nothing was started or
            removed.
        ClusterError: a check of the verification failed.
    """
    start = time.monotonic()
    sky, file, fitted = _checked_inputs(recipe, workload, nodes, out)
    _take_folder(out)
    cluster = PrivateCluster(out / "cluster")
    try:
        announce(watcher, f"1/6 cluster: {nodes} MariaDB nodes and the czar's own, private, in {cluster.folder}")
        cluster.start(nodes)
        announce(watcher, f"2/6 synthetic sky: recipe {recipe} → {out / 'sky'}")
        _synthesize(sky, out / "sky", watcher)
        report = _ingest(cluster, out / "sky", runtime, watcher)
        announce(watcher, f"5/6 workload {fitted.workload.name}: answers checked against the oracle")
        for sentence in fitted.sentences:
            announce(watcher, f"    {sentence}")
        asked = TrialRun(file, fitted.workload, out / "trial", report.database, ("czar",), cluster.folder)
        trial = asked.run(watcher)["czar"]
    finally:
        if cluster.exists:
            announce(watcher, "6/6 stopping the cluster")
            cluster.stop()
    if trial.summary.is_partial:
        raise KeyboardInterrupt
    return DemoResult(trial.page, cluster.folder, report.rows, trial.summary.is_passed, time.monotonic() - start)


def _checked_inputs(recipe: str, workload: str, nodes: int, out: Path) -> tuple[Recipe, Path, Fitted]:
    """Check all inputs before anything is started; returns the recipe, the workload's file, and the fitted workload."""
    if not 1 <= nodes <= MAX_NODES:
        raise UserError(f"a cluster of {nodes} nodes is not possible", remedy=f"use --nodes 1 to {MAX_NODES}")
    file = find_workload(workload)
    asked, sky = read_workload(file), read_recipe(recipe)
    has = names_of({name: spec.table for name, spec in open_sky(sky).specs.items()})
    fitted = best_fit(file, asked, has)
    if fitted is None:
        raise UserError(
            f"recipe '{recipe}' makes nothing that workload '{asked.name}' could ask for", remedy="choose another"
        )
    find_mariadbd()
    _require_space(out, plan(sky, out).expected_bytes)
    return sky, file, fitted


def _require_space(out: Path, size: int) -> None:
    """Raises UserError when ``out`` holds something else, cannot be written, or has too little space for the sky."""
    with writing_to(out):
        if out.exists() and any(out.iterdir()) and not (out / MARK).exists():
            raise UserError(f"'{out}' holds something else", remedy=REMEDY)
        free = shutil.disk_usage(require_writable(out)).free
    if (needed := COPIES * size) > free:
        raise UserError(
            f"the sky takes about {needed / 1e9:,.0f} GB with its copies, '{out}' has {free / 1e9:,.0f} GB free",
            remedy="take a smaller --recipe, or another --out",
        )


def _take_folder(out: Path) -> None:
    """Make the folder, or empty that of an earlier demo."""
    if (out / MARK).exists():
        cluster = PrivateCluster(out / "cluster")
        if cluster.exists:
            cluster.destroy()
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).touch()


def _synthesize(recipe: Recipe, out: Path, watcher: Watcher) -> None:
    with open_runtime("inline") as runtime:
        write_catalog(recipe, out, runtime=runtime, watcher=watcher)


def _ingest(cluster: PrivateCluster, sky: Path, runtime: RuntimeKind, watcher: Watcher) -> IngestReport:
    """Ingest, verify, and fill the oracle."""
    with Testbed(cluster.folder, runtime=runtime) as testbed:
        announce(watcher, f"3/6 ingest: {sky} → chunk tables, through {runtime}")
        report = testbed.ingest(sky, watcher=watcher)
        announce(watcher, f"4/6 verify {report.database}: every table read back, and the unsharded oracle filled")
        _verify(testbed, report.database, watcher)
        testbed.load_mono(report.database, watcher=watcher)
    return report


def _verify(testbed: Testbed, database: str, watcher: Watcher) -> None:
    checks = testbed.verify(database)
    for check in checks:
        if not check.is_good:
            announce(watcher, f"    FAILED {check.name}: {check.found}")
    if not all(check.is_good for check in checks):
        raise ClusterError(f"verification of {database} failed", remedy="keep the folder and report this as a bug")
    announce(watcher, f"    {len(checks)} checks, all good")
