"""``skyshard quality``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import skyshard
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json, print_table
from skyshard.pages.page_template import amount, percent
from skyshard.releases.pages.quality_page import least_complete, missing, verdict, write_quality
from skyshard.releases.quality.database_quality import DatabaseQuality, TableQualityReport
from skyshard.releases.quality.expected_counts import count_differences, read_expected

SHOWN_COLUMNS = 12
"""Columns of a table that are listed on the terminal, those with most missing values."""


def quality(
    database: Annotated[str, typer.Argument(help="The database.", show_default=False)],
    expect: Annotated[
        Path | None, typer.Option(help="A file with the rows that the pipeline wrote; exit code 1 where they differ.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The page to write, e.g. quality.html.")] = None,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Show what the rows of a database hold, as counted when they came in. Exit code 1 where --expect is not met.

    NULL, NaN, infinities, range and finite share of each column, flags, primary rows and those near another one, rows
    by tract, patch, visit, detector and input file.
    """
    expected = read_expected(expect) if expect else None
    with skyshard.Testbed(cluster) as testbed:
        found = testbed.quality(database)
    if expected is not None:
        found = found.model_copy(update={"differences": count_differences(found, expected)})
    if out is not None:
        write_quality(out, found)
    if json:
        print_json(found.model_dump(mode="json"))
    else:
        _show(found)
        if out is not None:
            typer.echo(f"page: {out}")
    raise typer.Exit(1 if found.differences else 0)


def _show(found: DatabaseQuality) -> None:
    rows = [
        (one.table, one.rows, len(one.datasets), len(one.columns), sum(missing(column) > 0 for column in one.columns))
        + ((one.primary.rows, percent(one.primary.share), one.primary.near) if one.primary else (None, None, None))
        for one in found.tables
    ]
    print_table(("table", "rows", "files", "columns", "with missing", "primary", "share", "near another"), rows)
    for table in found.tables:
        _show_columns(table)
    for name in found.uncounted:
        typer.echo(f"{name}: nothing was counted")
    for one in found.differences or ():
        typer.echo(one.sentence)
    typer.echo(verdict(found))


def _show_columns(table: TableQualityReport) -> None:
    """The columns with most missing values."""
    lacking = [one for one in least_complete(table.columns) if missing(one)]
    if not lacking:
        return
    shown = [
        (one.name, percent(one.finite_share), one.nulls, one.nans, one.infinities, amount(one.min), amount(one.max))
        for one in lacking[:SHOWN_COLUMNS]
    ]
    print_table((f"{table.table}: column", "finite", "NULL", "NaN", "infinite", "least", "greatest"), shown)
    if len(lacking) > SHOWN_COLUMNS:
        typer.echo(f"  and {len(lacking) - SHOWN_COLUMNS} more columns with missing values (--json, --out)")
