"""Compares two sides: tables by name, columns by name and type, renamed ones by their rows."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from skyshard.catalog.schema import Column
from skyshard.releases.schema_changes.renamed_columns import MatchedRows, match_rows, renamed_columns
from skyshard.releases.schema_changes.schema_difference import (
    SchemaDifference,
    TableDifference,
    shared_columns,
    table_difference,
)
from skyshard.releases.schema_changes.schema_side import SchemaSide, SideTable


def compare_schemas(old: SchemaSide, new: SchemaSide) -> SchemaDifference:
    """All that the new side has otherwise than the old one.

    Raises:
        UserError: a file with rows cannot be read.
        ClusterError: a node with rows failed.
    """
    old, new = _named_alike(old, new), _named_alike(new, old)
    pairs = {name.lower(): name for name in new.tables}
    tables: list[TableDifference] = []
    for name, table in old.tables.items():
        other = pairs.pop(name.lower(), None)
        if other is not None:
            tables.append(_compare(name, table, new.tables[other], is_strict=new.is_declared and old.is_declared))
        elif new.is_whole:
            tables.append(_whole(name, table, "removed"))
    if old.is_whole:
        tables += [_whole(name, new.tables[name], "added") for name in pairs.values()]
    return SchemaDifference(
        old=old.what, new=new.what, is_equal=all(table.is_equal for table in tables), tables=tuple(tables)
    )


def _named_alike(side: SchemaSide, other: SchemaSide) -> SchemaSide:
    """A single file stands for that table of the other side with which it has most columns in common."""
    (name, *more), names = side.tables, {name.lower() for name in other.tables}
    if side.is_whole or more or name.lower() in names or not names:
        return side
    mine = shared_columns(side.tables[name].table).keys()
    best = max(other.tables, key=lambda one: len(mine & shared_columns(other.tables[one].table).keys()))
    return replace(side, tables={best: side.tables[name]})


def _whole(name: str, table: SideTable, state: str) -> TableDifference:
    count = len(shared_columns(table.table))
    sides = {"old_columns": count * (state == "removed"), "new_columns": count * (state == "added")}
    return TableDifference.model_validate({"table": name, "state": state, **sides})


def _compare(name: str, old: SideTable, new: SideTable, *, is_strict: bool) -> TableDifference:
    before, after = shared_columns(old.table), shared_columns(new.table)
    removed = [column for key, column in before.items() if key not in after]
    added = [column for key, column in after.items() if key not in before]
    rows = _rows(old, new, removed, added) if removed and added else None
    renamed = renamed_columns(removed, added, rows, is_strict=is_strict)
    return table_difference(name, old.table, new.table, renamed, is_strict=is_strict)


def _rows(old: SideTable, new: SideTable, removed: list[Column], added: list[Column]) -> MatchedRows | None:
    """Values of the columns that may be each other, of rows with equal keys; None where a side has no rows or key."""
    if old.rows is None or new.rows is None or not old.key or old.key.lower() != new.key.lower():
        return None
    first = old.rows([old.key, *(column.name for column in removed)], None)
    if first is None or not first.num_rows:
        return None
    keys = first.column(old.key).combine_chunks().cast(pa.int64(), safe=False).drop_null()
    second = new.rows([new.key, *(column.name for column in added)], keys)
    if second is None or not second.num_rows:
        return None
    return match_rows(first, second, old.key, new.key)
