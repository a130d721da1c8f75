"""Memory that was freed and that the C library keeps, since work of many threads leaves it in pieces."""

from __future__ import annotations

import ctypes


def give_back_freed() -> None:
    """Give the system the pages of this process in which nothing is any more; only the GNU C library can.

    Each thread has its own store of freed memory there, which shrinks by itself only where its very end is free: a
    process that answers many for long seems to grow by as much as its busiest moments took.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
