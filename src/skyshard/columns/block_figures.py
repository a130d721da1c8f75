"""Figures of the blocks of a segment, one block a batch and column: least, greatest, NULLs, NaNs, checksum. No I/O.

Rules: least and greatest are of numbers only, as DOUBLE, and rounded outwards, so that no value is beyond them; NaN
counts apart. What has no number, as a text or a block of NULLs alone, has least +inf and greatest -inf.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from skyshard.basics.array_types import Flags, Floats
from skyshard.basics.lazy import lazy_module
from skyshard.rowimage.arrays import is_bytes, is_large, validity_bytes, values_of

pc = lazy_module("pyarrow.compute")

Limits = tuple[float | None, float | None]
"""Least and greatest value that matter, both inclusive; None is unbounded."""
_EXACT = 1 << 53
_KINDS: tuple[Any, ...] = (np.float64, np.float64, np.int64, np.int64, np.uint64)
"""Of the figures, in their order."""


@dataclass(frozen=True, eq=False, slots=True)
class BlockFigures:
    """Arrays of shape (batches, columns)."""

    least: Floats
    greatest: Floats
    nulls: NDArray[np.int64]
    nans: NDArray[np.int64]
    checksum: NDArray[np.uint64]
    """XXH3 of the block's buffers (``block_checksum``)."""

    @property
    def shape(self) -> tuple[int, ...]:
        return self.least.shape

    @staticmethod
    def of(batches: Iterable[pa.RecordBatch], columns: int) -> BlockFigures:
        """The figures of batches that have so many columns, one batch after the other."""
        taken = FiguresTaken(columns)
        for batch in batches:
            taken.add(batch)
        return taken.figures()

    @staticmethod
    def blank(batches: int, columns: int) -> BlockFigures:
        """Zeros, which take as many bytes when they are written as the figures of so many blocks."""
        return BlockFigures(*(np.zeros((batches, columns), kind) for kind in _KINDS))

    def may_hold(self, column: int, limits: Limits) -> Flags:
        """By batch: whether some value of a column may be within limits, or is NaN; else no row matters."""
        low, high = limits
        below = self.greatest[:, column] < (-np.inf if low is None else low)
        above = self.least[:, column] > (np.inf if high is None else high)
        possible: Flags = ~(below | above) | (self.nans[:, column] > 0)
        return possible

    def written(self) -> bytes:
        """As an Arrow stream."""
        names = [field.name for field in fields(self)]
        batch = pa.RecordBatch.from_arrays([pa.array(getattr(self, name).ravel()) for name in names], names)
        shape = {b"batches": str(self.shape[0]).encode(), b"columns": str(self.shape[1]).encode()}
        batch = batch.replace_schema_metadata(shape)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        content: bytes = sink.getvalue().to_pybytes()
        return content

    @staticmethod
    def read(content: bytes) -> BlockFigures:
        """The inverse.

        Raises:
            ValueError, pa.ArrowException: it is damaged.
        """
        table = pa.ipc.open_stream(pa.py_buffer(content)).read_all()
        metadata = table.schema.metadata or {}
        shape = (int(metadata.get(b"batches", -1)), int(metadata.get(b"columns", -1)))
        names = [field.name for field in fields(BlockFigures)]
        if table.schema.names != names or shape[0] < 0 or shape[0] * shape[1] != table.num_rows:
            raise ValueError("figures of blocks do not fit together")
        return BlockFigures(*(table.column(name).to_numpy().reshape(shape) for name in names))


class FiguresTaken:
    """The figures of batches of so many columns that were looked at so far."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._count = 0
        self._found: list[tuple[float, float, int, int, int]] = []

    def add(self, batch: pa.RecordBatch) -> None:
        self._found += [_figures(column) for column in batch.columns]
        self._count += 1

    def figures(self) -> BlockFigures:
        values = zip(*self._found, strict=True) if self._found else ((),) * len(_KINDS)
        shape = (self._count, self._columns)
        made: list[Any] = [np.array(one, kind).reshape(shape) for one, kind in zip(values, _KINDS, strict=True)]
        return BlockFigures(*made)


def block_checksum(array: pa.Array) -> int:
    """XXH3 of an array's validity, offsets and values, as far as its rows go: what a file must give back.

    The array begins at the first value of its buffers.
    """
    rows, buffers = len(array), array.buffers()
    digest = xxhash.xxh3_64()
    if array.null_count:
        digest.update(_whole_bits(buffers[0], rows).data)
    if is_bytes(array.type):
        if rows:
            kind: Any = np.int64 if is_large(array.type) else np.int32
            offsets = np.frombuffer(buffers[1], kind)[: rows + 1]
            digest.update(offsets.data)
            if offsets[-1]:
                digest.update(memoryview(buffers[2])[: int(offsets[-1])])
    elif rows:
        digest.update(memoryview(buffers[1])[: rows * array.type.bit_width // 8])
    return digest.intdigest()


def at_its_beginning(array: pa.Array) -> pa.Array:
    """The array, copied where it begins within its buffers or shares them."""
    if array.offset or (is_bytes(array.type) and len(array) and _first_offset(array)):
        return array.take(pa.array(np.arange(len(array))))
    return array


def _first_offset(array: pa.Array) -> int:
    kind: Any = np.int64 if is_large(array.type) else np.int32
    return int(np.frombuffer(array.buffers()[1], kind)[0])


def _whole_bits(buffer: pa.Buffer, rows: int) -> NDArray[np.uint8]:
    """The bytes of so many bits; those behind the last are 0."""
    held = np.frombuffer(buffer, np.uint8, -(-rows // 8))
    if not rows % 8:
        return held
    held = held.copy()
    held[-1] &= (1 << rows % 8) - 1
    return held


def _figures(array: pa.Array) -> tuple[float, float, int, int, int]:
    least, greatest, nans = _range(array)
    return least, greatest, array.null_count, nans, block_checksum(array)


def _range(array: pa.Array) -> tuple[float, float, int]:
    """Least and greatest number, outwards, and how many NaNs there are."""
    kind, count = array.type, len(array) - array.null_count
    if count and (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        return _range_of_plain(array)
    if not count or not pa.types.is_decimal(kind):
        return np.inf, -np.inf, 0
    found = pc.min_max(array)
    return _outwards(found["min"].as_py(), -np.inf), _outwards(found["max"].as_py(), np.inf), 0


def _range_of_plain(array: pa.Array) -> tuple[float, float, int]:
    """The same of numbers, at least one of which is not NULL; NumPy takes a fifth of Arrow's time."""
    values = values_of(array, array.type.to_pandas_dtype())
    low, high = _ends(array, values)
    if low == low:  # no NaN
        return _outwards(low.item(), -np.inf), _outwards(high.item(), np.inf), 0
    valid = validity_bytes(array)
    is_nan = np.isnan(values) if valid is None else np.isnan(values) & (valid != 0)
    rest = values[~is_nan if valid is None else ~is_nan & (valid != 0)]
    nans = int(is_nan.sum())
    return (float(rest.min()), float(rest.max()), nans) if len(rest) else (np.inf, -np.inf, nans)


def _ends(array: pa.Array, values: NDArray[Any]) -> tuple[Any, Any]:
    """Least and greatest value, NaN where there is one.

    Where a NULL's cell has the least or greatest number, as 0 among positive ones, cells are told apart, which takes
    four times as long.
    """
    if not array.null_count:
        return values.min(), values.max()
    least, greatest = int(values.argmin()), int(values.argmax())
    if _is_valid(array, least) and _is_valid(array, greatest) and values[least] == values[least]:
        return values[least], values[greatest]
    valid = np.asarray(validity_bytes(array))
    some = np.where(valid, values, values[np.argmax(valid)])
    return some.min(), some.max()


def _is_valid(array: pa.Array, row: int) -> bool:
    place = array.offset + row
    return bool(memoryview(array.buffers()[0])[place >> 3] >> (place & 7) & 1)


def _outwards(value: Any, side: float) -> float:
    """A number as DOUBLE, not nearer to the middle than it is."""
    is_exact = isinstance(value, float) or (isinstance(value, int) and abs(value) <= _EXACT)
    return float(value) if is_exact else float(np.nextafter(float(value), side))
