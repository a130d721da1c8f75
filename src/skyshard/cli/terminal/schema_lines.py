"""Differences of schemas on a screen: a row for each kind of change, or one for each column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import typer

from skyshard.cli.terminal.show import print_table
from skyshard.releases.schema_changes.schema_difference import RetypedColumn, SchemaDifference, TableDifference

_HEADS = ("table", "change", "columns", "which", "what may be lost")
_MOST_NAMED = 4


def show_difference(found: SchemaDifference, *, is_whole: bool) -> None:
    """Print both sides, what changed, and how many tables are equal."""
    typer.echo(f"{found.old} → {found.new}")
    rows = difference_rows(found, is_whole=is_whole)
    if rows:
        print_table(list(_HEADS), rows)
    same = [table.table for table in found.tables if table.is_equal]
    named = f": {', '.join(same)}" if same else ""
    typer.echo(f"{len(same)} of {len(found.tables)} tables have equal columns{named}")


def difference_rows(found: SchemaDifference, *, is_whole: bool) -> list[list[str | int]]:
    """Rows of the table that is printed: changes of one kind in one row, or each column in its own."""
    return [row for table in found.tables for row in _of_table(table, is_whole=is_whole)]


def _of_table(table: TableDifference, *, is_whole: bool) -> Iterable[list[str | int]]:
    if table.state != "both":
        yield [table.table, f"table {table.state}", table.old_columns + table.new_columns, "", ""]
    for change, columns in (("added", table.added), ("removed", table.removed)):
        lost = "all values" if change == "removed" else ""
        yield from _rows(table.table, change, columns, lost, is_whole=is_whole)
    for renamed in table.renamed:
        how = f"by value, {renamed.rows} rows" if renamed.by == "value" else f"a guess by name, {renamed.likeness:.2f}"
        more = f"; {renamed.retyped.old} → {renamed.retyped.new}" if renamed.retyped else ""
        loss = renamed.retyped.loss if renamed.retyped else ""
        yield [table.table, f"renamed ({how})", 1, f"{renamed.old} → {renamed.new}{more}", loss]
    for (old, new, loss), names in _kinds(table.retyped).items():
        yield from _rows(table.table, f"{old} → {new}", names, loss, is_whole=is_whole)


def _kinds(retyped: Sequence[RetypedColumn]) -> dict[tuple[str, str, str], list[str]]:
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for column in retyped:
        kinds.setdefault((column.old, column.new, column.loss), []).append(column.column)
    return kinds


def _rows(table: str, change: str, columns: Sequence[str], loss: str, *, is_whole: bool) -> Iterable[list[str | int]]:
    if is_whole:
        for column in columns:
            yield [table, change, 1, column, loss]
    elif columns:
        more = f" and {len(columns) - _MOST_NAMED} more" if len(columns) > _MOST_NAMED else ""
        yield [table, change, len(columns), ", ".join(columns[:_MOST_NAMED]) + more, loss]
