"""The main job, end to end: a private cluster, a synthetic sky, ingest, verification, a workload, a report.

Every step is one that the commands offer; nothing here that a user could not do.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skyshard.bench.report import write_report
from skyshard.bench.template import read_templates
from skyshard.bench.trial import run_trial
from skyshard.bench.workload import read_workload, template_folder
from skyshard.cluster import Cluster
from skyshard.errors import ClusterError, UserError
from skyshard.progress import Progress, Watcher, nobody
from skyshard.resources import data_file
from skyshard.runtime import RuntimeKind, open_runtime
from skyshard.synth.recipe import read_recipe
from skyshard.synth.write import write_catalog
from skyshard.testbed import Testbed
from skyshard.trial_targets import TestbedTarget, trial_context

MARK = ".skyshard-demo"
Say = Callable[[str], None]


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
    say: Say = print,
    watcher: Watcher = nobody,
) -> DemoResult:
    """Run everything below ``out`` and stop the cluster, whatever happens.

    Raises:
        UserError: ``out`` holds something else than an earlier demo.
        ClusterError: a check of the verification failed.
    """
    start = time.monotonic()
    _claim(out)
    cluster = Cluster.at(out / "cluster")
    try:
        say(f"1/6 cluster: {nodes} MariaDB nodes and the czar's own, private, in {cluster.folder}")
        cluster.start(nodes)
        say(f"2/6 synthetic sky: recipe {recipe} → {out / 'sky'}")
        _synthesize(recipe, out / "sky", watcher)
        with Testbed(cluster.folder, runtime=runtime) as testbed:
            say(f"3/6 ingest: {out / 'sky'} → chunk tables, through {runtime}")
            report = testbed.ingest(out / "sky", watcher=watcher)
            say(f"4/6 verify {report.database}: every table read back, and the unsharded oracle filled")
            _verify(testbed, report.database, say)
            testbed.load_mono(report.database, watcher=watcher)
            say(f"5/6 workload {workload}: answers checked against the oracle")
            is_good = _measure(testbed, report.database, workload, out / "trial", watcher)
        page = write_report(out / "trial")
    finally:
        if cluster.exists:
            say("6/6 stopping the cluster")
            cluster.stop()
    return DemoResult(page, cluster.folder, report.rows, is_good, time.monotonic() - start)


def _claim(out: Path) -> None:
    """Take the folder; an earlier demo's is emptied."""
    if out.exists() and any(out.iterdir()) and not (out / MARK).exists():
        raise UserError(f"'{out}' holds something else", remedy="choose another --out")
    if (out / MARK).exists():
        cluster = Cluster.at(out / "cluster")
        if cluster.exists:
            cluster.destroy()
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).touch()


def _synthesize(recipe: str, out: Path, watcher: Watcher) -> None:
    with open_runtime("inline") as runtime:
        write_catalog(read_recipe(recipe), out, runtime=runtime, watcher=watcher)


def _verify(testbed: Testbed, database: str, say: Say) -> None:
    checks = testbed.verify(database)
    for check in checks:
        if not check.is_good:
            say(f"    FAILED {check.name}: {check.found}")
    if not all(check.is_good for check in checks):
        raise ClusterError(f"verification of {database} failed", remedy="this is ours to mend; keep the folder")
    say(f"    {len(checks)} checks, all good")


def _measure(testbed: Testbed, database: str, name: str, out: Path, watcher: Watcher) -> bool:
    """Run the workload; True when every answer was right and every target met."""
    file = data_file("queries", "workloads", f"{name}.yaml")
    workload = read_workload(file)
    templates = read_templates(template_folder(file), workload.template_keys)
    start = time.monotonic()

    def notify(what: str, done: int, total: int) -> None:
        watcher(Progress(what, done, total, elapsed_s=time.monotonic() - start))

    summary = run_trial(
        workload,
        templates,
        TestbedTarget(testbed, "czar"),
        out,
        oracle=TestbedTarget(testbed, "mono"),
        database=database,
        context=trial_context(testbed, database),
        notify=notify,
    )
    if summary.is_partial:
        raise KeyboardInterrupt
    return summary.is_passed
