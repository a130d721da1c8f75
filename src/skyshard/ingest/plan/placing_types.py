"""Checks the columns that decide a row's chunk: director keys, keys that follow them, positions.

A director's key is an integer. A key that follows it may be of another number type, as far as the server compares both
without rounding: then equal keys are in one chunk, and chunks can be left out by key.
"""

from __future__ import annotations

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role
from skyshard.ingest.source import SourceTable
from skyshard.rowimage.sqltype import SqlType, TypeClass


def require_placing_types(table: SourceTable) -> None:
    """Refuse a table whose rows could not be placed, or found again.

    Raises:
        UserError: names table, column and type.
    """
    layout = table.layout
    if not layout.role.is_chunked:
        return
    _require_spelled(table)
    for name in (*(layout.position or ()), *(layout.position2 or ())):
        if table.table.column(name).type.type_class is TypeClass.BYTES:
            _refuse(table, "position column", name, "declare positions as DOUBLE")
    if layout.role is Role.DIRECTOR:
        if layout.key and table.table.column(layout.key).type.type_class is not TypeClass.INTEGER:
            _refuse(table, "key", layout.key, "a director key is an integer", what="director")
        return
    for name in filter(None, (layout.key, layout.key2)):
        if not _may_follow(table.table.column(name).type):
            _refuse(table, "key", name, "declare the key of a director that it follows as an integer")


def _require_spelled(table: SourceTable) -> None:
    """Refuse a layout that spells a column in another case than the table: rows have it under one name."""
    layout = table.layout
    for name in (layout.key, layout.key2, layout.flag, *(layout.position or ()), *(layout.position2 or ())):
        if name and (column := table.table.column(name)).name != name:
            what = f"the layout of table '{table.name}' names column '{name}'"
            raise UserError(what, remedy=f"spell it as the table does: '{column.name}'")


def _may_follow(kind: SqlType) -> bool:
    """Whole numbers; FLOAT and DOUBLE too, of which larger values than they count exactly are refused as they come."""
    if kind.type_class is TypeClass.DECIMAL:
        return len(kind.arguments) < 2 or kind.arguments[1] == 0
    return kind.type_class is not TypeClass.BYTES


def _refuse(table: SourceTable, role: str, name: str, remedy: str, *, what: str = "table") -> None:
    column = table.table.column(name)
    raise UserError(f"{what} '{table.name}' has {role} '{column.name}' of type {column.type.text}", remedy=remedy)
