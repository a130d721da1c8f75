"""What differs between two answers to one statement."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import replace
from typing import Any

import pyarrow as pa

from skyshard.czar.result.answer import QueryResult


def folded(result: QueryResult) -> QueryResult:
    """Texts as the collation compares them: without case, accents and trailing spaces."""
    columns = [
        pa.array([None if value is None else fold(value) for value in column.to_pylist()], column.type)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        else column
        for column in result.table.columns
    ]
    return replace(result, table=pa.Table.from_arrays(columns, names=result.table.column_names))


def fold(text: str) -> str:
    plain = (letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return "".join(plain).upper().rstrip(" ")


def normal(value: Any) -> Any:
    return f"{value:.9e}" if isinstance(value, float) else value


def rows_in(table: pa.Table) -> list[tuple[Any, ...]]:
    """The rows of an answer, by place: names may repeat."""
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def rows_of(table: pa.Table, *, is_ordered: bool) -> list[tuple[Any, ...]]:
    rows = rows_in(table)
    return rows if is_ordered else sorted(rows, key=lambda row: [str(normal(value)) for value in row])


def is_close(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def difference(got: QueryResult, want: QueryResult, *, is_ordered: bool) -> str:
    """What differs between two answers; empty if nothing does."""
    if got.columns != want.columns:
        return f"names {got.columns} instead of {want.columns}"
    if got.table.schema.types != want.table.schema.types:
        return f"types {got.table.schema.types} instead of {want.table.schema.types}"
    left, right = (rows_of(result.table, is_ordered=is_ordered) for result in (got, want))
    if len(left) != len(right):
        return f"{len(left)} rows instead of {len(right)}"
    for one, other in zip(left, right, strict=True):
        if not all(is_close(a, b) for a, b in zip(one, other, strict=True)):
            return f"row {one} instead of {other}"
    return ""
