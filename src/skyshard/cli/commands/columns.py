"""``skyshard columns``: column images of chunk tables."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

import skyshard
from skyshard.basics.errors import ClusterError
from skyshard.basics.readable import human_bytes
from skyshard.cli.terminal.reasons import reasons
from skyshard.cli.terminal.show import (
    DEFAULT_CLUSTER,
    ClusterOption,
    JsonOption,
    print_json,
    print_table,
    progress_bars,
)
from skyshard.host.interrupts import interruptible
from skyshard.host.process_tuning import step_back

Database = Annotated[str, typer.Argument(help="The database.", show_default=False)]
_NOT_WHOLE = 1


def status(database: Database, json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """Show which column images a database has on each node, and what they lack.

    A chunk table without a valid image is read as rows.
    """
    with skyshard.Testbed(cluster) as testbed:
        found = testbed.columns.status(database)
    _show(found, as_json=json)


def build(
    database: Database,
    table: Annotated[list[str] | None, typer.Option(help="Only this table; may be repeated.", metavar="TABLE")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="Only this column, of the tables that have it; may be repeated.", metavar="COLUMN"),
    ] = None,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Write the column images that a database lacks, and remove stale ones; run it again after an interruption.

    Rows are read beside each node and compared with the registry. Regular tables have no images; BLOB and TEXT columns
    stay in rows alone. Exit code 1 if a table could not be read.
    """
    step_back()
    with interruptible(), skyshard.Testbed(cluster) as testbed, progress_bars(as_json=json) as watcher:
        found = testbed.columns.build(database, tables=table or (), columns=column or (), watcher=watcher)
    if not json:
        rate = found.bytes / found.elapsed_s / 1e6 if found.elapsed_s else 0.0
        typer.echo(
            f"{found.database}: {found.made} images made of {found.rows} rows, {human_bytes(found.bytes)} "
            f"({rate:.0f} MB/s), {found.removed} segments removed"
        )
    _show(found, as_json=json)


def drop(database: Database, json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """Remove all column images of a database; its rows stay as they are."""
    with interruptible(), skyshard.Testbed(cluster) as testbed:
        found = testbed.columns.drop(database)
    if not json:
        typer.echo(f"{found.database}: {found.removed} segments removed")
    _show(found, as_json=json)


def _show(found: skyshard.ColumnImages, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(found))
    else:
        print_table(
            ["table", "node", "chunk tables", "with image", "rows", "stored", "segments", "stale", "left out"],
            [[one.table + " (overlap)" * one.is_overlap, one.node, one.tables, one.imaged, one.rows,
              human_bytes(one.bytes), one.segments, one.stale, reasons(one.left_out)] for one in found.tables],
        )  # fmt: skip
        for what, why in found.faults.items():
            typer.echo(f"{what}: {why}")
    if found.faults:
        raise typer.Exit(_NOT_WHOLE)
    for name, why in found.unread.items():
        raise ClusterError(f"node '{name}' does not answer: {why}", remedy="run it again", retryable=True)
