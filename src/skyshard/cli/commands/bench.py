"""``skyshard bench``: run workloads, render reports, compare, sweep and follow trials."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer
from typer.core import TyperCommand

from skyshard.cli.terminal.show import (
    DEFAULT_CLUSTER,
    ClusterOption,
    JsonOption,
    print_json,
    print_table,
    progress_bars,
)
from skyshard.readable import seconds

if TYPE_CHECKING:
    from skyshard.bench.compare.sweep import Sweep
    from skyshard.bench.record.latency_stats import TrialSummary
    from skyshard.bench.trial.trial_setup import TrialResult
    from skyshard.bench.workload.workload import Workload

Number = TypeVar("Number", int, float)


class SeveralAfterAgainst(TyperCommand):
    """``--against B1 B2 B3``: every folder up to the next option belongs to it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given: list[str] = []
        is_after = False
        for arg in args:
            if arg.startswith("-"):
                is_after = arg == "--against"
                given += [] if is_after else [arg]
            else:
                given += ["--against", arg] if is_after else [arg]
        return super().parse_args(ctx, given)


def run(
    workload: Annotated[str, typer.Argument(help="A workload file, or the name of a shipped one.")],
    out: Annotated[Path | None, typer.Option(help="Trial folder; absent or empty.")] = None,
    database: Annotated[str, typer.Option(help="Database to ask instead of the workload's own.")] = "",
    schema: Annotated[str, typer.Option(help="Names of tables and columns: synth, kpm, dp1, hsc, or your own.")] = "",
    target: Annotated[
        list[str] | None,
        typer.Option(help="czar, mono, duckdb:FOLDER, lsdb:FOLDER or a SQLAlchemy URL; several: one trial each."),
    ] = None,
    leave_out: Annotated[str, typer.Option(help="Classes, or class/template, to leave out, with commas between.")] = "",
    duration: Annotated[float, typer.Option(min=0, help="Seconds for every class that has a duration.")] = 0.0,
    seed: Annotated[int | None, typer.Option(help="Seed instead of the workload's own.")] = None,
    processes: Annotated[int, typer.Option(min=0, help="Driver processes; 0: threads of this one.")] = 0,
    ray: Annotated[
        bool, typer.Option("--ray", help="Driver processes as Ray actors; one for each core, if not said.")
    ] = False,
    check: Annotated[bool | None, typer.Option("--check/--no-check", help="Compare answers with the oracle.")] = None,
    cluster: ClusterOption = DEFAULT_CLUSTER,
    as_json: JsonOption = False,
) -> None:
    """Run a workload and leave a trial folder with its report.

    Exit code 1 when an answer is wrong, a query failed, a target is missed or a threshold is broken; 3 when a driver
    process died; 130 when it was interrupted.
    """
    from skyshard.bench.drive.thread_switching import quick_switching
    from skyshard.host.interrupts import interruptible
    from skyshard.scenarios.trial_run import TrialRun

    file, loaded = _adjusted_file(workload, leave_out, duration, check=check)
    loaded = _with_schema(file, loaded, schema) if schema else loaded
    folder = out or Path("trials") / f"{loaded.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    targets, where = tuple(target or ["czar"]), database or loaded.database
    asked = TrialRun(file, loaded, folder, where, targets, cluster, seed, *_drivers(processes, ray=ray))
    with interruptible(), quick_switching(), progress_bars() as watcher:
        results = asked.run(watcher)
    _show_all(results, as_json=as_json)
    raise typer.Exit(_exit_code([result.summary for result in results.values()]))


def _drivers(processes: int, *, ray: bool) -> tuple[int, Literal["processes", "ray"]]:
    """How many driver processes, and whose; through Ray one for each core, unless a number is given."""
    return (processes or os.cpu_count() or 1, "ray") if ray else (processes, "processes")


def _show_all(results: Mapping[str, TrialResult], *, as_json: bool) -> None:
    for name, result in results.items():
        _show(result, name if len(results) > 1 else "", as_json=as_json)


def _exit_code(summaries: Sequence[TrialSummary]) -> int:
    """3 when samples were lost, 130 when a run was stopped, 1 when one did not pass."""
    if any(summary.lost for summary in summaries):
        return 3
    if any(summary.is_partial for summary in summaries):
        return 130
    return 0 if all(summary.is_passed for summary in summaries) else 1


def _adjusted_file(name: str, leave_out: str, duration_s: float, *, check: bool | None) -> tuple[Path, Workload]:
    """A workload file by its path or shipped name, and the workload as the options change it."""
    from skyshard.bench.workload.workload import find_workload, read_workload

    file = find_workload(name)
    return file, adjusted(read_workload(file), leave_out, duration_s, check=check)


def adjusted(workload: Workload, leave_out: str, duration_s: float, *, check: bool | None) -> Workload:
    """The workload with the changes that the options ask for; the manifest records it so."""
    if leave_out:
        workload = workload.without([name.strip() for name in leave_out.split(",") if name.strip()])
    if duration_s:
        workload = workload.lasting(duration_s)
    return workload if check is None else workload.model_copy(update={"check_answers": check})


def _with_schema(file: Path, workload: Workload, schema: str) -> Workload:
    """The workload with another schema; prints the templates left out. Raises UserError when a class has none."""
    from skyshard.bench.workload.workload_fit import fit
    from skyshard.errors import UserError

    fitted = fit(file, workload, schema)
    if lost := fitted.lost_classes:
        which = "class" if len(lost) == 1 else "classes"
        raise UserError(
            f"no template of {which} {', '.join(lost)} in workload '{workload.name}' is written for schema '{schema}'",
            remedy=f"give --leave-out {','.join(lost)}",
        )
    for sentence in fitted.sentences:
        typer.echo(sentence, err=True)
    return fitted.workload


def _show(result: TrialResult, title: str, *, as_json: bool) -> None:
    summary = result.summary
    if as_json:
        typer.echo(summary.model_dump_json(indent=1))
        return
    headers = ["class", "phase", "n", "errors", "wrong", "mean", "p50", "p95", "max", "target", "verdict"]
    rows = []
    for one in summary.classes:
        latency = one.latency
        known = {**latency.percentiles, "mean": latency.mean_s, "max": latency.max_s} if latency else {}
        shown = [seconds(known.get(name)) for name in ("mean", "p50", "p95", "max")]
        counts = [one.n, one.errors, one.wrong]
        rows.append([one.class_name, one.phase, *counts, *shown, seconds(one.target_s), one.verdict.value])
    print_table(headers, rows, title=title)
    for left_out in summary.not_answered:
        typer.echo(f"not answered: {left_out.template}, {left_out.queries} queries: {left_out.reason}")
    typer.echo(result.verdict)
    typer.echo(f"report: {result.page}")


def report(folder: Annotated[Path, typer.Argument(help="A trial folder.")]) -> None:
    """Check a trial folder and render its report again, from the folder alone."""
    from skyshard.bench.pages.report import write_pages
    from skyshard.bench.record.trial_folder import validate_trial

    typer.echo(f"report: {write_pages(validate_trial(folder), folder)}")


def compare(
    new: Annotated[list[Path], typer.Argument(help="Trial folders of the new side.")],
    against: Annotated[list[Path], typer.Option(help="Trial folders of the old side.")],
    out: Annotated[Path, typer.Option(help="Folder for comparison.html, .md and .json.")] = Path("comparison"),
    threshold: Annotated[float, typer.Option(min=1.0, help="Ratio beyond which worse is a regression.")] = 1.1,
    margin: Annotated[float, typer.Option(min=1.0, help="Ratios within it are the same.")] = 1.05,
    anyway: Annotated[bool, typer.Option("--anyway", help="Compare common queries of different workloads.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare two releases, several trials a side. Exit code 1 on a regression beyond the threshold.

    Example: skyshard bench compare new1 new2 new3 --against old1 old2 old3
    """
    from skyshard.bench.compare.comparison import compare_trials
    from skyshard.bench.pages.comparison_page import interval, verdict, write_comparison
    from skyshard.bench.record.trial_folder import read_trials

    sides = read_trials(new, against)
    found = compare_trials(sides[0], sides[1], threshold=threshold, margin=margin, anyway=anyway)
    page = write_comparison(found, out)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        for one in found.differences:
            typer.echo(f"{one.weight.value}: {one.what}: {'; '.join(one.new)} (new), {'; '.join(one.old)} (old)")
        rows = [
            [one.class_name, one.phase, one.change.value, seconds(one.old.median_s), seconds(one.new.median_s),
             interval(one.median), interval(one.p95) if one.p95 else "", f"{one.p_median:.2g}"]
            for one in found.classes
        ]  # fmt: skip
        print_table(["class", "phase", "verdict", "old", "new", "ratio of medians", "ratio of p95", "p"], rows)
        for loss in found.losses:
            typer.echo(f"not answered: {', '.join(loss.row)}")
        for line in (*found.cautions, verdict(found), f"report: {page}"):
            typer.echo(line)
    if found.regressions:
        raise typer.Exit(1)


def trend(
    folders: Annotated[list[Path], typer.Argument(help="Trial folders of several releases, in any order.")],
    out: Annotated[Path, typer.Option(help="Folder for trend.html, .md and .json.")] = Path("trend"),
    statistic: Annotated[str, typer.Option(help="mean, p50, p90, p95, p99, max.")] = "p50",
    as_json: JsonOption = False,
) -> None:
    """Follow each class over releases and find the steps.

    Exit code 1 when the newest release answers a class no more, or less of it, or less of it rightly.
    """
    from skyshard.bench.compare.trend import trend_of
    from skyshard.bench.pages.trend_page import sentence, verdict, write_trend
    from skyshard.bench.record.trial_folder import read_trials

    found = trend_of(read_trials(folders)[0], statistic)
    page = write_trend(found, out)
    if as_json:
        print_json(found.model_dump(mode="json"))
        raise typer.Exit(bool(found.regressions))
    rows = [
        [one.class_name, one.phase, len(one.points), seconds(one.points[-1].value),
         "; ".join(sentence(step) for step in one.steps)]
        for one in found.series
    ]  # fmt: skip
    print_table(["class", "phase", "trials", f"last {statistic}", "steps"], rows)
    typer.echo(verdict(found))
    typer.echo(f"report: {page}")
    raise typer.Exit(bool(found.regressions))


def sweep(
    workload: Annotated[str, typer.Argument(help="A workload file, or the name of a shipped one.")],
    fractions: Annotated[str, typer.Option(help="Shares of DR1 by objects, with commas; the largest is held out.")],
    recipe: Annotated[str, typer.Option(help="The recipe that fractions are taken of.")] = "tiny",
    nodes: Annotated[str, typer.Option(help="Node counts, with commas.")] = "2",
    on_nodes: Annotated[str, typer.Option(help="Node counts to project for.")] = "25,92",
    out: Annotated[Path, typer.Option(help="Folder for trials, fits and the page; run again to go on.")] = Path(
        "sweep"
    ),
    leave_out: Annotated[str, typer.Option(help="Classes, or class/template, to leave out, with commas between.")] = "",
    duration: Annotated[float, typer.Option(min=0, help="Seconds for every class that has a duration.")] = 0.0,
    check: Annotated[bool | None, typer.Option("--check/--no-check", help="Compare answers with the oracle.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a workload at several fractions of DR1 and node counts, fit, and project to 50 % and 100 %.

    Exit code 1 when a class was answered wrongly or not at all at one of the sizes.
    """
    from skyshard.bench.drive.thread_switching import quick_switching
    from skyshard.host.interrupts import interruptible
    from skyshard.scenarios.sweep_run import SweepRun

    file, loaded = _adjusted_file(workload, leave_out, duration, check=check)
    asked = SweepRun(
        file, loaded, out, recipe, tuple(_numbers(fractions, float)), tuple(_numbers(nodes, int)),
        tuple(_numbers(on_nodes, int)),
    )  # fmt: skip
    with interruptible(), quick_switching(), progress_bars(quiet=True) as watcher:
        found, page = asked.run(watcher)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _show_sweep(found, page)
    raise typer.Exit(bool(found.faults))


def _show_sweep(found: Sweep, page: Path) -> None:
    from skyshard.bench.pages.sweep_page import YES_NO, band, exponent, verdict

    rows = []
    for one in found.scalings:
        held = one.held_out
        shown = [band(held), seconds(held.measured_s), YES_NO[held.holds]] if held else ["", "", ""]
        rows.append([one.name, exponent(one), *shown, *(band(p) for p in one.projections[:1])])
    print_table(["series", "exponent", "held out: predicted", "measured", "holds", "50 % of DR1"], rows)
    typer.echo(verdict(found))
    typer.echo(f"report: {page}")


def _numbers(text: str, kind: type[Number]) -> list[Number]:
    """Numbers with commas between. Raises UserError when one is not a number."""
    from skyshard.errors import UserError

    try:
        return [kind(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise UserError(f"'{text}' is not a list of numbers", remedy="write them with commas: 1e-6,2e-6") from None
