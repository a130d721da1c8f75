"""Holds what columns answer against what rows answer: a check that may stay on (``SKYSHARD_BOTH=1``).

Rules: exact values are equal, the sign of a zero too; DOUBLEs that were summed may differ as two servers' do. Where
equal rows compete for the last places below a LIMIT, either choice is right.
"""

from __future__ import annotations

import math
import os
from typing import Any

import pyarrow as pa

from skyshard.basics.errors import Bug

VARIABLE = "SKYSHARD_BOTH"
_RELATIVE, _ABSOLUTE = 1e-9, 1e-12


def asks_both() -> bool:
    """Whether the environment wants both ways."""
    return os.environ.get(VARIABLE, "") not in ("", "0")


def require_same(by_columns: pa.Table, as_rows: pa.Table, statement: str, *, is_limited: bool) -> None:
    """Compare two answers of one statement, in any order of rows.

    Raises:
        Bug: they differ.
    """
    found = difference(by_columns, as_rows, is_limited=is_limited)
    if found:
        raise Bug(f"columns and rows differ: {found}; statement: {statement}")


def difference(one: pa.Table, other: pa.Table, *, is_limited: bool = False, is_exact: bool = False) -> str:
    """The first difference of two answers, whatever the order of their rows; empty where there is none.

    Args:
        is_limited: any rows may have been taken, so only their number and types are compared.
        is_exact: no DOUBLE of theirs is a sum, so that all are equal to the last bit.
    """
    if one.schema.types != other.schema.types:
        return f"types {one.schema.types} instead of {other.schema.types}"
    if one.num_rows != other.num_rows:
        return f"{one.num_rows} rows instead of {other.num_rows}"
    if is_limited:
        return ""
    for row, expected in zip(_sorted(one), _sorted(other), strict=True):
        if not all(_same(value, wanted, is_exact) for value, wanted in zip(row, expected, strict=True)):
            return f"{row} instead of {expected}"
    return ""


def _sorted(table: pa.Table) -> list[tuple[Any, ...]]:
    """Rows by their exact columns first, so that sums in another order sort alike."""
    kinds = table.schema.types
    places = sorted(range(len(kinds)), key=lambda place: pa.types.is_floating(kinds[place]))
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return sorted(rows, key=lambda row: [(row[at] is None, 0 if row[at] is None else row[at]) for at in places])


def _same(one: Any, other: Any, is_exact: bool) -> bool:
    if not (isinstance(one, float) and isinstance(other, float)):
        return bool(one == other)
    if one == other:
        return math.copysign(1, one) == math.copysign(1, other)
    return not is_exact and math.isclose(one, other, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
