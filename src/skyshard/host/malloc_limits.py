"""From where the GNU C library takes blocks, and when it gives them back to the system.

Elsewhere than with that library nothing is done.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Names of the limits in mallopt(3)."""
_LARGEST_BYTES = 32 << 20
"""Larger arrays come from the system and return to it. The limit cannot be higher than this."""
_KEPT_BYTES = 128 << 20
"""The arrays of a part of some 100,000 rows."""


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Have this process use the memory of freed arrays again, up to 128 MB of it.

    The pages of a freed array of more than 128 kB are given back to the system, which clears them before it hands them
    out again: this is a quarter of the time of work that goes through many chunks.
    """
    _limit(_MMAP_THRESHOLD, _LARGEST_BYTES)
    _limit(_TRIM_THRESHOLD, _KEPT_BYTES)


def keep_one_store() -> None:
    """Have all threads take blocks from one store: for the program of a process to call, before it has threads.

    Each thread has a store of its own else, and what is free at the end of one ``malloc_trim`` leaves there: up to
    twice the largest block that was freed before. A process of many threads that gets packets of 16 MB now and then
    would keep some 40 MB for each thread.
    """
    _limit(_ARENA_MAX, 1)


def _limit(name: int, most: int) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(name, most)
