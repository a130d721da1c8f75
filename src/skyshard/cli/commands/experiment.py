"""``skyshard bench experiment``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

import skyshard
from skyshard.basics.errors import UserError
from skyshard.bench.drive.thread_switching import quick_switching
from skyshard.bench.pages.experiment_page import cell_headers, cell_rows, verdict
from skyshard.cli.terminal.show import JsonOption, print_json, print_table, progress_bars
from skyshard.host.interrupts import interruptible

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def experiment(
    file: Annotated[Path, typer.Argument(help="An experiment file, YAML or JSON.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for clusters, trials and the page; run again to go on.")],
    cold: Annotated[
        bool, typer.Option("--cold", help="Drop the data files from the page cache before each trial.")
    ] = False,
    disk_budget: Annotated[
        str, typer.Option(help="Disk space for clusters, such as 20G; half of what is free if absent.")
    ] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Keep the clusters, stopped, when all is done.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Try every combination of engines, layouts, nodes, settings in randomised blocks, and say what each does.

    Run it again to go on after an interruption. Exit code 1 when a trial failed.
    """
    with interruptible(), quick_switching(), progress_bars(quiet=True) as watcher:
        done = skyshard.run_experiment(
            file, out, is_cold=cold, disk_budget_bytes=disk_bytes_of(disk_budget), keeps_clusters=keep, watcher=watcher
        )
    if as_json:
        print_json(done.result.model_dump(mode="json"))
    else:
        result = done.result
        print_table(cell_headers(result), cell_rows(result))
        for line in (
            result.conclusion,
            *result.confounded,
            *result.cautions,
            *result.failures,
            verdict(result),
            f"report: {done.page}",
        ):
            typer.echo(line)
    raise typer.Exit(0 if done.is_good else 1)


def disk_bytes_of(text: str) -> int | None:
    """A size such as 20G; None for none."""
    if not text:
        return None
    match = _SIZE.fullmatch(text.strip())
    if not match or not float(match[1]):
        raise UserError(f"--disk-budget '{text}' is not a size", remedy="write one such as 20G")
    return int(float(match[1]) * (1 << _UNITS[match[2].upper()]))
