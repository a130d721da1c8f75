"""Keeping the memory of large arrays in the process.

The C library gives the pages of a freed array of more than 128 kB back to the system, which clears them before it
hands them out again: a quarter of the time of work that goes through chunk after chunk.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_KEPT_BYTES = (32 << 20) - (8 << 10)
"""Just below the most that the limit can be raised to (DEFAULT_MMAP_THRESHOLD_MAX in mallopt(3))."""


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Have this process use the memory of freed arrays again, up to 64 MB of it.

    The GNU C library raises its limit to the size of the largest array that was freed (mallopt(3), "dynamic mmap
    threshold"); the array is never written to, so it takes no memory. With other libraries nothing happens.
    """
    np.empty(_KEPT_BYTES, np.uint8)
