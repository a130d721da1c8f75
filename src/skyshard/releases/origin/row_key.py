"""Reads which rows are meant: a key by its value alone, or columns with values. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skyshard.basics.errors import UserError
from skyshard.basics.plain_numbers import is_number, is_whole
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.db.connection import quote_name, quote_text
from skyshard.rowimage.sqltype import TypeClass


@dataclass(frozen=True, slots=True)
class RowKey:
    """Columns of a table and what they equal: ``text`` for people, ``condition`` for a statement."""

    text: str
    condition: str


def row_keys(table: Table, layout: TableLayout, text: str) -> list[RowKey]:
    """What a key may mean, the likeliest first: the table's own key, then that of its director.

    Args:
        text: one value, or as many as the primary key has columns, with commas; or ``column=value,...``.

    Raises:
        UserError: a column that the table has not, a value that it cannot hold, or a table without such a key.

    >>> from skyshard.catalog.layout import Role
    >>> from skyshard.rowimage.sqltype import parse_type
    >>> columns = (Column("sourceId", parse_type("bigint")), Column("objectId", parse_type("bigint")))
    >>> layout = TableLayout(role=Role.DEPENDENT, key="objectId", director="Object", position=None)
    >>> [key.condition for key in row_keys(Table("Source", columns, ("sourceId",)), layout, "7")]
    ['`sourceId` = 7', '`objectId` = 7']
    """
    parts = [part.strip() for part in text.split(",")]
    if "=" in text:
        return [_key(table, [(name.strip(), value.strip()) for name, _, value in (p.partition("=") for p in parts)])]
    ways = [names for names in _known_keys(table, layout) if len(names) == len(parts)]
    if not ways:
        named = " or ".join(", ".join(names) for names in _known_keys(table, layout)) or "none"
        raise UserError(
            f"table '{table.name}' has no key of {len(parts)} column{'s' * (len(parts) > 1)} (it has {named})",
            remedy="name the columns: column=value,...",
        )
    return [_key(table, list(zip(names, parts, strict=True))) for names in ways]


def _known_keys(table: Table, layout: TableLayout) -> list[tuple[str, ...]]:
    """The primary key, unique keys, then the director's key and the second one; each once."""
    keys = [table.primary_key, *(key.columns for key in table.keys if key.is_unique)]
    keys += [(name,) for name in (layout.key, layout.key2) if name]
    plain = [tuple(name.partition("(")[0] for name in names) for names in keys if names]
    return list(dict.fromkeys(plain))


def _key(table: Table, pairs: Sequence[tuple[str, str]]) -> RowKey:
    columns = [(table.column(name), value) for name, value in pairs]
    text = ", ".join(f"{column.name} {value}" for column, value in columns)
    conditions = (f"{quote_name(column.name)} = {_literal(column, value)}" for column, value in columns)
    return RowKey(text, " AND ".join(conditions))


def _literal(column: Column, text: str) -> str:
    """A value as SQL writes it: all digits of a DECIMAL, of a FLOAT those of the number that it stores.

    >>> from skyshard.rowimage.sqltype import parse_type
    >>> [_literal(Column("x", parse_type(kind)), "9007199254740993") for kind in ("decimal(20,0)", "bigint", "double")]
    ['9007199254740993', '9007199254740993', '9007199254740992.0']
    >>> _literal(Column("x", parse_type("float")), "0.1")
    '0.10000000149011612'
    """
    kind = column.type.type_class
    if kind is TypeClass.BYTES:
        return quote_text(text)
    if is_whole(text) if kind is TypeClass.INTEGER else is_number(text):
        if kind is not TypeClass.FLOATING:
            return text
        with np.errstate(over="ignore"):
            number = np.float32(text) if column.type.base == "float" else np.float64(text)
        if np.isfinite(number):
            return repr(float(number))
    raise UserError(f"'{text}' is no value of column '{column.name}' ({column.type.text})", remedy="give a number")
