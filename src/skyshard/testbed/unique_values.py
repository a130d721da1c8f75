"""Whether rows of a published table have the same values, asked as a query: of all chunks, as collations have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import pyarrow as pa

from skyshard.basics.errors import UserError
from skyshard.db.connection import quote_name


class _Answered(Protocol):
    @property
    def table(self) -> pa.Table: ...


def require_unique(query: Callable[[str], _Answered], database: str, table: str, columns: Sequence[str]) -> None:
    """NULLs are not compared.

    Raises:
        UserError: two rows have the same values; says which.
    """
    parts = [_part(column) for column in columns]
    there = " AND ".join(f"{part} IS NOT NULL" for part in parts)
    found = query(
        f"SELECT {', '.join(f'MIN({part}) AS v{place}' for place, part in enumerate(parts))}, COUNT(*) AS n "
        f"FROM {quote_name(database)}.{quote_name(table)} WHERE {there} GROUP BY {', '.join(parts)} "
        "HAVING COUNT(*) > 1 LIMIT 1"
    ).table
    for *values, count in zip(*(column.to_pylist() for column in found.columns), strict=True):
        shown = ", ".join(f"{column} {str(value)[:60]}" for column, value in zip(columns, values, strict=True))
        what = f"no unique index: {count} rows of {database}.{table} have {shown}"
        raise UserError(what, remedy="add an index that is not unique, or of more columns")


def _part(column: str) -> str:
    """``name(10)`` is the beginning of a text."""
    name, bracket, length = column.partition("(")
    return f"LEFT({quote_name(name)}, {int(length.rstrip(')'))})" if bracket else quote_name(name)
