"""``skyshard bench``: run workloads, render reports, compare, sweep and follow trials."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer
from typer.core import TyperCommand

import skyshard.bench
import skyshard.scenarios
from skyshard.basics.errors import UserError
from skyshard.basics.lazy import lazy_module
from skyshard.basics.readable import seconds
from skyshard.bench.drive.thread_switching import quick_switching
from skyshard.cli.terminal.show import (
    DEFAULT_CLUSTER,
    ClusterOption,
    JsonOption,
    print_json,
    print_table,
    progress_bars,
)
from skyshard.host.interrupts import interruptible

if TYPE_CHECKING:
    from skyshard.bench.compare.trend import Trend
    from skyshard.bench.pages import comparison_page, fault_section, projection_page, sweep_page, trend_page
    from skyshard.bench.workload import fault_scenario
    from skyshard.cli.commands import bench_run_visits, bench_visits
    from skyshard.pages import page_template
else:
    bench_run_visits = lazy_module("skyshard.cli.commands.bench_run_visits")
    bench_visits = lazy_module("skyshard.cli.commands.bench_visits")
    comparison_page = lazy_module("skyshard.bench.pages.comparison_page")
    fault_scenario = lazy_module("skyshard.bench.workload.fault_scenario")
    fault_section = lazy_module("skyshard.bench.pages.fault_section")
    page_template = lazy_module("skyshard.pages.page_template")
    projection_page = lazy_module("skyshard.bench.pages.projection_page")
    sweep_page = lazy_module("skyshard.bench.pages.sweep_page")
    trend_page = lazy_module("skyshard.bench.pages.trend_page")

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


def _list_scenarios(is_asked: bool) -> None:
    """What ``--scenario`` may name, and what each does; nothing is run then."""
    if is_asked:
        shipped = fault_scenario.shipped_scenarios()
        print_table(["scenario", "what happens"], [[one.name, one.description] for one in shipped])
        raise typer.Exit


def run(
    workload: Annotated[str, typer.Argument(help="A workload file, or the name of a shipped one.")],
    out: Annotated[Path | None, typer.Option(help="Trial folder; absent or empty.")] = None,
    database: Annotated[str, typer.Option(help="Database to ask instead of the workload's own.")] = "",
    schema: Annotated[str, typer.Option(help="Names of tables and columns: synth, kpm, dp1, hsc, or your own.")] = "",
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="czar (czar:rows, czar:columns: how it scans), mono, duckdb:FOLDER, lsdb:FOLDER, a front door "
            "(mysql://HOST:PORT/DB, tap:URL, qserv:URL) or a SQLAlchemy URL; several: one trial each."
        ),
    ] = None,
    scan: Annotated[
        Literal["auto", "rows", "columns"] | None,
        typer.Option(help="How the target czar scans: czar:rows, czar:columns or czar:auto in its place."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="A file (mode 0600) with the token for front doors; SKYSHARD_TOKEN if absent.")
    ] = None,
    authority: Annotated[
        Path | None, typer.Option(help="Certificates (PEM) by which those of front doors are checked.")
    ] = None,
    leave_out: Annotated[str, typer.Option(help="Classes, or class/template, to leave out, with commas between.")] = "",
    duration: Annotated[float, typer.Option(min=0, help="Seconds for every class that has a duration.")] = 0.0,
    seed: Annotated[int | None, typer.Option(help="Seed instead of the workload's own.")] = None,
    processes: Annotated[int, typer.Option(min=0, help="Driver processes; 0: threads of this one.")] = 0,
    ray: Annotated[
        bool, typer.Option("--ray", help="Driver processes as Ray actors; one for each core by default.")
    ] = False,
    check: Annotated[bool | None, typer.Option("--check/--no-check", help="Compare answers with the oracle.")] = None,
    scenario: Annotated[str, typer.Option(help="What fails meanwhile: a scenario file, or a shipped one.")] = "",
    list_scenarios: Annotated[
        bool,
        typer.Option("--list-scenarios", callback=_list_scenarios, is_eager=True, help="List the shipped scenarios."),
    ] = False,
    label: Annotated[str, typer.Option(help="What is measured, for the pages; kept with the trial.")] = "",
    server_statistics: Annotated[
        bool,
        typer.Option("--server-statistics", help="Ask each class again by itself, and count rows read by table."),
    ] = False,
    visits: Annotated[int | None, typer.Option(min=1, help="Visits, of a workload of visits.")] = None,
    no_update: Annotated[bool, typer.Option("--no-update", help="Visits only read.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the visits of the trial in --out.")] = False,
    store: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE: a setting of the store that visits make; several.")
    ] = None,
    cluster: ClusterOption = DEFAULT_CLUSTER,
    as_json: JsonOption = False,
) -> None:
    """Run a workload and leave a trial folder with its report.

    Visits have stores as targets: sqlite:PATH and others (docs/how-to/visits.md).

    Exit code 1 when an answer is wrong, a query failed, a target is missed or a threshold is broken; 3 when a driver
    process died; 130 when it was interrupted.
    """
    file = skyshard.bench.find_workload(workload)
    loaded = skyshard.bench.read_workload(file)
    of_visits = bench_run_visits.VisitOptions(visits, no_update, resume, tuple(store or ()))
    if loaded.is_of_visits:
        others = {
            "--leave-out": leave_out, "--duration": duration, "--schema": schema, "--scenario": scenario,
            "--processes": processes, "--ray": ray, "--server-statistics": server_statistics,
        }  # fmt: skip
        bench_run_visits.refuse("a workload of visits", others)
        loaded = adjusted(loaded, "", 0.0, check=check)
        loaded = loaded.model_copy(update={"database": database}) if database else loaded
        bench_run_visits.run_visits(loaded, out, target or [], cluster, of_visits, seed, label, as_json=as_json)
    of_visits.refuse_given()
    loaded = adjusted(loaded, leave_out, duration, check=check)
    loaded = _with_schema(file, loaded, schema) if schema else loaded
    folder = out or Path("trials") / f"{loaded.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    targets, where = _scanning(tuple(target or ["czar"]), scan), database or loaded.database
    asked = skyshard.scenarios.TrialRun(
        file, loaded, folder, where, targets, cluster, seed, *_drivers(processes, ray=ray),
        label=label, has_statistics=server_statistics,
        scenario=fault_scenario.read_scenario(scenario) if scenario else None,
        access=skyshard.bench.DoorAccess(token_file, authority),
    )  # fmt: skip
    with interruptible(), quick_switching(), progress_bars() as watcher:
        results = asked.run(watcher)
    _show_all(results, as_json=as_json)
    raise typer.Exit(_exit_code([result.summary for result in results.values()]))


def _scanning(targets: tuple[str, ...], scan: str | None) -> tuple[str, ...]:
    """The targets, of which the czar scans as is asked. Raises UserError where it is none of them."""
    if scan is None:
        return targets
    if "czar" not in targets:
        raise UserError("--scan is about the target czar", remedy="leave --scan out, or give --target czar")
    return tuple(f"czar:{scan}" if one == "czar" else one for one in targets)


def _drivers(processes: int, *, ray: bool) -> tuple[int, Literal["processes", "ray"]]:
    """How many driver processes, and whose; through Ray one for each core, unless a number is given."""
    return (processes or os.cpu_count() or 1, "ray") if ray else (processes, "processes")


def _show_all(results: Mapping[str, skyshard.bench.TrialResult], *, as_json: bool) -> None:
    for name, result in results.items():
        _show(result, name if len(results) > 1 else "", as_json=as_json)


def _exit_code(summaries: Sequence[skyshard.bench.TrialSummary]) -> int:
    """3 when samples were lost, 130 when a run was stopped, 1 when one did not pass."""
    if any(summary.lost for summary in summaries):
        return 3
    if any(summary.is_partial for summary in summaries):
        return 130
    return 0 if all(summary.is_passed for summary in summaries) else 1


def _adjusted_file(
    name: str, leave_out: str, duration_s: float, *, check: bool | None
) -> tuple[Path, skyshard.bench.Workload]:
    """A workload file by its path or shipped name, and the workload as the options change it."""
    file = skyshard.bench.find_workload(name)
    return file, adjusted(skyshard.bench.read_workload(file), leave_out, duration_s, check=check)


def adjusted(
    workload: skyshard.bench.Workload, leave_out: str, duration_s: float, *, check: bool | None
) -> skyshard.bench.Workload:
    """The workload with the changes that the options ask for; the manifest records it so."""
    if leave_out:
        workload = workload.without([name.strip() for name in leave_out.split(",") if name.strip()])
    if duration_s:
        workload = workload.lasting(duration_s)
    return workload if check is None else workload.model_copy(update={"check_answers": check})


def _with_schema(file: Path, workload: skyshard.bench.Workload, schema: str) -> skyshard.bench.Workload:
    """The workload with another schema; prints the templates left out. Raises UserError when a class has none."""
    fitted = skyshard.bench.fit(file, workload, schema)
    if lost := fitted.lost_classes:
        which = "class" if len(lost) == 1 else "classes"
        raise UserError(
            f"no template of {which} {', '.join(lost)} in workload '{workload.name}' is written for schema '{schema}'",
            remedy=f"give --leave-out {','.join(lost)}",
        )
    for sentence in fitted.sentences:
        typer.echo(sentence, err=True)
    return fitted.workload


def _show(result: skyshard.bench.TrialResult, title: str, *, as_json: bool) -> None:
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
    if summary.faults:
        print_table(fault_section.EVENT_HEADERS, fault_section.event_rows(summary.faults))
        for sentence in fault_section.sentences(summary.faults):
            typer.echo(sentence)
    typer.echo(result.verdict)
    typer.echo(f"report: {result.page}")


def report(folder: Annotated[Path, typer.Argument(help="A trial folder.")]) -> None:
    """Check a trial folder and render its report again, from the folder alone."""
    if bench_visits.are_of_visits([folder]):
        bench_visits.report(folder)
        return
    typer.echo(f"report: {skyshard.bench.write_pages(skyshard.bench.validate_trial(folder), folder)}")


def compare(
    new: Annotated[list[Path], typer.Argument(help="Trial folders of the new side.")],
    against: Annotated[list[Path], typer.Option(help="Trial folders of the old side.")],
    out: Annotated[Path, typer.Option(help="Folder for comparison.html, .md and .json.")] = Path("comparison"),
    threshold: Annotated[float, typer.Option(min=1.0, help="Ratio beyond which worse is a regression.")] = 1.1,
    margin: Annotated[float, typer.Option(min=1.0, help="Ratios within it are the same.")] = 1.05,
    anyway: Annotated[bool, typer.Option("--anyway", help="Compare common queries of different workloads.")] = False,
    label: Annotated[str, typer.Option(help="Name of the new side instead of its trials' own label.")] = "",
    against_label: Annotated[str, typer.Option(help="Name of the old side instead of its trials' own label.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Compare two releases, several trials a side. Exit code 1 on a regression beyond the threshold.

    Four trials a side can tell something; one trial a side never decides by its times.

    Example: skyshard bench compare new1 new2 new3 new4 --against old1 old2 old3 old4
    """
    if bench_visits.are_of_visits([*new, *against]):
        bench_visits.compare(new, against, out, threshold, anyway=anyway, as_json=as_json)
        return
    sides = skyshard.bench.read_trials(new, against)
    found = skyshard.bench.compare_trials(
        sides[0], sides[1], threshold=threshold, margin=margin, anyway=anyway, labels=(label, against_label)
    )
    folders = [*new, *against]
    named = dict(zip([name for side in sides for name, _ in side], folders, strict=True))
    page = comparison_page.write_comparison(found, out, named)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        for one in found.differences:
            typer.echo(f"{one.weight.value}: {one.what}: {'; '.join(one.new)} (new), {'; '.join(one.old)} (old)")
        rows = [
            [one.class_name, one.phase, one.change.value, seconds(one.old.median_s), seconds(one.new.median_s),
             comparison_page.interval(one.median), comparison_page.interval(one.p95) if one.p95 else "",
             page_template.probability(one.p_median)]
            for one in found.classes
        ]  # fmt: skip
        print_table(["class", "phase", "verdict", "old", "new", "ratio of medians", "ratio of p95", "p"], rows)
        for loss in found.losses:
            typer.echo(f"not answered: {', '.join(loss.row)}")
        for line in (*found.cautions, comparison_page.verdict(found), f"report: {page}"):
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

    Exit code 1 when the newest release no longer answers a class, or fewer of its queries, or fewer correctly.
    """
    found = _trend_of(folders, statistic)
    statistic = found.statistic
    page = trend_page.write_trend(found, out)
    if as_json:
        print_json(found.model_dump(mode="json"))
        raise typer.Exit(bool(found.regressions))
    rows = [
        [one.class_name, one.phase, len(one.points), seconds(one.points[-1].value),
         "; ".join(trend_page.sentence(step) for step in one.steps)]
        for one in found.series
    ]  # fmt: skip
    print_table(["class", "phase", "trials", f"last {statistic}", "steps"], rows)
    for line in (trend_page.not_comparable(found), trend_page.verdict(found)):
        typer.echo(line, nl=bool(line))
    typer.echo(f"report: {page}")
    raise typer.Exit(bool(found.regressions))


def _trend_of(folders: Sequence[Path], statistic: str) -> Trend:
    """Of trials of queries by a statistic, of trials of visits by their levels."""
    if bench_visits.are_of_visits(folders):
        return bench_visits.trend(folders)
    return skyshard.bench.trend_of(skyshard.bench.read_trials(folders)[0], statistic)


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
    scan: Annotated[
        Literal["auto", "rows", "columns"] | None,
        typer.Option(help="How the czar scans; all but rows makes column images, too."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a workload at several fractions of DR1 and node counts, and fit how times grow.

    Exit code 1 when a class was answered wrongly or not at all at one of the sizes.
    """
    file, loaded = _adjusted_file(workload, leave_out, duration, check=check)
    asked = skyshard.scenarios.SweepRun(
        file, loaded, out, recipe, tuple(_numbers(fractions, float)), tuple(_numbers(nodes, int)),
        tuple(_numbers(on_nodes, int)), scan,
    )  # fmt: skip
    with interruptible(), quick_switching(), progress_bars() as watcher:
        found, page = asked.run(watcher)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _show_sweep(found, page)
    raise typer.Exit(bool(found.faults))


def _show_sweep(found: skyshard.bench.Sweep, page: Path) -> None:
    rows = []
    for one in found.scalings:
        held = one.held_out
        shown = ["", "", ""]
        if held:
            shown = [sweep_page.band(held), seconds(held.measured_s), sweep_page.YES_NO[held.holds]]
        rows.append([one.name, sweep_page.exponent(one), *shown, *(sweep_page.band(p) for p in one.projections[:1])])
    headers = ["series", "exponent", "held out: predicted", "measured", "holds"]
    has_projection = any(one.projections for one in found.scalings)
    print_table([*headers, "50 % of DR1"] if has_projection else headers, rows)
    if found.projection_note:
        typer.echo(found.projection_note)
    typer.echo(sweep_page.verdict(found))
    typer.echo(f"report: {page}")


def calibrate(
    out: Annotated[Path, typer.Option(help="Folder for trials and hardware.yaml; run again to go on.")],
    workload: Annotated[str, typer.Option(help="A workload file, or the name of a shipped one.")] = "calibration",
    recipe: Annotated[str, typer.Option(help="The recipe that skies are made of.")] = "calibration",
    cover: Annotated[str, typer.Option(help="Fractions with few, full chunks, with commas.")] = "0.05,0.15",
    thin: Annotated[str, typer.Option(help="Fractions with all chunks and few rows, with commas.")] = "0.02,0.1",
    nodes: Annotated[int, typer.Option(min=1, max=64, help="Nodes of the private cluster.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Warm trials of each sky.")] = 2,
    cold: Annotated[bool, typer.Option("--cold/--no-cold", help="Measure with empty caches, too.")] = True,
    columns: Annotated[bool, typer.Option("--columns/--no-columns", help="Measure scans by columns, too.")] = False,
    leave_out: Annotated[str, typer.Option(help="Classes, or class/template, to leave out, with commas between.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Measure what chunks, rows and reads from disk cost on this machine, for `skyshard bench project`."""
    file, loaded = _adjusted_file(workload, leave_out, 0.0, check=False)
    skies = skyshard.scenarios.skies_of(_numbers(cover, float), _numbers(thin, float))
    asked = skyshard.scenarios.CalibrationRun(file, loaded, out, recipe, skies, nodes, rounds, cold, columns)
    with interruptible(), quick_switching(), progress_bars(quiet=True) as watcher:
        folders = asked.run(watcher)
    if as_json:
        print_json({"trials": [str(folder) for folder in folders], "hardware": str(out / "hardware.yaml")})
    else:
        typer.echo(f"{len(folders)} trials in {out}; next: skyshard bench project {out} --fraction 0.5")


def project(
    trials: Annotated[list[Path], typer.Argument(help="Trial folders, or the folder of a calibration.")],
    fraction: Annotated[float, typer.Option(help="Share of DR1.")] = 0.5,
    nodes: Annotated[int, typer.Option(min=0, help="Nodes of the cluster; 0: as the hardware file says.")] = 0,
    hardware: Annotated[
        str, typer.Option(help="A hardware file, or a shipped one: ldm-552-2018, nvme-2026.")
    ] = "ldm-552-2018",
    profile: Annotated[str, typer.Option(help="What DR1 is: kpm, or another profile with the tables.")] = "kpm",
    load: Annotated[str, typer.Option(help="The workload that runs, with its targets; alone: each class alone.")] = (
        "kpm-50"
    ),
    time: Annotated[
        str, typer.Option(help="elapsed, or processor: for trials on a machine that did other work, too.")
    ] = "elapsed",
    measured_on: Annotated[
        Path | None, typer.Option(help="Hardware file of the trials; hardware.yaml beside them by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for projection.html, .md and .json.")] = Path("projection"),
    as_json: JsonOption = False,
) -> None:
    """Say which class would meet its target at a share of DR1, on how many nodes of which hardware."""
    if time not in ("elapsed", "processor"):
        raise UserError(f"there is no time '{time}'", remedy="give --time elapsed or --time processor")
    by: Literal["elapsed", "processor"] = "processor" if time == "processor" else "elapsed"
    folders = tuple(skyshard.scenarios.trial_folders(trials))
    asked = skyshard.scenarios.ProjectionRun(folders, fraction, nodes, hardware, profile, load, by, measured_on)
    found, page = asked.run(out)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    print_table(projection_page.HEADERS, [projection_page.row(one) for one in found.classes])
    if found.by_columns:
        typer.echo("by columns:")
        print_table(projection_page.COLUMN_HEADERS, projection_page.column_rows(found))
    for line in (*projection_page.sentences(found), projection_page.verdict(found), f"report: {page}"):
        typer.echo(line)


def _numbers(text: str, kind: type[Number]) -> list[Number]:
    """Numbers with commas between. Raises UserError when one is not a number."""
    try:
        return [kind(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise UserError(f"'{text}' is not a list of numbers", remedy="write them with commas: 1e-6,2e-6") from None
