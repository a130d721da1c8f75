"""``skyshard bench run``: options to one run, its trials to tables and an exit code."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import skyshard.bench
import skyshard.scenarios
from skyshard.basics.errors import UserError
from skyshard.basics.lazy import lazy_module
from skyshard.basics.readable import seconds
from skyshard.bench.drive.thread_switching import quick_switching
from skyshard.cli.commands.bench_options import adjusted
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_table, progress_bars
from skyshard.host.interrupts import interruptible

if TYPE_CHECKING:
    from skyshard.bench.pages import fault_section
    from skyshard.bench.workload import fault_scenario
    from skyshard.cli.commands import bench_run_visits
else:
    bench_run_visits = lazy_module("skyshard.cli.commands.bench_run_visits")
    fault_scenario = lazy_module("skyshard.bench.workload.fault_scenario")
    fault_section = lazy_module("skyshard.bench.pages.fault_section")


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
    processes: Annotated[
        int | None,
        typer.Option(min=0, help="Driver processes; 0: threads of this one. Visits: one for each core by default."),
    ] = None,
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
    page: Annotated[
        bool, typer.Option("--page/--no-page", help="Draw the report; `skyshard bench report` draws it later.")
    ] = True,
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
    of_visits = bench_run_visits.VisitOptions(visits, no_update, resume, tuple(store or ()), page, processes)
    if loaded.is_of_visits:
        others = {
            "--leave-out": leave_out, "--duration": duration, "--schema": schema, "--scenario": scenario,
            "--ray": ray, "--server-statistics": server_statistics, "--scan": scan,
            "--token-file": token_file, "--authority": authority,
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
        file, loaded, folder, where, targets, cluster, seed, *_drivers(processes or 0, ray=ray),
        label=label, has_statistics=server_statistics, has_page=page,
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
    has_page = result.page.exists()
    typer.echo(f"report: {result.page}" if has_page else f"`skyshard bench report {result.folder}` draws the report")
