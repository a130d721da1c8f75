"""Checks free disk space before writing.

A MariaDB server on a full disk waits for ever (MyISAM) or dies (InnoDB, which holds the registry), so Skyshard leaves a
reserve free.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from skyshard.basics.errors import ClusterError

RESERVE_BYTES = 64 << 20
"""What stays free for the servers' own logs and tables."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REMEDY = "free disk space, then run the command again: it continues where it stopped"


def require_room(folder: Path, size: int) -> None:
    """Make sure that ``size`` bytes can be written below a folder and the reserve stays.

    Raises:
        ClusterError: there is less.
    """
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < size + RESERVE_BYTES:
        raise ClusterError(
            f"the disk of '{folder}' is full: {free >> 20} MiB are free, this step needs {(size >> 20) + 1} MiB and a "
            f"reserve of {RESERVE_BYTES >> 20} MiB",
            remedy=REMEDY,
        )


def reserve(file: int, offset: int, size: int) -> None:
    """Have blocks of an open file made ready, which cost a third less than when they come one after another.

    No-op where the system cannot; the file is as long as it will be.
    """
    if size:
        with suppress(OSError):
            os.posix_fallocate(file, offset, size)


@contextmanager
def writing(what: Path | str) -> Iterator[None]:
    """Inside, a file that cannot be written is a ``ClusterError`` that names what was being written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = REMEDY if error.errno in _FULL else "make it writable, then run the command again"
        raise ClusterError(f"cannot write '{error.filename or what}': {reason}", remedy=remedy) from error
