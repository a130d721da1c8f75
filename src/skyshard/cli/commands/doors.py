"""``skyshard bench doors``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import skyshard.bench
from skyshard.basics.errors import UserError
from skyshard.bench.compare.door_costs import door_costs
from skyshard.bench.pages.doors_page import DOOR_HEADERS, QUERY_HEADERS, door_rows, query_rows, sentence, write_doors
from skyshard.bench.record.trial_folder import MANIFEST, Trial
from skyshard.cli.terminal.show import JsonOption, print_json, print_table


def doors(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs with --target czar and others.")],
    out: Annotated[Path, typer.Option(help="Folder for doors.html, .md and .json.")] = Path("doors"),
    as_json: JsonOption = False,
) -> None:
    """Say what each front door adds to the czar, for each query and row, from runs with several targets.

    Example: skyshard bench doors run1 run2 run3
    """
    costs = door_costs({str(run): _trials_of(run) for run in runs})
    page = write_doors(costs, out)
    if as_json:
        print_json(costs.model_dump(mode="json"))
        return
    print_table(QUERY_HEADERS, query_rows(costs))
    print_table(DOOR_HEADERS, door_rows(costs))
    for line in (*(f"not answered: {one}" for one in costs.not_answered), sentence(costs), f"report: {page}"):
        typer.echo(line)


def _trials_of(run: Path) -> dict[str, Trial]:
    """The trials of one run, by target."""
    folders = sorted(one.parent for one in run.glob(f"*/{MANIFEST}"))
    if not folders:
        raise UserError(f"'{run}' has no trials of several targets", remedy="name the --out of such a run")
    return {
        folder.name: trial for folder, (_, trial) in zip(folders, skyshard.bench.read_trials(folders)[0], strict=True)
    }
