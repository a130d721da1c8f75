"""Counts of one input slice: missing values, ranges and flags of each column, rows by place. No I/O.

Counted are the rows as they are stored, with what their values were before: NaN and infinities are stored as NULL, but
counted apart. One pass over a batch's columns, with as few calls as there are columns.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from skyshard.basics.array_types import Flags, Integers
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Table
from skyshard.ingest.source import InputBatch
from skyshard.rowimage.sqltype import TypeClass

PRIMARY = ("detect_isPrimary", "isPrimary", "is_primary")
"""Names of the flag that says which of an object's rows counts."""
PLACES = (("tract", "patch"), ("visit", "detector"), ("visitId", "detector"))
"""Columns by which rows are counted: both together, or the first alone where there is no second."""
_NOTHING = (0, 0)
_NON_FINITE = ": NaN or infinity → NULL"
_MOST_SECOND = 1 << 20


@dataclass(frozen=True, slots=True)
class CountedColumns:
    """Which columns of a table are counted how."""

    ranged: tuple[int, ...]
    """Places of numbers that are no flags."""
    flags: tuple[int, ...]
    primary: int | None
    places: tuple[tuple[str, ...], ...]
    keeps_positions: bool
    """True for a director of objects: their primary rows are looked at for others that are near."""

    @staticmethod
    def of(table: Table, layout: TableLayout) -> CountedColumns:
        names = table.column_names
        is_flag = [column.type.text.startswith("tinyint(1)") for column in table]
        is_number = [column.type.type_class in (TypeClass.INTEGER, TypeClass.FLOATING) for column in table]
        primary = next((names.index(one) for one in PRIMARY if one in names), None)
        places = tuple(tuple(one for one in pair if one in names) for pair in PLACES if pair[0] in names)
        return CountedColumns(
            tuple(i for i, (number, flag) in enumerate(zip(is_number, is_flag, strict=True)) if number and not flag),
            tuple(i for i, flag in enumerate(is_flag) if flag), primary, places,
            layout.role is Role.DIRECTOR and primary is not None and all(pair[0] == "tract" for pair in places),
        )  # fmt: skip


@dataclass(slots=True)
class SliceCounts:
    """What the rows of one slice hold, added up batch by batch."""

    table: Table
    columns: CountedColumns
    rows: int = 0
    nulls: Counter[str] = field(default_factory=Counter)
    nans: Counter[str] = field(default_factory=Counter)
    infinities: Counter[str] = field(default_factory=Counter)
    trues: Counter[str] = field(default_factory=Counter)
    ranges: dict[str, tuple[int | float, int | float]] = field(default_factory=dict)
    places: dict[str, Counter[str]] = field(default_factory=dict)
    """By names of columns, joined by a slash: rows by values, joined likewise."""
    positions: list[NDArray[np.float64]] = field(default_factory=list)
    """Longitude and latitude of primary rows, (2, n) a batch."""
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, table: Table, layout: TableLayout) -> SliceCounts:
        return cls(table, CountedColumns.of(table, layout), names=frozenset(table.column_names))

    def add(self, batch: InputBatch) -> None:
        """Count a batch's rows."""
        rows, names = batch.batch, self.table.column_names
        self.rows += rows.num_rows
        if not rows.num_rows:
            return
        lost = self._lost(batch)
        arrays = rows.columns
        for name, array in zip(names, arrays, strict=True):
            if array.null_count and (nulls := array.null_count - sum(lost.get(name, _NOTHING))) > 0:
                self.nulls[name] += nulls
        for place in self.columns.ranged:
            nans, infinities = lost.get(names[place], _NOTHING)
            is_below = not (infinities or batch.left_out) and pa.types.is_floating(arrays[place].type)
            self._widen(names[place], arrays[place], only_nans=is_below and arrays[place].null_count == nans)
        for place in self.columns.flags:
            self.trues[names[place]] += int(np.count_nonzero(_values(arrays[place])))
        for pair in self.columns.places:
            self._count_places(pair, [rows.column(one) for one in pair])
        if self.columns.keeps_positions and batch.positions is not None and self.columns.primary is not None:
            self._keep_positions(arrays[self.columns.primary], batch)

    def _lost(self, batch: InputBatch) -> dict[str, tuple[int, int]]:
        """By column, values that were NaN and infinite ones; of texts they are not told apart, and count as NaN."""
        lost = {}
        for name, given in batch.given_floats.items():
            infinities = pc.sum(pc.is_inf(given)).as_py() or 0
            lost[name] = (batch.batch.column(name).null_count - given.null_count - infinities, infinities)
        for key, count in batch.conversions.items():
            name = key.removesuffix(_NON_FINITE)
            if name != key and name not in lost and name in self.names:
                lost[name] = (count, 0)
        for name, (nans, infinities) in lost.items():
            self.nans[name] += nans
            self.infinities[name] += infinities
        return lost

    def _widen(self, name: str, array: pa.Array, *, only_nans: bool) -> None:
        """Take a column's extremes into its range.

        Args:
            only_nans: all NULLs were NaN, and the numbers below them still are, as no row was taken out since.
        """
        if array.null_count == len(array):
            return
        values = _values(array, whole=only_nans)
        ends = (np.fmin.reduce(values), np.fmax.reduce(values)) if only_nans else (values.min(), values.max())
        low, high = ends[0].item(), ends[1].item()
        known = self.ranges.get(name)
        if known is not None:
            low, high = min(low, known[0]), max(high, known[1])
        self.ranges[name] = (low, high)

    def _count_places(self, names: tuple[str, ...], arrays: list[pa.Array]) -> None:
        counted = self.places.setdefault("/".join(names), Counter())
        numbers = [_whole(array) for array in arrays if pa.types.is_integer(array.type)]
        second = len(numbers) > 1
        keys = _joined(numbers) if second else numbers[0] if numbers else None
        if keys is None or len(numbers) < len(arrays):
            return
        found, counts = np.unique(keys, return_counts=True)
        for key, count in zip(found.tolist(), counts.tolist(), strict=True):
            counted[_shown_pair(key) if second else _shown(key)] += count

    def _keep_positions(self, primary: pa.Array, batch: InputBatch) -> None:
        is_primary: Flags = np.asarray(pc.fill_null(primary, 0)) != 0
        assert batch.positions is not None
        self.positions.append(np.stack([one[is_primary] for one in batch.positions]))

    def to_json(self) -> dict[str, Any]:
        """As the bundle and the kept file hold it; what is 0 is left out."""
        counts = {name: +getattr(self, name) for name in ("nulls", "nans", "infinities", "trues")}
        return {
            "rows": self.rows, **{name: dict(one) for name, one in counts.items()},
            "ranges": {name: list(pair) for name, pair in self.ranges.items()},
            "places": {name: dict(one) for name, one in self.places.items()},
        }  # fmt: skip


def _values(array: pa.Array, *, whole: bool = False) -> NDArray[Any]:
    """The numbers of an array without its NULLs, or with what is below these.

    NumPy finds extremes twenty times as fast as Arrow.
    """
    bits, data = array.buffers()
    start, stop = array.offset, array.offset + len(array)
    values = np.frombuffer(data if data is not None else b"", array.type.to_pandas_dtype())[start:stop]
    if whole or not array.null_count:
        return values
    if array.null_count == len(array):
        return values[:0]
    valid = np.unpackbits(np.frombuffer(bits, np.uint8), count=stop, bitorder="little")
    return values[valid[start:].view(np.bool_)]


_NONE = -1
"""In place of NULL in a key of two columns."""


def _whole(array: pa.Array) -> Integers:
    """Whole numbers with -1 for NULL."""
    filled = array.cast(pa.int64()) if array.type != pa.int64() else array
    return np.asarray(pc.fill_null(filled, _NONE) if filled.null_count else filled)


def _joined(numbers: list[Integers]) -> Integers | None:
    """Two columns as one number; None where they are too large for that."""
    first, second = numbers
    if len(first) and (np.abs(first).max() >= 1 << 42 or second.max() >= _MOST_SECOND - 1 or second.min() < _NONE):
        return None
    return np.asarray(first * _MOST_SECOND + np.where(second == _NONE, _MOST_SECOND - 1, second))


def _shown(number: int) -> str:
    return "NULL" if number == _NONE else str(number)


def _shown_pair(key: int) -> str:
    """The numbers that ``_joined`` made one."""
    first, second = divmod(key, _MOST_SECOND)
    return f"{_shown(first)}/{_shown(_NONE if second == _MOST_SECOND - 1 else second)}"
