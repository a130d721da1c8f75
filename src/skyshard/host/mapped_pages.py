"""Has the system read pages of a mapped file before they are looked at, so that a failure is an error, not a signal.

A process that looks at a page that its disk cannot give, or that is behind the end of a file that somebody cut, is
ended by SIGBUS. Linux 5.14 and later say so by an error where they are asked for the pages first (MADV_POPULATE_READ).
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from functools import cache
from pathlib import Path
from typing import Any

POPULATE_READ = 22
"""MADV_POPULATE_READ, which the module ``mmap`` does not name."""


@cache
def _madvise() -> Any:
    found = ctypes.CDLL(None, use_errno=True).madvise
    found.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return found


@cache
def _mincore() -> Any:
    found = ctypes.PyDLL(None).mincore  # some microseconds: not worth to let other threads run, and wait for them
    found.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    return found


def _from_page(address: int, size: int) -> tuple[int, int]:
    """The same bytes from the beginning of the first one's page on."""
    start = address // mmap.PAGESIZE * mmap.PAGESIZE
    return start, address + size - start


def tells_pages(path: Path) -> bool:
    """Whether the system tells this process which pages of a file are in memory: of a file that is somebody else's, and
    that it may not write, the system says that all are (mincore(2))."""
    return path.stat().st_uid == os.geteuid() or os.access(path, os.W_OK, effective_ids=True)


def are_in_memory(address: int, size: int) -> bool:
    """Whether all pages of so many bytes at an address of a mapping are in memory; see :func:`tells_pages`.

    A tenth of the time that asking for the pages takes.

    >>> are_in_memory(0, 0)
    True
    """
    if not size:
        return True
    start, length = _from_page(address, size)
    pages = -(-length // mmap.PAGESIZE)
    told = (ctypes.c_uint8 * pages)()
    return not _mincore()(start, length, told) and bytes(told).count(1) == pages


def fetch_pages(address: int, size: int) -> None:
    """Have the system begin to read what is not in memory of so many bytes; other threads run meanwhile, which they do
    not with ``mmap.madvise``."""
    if size:
        _madvise()(*_from_page(address, size), mmap.MADV_WILLNEED)


def require_pages(address: int, size: int) -> None:
    """Return once all pages of so many bytes at an address of a mapping are in memory; other threads run meanwhile.

    An older system does nothing here.

    Raises:
        OSError: some cannot be read.

    >>> require_pages(0, 0)
    """
    if not size:
        return
    start, length = _from_page(address, size)
    while _madvise()(start, length, POPULATE_READ):
        number = ctypes.get_errno()
        if number == errno.EINVAL:  # the system does not know it
            return
        if number not in (errno.EAGAIN, errno.EINTR):
            raise OSError(number, "pages cannot be read" if number == errno.EFAULT else os.strerror(number))
