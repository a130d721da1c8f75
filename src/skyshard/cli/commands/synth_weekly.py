"""``skyshard synth --as``: one weekly's tree of files. Its options, and what is printed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

import skyshard.synth
from skyshard.basics.errors import UserError
from skyshard.cli.terminal.show import print_json, print_table

TreeKind: TypeAlias = Literal["hsc-gen3", "hsc-gen2", "dp2"]
WeeklyOption: TypeAlias = Annotated[
    int, typer.Option(help="With --as: which reprocessing of the sky; the first is w_2026_20, then every fourth week.")
]
ObjectsOption: TypeAlias = Annotated[int, typer.Option(help="With --as: objects of the sky.")]
ColumnsOption: TypeAlias = Annotated[
    Literal["all", "few"], typer.Option(help="With --as: all columns of the schema, or about a hundred of Object's.")
]
CentreOption: TypeAlias = Annotated[
    str,
    typer.Option(help="With --as: RA,DEC of the field's middle; 0,0 lies in four tracts, on both sides of RA 0."),
]
KeysOption: TypeAlias = Annotated[
    Literal["lasting", "new"], typer.Option(help="With --as: an object keeps its id, or each weekly counts anew.")
]
DoubledOption: TypeAlias = Annotated[
    int, typer.Option(help="With --as: rows of Object that stand a second time, with the same id, in another file.")
]
BadPositionsOption: TypeAlias = Annotated[
    int, typer.Option(help="With --as: rows of Object whose position is NaN or NULL, in turns.")
]
DamageOption: TypeAlias = Annotated[bool, typer.Option("--damage", help="With --as: the last file of sources is cut.")]
RedoOption: TypeAlias = Annotated[
    bool, typer.Option("--redo", help="With --as: rewrite the Object files of one tract of a weekly that is there.")
]


def make_weekly(order: skyshard.synth.WeeklyOrder, recipe: str, out: Path, *, as_json: bool) -> None:
    """Make the tree, and say what it holds."""
    if recipe:
        raise UserError(f"--as makes no recipe '{recipe}'", remedy="leave one of them out")
    started = time.perf_counter()
    truth = skyshard.synth.write_weekly(order, out)
    facts = {"weekly": weekly_facts(truth, out, skyshard.synth.truth_path(out, order), time.perf_counter() - started)}
    if as_json:
        print_json(facts)
    else:
        _print_weekly(facts["weekly"])


def weekly_facts(truth: skyshard.synth.WeeklyTruth, out: Path, path: Path, elapsed_s: float) -> dict[str, Any]:
    """What was made."""
    return {
        "tree": str(out / truth.tree),
        "truth": str(path),
        "name": truth.name,
        "ticket": truth.ticket,
        "runs": truth.runs,
        "rows": {name: one.rows for name, one in truth.dataset_types.items()},
        "columns": {name: len(one.columns) for name, one in truth.dataset_types.items()},
        "files": {name: len(one.files) for name, one in truth.dataset_types.items()},
        "redone_tract": truth.redone_tract,
        "elapsed_s": round(elapsed_s, 3),
    }


def _print_weekly(facts: dict[str, Any]) -> None:
    rows = [(name, count, facts["columns"][name], facts["files"][name]) for name, count in facts["rows"].items()]
    print_table(("dataset type", "rows", "columns", "files"), rows)
    redone = "" if facts["redone_tract"] is None else f"; of tract {facts['redone_tract']} Object was written again"
    typer.echo(f"{facts['name']}: {facts['tree']} in {facts['elapsed_s']:.1f} s{redone}")
    typer.echo(f"the truth about it: {facts['truth']}")
