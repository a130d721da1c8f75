"""Counts what a weekly's rows hold, and compares them with those of the weekly before. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import Flags, Floats, Integers, RowIndexes
from skyshard.synth.weeklies.pool_table import PoolTable, WeekValues
from skyshard.synth.weeklies.weekly_truth import ColumnChange, ColumnTruth

NEAR_ARCSEC = 0.2
_MOST_SECOND = 1000
"""Above every patch and detector."""


def column_truth(values: WeekValues, rows: RowIndexes, kind: pa.DataType) -> ColumnTruth:
    """What a column holds in some rows."""
    if values.numbers is None:
        return ColumnTruth(type=str(kind), nulls=values.text.take(pa.array(rows)).null_count)
    numbers = values.numbers[rows]
    is_null = np.zeros(len(rows), np.bool_) if values.is_null is None else values.is_null[rows]
    nulls = int(np.count_nonzero(is_null))
    if numbers.dtype.kind == "b":
        return ColumnTruth(type=str(kind), nulls=nulls, trues=int(np.count_nonzero(numbers & ~is_null)))
    kept = numbers if nulls == 0 else numbers[~is_null]
    finite, nans, infinities = kept, 0, 0
    if numbers.dtype.kind == "f":
        finite = kept[np.isfinite(kept)]
        nans = int(np.count_nonzero(np.isnan(kept)))
        infinities = len(kept) - len(finite) - nans
    low, high = (finite.min().item(), finite.max().item()) if len(finite) else (None, None)
    return ColumnTruth(type=str(kind), nulls=nulls, nans=nans, infinities=infinities, min=low, max=high)


def column_change(name: str, before: WeekValues, after: WeekValues, both: RowIndexes, keys: Integers) -> ColumnChange:
    """How a column differs over the rows ``both``, whose keys are ``keys``.

    Infinities count as missing, too: all three are stored as NULL. A double that became a float is equal if both are
    the same float; the differences are those of the numbers.
    """
    missing = [_unstored(one)[both] for one in (before, after)]
    neither, one_only = ~missing[0] & ~missing[1], missing[0] != missing[1]
    counts = {"missing_before": int(missing[0].sum()), "missing_after": int(missing[1].sum())}
    measured: dict[str, Any] = {}
    if before.numbers is None or after.numbers is None:
        texts = [one.text.take(pa.array(both)).to_numpy(zero_copy_only=False) for one in (before, after)]
        is_equal = np.asarray(texts[0] == texts[1]) | (missing[0] & missing[1])
        equal = int(is_equal.sum())
    else:
        old, new = before.numbers[both], after.numbers[both]
        is_different = neither & _differs(old, new)
        equal = len(both) - int(is_different.sum()) - int(one_only.sum())
        if old.dtype.kind != "b":
            measured = _differences(old, new, neither, keys)
    share = equal / len(both) if len(both) else 1.0
    return ColumnChange(
        before=name, rows=len(both), equal=equal, share_equal=share, compared=int(neither.sum()), **counts, **measured
    )


def _differs(old: Floats, new: Floats) -> Flags:
    if {old.dtype, new.dtype} == {np.dtype(np.float32), np.dtype(np.float64)}:
        old, new = old.astype(np.float32), new.astype(np.float32)
    return np.asarray(old != new)


def _unstored(values: WeekValues) -> Flags:
    missing = values.is_missing()
    if values.numbers is not None and values.numbers.dtype.kind == "f":
        missing = missing | np.isinf(values.numbers)
    return missing


def _differences(old: Floats, new: Floats, neither: Flags, keys: Integers) -> dict[str, float | int | None]:
    """Median, median absolute deviation and the largest of new less old."""
    if not neither.any():
        return {}
    difference = new[neither].astype(np.float64) - old[neither].astype(np.float64)
    if not difference.any():
        return {"median_difference": 0.0, "mad_difference": 0.0}
    median = float(np.median(difference))
    at = int(np.argmax(np.abs(difference)))
    return {
        "median_difference": median, "mad_difference": float(np.median(np.abs(difference - median))),
        "largest_difference": float(difference[at]), "largest_key": int(keys[neither][at]),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlaceCounts:
    """Rows by place."""

    tract: dict[int, int]
    patch: dict[str, int]
    visit: dict[int, int]
    detector: dict[str, int]


def place_counts(table: PoolTable, rows: RowIndexes) -> PlaceCounts:
    """Rows by tract, patch, visit and detector, as far as the table knows them."""
    return PlaceCounts(
        _singly(table.tract, rows), _doubly(table.tract, table.patch, rows), _singly(table.visit, rows),
        _doubly(table.visit, table.detector, rows),
    )  # fmt: skip


def _singly(values: Integers | None, rows: RowIndexes) -> dict[int, int]:
    if values is None:
        return {}
    names, counts = np.unique(values[rows], return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _doubly(first: Integers | None, second: Integers | None, rows: RowIndexes) -> dict[str, int]:
    if first is None or second is None:
        return {}
    both, counts = np.unique(first[rows] * _MOST_SECOND + second[rows], return_counts=True)
    names = [f"{one}/{other}" for one, other in zip(*(n.tolist() for n in np.divmod(both, _MOST_SECOND)), strict=True)]
    return dict(zip(names, counts.tolist(), strict=True))


def near_rows(ra: Floats, dec: Floats) -> int:
    """Positions that have another one within 0.2 arcseconds; those without a position have none."""
    from scipy.spatial import KDTree

    whole = np.isfinite(ra) & np.isfinite(dec)
    east, north = np.radians(ra[whole]), np.radians(dec[whole])
    points = np.column_stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])
    pairs = KDTree(points).query_pairs(2 * np.sin(np.radians(NEAR_ARCSEC / 3600) / 2), output_type="ndarray")
    return len(np.unique(pairs))


def flag_counts(flags: Mapping[str, Flags], rows: RowIndexes) -> dict[str, int]:
    """Rows with each flag."""
    return {name: int(np.count_nonzero(flag[rows])) for name, flag in flags.items()}
