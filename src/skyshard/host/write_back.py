"""Has a file system write what it holds back, and no other one: ``os.sync`` writes those of strangers, too."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any

from skyshard.host.disk_space import writing

_WRITE = 2
"""SYNC_FILE_RANGE_WRITE."""


def write_back(folder: Path) -> None:
    """Return once all that was written to the file system of a folder is on its disk.

    Raises:
        ClusterError: the folder is not there, or the disk did not take everything.
    """
    with writing(folder):
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if ctypes.CDLL(None, use_errno=True).syncfs(opened):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), str(folder))
        finally:
            os.close(opened)


def is_one_file_system(*folders: Path) -> bool:
    """Whether what is held back of several folders is written together."""
    return len({folder.stat().st_dev for folder in folders}) == 1


def begin_write_back(file: int, first: int = 0, size: int = 0) -> None:
    """Have bytes of an open file written, up to its end without a size, and wait for none of them.

    A disk works then while more is computed. What it did not take is said where the file is waited for; no-op where the
    system does not begin.
    """
    _sync_file_range()(file, first, size, _WRITE)


@cache
def _sync_file_range() -> Any:
    found = ctypes.CDLL(None).sync_file_range
    found.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return found
