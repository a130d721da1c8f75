"""Measures what a disk delivers: reads of large blocks one after another, and of single pages in any order.

A file of random bytes is written beside the data, read without the page cache (O_DIRECT where the file system has it,
else after the cache gave the file up), and removed. What a controller or a host of virtual machines caches cannot be
told from the disk.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skyshard.basics.errors import UserError
from skyshard.host.page_cache import drop_page_cache

BLOCK = 1 << 20
PAGE = 4096
FILE_BYTES = 512 << 20
SECONDS = 2.0
"""Longest time for each of the three measurements."""


@dataclass(frozen=True, slots=True)
class DiskSpeed:
    """What was measured; ``is_direct`` is False where the page cache had to be emptied instead of passed by."""

    sequential_mb_per_s: float
    """10^6 bytes."""
    read_ms: float
    """One read of 4 KiB, alone."""
    random_per_s: float
    """Reads of 4 KiB, as many at a time as there are threads."""
    is_direct: bool


def disk_speed(folder: Path, *, threads: int = 1, file_bytes: int = FILE_BYTES, seconds: float = SECONDS) -> DiskSpeed:
    """Measure the disk that holds a folder; takes about ``3 * seconds`` and the time to write ``file_bytes``.

    Raises:
        UserError: the folder cannot be written, or has no room.
    """
    file_bytes = max(file_bytes // BLOCK, 1) * BLOCK
    path = folder / f"disk-speed-{os.getpid()}"
    try:
        _write(path, file_bytes)
        with _opened(path) as (handle, is_direct):
            sequential = _rate(handle, BLOCK, _in_order(file_bytes), seconds)
        drop_page_cache([path])
        with _opened(path) as (handle, is_direct):
            alone = _rate(handle, PAGE, _anywhere(file_bytes, 0), seconds)
            drop_page_cache([path])
            with ThreadPoolExecutor(threads) as pool:
                rates = pool.map(lambda n: _rate(handle, PAGE, _anywhere(file_bytes, n + 1), seconds), range(threads))
                together = sum(rates)
    except OSError as error:
        remedy = "name a folder that can be written and has room"
        raise UserError(f"cannot measure the disk below '{folder}': {error.strerror}", remedy=remedy) from None
    finally:
        path.unlink(missing_ok=True)
    return DiskSpeed(sequential * BLOCK / 1e6, 1000 / alone, max(together, alone), is_direct)


def _write(path: Path, size: int) -> None:
    block = os.urandom(BLOCK)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        for _ in range(size // BLOCK):
            os.write(handle, block)
        os.fsync(handle)
    finally:
        os.close(handle)
    drop_page_cache([path])


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[int, bool]]:
    """The file, and whether it passes the page cache by."""
    handle, is_direct = -1, False
    with contextlib.suppress(OSError, AttributeError):
        handle, is_direct = os.open(path, os.O_RDONLY | os.O_DIRECT), True
    if handle < 0:
        handle = os.open(path, os.O_RDONLY)
    try:
        yield handle, is_direct
    finally:
        os.close(handle)


def _rate(handle: int, size: int, offsets: Callable[[int], int], seconds: float) -> float:
    """Reads per second of ``size`` bytes at the offsets, until the time is over or they repeat."""
    with mmap.mmap(-1, size) as buffer:  # pages of memory, as O_DIRECT asks
        begun, number = time.perf_counter(), 0
        while (place := offsets(number)) >= 0:
            os.preadv(handle, [buffer], place)
            number += 1
            if time.perf_counter() - begun > seconds:
                break
        return number / max(time.perf_counter() - begun, 1e-9)


def _in_order(size: int) -> Callable[[int], int]:
    return lambda number: number * BLOCK if (number + 1) * BLOCK <= size else -1


def _anywhere(size: int, seed: int) -> Callable[[int], int]:
    places = np.random.default_rng(seed).permutation(size // PAGE) * PAGE
    return lambda number: int(places[number]) if number < len(places) else -1
