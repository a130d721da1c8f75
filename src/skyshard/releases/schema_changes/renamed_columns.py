"""Which removed column an added one is: by the values of rows with equal keys, else by names that are alike. No I/O.

Rules: by value counts only where the values tell columns apart, and where exactly one removed and one added column
agree. A guess by name needs the best likeness on both sides, and types of one class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from skyshard.catalog.schema import Column
from skyshard.releases.schema_changes.schema_difference import RenamedColumn, retyped_column
from skyshard.rowimage.sqltype import TypeClass

FEWEST_ROWS = 8
"""Rows with equal keys below which values prove nothing."""
_FEWEST_VALUES = 3
_LEAST_LIKENESS = 0.66


@dataclass(frozen=True, slots=True)
class MatchedRows:
    """Rows of both sides with equal keys, in the same order; columns by their names."""

    old: pa.Table
    new: pa.Table

    @property
    def rows(self) -> int:
        return int(self.old.num_rows)


def match_rows(old: pa.Table, new: pa.Table, old_key: str, new_key: str) -> MatchedRows:
    """Bring rows with equal keys side by side; keys that occur twice on a side are left out."""
    sides = []
    keys = [_single_keys(table.column(key)) for table, key in ((old, old_key), (new, new_key))]
    both = np.intersect1d(keys[0][0], keys[1][0], assume_unique=True)
    for table, (values, places) in zip((old, new), keys, strict=True):
        sides.append(table.take(pa.array(places[np.searchsorted(values, both)])))
    return MatchedRows(*sides)


def _single_keys(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keys that occur once, sorted, and their rows."""
    numbers = column.cast(pa.int64(), safe=False).fill_null(0).to_numpy()
    is_there = np.asarray(column.is_valid())
    values, places, counts = np.unique(numbers[is_there], return_index=True, return_counts=True)
    return values[counts == 1], np.flatnonzero(is_there)[places[counts == 1]]


def renamed_columns(
    removed: Sequence[Column], added: Sequence[Column], rows: MatchedRows | None, *, is_strict: bool
) -> dict[str, RenamedColumn]:
    """The renamed ones of the removed columns, by name without case.

    Args:
        rows: the columns' values where both sides have rows; None where one has none.
    """
    found: dict[str, RenamedColumn] = {}
    if rows is not None and rows.rows >= FEWEST_ROWS:
        for old, new in _by_value(removed, added, rows):
            found[old.name.lower()] = _renamed(old, new, is_strict, by="value", rows=rows.rows)
    taken = {change.new for change in found.values()}
    left = [column for column in removed if column.name.lower() not in found]
    for old, new, likeness in _by_name(left, [column for column in added if column.name not in taken]):
        found[old.name.lower()] = _renamed(old, new, is_strict, by="name", likeness=round(likeness, 3))
    return found


def _renamed(old: Column, new: Column, is_strict: bool, **how: object) -> RenamedColumn:
    retyped = retyped_column(old, new, is_strict=is_strict)
    return RenamedColumn.model_validate({"old": old.name, "new": new.name, "retyped": retyped, **how})


# by value


def _by_value(removed: Sequence[Column], added: Sequence[Column], rows: MatchedRows) -> list[tuple[Column, Column]]:
    """Pairs of which each column's digest is that of the other and of no third one."""
    before = _by_digest(removed, rows.old)
    after = _by_digest(added, rows.new)
    pairs = {
        (ones[0].name, twos[0].name): (ones[0], twos[0])
        for digest, ones in before.items()
        if len(ones) == 1 and len(twos := after.get(digest, [])) == 1
    }
    return list(pairs.values())


def _by_digest(columns: Sequence[Column], table: pa.Table) -> dict[str, list[Column]]:
    """Columns by the digests of their values, in double precision and in single; constant ones have none."""
    found: dict[str, list[Column]] = {}
    for column in columns:
        if column.name in table.column_names:
            for digest in _digests(table.column(column.name)):
                found.setdefault(digest, []).append(column)
    return found


def _digests(values: pa.ChunkedArray) -> list[str]:
    kind = values.type
    if pc.count_distinct(values).as_py() < _FEWEST_VALUES:
        return []
    if pa.types.is_boolean(kind):
        values, kind = values.cast(pa.int8()), pa.int8()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = pc.cast(values, pa.float64(), safe=False).to_numpy()
        numbers = np.where(np.isfinite(numbers), numbers + 0.0, np.nan)  # what is stored: NULL; -0 is 0
        with np.errstate(over="ignore"):
            single = numbers.astype(np.float32)
        if len(np.unique(single)) < _FEWEST_VALUES:
            return []
        widths = ("d", numbers.tobytes()), ("s", single.tobytes())
        return [f"{width}{xxhash.xxh3_128_hexdigest(raw)}" for width, raw in widths]
    texts = values.to_pylist()
    plain = [text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text) for text in texts]
    return [f"t{xxhash.xxh3_128_hexdigest(repr(plain).encode())}"]


# by name


def _by_name(removed: Sequence[Column], added: Sequence[Column]) -> list[tuple[Column, Column, float]]:
    """Pairs of names that are equal but for case and underscores, then those that are each other's best."""
    same = _by_plain_name(removed, added)
    taken = {column.name for pair in same for column in pair[:2]}
    removed, added = ([c for c in columns if c.name not in taken] for columns in (removed, added))
    return [*same, *_by_letters(removed, added)]


def _by_plain_name(removed: Sequence[Column], added: Sequence[Column]) -> list[tuple[Column, Column, float]]:
    """Names that differ in case and underscores only, each once."""
    plain: dict[tuple[str, str], list[Column]] = {}
    for column in (*removed, *added):
        plain.setdefault((_plain_name(column.name), _kind_of(column)), []).append(column)
    old = {column.name for column in removed}
    pairs = (pair for pair in plain.values() if len(pair) == 2)
    return [(one, two, 1.0) for one, two in pairs if one.name in old and two.name not in old]


def _by_letters(removed: Sequence[Column], added: Sequence[Column]) -> list[tuple[Column, Column, float]]:
    if not removed or not added:
        return []
    letters = sorted({pair for column in (*removed, *added) for pair in _letter_pairs(column.name)})
    places = {pair: place for place, pair in enumerate(letters)}
    one, two = _counts(removed, places), _counts(added, places)
    sums = one.sum(1)[:, None] + two.sum(1)[None, :]
    likeness = 2 * (one @ two.T) / np.maximum(sums, 1)
    classes = [np.array([_kind_of(column) for column in columns]) for columns in (removed, added)]
    likeness[classes[0][:, None] != classes[1][None, :]] = 0
    best_new, best_old = likeness.argmax(1), likeness.argmax(0)
    return [
        (removed[i], added[j], float(likeness[i, j]))
        for i, j in enumerate(best_new.tolist())
        if best_old[j] == i and likeness[i, j] >= _LEAST_LIKENESS
    ]


def _counts(columns: Sequence[Column], places: Mapping[str, int]) -> NDArray[np.float32]:
    counts = np.zeros((len(columns), len(places)), np.float32)
    for row, column in enumerate(columns):
        for pair in _letter_pairs(column.name):
            counts[row, places[pair]] = 1
    return counts


def _plain_name(name: str) -> str:
    return name.lower().replace("_", "")


def _letter_pairs(name: str) -> set[str]:
    """The pairs of neighbouring letters of a name, without case and underscores, its ends marked.

    >>> sorted(_letter_pairs("g_Ra"))
    ['^g', 'a$', 'gr', 'ra']
    """
    plain = f"^{_plain_name(name)}$"
    return {plain[at : at + 2] for at in range(len(plain) - 1)}


def _kind_of(column: Column) -> str:
    return "number" if column.type.type_class is not TypeClass.BYTES else "text"
