"""Values of one column in matched rows, compared. Pure: Arrow arrays in, NumPy arrays out.

Rules: NULL equals NULL and nothing else. Numbers are equal when they are the same number, DECIMALs and whole numbers
digit by digit; where one side is FLOAT and the other DOUBLE, when both are the same FLOAT. A difference is new less old
in double precision, from the exact difference where whole numbers exceed it; DECIMALs are made DOUBLE before. Texts of
different character sets are compared as text, a text and a number by the text that the number is printed as, times of
two types as instants, bits by the number that they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from skyshard.basics.array_types import Flags, Floats, RowIndexes
from skyshard.db.charsets import codec_of
from skyshard.releases.differences.columns.compared_columns import ComparedColumn, Kind
from skyshard.rowimage.arrays import as_doubles
from skyshard.rowimage.sqltype import SqlType, TypeClass

_EXACT_IN_DOUBLE = 2**53
_MOST_DIGITS, _DIGITS_OF_64_BITS = 76, 20
_INSTANTS = ("date", "datetime", "timestamp")
_EXACT = (TypeClass.INTEGER, TypeClass.DECIMAL)
_IDLE = r"\.0*$|(\.\d*[1-9])0+$"
"""Digits behind the point that say nothing."""


@dataclass(frozen=True, slots=True)
class ComparedValues:
    """One column of some matched rows."""

    equal: Flags
    nulls_old: int
    nulls_new: int
    both: int
    """Rows with a value on both sides."""
    rows: RowIndexes
    """Rows whose numbers differ, also by less than makes them unequal."""
    differences: Floats
    """Of these rows, never 0."""


_NO_ROWS, _NO_NUMBERS = np.empty(0, np.intp), np.empty(0)


def compare_values(old: pa.Array, new: pa.Array, column: ComparedColumn) -> ComparedValues:
    """Compare two arrays of one length, row by row."""
    if column.kind is Kind.TEXT:
        first = comparable_texts(old, column.old.type, column)
        return _compare_texts(first, comparable_texts(new, column.new.type, column))
    first, second = numbers_of(old), numbers_of(new)
    both = None if first.valid is None and second.valid is None else _flags(first, len(old)) & _flags(second, len(old))
    same = _same_numbers(first.values, second.values)
    if any(pa.types.is_decimal(side.type) for side in (old, new)) and all(map(_is_exact, (old.type, new.type))):
        same = pc.fill_null(_same_decimals(_decimals(old), _decimals(new)), False).to_numpy(zero_copy_only=False)
    equal = same if both is None else np.where(both, same, _flags(first, len(old)) == _flags(second, len(old)))
    rows, differences = _NO_ROWS, _NO_NUMBERS
    if column.kind is Kind.NUMBER:
        rows, differences = _differences(first.values, second.values, both, same)
    count = len(old) if both is None else int(np.count_nonzero(both))
    return ComparedValues(equal, old.null_count, new.null_count, count, rows, differences)


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """Values of a column of numbers; where ``valid`` is False they mean nothing."""

    values: NDArray[Any]
    valid: Flags | None
    """None: there is no NULL."""


def numbers_of(array: pa.Array) -> NumberColumn:
    """Integers and floats as they are, DECIMALs in double precision."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_decimal(array.type):
        array = as_doubles(array)
    valid = None if not array.null_count else array.is_valid().to_numpy(zero_copy_only=False)
    dtype = np.dtype(array.type.to_pandas_dtype())
    buffer = array.buffers()[1]
    if buffer is None:
        return NumberColumn(np.zeros(len(array), dtype), valid)
    return NumberColumn(np.frombuffer(buffer, dtype)[array.offset : array.offset + len(array)], valid)


def _flags(column: NumberColumn, rows: int) -> Flags:
    return np.ones(rows, np.bool_) if column.valid is None else column.valid


def _same_numbers(old: NDArray[Any], new: NDArray[Any]) -> Flags:
    kinds = {old.dtype.kind, new.dtype.kind}
    if old.dtype == new.dtype:
        return np.asarray(old == new)
    if kinds == {"f"}:
        with np.errstate(over="ignore"):
            return np.asarray(old.astype(np.float32) == new.astype(np.float32))
    if kinds == {"i", "u"}:  # the sign is looked at before the bits
        is_negative = (old < 0) if old.dtype.kind == "i" else (new < 0)
        return np.asarray((old.astype(np.uint64) == new.astype(np.uint64)) & ~is_negative)
    if "f" in kinds:
        return np.asarray(old.astype(np.longdouble) == new.astype(np.longdouble))
    return np.asarray(old == new)


def _is_exact(kind: pa.DataType) -> bool:
    return bool(pa.types.is_decimal(kind) or pa.types.is_integer(kind))


def _decimals(values: pa.Array) -> pa.Array:
    return values.cast(pa.decimal256(_DIGITS_OF_64_BITS, 0)) if pa.types.is_integer(values.type) else values


def _same_decimals(old: pa.Array, new: pa.Array) -> pa.Array:
    """Whether digits are the same; no type may have room for those of both before and behind the point."""
    fine, coarse = (old, new) if old.type.scale >= new.type.scale else (new, old)
    scale = coarse.type.scale
    rounded = pc.round(fine, ndigits=scale, round_mode="towards_zero")
    cut, whole = (values.cast(pa.decimal256(_MOST_DIGITS, scale)) for values in (rounded, coarse))
    return pc.and_(pc.equal(rounded, fine), pc.equal(cut, whole))


def _differences(old: NDArray[Any], new: NDArray[Any], both: Flags | None, same: Flags) -> tuple[RowIndexes, Floats]:
    """Rows whose numbers are not the very same, and by how much."""
    is_exact = old.dtype == new.dtype or {old.dtype.kind, new.dtype.kind} != {"f"}
    differ = ~same if is_exact else old.astype(np.float64) != new.astype(np.float64)
    if both is not None:
        differ &= both
    rows = np.flatnonzero(differ)
    before, after = old[rows], new[rows]
    with np.errstate(over="ignore", invalid="ignore"):
        if _fits_double(before) and _fits_double(after):
            found = after.astype(np.float64) - before.astype(np.float64)
        else:
            found = (after.astype(np.longdouble) - before.astype(np.longdouble)).astype(np.float64)
    return rows, found


def _fits_double(values: NDArray[Any]) -> bool:
    if values.dtype.kind == "f" or values.dtype.itemsize < 8 or not len(values):
        return True
    return int(values.max()) <= _EXACT_IN_DOUBLE and int(values.min()) >= -_EXACT_IN_DOUBLE


def comparable_texts(array: pa.Array, kind: SqlType, column: ComparedColumn) -> pa.Array:
    """Values, whatever they are, as bytes that can be compared with those of the other side.

    Args:
        kind: the type of the side that they are of.
    """
    if column.old.type.text != column.new.type.text:
        array = _of_any_type(array, kind, (column.old.type, column.new.type))
    if not (pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)):
        array = array.cast(pa.string()).cast(pa.binary())
    if column.old.type.charset != column.new.type.charset and kind.charset:
        array = _in_utf8(array, kind.charset)
    return array.cast(pa.large_binary())


def _of_any_type(array: pa.Array, kind: SqlType, kinds: Sequence[SqlType]) -> pa.Array:
    """Times, exact numbers and bits as they can be compared with those of another type: all digits that say something,
    no others."""
    bases = {one.base for one in kinds}
    if all(one.type_class in _EXACT for one in kinds):
        return pc.replace_substring_regex(array.cast(pa.string()), _IDLE, r"\1")
    if bases.issubset(_INSTANTS) or bases == {"time"}:
        if kind.base == "date":
            midnight = pa.scalar(b" 00:00:00", array.type)
            array = pc.binary_join_element_wise(array, midnight, pa.scalar(b"", array.type))
        return pc.replace_substring_regex(array, _IDLE, r"\1")
    if "bit" in bases and kind.base == "bit":
        distinct = array.dictionary_encode()
        numbers = [None if raw is None else int.from_bytes(raw) for raw in distinct.dictionary.to_pylist()]
        return pa.array(numbers, pa.uint64()).take(distinct.indices)
    return array


def _in_utf8(array: pa.Array, charset: str) -> pa.Array:
    codec = codec_of(charset)
    unique = array.dictionary_encode()
    texts = [None if one is None else one.decode(codec, "replace").encode() for one in unique.dictionary.to_pylist()]
    return pa.array(texts, pa.binary()).take(unique.indices)


def _compare_texts(old: pa.Array, new: pa.Array) -> ComparedValues:
    same = pc.equal(old, new)
    both = len(same) - same.null_count
    equal = pc.fill_null(same, False).to_numpy(zero_copy_only=False)
    if old.null_count and new.null_count:
        equal = equal | pc.and_(old.is_null(), new.is_null()).to_numpy(zero_copy_only=False)
    return ComparedValues(equal, old.null_count, new.null_count, both, _NO_ROWS, _NO_NUMBERS)
