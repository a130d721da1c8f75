"""Converts texts to values of a column's type, strictly: taken as they are, converted and counted, or refused.

No I/O. Rows in errors count from 0 within the array given.
"""

from __future__ import annotations

import codecs
from collections import Counter
from decimal import MAX_EMAX, MIN_EMIN, ROUND_DOWN, Context, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Column
from skyshard.db.charsets import BYTES_A_CHARACTER
from skyshard.ingest.values import double_digits
from skyshard.ingest.values.float_digits import as_declared, count_lost_digits
from skyshard.ingest.values.json_texts import first_broken
from skyshard.rowimage.arrays import as_text
from skyshard.rowimage.sqltype import MOST_DIGITS, SqlType, TypeClass
from skyshard.rowimage.strings import without_trailing_spaces

_FLOAT = rb"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_NON_FINITE = rb"^\s*[+-]?(nan|inf|infinity)\s*$"
_NULL = rb"^\s*null\s*$"
_LOST = rb"^\s*([+-]?(nan|inf|infinity)|null)\s*$"
_BOOLEAN = rb"^\s*(true|false)\s*$"
_INTEGER = rb"^\s*[+-]?\d+(\.0*)?\s*$"
_REMEDY = "fix the value, or say in null_text (in a dump: \\N) what means NULL"
_CLOCKS = ("time", "datetime", "timestamp")
_LONGEST_SECOND = 19
_SHOWN_BYTES = 160
_MOST_DIGITS = 76
_LONG_NUMBER = r"[eE][+-]?\d{2}|\d{30}|\.\d{38}"
_EXACT = Context(prec=2000, Emax=MAX_EMAX, Emin=MIN_EMIN)


class RowError(Exception):
    """A value or row that cannot be taken; becomes a ``UserError`` where the file is known."""

    def __init__(self, what: str, row: int, column: str, remedy: str, *, untyped: str = "") -> None:
        """``untyped``: what is wrong without the type that a value has in a Parquet file, where ``what`` says it."""
        self.what, self.row, self.column, self.remedy = what, row, column, remedy
        self.untyped = untyped or what
        super().__init__(what)

    @classmethod
    def of_type(cls, value: object, kind: object, what: str, row: int, column: str, remedy: str) -> RowError:
        """What is wrong with a value that has a type of its own."""
        return cls(f"{value} of Parquet type {kind} {what}", row, column, remedy, untyped=f"{value} {what}")

    def of_column(self, column: str) -> RowError:
        """The same of another column: the one that is made of it."""
        return RowError(self.what, self.row, column, self.remedy, untyped=self.untyped)

    def in_file(self, path: str, row: int, *, has_types: bool = True) -> UserError:
        """The error of a column with its file and row, for callers that know where the batch comes from.

        Args:
            has_types: whether values have types there; those of a text file have none.
        """
        what = self.what if has_types else self.untyped
        return UserError(f"'{path}', row {row}, column '{self.column}': {what}", remedy=self.remedy)


def to_column(texts: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Binary texts (null = SQL NULL) as an array of the column's Arrow type.

    Raises:
        RowError: the first value that has no place in the column.
    """
    kind = column.type.type_class
    if kind is TypeClass.FLOATING:
        values = _floats(texts, column, conversions)
    elif kind is TypeClass.INTEGER:
        values = _integers(texts, column, conversions)
    elif kind is TypeClass.DECIMAL:
        values = _decimals(texts, column, conversions)
    else:
        values = _without_dropped_digits(texts, column, conversions).cast(column.type.arrow)
        check_length(values, column.type)
    check_sign(values, column)
    check_not_null(values, column)
    return values


def to_doubles(texts: pa.Array) -> NDArray[np.float64]:
    """Texts that ``to_column`` took as numbers, at full precision; NULL and what it made NULL are NaN."""
    trimmed = pc.utf8_trim_whitespace(pc.cast(without_lost(texts), pa.string()))
    result: NDArray[np.float64] = pc.cast(trimmed, pa.float64()).to_numpy(zero_copy_only=False)
    return result


def without_lost(texts: pa.Array) -> pa.Array:
    """Texts, those that ``to_column`` makes NULL in a column of numbers as NULL."""
    is_lost = pc.fill_null(pc.match_substring_regex(texts, _LOST.decode(), ignore_case=True), False)
    return pc.if_else(is_lost, pa.scalar(None, texts.type), texts)


def check_sign(values: pa.Array, column: Column) -> None:
    """Negative numbers of UNSIGNED floats are refused here: a row image would store them, the server does not."""
    if column.type.type_class is not TypeClass.FLOATING or not column.type.is_unsigned:
        return
    is_negative = values.fill_null(0.0).to_numpy(zero_copy_only=False) < 0
    if is_negative.any():
        row = int(is_negative.argmax())
        what = f"{values[row].as_py()} is out of range for {column.type.text}"
        raise RowError(what, row, column.name, "declare the column signed")


def check_not_null(values: pa.Array, column: Column) -> None:
    if not column.is_nullable and values.null_count:
        row = int(pc.index(pc.is_null(values), True).as_py())
        raise RowError("NULL in a NOT NULL column", row, column.name, "fill it, or drop NOT NULL from the schema")


def _first_not(texts: pa.Array, pattern: bytes) -> int | None:
    """Row of the first non-null text that does not match."""
    ok = pc.fill_null(pc.match_substring_regex(texts, pattern.decode(), ignore_case=True), True)
    row = pc.index(ok, False).as_py()
    return None if row < 0 else int(row)


def _shown(texts: pa.Array, row: int) -> str:
    """A text for a message: UTF-8, which most files are, else latin1, in which all bytes are letters."""
    raw = texts[row].as_py()
    try:
        cut_off = len(raw) > _SHOWN_BYTES  # within a letter, perhaps
        return repr(codecs.getincrementaldecoder("utf-8")().decode(raw[:_SHOWN_BYTES], final=not cut_off)[:40])
    except UnicodeDecodeError:
        return repr(raw[:40].decode("latin1"))


def _nullify(texts: pa.Array, pattern: bytes, what: str, conversions: Counter[str]) -> pa.Array:
    hit = pc.match_substring_regex(texts, pattern.decode(), ignore_case=True)
    found = int(pc.sum(hit).as_py() or 0)
    if not found:
        return texts
    conversions[what] += found
    return pc.if_else(pc.fill_null(hit, False), pa.scalar(None, texts.type), texts)


def _numbers(texts: pa.Array, pattern: bytes, column: Column, conversions: Counter[str]) -> pa.Array:
    """The texts, those that are no numbers on purpose as NULL and counted.

    Raises:
        RowError: the first that does not match all the same.
    """
    if _first_not(texts, pattern) is None:
        return texts
    texts = _nullify(texts, _NON_FINITE, f"{column.name}: NaN or infinity → NULL", conversions)
    texts = _nullify(texts, _NULL, f"{column.name}: the word NULL → NULL", conversions)
    if column.type.type_class is TypeClass.INTEGER:
        texts = _booleans(texts, column, conversions)
    bad = _first_not(texts, pattern)
    if bad is not None:
        kind = "whole number" if pattern == _INTEGER else "number"
        raise RowError(f"{_shown(texts, bad)} is no {kind}", bad, column.name, _REMEDY)
    return texts


def _floats(texts: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    texts = _numbers(texts, _FLOAT, column, conversions)
    trimmed = pc.utf8_trim_whitespace(pc.cast(texts, pa.string()))
    given = pc.cast(trimmed, pa.float64())
    values = rounded_as_declared(given, column, conversions)
    numbers = values.fill_null(0.0).to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):
        stored = numbers.astype(np.float32) if column.type.base == "float" else numbers
    out = ~np.isfinite(stored)
    if out.any():
        row = int(out.argmax())
        raise RowError(
            f"{_shown(texts, row)} is out of range for {column.type.text}", row, column.name, "use a wider type"
        )
    count_lost_text(trimmed, given, column, conversions)
    return rounded_to_float(values, column, conversions) if column.type.base == "float" else values


def count_lost_text(texts: pa.Array, values: pa.Array, column: Column, conversions: Counter[str]) -> None:
    """Count the texts, without spaces around them, that are other numbers than the doubles read from them.

    What a FLOAT, or declared decimals, make of those doubles is counted on its own.
    """
    is_double = column.type.base == "double" and len(column.type.arguments) != 2
    count = double_digits.count_lost_digits if is_double else double_digits.count_vanished
    if lost := count(texts, values):
        conversions[f"{column.name}: rounded to {column.type.base.upper()}"] += lost


def rounded_as_declared(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Floats of columns with declared decimals rounded as the server does; those that change are counted.

    Raises:
        RowError: more digits before the point than are declared.
    """
    if column.type.type_class is not TypeClass.FLOATING or len(column.type.arguments) != 2:
        return values
    numbers = values.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    rounded, most = as_declared(numbers, *column.type.arguments)
    outside = np.abs(rounded) > most
    if outside.any():
        row = int(outside.argmax())
        raise RowError(f"{numbers[row]} does not fit {column.type.text}", row, column.name, "use a wider type")
    if changed := int(np.count_nonzero(rounded != numbers)):
        conversions[f"{column.name}: rounded to {column.type.arguments[1]} decimals"] += changed
    return pa.array(rounded, mask=np.asarray(values.is_null())) if changed else values


def rounded_to_float(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Numbers of decimal texts as 32-bit floats; those that lose digits are counted."""
    narrow = values.cast(pa.float32(), safe=False)
    wide, stored = (array.fill_null(0.0).to_numpy(zero_copy_only=False) for array in (values, narrow))
    if rounded := count_lost_digits(wide, stored):
        conversions[f"{column.name}: rounded to FLOAT"] += rounded
    return narrow


def _integers(texts: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    texts = _numbers(texts, _INTEGER, column, conversions)
    low, high = column.type.integer_range()
    trimmed = pc.replace_substring_regex(pc.utf8_trim_whitespace(pc.cast(texts, pa.string())), r"^\+|\.0*$", "")
    wide = pa.uint64() if column.type.is_unsigned else pa.int64()
    if column.type.is_unsigned:
        trimmed = pc.replace_substring_regex(trimmed, r"^-(0+)$", r"\1")
    try:
        values = pc.cast(trimmed, wide)
    except pa.ArrowInvalid:
        raise _out_of_range(texts, _first_uncast(trimmed, wide), column) from None
    ok = pc.fill_null(
        pc.and_(pc.greater_equal(values, pa.scalar(low, wide)), pc.less_equal(values, pa.scalar(high, wide))), True
    )
    row = pc.index(ok, False).as_py()
    if row >= 0:
        raise _out_of_range(texts, int(row), column)
    return values.cast(column.type.arrow)


def _out_of_range(texts: pa.Array, row: int, column: Column) -> RowError:
    low, high = column.type.integer_range()
    return RowError(
        f"{_shown(texts, row)} is outside {low} to {high} of {column.type.text}", row, column.name, "use a wider type"
    )


def _booleans(texts: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    hit = pc.fill_null(pc.match_substring_regex(texts, _BOOLEAN.decode(), ignore_case=True), False)
    found = int(pc.sum(hit).as_py() or 0)
    if not found:
        return texts
    conversions[f"{column.name}: true, false → 1, 0"] += found
    truth = pc.match_substring_regex(texts, "true", ignore_case=True)
    digits = pc.if_else(truth, pa.scalar(b"1", texts.type), pa.scalar(b"0", texts.type))
    return pc.if_else(hit, digits, texts)


def _decimals(texts: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Decimals; further digits are rounded half away from zero, as the server does, and counted."""
    texts = _numbers(texts, _FLOAT, column, conversions)
    target = column.type.arrow
    trimmed = _written_out(pc.utf8_trim_whitespace(pc.cast(texts, pa.string())), target.scale)
    _require_digits(trimmed, texts, column)
    try:
        return pc.cast(trimmed, target)
    except pa.ArrowInvalid:
        wide = pa.decimal256(_MOST_DIGITS, _MOST_DIGITS - 1 - (target.precision - target.scale))
    exact = _fitting(trimmed, wide, texts, column)
    rounded = pc.round(exact, ndigits=target.scale, round_mode="half_towards_infinity")
    taken = _fitting(rounded, target, texts, column)
    conversions[f"{column.name}: rounded to {column.type.text}"] += pc.sum(pc.not_equal(rounded, exact)).as_py()
    return taken


def _require_digits(numbers: pa.Array, texts: pa.Array, column: Column) -> None:
    """Refuse numbers with more digits before the point than are declared: Arrow takes some of them for others."""
    digits = column.type.arrow.precision - column.type.arrow.scale
    sizes = np.abs(pc.cast(numbers, pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False))
    outside = sizes > 10.0**digits
    if outside.any():
        row = int(outside.argmax())
        raise RowError(f"{_shown(texts, row)} does not fit {column.type.text}", row, column.name, "use a wider type")


def _written_out(texts: pa.Array, scale: int) -> pa.Array:
    """Numbers with exponents of several digits, or of very many digits, as Arrow reads them.

    It has no exponents beyond 76, and takes some below -256 for others. Digits far behind those that count become
    one that stands for them.
    """
    hit = pc.fill_null(pc.match_substring_regex(texts, _LONG_NUMBER), False)
    if not pc.any(hit).as_py():
        return texts
    given = pc.filter(texts, hit).to_pylist()
    return pc.replace_with_mask(texts, hit, pa.array([_shortened(text, scale) for text in given], texts.type))


def _shortened(text: str, scale: int) -> str:
    """The same number when it is rounded; what no DECIMAL holds as it is."""
    try:
        number = _EXACT.create_decimal(text)
        if not number or number.adjusted() > MOST_DIGITS:
            return text if number else "0"
        kept = number.quantize(Decimal(1).scaleb(-scale - 2), rounding=ROUND_DOWN, context=_EXACT)
    except ArithmeticError:
        return text
    rest = "" if kept == number else "1"
    return f"{'-' * (number < 0)}{kept.copy_abs():f}{rest}"


def _fitting(values: pa.Array, target: pa.DataType, texts: pa.Array, column: Column) -> pa.Array:
    """The values in a type that may be too narrow for some; these are named by their texts."""
    try:
        return pc.cast(values, target)
    except pa.ArrowInvalid:
        row = _first_uncast(values, target)
    raise RowError(f"{_shown(texts, row)} does not fit {column.type.text}", row, column.name, "use a wider type")


def _first_uncast(values: pa.Array, target: pa.DataType) -> int:
    """Row of the first value that the type cannot hold, by bisection."""
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            pc.cast(values[low:middle], target)
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


def has_dropped_digits(texts: pa.Array, kind: SqlType) -> bool:
    """True where some text has more digits of the second than its type stores."""
    if kind.base not in _CLOCKS:
        return False
    digits = _second_digits(kind)
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if kind.base != "time" and longest <= _LONGEST_SECOND + (digits and digits + 1):
        return False
    return bool(pc.any(pc.match_substring_regex(texts, _past(digits) + "$")).as_py())


def _without_dropped_digits(texts: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Times cut to the digits of their type, as the server cuts them; those that change are counted."""
    if not has_dropped_digits(texts, column.type):
        return texts
    digits = _second_digits(column.type)
    lost = pc.sum(pc.match_substring_regex(texts, _past(digits, "[0-9]*[1-9][0-9]*") + "$")).as_py() or 0
    if lost:
        conversions[f"{column.name}: digits past {digits} of the second dropped"] += int(lost)
    return pc.replace_substring_regex(texts, _past(digits) + "$", r"\1")


def _past(digits: int, more: str = "[0-9]+") -> str:
    """Pattern of a clock with more digits; the group is what is kept."""
    kept = r":[0-9]{2}:[0-9]{2}"
    return rf"({kept}\.[0-9]{{{digits}}}){more}" if digits else rf"({kept})\.{more}"


def _second_digits(kind: SqlType) -> int:
    return kind.arguments[0] if kind.arguments else 0


def check_length(values: pa.Array, sql_type: SqlType) -> None:
    """Over-long values, and texts of JSON columns that are none, are refused here, not by the server.

    Raises:
        RowError: the first of them; the column is the caller's to name.
    """
    if sql_type.base == "json" and (row := first_broken(values)) >= 0:
        raise RowError(f"{_shown(values, row)} is no JSON", row, "", "fix the text, or declare the column as text")
    if sql_type.is_blob:
        most, unit = sql_type.most_bytes, "bytes"
    elif sql_type.base in ("char", "varchar", "binary", "varbinary"):
        most, unit = sql_type.length, "bytes" if BYTES_A_CHARACTER.get(sql_type.charset, 1) == 1 else "characters"
    else:
        return
    longer = np.flatnonzero(_lengths(values, unit) > most)
    if not len(longer):
        return
    if sql_type.base == "char":
        values = without_trailing_spaces(values)
        longer = np.flatnonzero(_lengths(values, unit) > most)
    if len(longer):
        row = int(longer[0])
        length = _lengths(values.slice(row, 1), unit)[0]
        raise RowError(f"value of {length} {unit} in {sql_type.text}", row, "", "use a longer type, or cut it")


def _lengths(values: pa.Array, unit: str) -> NDArray[np.int64]:
    counted = pc.utf8_length(as_text(values)) if unit == "characters" else pc.binary_length(values)
    lengths: NDArray[np.int64] = pc.fill_null(counted, 0).to_numpy(zero_copy_only=False)
    return lengths
