"""``skyshard bench``: run a workload, render a report again."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skyshard.cli.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_table, progress_bars

if TYPE_CHECKING:
    from skyshard.bench.stats import Summary
    from skyshard.bench.workload import Workload
    from skyshard.testbed import Testbed

bench_app = typer.Typer(help="Run workloads, keep trials, read reports.", no_args_is_help=True)


@bench_app.command()
def run(
    workload: Annotated[str, typer.Argument(help="A workload file, or the name of a shipped one.")],
    out: Annotated[Path | None, typer.Option(help="Trial folder; absent or empty.")] = None,
    database: Annotated[str, typer.Option(help="Database to ask instead of the workload's own.")] = "",
    cluster: ClusterOption = DEFAULT_CLUSTER,
    as_json: JsonOption = False,
) -> None:
    """Run a workload against the cluster and leave a trial folder with its report.

    Exit code 1 when an answer is wrong, a query failed or a target is missed; 130 when it was interrupted.
    """
    from skyshard.bench.workload import read_workload

    file = _workload_file(workload)
    loaded = read_workload(file)

    from skyshard.interrupts import interruptible
    from skyshard.testbed import Testbed  # a wrong name is told without waiting for this

    folder = out or Path("trials") / f"{loaded.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    with interruptible(), Testbed(cluster) as testbed:
        summary = _run(testbed, file, loaded, folder, database)
    _show(summary, folder, as_json=as_json)
    if summary.is_partial:
        raise typer.Exit(130)
    if not summary.is_passed:
        raise typer.Exit(1)


def _workload_file(name: str) -> Path:
    """The file itself, or the shipped workload of that name."""
    from skyshard.errors import UserError
    from skyshard.resources import data_folder

    if (file := Path(name)).is_file():
        return file
    shipped = sorted(data_folder("queries", "workloads").glob("*.yaml"))
    for file in shipped:
        if name == file.stem or Path(name).parts[-3:] == ("queries", "workloads", file.name):
            return file
    known = ", ".join(file.stem for file in shipped)
    raise UserError(f"there is no workload '{name}'", remedy=f"name a file or one of: {known}")


def _run(testbed: Testbed, file: Path, workload: Workload, folder: Path, database: str) -> Summary:
    from skyshard.bench.template import read_templates
    from skyshard.bench.trial import run_trial
    from skyshard.bench.workload import template_folder
    from skyshard.errors import UserError
    from skyshard.progress import Progress
    from skyshard.trial_targets import TestbedTarget, has_mono, trial_context

    database = database or workload.database
    if workload.check_answers and not has_mono(testbed, database):
        raise UserError(
            f"workload '{workload.name}' checks answers, and the oracle does not hold '{database}'",
            remedy=f"run skyshard mono load {database}, or set check_answers: false",
        )
    start = time.monotonic()
    with progress_bars() as watcher:
        return run_trial(
            workload,
            read_templates(template_folder(file), workload.template_keys),
            TestbedTarget(testbed, "czar"),
            folder,
            oracle=TestbedTarget(testbed, "mono") if workload.check_answers else None,
            database=database,
            context=trial_context(testbed, database),
            notify=lambda what, done, total: watcher(Progress(what, done, total, elapsed_s=time.monotonic() - start)),
        )


def _show(summary: Summary, folder: Path, *, as_json: bool) -> None:
    if as_json:
        typer.echo(summary.model_dump_json(indent=1))
        return
    from skyshard.bench.figures import seconds
    from skyshard.bench.report import read_trial, verdict_sentence

    headers = ["class", "phase", "n", "errors", "wrong", "mean", "p50", "max", "target", "verdict"]
    rows = []
    for one in summary.classes:
        latency = one.latency
        times = (latency.mean_s, latency.percentiles.get("p50"), latency.max_s) if latency else (None, None, None)
        shown = [seconds(value) for value in (*times, one.target_s)]
        rows.append([one.class_name, one.phase, one.n, one.errors, one.wrong, *shown, one.verdict.value])
    print_table(headers, rows)
    typer.echo(verdict_sentence(read_trial(folder)))
    typer.echo(f"report: {folder / 'report.html'}")


@bench_app.command()
def report(folder: Annotated[Path, typer.Argument(help="A trial folder.")]) -> None:
    """Render a trial's report again, from its folder alone."""
    from skyshard.bench.report import write_report

    typer.echo(f"report: {write_report(folder)}")
