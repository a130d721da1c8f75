"""DATE, TIME, DATETIME, TIMESTAMP and YEAR: text as MariaDB prints it ↔ the integer that a record stores.

Rules: one canonical text a value (`2012-03-06 05:02:47.120000` for DATETIME(6)); a missing time of day is midnight;
digits past the declared fraction are cut off, as the server does; TIMESTAMP text is UTC. Zero dates are values.
Source: MariaDB 10.11 `sql/compat56.cc` (DATETIME, TIME, TIMESTAMP), checked against bytes that the server wrote.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import Bytes, Flags, Integers, Words
from skyshard.rowimage.arrays import (
    ByteStrings,
    Origin,
    big_endian,
    binary_array,
    from_big_endian,
    from_little_endian,
    little_endian,
    padded,
    validity_bytes,
)

BASES = ("date", "time", "datetime", "timestamp", "year")
_WHOLE_BYTES = {"date": 3, "time": 3, "datetime": 5, "timestamp": 4, "year": 1}
_DATE_LENGTH, _MINUTE_LENGTH, _SECOND_LENGTH, _MICRO_LENGTH = 10, 16, 19, 26
_LONGEST_TEXT = 40
_DAYS = np.array([31, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
"""Longest day of month 0 (a zero-in-date) to 12."""
_ALL_ONES = np.uint64(2**64 - 1)
_LAST_TIMESTAMP = 2**31 - 1
_LAST_TIME_SECOND = 838 * 3600 + 59 * 60 + 59
_REMEDY = {
    "date": "write YYYY-MM-DD",
    "time": "write [-]HH:MM:SS[.ffffff], at most 838:59:59.999999",
    "datetime": "write YYYY-MM-DD HH:MM:SS[.ffffff]",
    "timestamp": "write YYYY-MM-DD HH:MM:SS[.ffffff], 1970-01-01 00:00:01 to 2038-01-19 03:14:07 UTC",
    "year": "write four digits, 0000 or 1901 to 2155",
}


@dataclass(frozen=True, slots=True)
class TemporalCodec:
    """One temporal type; ``digits`` is its number of fraction digits, 0 to 6.

    >>> codec = TemporalCodec("datetime", 2)
    >>> texts = pa.array([b"2012-03-06", b"2012-03-06 05:02:47.129"])
    >>> cells = codec.encode(texts, Origin("at", "datetime(2)", 0))
    >>> codec.decode(cells, None).to_pylist()
    [b'2012-03-06 00:00:00.00', b'2012-03-06 05:02:47.12']
    """

    base: str
    digits: int = 0

    @property
    def fraction_bytes(self) -> int:
        return (self.digits + 1) // 2

    @property
    def width(self) -> int:
        return _WHOLE_BYTES[self.base] + self.fraction_bytes

    def encode(self, array: pa.Array, origin: Origin) -> Bytes:
        stored = self.stored(array, origin)
        is_little = self.base in ("date", "year")
        return little_endian(stored, self.width) if is_little else big_endian(stored, self.width)

    def decode(self, cells: Bytes, valid: Bytes | None) -> pa.Array:
        if self.base == "time":
            return _time_array(from_big_endian(cells), self, valid)
        if self.base in ("date", "year"):
            stored = from_little_endian(cells).astype(np.int64)
            text = _date_text(stored) if self.base == "date" else _year_text(stored)
        else:
            text = _datetime_text(from_big_endian(cells), self)
        return binary_array(text, None, valid)

    def stored(self, array: pa.Array, origin: Origin) -> Words:
        """The integer whose bytes a record holds; that of the zero value at nulls.

        Raises:
            UserError: a text that is not a value of the type, with its row.
        """
        longest = int(ByteStrings.of(array).lengths.max(initial=0))
        width = max(_MICRO_LENGTH, min(longest, _LONGEST_TEXT))
        if longest > _LONGEST_TEXT:
            origin.refuse(ByteStrings.of(array).lengths > _LONGEST_TEXT, array, _REMEDY[self.base])
        text, lengths = padded(array, width, "0"), ByteStrings.of(array).lengths
        read = {"date": _read_date, "time": _read_time, "year": _read_year}.get(self.base, _read_datetime)
        values, good = read(text, lengths, self)
        valid = validity_bytes(array)
        if valid is not None:
            good |= valid == 0
            values = np.where(valid == 0, self.zero, values)
        if not good.all():
            origin.refuse(~good, array, _REMEDY[self.base])
        return values.astype(np.uint64)

    @property
    def offset(self) -> int:
        """Added to the whole units, so that byte order is time order."""
        return {"time": 0x800000, "datetime": 0x8000000000}.get(self.base, 0)

    @property
    def zero(self) -> int:
        """What a record holds for the zero value, as a signed number of 64 bits."""
        stored = self.offset << (8 * self.fraction_bytes)
        return stored - (stored >> 63 << 64)

    def with_fraction(self, whole: Integers, micros: Integers) -> Integers:
        """Whole units and microseconds as one number, the fraction in its last ``fraction_bytes`` bytes."""
        kept = micros // 10 ** (6 - self.digits) * 10 ** (2 * self.fraction_bytes - self.digits)
        number: Integers = (whole << (8 * self.fraction_bytes)) | kept
        return number


def _number(text: Bytes, start: int, count: int) -> Integers:
    value = np.zeros(len(text), np.int64)
    for column in range(start, start + count):
        value *= 10
        value += text[:, column] - np.uint8(48)
    return value


def _are_digits(text: Bytes, *columns: int) -> Flags:
    good = np.ones(len(text), np.bool_)
    for column in columns:
        good &= (text[:, column] - np.uint8(48)) <= 9
    return good


def _is_one_of(text: Bytes, lengths: Integers, column: int, allowed: bytes) -> Flags:
    """The separator at ``column``; a text that ends before it needs none."""
    good: Flags = lengths <= column
    for letter in allowed:
        good |= text[:, column] == letter
    return good


def _is_day(year: Integers, month: Integers, day: Integers) -> Flags:
    last = _DAYS[np.minimum(month, 12)]
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    last = last - ((month == 2) & ~is_leap)
    good: Flags = (month <= 12) & (day <= last)
    return good


def _read_ymd(text: Bytes, lengths: Integers) -> tuple[Integers, Integers, Integers, Flags]:
    year, month, day = _number(text, 0, 4), _number(text, 5, 2), _number(text, 8, 2)
    good = _are_digits(text, 0, 1, 2, 3, 5, 6, 8, 9)
    good &= _is_one_of(text, lengths, 4, b"-") & _is_one_of(text, lengths, 7, b"-")
    return year, month, day, good & _is_day(year, month, day)


def _read_minutes(text: Bytes, lengths: Integers, start: int) -> tuple[Integers, Integers, Flags]:
    """``MM:SS.ffffff`` from ``start``: minute and second packed as the server does, microseconds, and whether good."""
    minute, second, micros = _number(text, start, 2), _number(text, start + 3, 2), _number(text, start + 6, 6)
    good = _are_digits(text, *(start + at for at in (0, 1, 3, 4)), *range(start + 6, text.shape[1]))
    good &= (minute <= 59) & (second <= 59)
    good &= _is_one_of(text, lengths, start + 2, b":") & _is_one_of(text, lengths, start + 5, b".")
    return (minute << 6) | second, micros, good


def _read_date(text: Bytes, lengths: Integers, codec: TemporalCodec) -> tuple[Integers, Flags]:
    year, month, day, good = _read_ymd(text, lengths)
    return (year << 9) | (month << 5) | day, good & (lengths == _DATE_LENGTH)


def _read_year(text: Bytes, lengths: Integers, codec: TemporalCodec) -> tuple[Integers, Flags]:
    year = _number(text, 0, 4)
    good = _are_digits(text, 0, 1, 2, 3) & (lengths == 4)
    good &= (year == 0) | ((year > 1900) & (year < 2156))
    return np.where(year == 0, 0, year - 1900), good


def _read_datetime(text: Bytes, lengths: Integers, codec: TemporalCodec) -> tuple[Integers, Flags]:
    year, month, day, good = _read_ymd(text, lengths)
    hour = _number(text, _DATE_LENGTH + 1, 2)
    minutes, micros, is_clock = _read_minutes(text, lengths, _DATE_LENGTH + 4)
    good &= is_clock & (hour <= 23) & _are_digits(text, _DATE_LENGTH + 1, _DATE_LENGTH + 2)
    good &= _is_one_of(text, lengths, _DATE_LENGTH, b" T") & _is_one_of(text, lengths, _DATE_LENGTH + 3, b":")
    good &= np.isin(lengths, (_DATE_LENGTH, _MINUTE_LENGTH, _SECOND_LENGTH)) | (lengths > _SECOND_LENGTH + 1)
    clock = (hour << 12) | minutes
    if codec.base == "timestamp":
        seconds, is_inside = _epoch(year, month, day, clock)
        return codec.with_fraction(seconds, np.where(seconds == 0, 0, micros)), good & is_inside
    whole = ((((year * 13 + month) << 5) | day) << 17) | clock
    return codec.with_fraction(whole, micros) + codec.zero, good


def _epoch(year: Integers, month: Integers, day: Integers, clock: Integers) -> tuple[Integers, Flags]:
    months = (year * 12 + month - 1 - 1970 * 12).astype("datetime64[M]")
    days = months.astype("datetime64[D]").astype(np.int64) + day - 1
    seconds = days * 86400 + (clock >> 12) * 3600 + ((clock >> 6) & 63) * 60 + (clock & 63)
    is_zero: Flags = (year == 0) & (month == 0) & (day == 0) & (clock == 0)
    good: Flags = is_zero | ((seconds >= 1) & (seconds <= _LAST_TIMESTAMP) & (month > 0) & (day > 0))
    return np.where(is_zero, 0, seconds), good


def _read_time(text: Bytes, lengths: Integers, codec: TemporalCodec) -> tuple[Integers, Flags]:
    colon = (text == ord(":")).argmax(axis=1)
    is_negative = text[:, 0] == ord("-")
    hour_digits = colon - is_negative
    good: Flags = (hour_digits >= 1) & (hour_digits <= 3)
    aligned = _hour_aligned(text, np.clip(colon, 0, 4), hour_digits)
    ends = lengths - colon + 3
    hour = _number(aligned, 0, 3)
    clock, micros, is_clock = _read_minutes(aligned, ends, 4)
    good &= is_clock & _are_digits(aligned, 0, 1, 2) & ((ends == 9) | (ends > 10))
    seconds = hour * 3600 + (clock >> 6) * 60 + (clock & 63)
    good &= seconds <= _LAST_TIME_SECOND
    value = codec.with_fraction((hour << 12) | clock, micros)
    return np.where(is_negative, -value, value) + codec.zero, good


def _hour_aligned(text: Bytes, colon: Integers, hour_digits: Integers) -> Bytes:
    """Rows shifted so that each reads ``HHH:MM:SS.ffffff``, sign dropped."""
    wide = np.pad(text, ((0, 0), (3, 4)), constant_values=ord("0"))
    aligned: Bytes = np.take_along_axis(wide, colon[:, None] + np.arange(text.shape[1] + 3), axis=1)
    aligned[:, :3][np.arange(3) < 3 - hour_digits[:, None]] = ord("0")
    return aligned


def _write(text: Bytes, start: int, count: int, values: Integers) -> None:
    """Decimal digits of ``values`` into ``count`` columns from ``start``."""
    for column in range(start + count - 1, start - 1, -1):
        values, digit = np.divmod(values, 10)
        text[:, column] = digit + ord("0")


def _write_fraction(text: Bytes, start: int, fraction: Integers, codec: TemporalCodec) -> None:
    if codec.digits:
        text[:, start] = ord(".")
        _write(text, start + 1, codec.digits, fraction // 10 ** (2 * codec.fraction_bytes - codec.digits))


def _template(rows: int, pattern: bytes, digits: int) -> Bytes:
    width = len(pattern) + (digits + 1 if digits else 0)
    text = np.empty((rows, width), np.uint8)
    text[:, : len(pattern)] = np.frombuffer(pattern, np.uint8)
    return text


def _date_text(stored: Integers) -> Bytes:
    text = _template(len(stored), b"0000-00-00", 0)
    _write(text, 0, 4, stored >> 9)
    _write(text, 5, 2, (stored >> 5) & 15)
    _write(text, 8, 2, stored & 31)
    return text


def _year_text(stored: Integers) -> Bytes:
    text = np.empty((len(stored), 4), np.uint8)
    _write(text, 0, 4, np.where(stored == 0, 0, stored + 1900))
    return text


def _datetime_text(stored: Words, codec: TemporalCodec) -> Bytes:
    shift = np.uint64(8 * codec.fraction_bytes)
    whole, fraction = (stored >> shift).astype(np.int64), (stored & ~(_ALL_ONES << shift)).astype(np.int64)
    text = _template(len(stored), b"0000-00-00 00:00:00", codec.digits)
    whole = _civil(whole) if codec.base == "timestamp" else whole - codec.offset
    year_month, day, clock = whole >> 22, (whole >> 17) & 31, whole & 0x1FFFF
    values = (year_month // 13, year_month % 13, day, clock >> 12, (clock >> 6) & 63, clock & 63)
    for start, count, value in zip((0, 5, 8, 11, 14, 17), (4, 2, 2, 2, 2, 2), values, strict=True):
        _write(text, start, count, value)
    _write_fraction(text, len(b"0000-00-00 00:00:00"), fraction, codec)
    return text


def _civil(seconds: Integers) -> Integers:
    """Seconds since 1970 as DATETIME packs them; 0 is the zero date."""
    days = (seconds // 86400).astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    month_number = months.astype(np.int64) + 1970 * 12
    day = (days - months).astype(np.int64) + 1
    of_day = seconds % 86400
    clock = (of_day // 3600 << 12) | (of_day // 60 % 60 << 6) | of_day % 60
    packed = ((month_number // 12 * 13 + month_number % 12 + 1) << 22) | (day << 17) | clock
    return np.where(seconds == 0, 0, packed)


def _time_array(stored: Words, codec: TemporalCodec, valid: Bytes | None) -> pa.Array:
    shift = 8 * codec.fraction_bytes
    signed = stored.astype(np.int64) - codec.zero
    is_negative, size = signed < 0, np.abs(signed)
    whole, fraction = size >> shift, size & ((1 << shift) - 1)
    text = _template(len(stored), b"-000:00:00", codec.digits)
    for start, count, value in ((1, 3, whole >> 12), (5, 2, (whole >> 6) & 63), (8, 2, whole & 63)):
        _write(text, start, count, value)
    _write_fraction(text, len(b"-000:00:00"), fraction, codec)
    kept = np.ones(text.shape, np.bool_)
    kept[:, 0] = is_negative
    kept[:, 1] = (whole >> 12) >= 100
    lengths = kept.sum(axis=1)
    ordered = np.take_along_axis(text, np.argsort(~kept, axis=1, kind="stable"), axis=1)
    return binary_array(ordered, lengths, valid)
