"""Rows of a binary table as Arrow arrays: bytes are gathered column by column, then decoded. No I/O.

Rows are taken in pieces that fit into a processor's cache: there, neighbouring columns are turned at once, which is
several times as fast as a column at a time through many rows. Whole numbers stay whole: unsigned ones change their
first bit only.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from skyshard.ingest.fits.table_columns import Field
from skyshard.ingest.values.text_values import RowError

PIECE_BYTES = 1 << 20
"""Of rows that are turned at once."""
_KINDS = {"B": "u1", "I": "i2", "J": "i4", "K": "i8", "E": "f4", "D": "f8", "L": "u1", "X": "u1"}
_SHOWN = 40

Raw = NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring values of one width."""

    at: int
    width: int
    count: int


class Gathered:
    """The bytes of some fields of so many rows, in the order of this machine."""

    def __init__(self, fields: Sequence[Field], rows: int) -> None:
        self._runs = _runs({(field.at, field.width) for field in fields if field.code not in "APQ"})
        self._texts = sorted({(field.at, field.width) for field in fields if field.code in "APQ"})
        self._numbers = [np.empty((run.count, rows), f"u{run.width}") for run in self._runs]
        self._bytes = {(at, width): np.empty((rows, width), np.uint8) for at, width in self._texts}
        self._filled = 0

    def add(self, content: bytes, row_bytes: int) -> None:
        """Take more rows, whole ones."""
        rows = len(content) // row_bytes if row_bytes else 0
        here = slice(self._filled, self._filled + rows)
        for run, into in zip(self._runs, self._numbers, strict=True):
            kind, strides = f">u{run.width}", (row_bytes, run.width)
            into[:, here] = np.ndarray((rows, run.count), kind, content, run.at, strides).T
        for (at, width), texts in self._bytes.items():
            texts[here] = np.ndarray((rows, width), np.uint8, content, at, (row_bytes, 1))
        self._filled += rows

    def by_place(self) -> dict[tuple[int, int], Raw]:
        """Offset and width → the stored numbers as unsigned ones, or the bytes of texts, of all rows."""
        found = dict(self._bytes)
        for run, values in zip(self._runs, self._numbers, strict=True):
            found |= {(run.at + place * run.width, run.width): values[place] for place in range(run.count)}
        return found


def _runs(places: set[tuple[int, int]]) -> list[_Run]:
    """
    >>> _runs({(0, 4), (4, 4), (12, 4), (16, 8)})
    [_Run(at=0, width=4, count=2), _Run(at=12, width=4, count=1), _Run(at=16, width=8, count=1)]
    """
    runs: list[_Run] = []
    for at, width in sorted(places):
        last = runs[-1] if runs else None
        if last is not None and last.width == width and last.at + last.width * last.count == at:
            runs[-1] = _Run(last.at, width, last.count + 1)
        else:
            runs.append(_Run(at, width, 1))
    return runs


def decoded(field: Field, raw: Mapping[tuple[int, int], Raw]) -> pa.Array:
    """The values of a field that is neither a list nor a text of variable length.

    Raises:
        RowError: a logical or a text that the standard does not know; a whole number that no type holds.
    """
    stored = raw[field.at, field.width]
    if field.code == "A":
        return texts(field.name, stored)
    if field.code == "X":
        return pa.array((stored >> (7 - field.bit)) & 1 == 1)
    if field.code == "L":
        return _logicals(field, stored)
    return _numbers(field, stored)


def _logicals(field: Field, stored: Raw) -> pa.Array:
    """T, F, or undefined (section 7.3.3.1)."""
    is_true, is_null = stored == ord("T"), stored == 0
    is_wrong = ~(is_true | is_null | (stored == ord("F")))
    if is_wrong.any():
        row = int(is_wrong.argmax())
        what = f"byte {int(stored[row])} is no logical: T, F and 0 are"
        raise RowError(what, row, field.name, "write it as a number (B), or omit the column")
    return pa.array(is_true, mask=is_null if is_null.any() else None)


def _numbers(field: Field, stored: Raw) -> pa.Array:
    values = stored.view(_KINDS[field.code])
    mask = values == field.null if field.null is not None else None
    if field.scale is None:
        return pa.array(values, mask=mask)
    if field.scale.is_turned(field.code):
        turned = stored ^ stored.dtype.type(1 << (8 * field.width - 1))
        return pa.array(turned.view("i1" if field.code == "B" else turned.dtype), mask=mask)
    if field.scale.is_whole(field.code):
        return _moved(field, pa.array(values.astype(np.int64), mask=mask), field.scale.zero)
    with np.errstate(over="ignore", invalid="ignore"):  # infinities and NaN are NULL, as in any file
        scaled = values.astype(np.float64) * float(field.scale.factor) + float(field.scale.zero)
    return pa.array(scaled, mask=mask)


def _moved(field: Field, values: pa.Array, zero: Decimal) -> pa.Array:
    """Whole numbers and a whole TZERO."""
    try:
        return pc.add_checked(values, pa.scalar(int(zero), pa.int64()))
    except (pa.ArrowException, OverflowError):
        moved = [(row, value + int(zero)) for row, value in enumerate(values.to_pylist()) if value is not None]
        row, value = next(((row, value) for row, value in moved if not -(1 << 63) <= value < 1 << 63), (0, int(zero)))
        remedy = "write it without TZERO, or omit the column"
        raise RowError(f"{value} is beyond 64 bits", row, field.name, remedy) from None


def texts(name: str, stored: Raw) -> pa.Array:
    """Texts of a width: up to the first NUL, without blanks at their end (section 7.3.3.1).

    Raises:
        RowError: bytes that are not ASCII.
    """
    rows, width = stored.shape
    if not rows or not width:
        return pa.array([""] * rows, pa.string())
    is_end = stored == 0
    if is_end.any():
        stored = np.where(np.logical_or.accumulate(is_end, axis=1), 0, stored)
    is_blank = (stored == 0) | (stored == ord(" "))
    lengths = width - np.argmin(is_blank[:, ::-1], axis=1)
    lengths[is_blank.all(axis=1)] = 0
    is_kept = np.arange(width) < lengths[:, None]
    return ascii_texts(name, stored[is_kept], lengths)


def ascii_texts(name: str, content: Raw, lengths: Raw) -> pa.Array:
    """Texts that follow each other.

    Raises:
        RowError: a byte that is not ASCII.
    """
    ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    if len(content) and content.max() > 127:
        at = int((content > 127).argmax())
        row = int(np.searchsorted(ends, at, side="right")) - 1
        text = content[ends[row] : ends[row + 1]][:_SHOWN].tobytes().decode("ascii", "backslashreplace")
        what = f"'{text}' is not ASCII, as texts of FITS are"
        raise RowError(what, row, name, "write it in ASCII, or omit the column")
    if ends[-1] >= 1 << 31:
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(content)]
        return pa.Array.from_buffers(pa.large_string(), len(lengths), buffers)
    buffers = [None, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(content)]
    return pa.Array.from_buffers(pa.string(), len(lengths), buffers)


def batched(total: int, most: int) -> list[int]:
    """Numbers of rows of batches.

    >>> batched(7, 3), batched(0, 3)
    ([3, 3, 1], [])
    """
    full, rest = divmod(total, most)
    return list(itertools.chain(itertools.repeat(most, full), [rest] if rest else []))
