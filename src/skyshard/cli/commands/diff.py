"""``skyshard diff``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

import skyshard
from skyshard.cli.terminal.show import (
    DEFAULT_CLUSTER,
    ClusterOption,
    JsonOption,
    print_json,
    print_table,
    progress_bars,
)
from skyshard.host.interrupts import interruptible
from skyshard.releases.differences.difference import DatabaseDifference
from skyshard.releases.differences.renaming_file import read_renamings
from skyshard.releases.differences.thresholds import read_thresholds, violations
from skyshard.releases.pages.difference_page import most_changed, verdict, write_difference

SHOWN_COLUMNS = 15
"""Columns of a table that are listed on the terminal, those that changed most."""


def diff(
    new: Annotated[str, typer.Argument(help="The new database, or an alias of it.", show_default=False)],
    old: Annotated[str, typer.Argument(help="The database that it is compared with.", show_default=False)],
    radius: Annotated[
        float, typer.Option("--radius", help="Separation in arcseconds up to which two positions are of one object.")
    ] = 0.5,
    match: Annotated[
        Literal["auto", "key", "position"],
        typer.Option("--match", help="How objects are matched; auto: by key where keys last, else by position."),
    ] = "auto",
    table: Annotated[
        list[str] | None, typer.Option("--table", help="Only this table; may be given several times.")
    ] = None,
    renamed: Annotated[
        Path | None, typer.Option("--renamed", help="A file that says which columns were renamed.")
    ] = None,
    thresholds: Annotated[
        Path | None, typer.Option("--thresholds", help="A file of thresholds; exit code 1 where one is not kept.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="A folder for the page diff.html and for diff.json.")
    ] = None,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Say what changed from one database to another: rows, objects, columns, where. Exit code 1 beyond thresholds."""
    limits = read_thresholds(thresholds) if thresholds else None
    names = read_renamings(renamed) if renamed else None
    with interruptible(), skyshard.Testbed(cluster) as testbed, progress_bars(as_json=json) as watcher:
        found = testbed.diff(
            new, old, radius_arcsec=radius, match=match, tables=table or None, renamed=names, watcher=watcher
        )
    if limits is not None:
        found = found.model_copy(update={"violations": violations(found, limits)})
    page = write_difference(out, found) if out else None
    if json:
        print_json(found.model_dump(mode="json"))
    else:
        _show(found)
        if page is not None:
            typer.echo(f"page: {page}")
    raise typer.Exit(1 if found.violations else 0)


def _show(found: DatabaseDifference) -> None:
    rows = []
    for one in found.tables:
        o = one.objects
        counts = [o.matched, o.lost, o.new, o.split, o.merged, one.changed] if o else [None] * 6
        rows.append([one.table, one.how, one.rows_old, one.rows_new, *counts])
    print_table(["table", "by", "old", "new", "matched", "lost", "appeared", "split", "merged", "changed"], rows)
    for one in found.tables:
        typer.echo(f"{one.table}: {one.why}")
        for what, names in (("added", one.columns_added), ("removed", one.columns_removed)):
            if names:
                more = f" and {len(names) - SHOWN_COLUMNS} more" if len(names) > SHOWN_COLUMNS else ""
                typer.echo(f"  columns {what}: {', '.join(names[:SHOWN_COLUMNS])}{more}")
        if changed := most_changed(one.columns):
            shares = [
                [c.name, f"{100 * c.equal / c.rows:.4g} %", c.median, c.mad, c.nulls_old, c.nulls_new]
                for c in changed[:SHOWN_COLUMNS]
            ]
            print_table(["column", "equal", "median", "MAD", "NULL before", "NULL after"], shares)
            if len(changed) > SHOWN_COLUMNS:
                typer.echo(f"  and {len(changed) - SHOWN_COLUMNS} more columns")
    for name in found.tables_added:
        typer.echo(f"table added: {name}")
    for name in found.tables_removed:
        typer.echo(f"table removed: {name}")
    for violation in found.violations:
        typer.echo(violation.sentence)
    typer.echo(verdict(found))
