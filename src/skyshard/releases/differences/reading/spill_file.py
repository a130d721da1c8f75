"""Arrays that do not stay in memory: a file without a name, appended by any thread; it is gone with its process."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.errors import ClusterError


@dataclass(frozen=True, slots=True)
class Extent:
    """Where an array is in the file."""

    offset: int
    count: int
    dtype: np.dtype[Any]

    def part(self, first: int, end: int) -> Extent:
        """Of its values those from ``first`` to before ``end``."""
        return Extent(self.offset + first * self.dtype.itemsize, end - first, self.dtype)


class SpillFile:
    """One file for all arrays of a comparison; closing it frees the disk."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (closed by close)
        self._lock = threading.Lock()
        self._end = 0

    def __enter__(self) -> SpillFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, array: NDArray[Any]) -> Extent:
        """Write a one-dimensional array.

        Raises:
            ClusterError: the disk is full.
        """
        data = np.ascontiguousarray(array)
        with self._lock:
            offset, self._end = self._end, self._end + data.nbytes
        self._write(memoryview(data.view(np.uint8).data) if data.nbytes else memoryview(b""), offset)
        return Extent(offset, len(data), data.dtype)

    def _write(self, view: memoryview, offset: int) -> None:
        while view:
            try:
                written = os.pwrite(self._file.fileno(), view, offset)
            except OSError as error:
                raise ClusterError(f"cannot keep rows on disk: {error.strerror}", remedy="free some space") from None
            view, offset = view[written:], offset + written

    def read(self, extent: Extent) -> NDArray[Any]:
        """The array again."""
        size = extent.count * extent.dtype.itemsize
        array = np.empty(extent.count, extent.dtype)
        view, offset = memoryview(array.view(np.uint8).data), extent.offset
        while size and view:
            got = os.preadv(self._file.fileno(), [view], offset)
            view, offset = view[got:], offset + got
        return array

    def read_all(self, extents: Iterable[Extent], dtype: Any) -> NDArray[Any]:
        """Several arrays, one after the other."""
        return np.concatenate([np.empty(0, dtype), *map(self.read, extents)])

    def blocks(self, extents: Iterable[Extent]) -> Iterator[NDArray[Any]]:
        """Several arrays, one at a time."""
        return map(self.read, extents)
