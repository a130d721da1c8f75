"""``skyshard bench sweep``, ``calibrate`` and ``project``: how times grow, and what they would be elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import skyshard.bench
import skyshard.scenarios
from skyshard.basics.errors import UserError
from skyshard.basics.lazy import lazy_module
from skyshard.basics.readable import seconds
from skyshard.bench.drive.thread_switching import quick_switching
from skyshard.cli.commands.bench_options import adjusted_file, numbers
from skyshard.cli.terminal.show import JsonOption, print_json, print_table, progress_bars
from skyshard.host.interrupts import interruptible

if TYPE_CHECKING:
    from skyshard.bench.pages import projection_page, sweep_page
else:
    projection_page = lazy_module("skyshard.bench.pages.projection_page")
    sweep_page = lazy_module("skyshard.bench.pages.sweep_page")


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
    file, loaded = adjusted_file(workload, leave_out, duration, check=check)
    asked = skyshard.scenarios.SweepRun(
        file, loaded, out, recipe, tuple(numbers(fractions, float)), tuple(numbers(nodes, int)),
        tuple(numbers(on_nodes, int)), scan,
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
    file, loaded = adjusted_file(workload, leave_out, 0.0, check=False)
    skies = skyshard.scenarios.skies_of(numbers(cover, float), numbers(thin, float))
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
