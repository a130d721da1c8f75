"""How large blocks have to be for the GNU C library to take them from the system, and to give them back once freed.

By itself it learns both from what a process frees: once a block of up to 32 MB was freed, those of its size come from
the store of a thread, and each store keeps twice as much at its end, which ``malloc_trim`` leaves. Neither suits us.
Elsewhere than with that library nothing is done.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of the limits in mallopt(3)."""
_LARGEST_BYTES = 32 << 20
"""Larger arrays come from the system and return to it. The limit cannot be higher than this."""
_KEPT_BYTES = 128 << 20
"""The arrays of a part of some 100,000 rows."""
_LARGE_BYTES = 1 << 20
_are_set = False


def keep_freed_memory() -> None:
    """Have this process use the memory of freed arrays again, up to 128 MB of it, unless its program chose otherwise.

    The pages of a freed array of more than 128 kB are given back to the system, which clears them before it hands them
    out again: this is a quarter of the time of work that goes through many chunks.
    """
    if not _are_set:
        _set(_LARGEST_BYTES, _KEPT_BYTES)


def keep_no_large_blocks() -> None:
    """Have each block of over a megabyte go back to the system once it is freed: for the program of a process to call.

    A process of many threads that gets packets of 16 MB now and then would keep some 40 MB for each thread.
    """
    _set(_LARGE_BYTES, _LARGE_BYTES)


def _set(largest_bytes: int, kept_bytes: int) -> None:
    global _are_set
    _are_set = True
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, largest_bytes)
        mallopt(_TRIM_THRESHOLD, kept_bytes)
