"""DATE, DATETIME, TIMESTAMP and TIME as the binary protocol has them, made of MariaDB's texts, whole columns at a time.

Rule: a value takes as few bytes as it can: none behind its length when it is zero, no time of day where that is
midnight, no microseconds where there are none. No I/O.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.array_types import Bytes, Integers

_LONGEST = 26
_DATE_PLACES = ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19), (20, 26))
_ZERO = ord("0")


def date_parts(texts: pa.Array) -> tuple[Bytes, Integers]:
    """Texts like ``2020-01-02 03:04:05.000006``, or their beginning → 12 bytes each, and how many of them are sent.

    >>> parts, sizes = date_parts(pa.array(["2020-01-02", "2020-01-02 03:04:05", "0000-00-00"]))
    >>> [bytes(part[:size]).hex() for part, size in zip(parts, sizes)]
    ['04e4070102', '07e4070102030405', '00']
    """
    letters = _letters(texts)
    year, month, day, hour, minute, second, micro = (_number(letters[:, start:end]) for start, end in _DATE_PLACES)
    is_day, is_time = (year + month + day) > 0, (hour + minute + second) > 0
    lengths = np.where(micro > 0, 11, np.where(is_time, 7, np.where(is_day, 4, 0)))
    matrix = np.empty((len(texts), 12), np.uint8)
    matrix[:, 0] = lengths
    matrix[:, 1:3] = _bytes(year, "<u2")
    for place, values in enumerate((month, day, hour, minute, second), 3):
        matrix[:, place] = values
    matrix[:, 8:12] = _bytes(micro, "<u4")
    return matrix, lengths + 1


def time_parts(texts: pa.Array) -> tuple[Bytes, Integers]:
    """Texts like ``-700:00:59.5`` → 13 bytes each, and how many of them are sent.

    >>> parts, sizes = time_parts(pa.array(["-25:00:01", "00:00:00"]))
    >>> [bytes(part[:size]).hex() for part, size in zip(parts, sizes)]
    ['080101000000010001', '00']
    """
    parts = pc.extract_regex(texts, r"^(?P<sign>-?)(?P<hour>\d+):(?P<rest>.*)$")
    sign, hour, rest = (parts.field(index) for index in range(3))
    letters = _letters(rest)
    minute, second, micro = (_number(letters[:, start:end]) for start, end in ((0, 2), (3, 5), (6, 12)))
    hours = hour.cast(pa.int64()).to_numpy(zero_copy_only=False)
    is_time = (hours + minute + second) > 0
    lengths = np.where(micro > 0, 12, np.where(is_time, 8, 0))
    matrix = np.empty((len(texts), 13), np.uint8)
    matrix[:, 0] = lengths
    matrix[:, 1] = pc.equal(sign, "-").to_numpy(zero_copy_only=False)
    matrix[:, 2:6] = _bytes(hours // 24, "<u4")
    for place, values in enumerate((hours % 24, minute, second), 6):
        matrix[:, place] = values
    matrix[:, 9:13] = _bytes(micro, "<u4")
    return matrix, lengths + 1


def _letters(texts: pa.Array) -> Bytes:
    """As many letters of each, zeros behind them."""
    padded = pc.utf8_slice_codeunits(pc.utf8_rpad(texts, _LONGEST, "0"), 0, _LONGEST)
    cells = padded.cast(pa.binary(_LONGEST))
    found: Bytes = np.frombuffer(cells.buffers()[1], np.uint8, len(cells) * _LONGEST, cells.offset * _LONGEST)
    return found.reshape(-1, _LONGEST)


def _number(digits: Bytes) -> Integers:
    found = np.zeros(len(digits), np.int64)
    for place in range(digits.shape[1]):
        found = found * 10 + (digits[:, place].astype(np.int64) - _ZERO)
    return found


def _bytes(values: Integers, form: str) -> Bytes:
    cells = np.ascontiguousarray(values.astype(form))
    return cells.view(np.uint8).reshape(len(cells), -1)
