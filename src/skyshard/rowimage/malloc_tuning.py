"""Keeps the memory of large arrays in the process.

The C library gives the pages of a freed array of more than 128 kB back to the system, which clears them before it
hands them out again: this is a quarter of the time of work that goes through many chunks.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of the limits in mallopt(3)."""
_LARGEST_BYTES = 32 << 20
"""Larger arrays come from the system and return to it. The limit cannot be higher than this."""
_KEPT_BYTES = 128 << 20
"""The arrays of a part of some 100,000 rows."""


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Have this process use the memory of freed arrays again, up to 128 MB of it; only the GNU C library can."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
