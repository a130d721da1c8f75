"""Data files in the system's page cache: read into it, or dropped from it, without the rights of root."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

READ_BYTES = 8 << 20


def files_below(folders: Iterable[Path]) -> Iterator[Path]:
    """Every file below some folders; those that vanish meanwhile are passed over."""
    for folder in folders:
        for place, _, names in os.walk(folder):
            yield from (Path(place) / name for name in names)


def fill_page_cache(files: Iterable[Path], most_bytes: int) -> int:
    """Read files, so that the system has them in memory, up to so many bytes; returns what was read."""
    total = 0
    for path in files:
        with contextlib.suppress(OSError), path.open("rb", buffering=0) as file:
            while total < most_bytes and (count := len(file.read(READ_BYTES))):
                total += count
    return total


def drop_page_cache(files: Iterable[Path]) -> int:
    """Write files to disk and drop them from the system's memory; returns their number.

    Servers that have them open or mapped keep what is mapped: stop them before.
    """
    count = 0
    for path in files:
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(handle)
            count += 1
    return count


def disk_bytes(files: Iterable[Path]) -> int:
    """The space that files take on disk, without holes."""
    total = 0
    for path in files:
        with contextlib.suppress(OSError):
            total += path.stat().st_blocks * 512
    return total
