"""Memory that a process holds though nobody uses it: garbage that was not looked for, and what libraries keep."""

from __future__ import annotations

import ctypes
import gc

import pyarrow as pa


def give_back_memory() -> None:
    """Look for garbage, and give the system the pages of this process in which nothing is any more.

    An error holds itself by its traceback, with the text of its statement, until garbage is looked for; that depends on
    the number of objects, however large they are. What is freed then only the GNU C library can give back: each thread
    has its own store there, which shrinks by itself only where its very end is free, so that a process that answers
    many for long would grow by as much as its busiest moments took. Arrow has a store of its own, and keeps all of it.
    """
    gc.collect()
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
