"""Thresholds that a difference must keep, in a file; for programs that decide whether a release may go out. Version 1.

    version: 1
    tables:
      Object:
        lost_share: 0.01        # at most this share of the old rows
        new_share: 0.05         # at most this share of the new rows
        columns:
          "*_psfFlux":
            equal_share: 0.9    # at least
            median: 0.5         # at most, without its sign
            mad: 2.0            # at most
            null_share: 0.001   # at most this much more than before

Names of tables and columns are patterns (``*``, ``?``, ``[...]``). All that match must be kept; one that matches
nothing is refused, so that a typing error is never taken for a kept threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from skyshard.basics.errors import UserError
from skyshard.catalog.strict_files import Strict, read_located
from skyshard.releases.differences.difference import ColumnDifference, DatabaseDifference, TableDifference, Violation

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
T = TypeVar("T")


class ColumnThresholds(Strict):
    """Of the columns that a pattern names."""

    equal_share: Share | None = None
    """At least."""
    median: Amount | None = None
    """The median difference, without its sign, at most."""
    mad: Amount | None = None
    """At most."""
    null_share: Share | None = None
    """How much more of the matched rows may be NULL than before."""


class TableThresholds(Strict):
    """Of the tables that a pattern names."""

    lost_share: Share | None = None
    """Lost rows of the old ones, at most."""
    new_share: Share | None = None
    """New rows of the new ones, at most."""
    split_share: Share | None = None
    """Split rows of the old ones, at most."""
    merged_share: Share | None = None
    """Merged rows of the new ones, at most."""
    changed_share: Share | None = None
    """Matched rows with an unequal column, of the matched ones, at most."""
    rows_share: Amount | None = None
    """How much the number of rows may differ, of the old number, at most."""
    columns: dict[str, ColumnThresholds] = Field(default_factory=dict)
    """By pattern."""


class Thresholds(Strict):
    """The file."""

    version: Literal[1] = 1
    tables: dict[str, TableThresholds]
    """By pattern."""


def read_thresholds(path: Path) -> Thresholds:
    """Read a file of thresholds.

    Raises:
        UserError: no such file, or a wrong key in it.
    """
    return read_located(Thresholds, path)


def violations(difference: DatabaseDifference, thresholds: Thresholds) -> list[Violation]:
    """The thresholds that are not kept, in the order of tables and columns.

    Raises:
        UserError: a pattern that matches no table, or no compared column.
    """
    found: list[Violation] = []
    named = {table.table: table for table in difference.tables}
    for pattern, limits in thresholds.tables.items():
        for table in _matching(pattern, named, "table"):
            found += _of_table(table, limits)
            columns = {column.name: column for column in table.columns}
            for column_pattern, column_limits in limits.columns.items():
                for column in _matching(column_pattern, columns, f"compared column of {table.table}"):
                    found += _of_column(table.table, column, column_limits)
    order = {name: place for place, name in enumerate(named)}
    return sorted(found, key=lambda one: (order[one.table], one.column, one.what))


def _matching(pattern: str, named: Mapping[str, T], kind: str) -> list[T]:
    found = [one for name, one in named.items() if fnmatchcase(name.lower(), pattern.lower())]
    if not found:
        raise UserError(f"thresholds: '{pattern}' is no {kind}", remedy=f"there are {', '.join(named) or 'none'}")
    return found


def _of_table(table: TableDifference, limits: TableThresholds) -> Iterator[Violation]:
    objects, old, new = table.objects, table.rows_old, table.rows_new
    change = abs(new - old) / old if old else float(new > 0)
    shares: dict[str, tuple[float | None, float | None]] = {"rows_share": (change, limits.rows_share)}
    if objects is not None:
        shares |= {
            "lost_share": (_share(objects.lost, old), limits.lost_share),
            "new_share": (_share(objects.new, new), limits.new_share),
            "split_share": (_share(objects.split, old), limits.split_share),
            "merged_share": (_share(objects.merged, new), limits.merged_share),
            "changed_share": (_share(table.changed, objects.matched), limits.changed_share),
        }
    elif any(getattr(limits, name) is not None for name in _OF_MATCHED):
        raise UserError(f"thresholds: rows of '{table.table}' are not matched", remedy="leave only rows_share there")
    for what, (value, limit) in shares.items():
        if limit is not None and value is not None and value > limit:
            yield _violation(table.table, "", what, value, limit, "more")


def _of_column(table: str, column: ColumnDifference, limits: ColumnThresholds) -> Iterator[Violation]:
    if limits.equal_share is not None and column.equal_share is not None and column.equal_share < limits.equal_share:
        yield _violation(table, column.name, "equal_share", column.equal_share, limits.equal_share, "less")
    for what, value, limit in (("median", column.median, limits.median), ("mad", column.mad, limits.mad)):
        if limit is not None and column.compared and (value is None or abs(value) > limit):
            if not column.is_number:
                raise UserError(f"thresholds: '{column.name}' of {table} has no {what}", remedy="it is no quantity")
            yield _violation(table, column.name, what, value, limit, "more")
    if limits.null_share is not None and column.null_share_new is not None and column.null_share_old is not None:
        rise = column.null_share_new - column.null_share_old
        if rise > limits.null_share:
            yield _violation(table, column.name, "null_share", rise, limits.null_share, "more")


_OF_MATCHED = ("lost_share", "new_share", "split_share", "merged_share", "changed_share")


def _violation(table: str, column: str, what: str, value: float | None, limit: float, how: str) -> Violation:
    found = "beyond all numbers" if value is None else f"{value:.6g}"
    sentence = f"{table}{f'.{column}' if column else ''}: {what} is {found}, {how} than {limit:g}"
    return Violation(table=table, column=column, what=what, found=value, limit=limit, sentence=sentence)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
