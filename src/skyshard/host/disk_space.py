"""Room on disk: asked for before it is taken.

A MariaDB server that finds the disk full waits for ever (MyISAM) or dies (InnoDB, with the registry in it), so nothing
of ours fills a disk to the brim.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skyshard.errors import ClusterError

RESERVE_BYTES = 64 << 20
"""What stays free for the servers' own logs and tables."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REMEDY = "make room, then run the ingest again: it goes on where it stood"


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


@contextmanager
def writing(what: Path | str) -> Iterator[None]:
    """Inside, a file that cannot be written is a ``ClusterError`` that names what was being written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = REMEDY if error.errno in _FULL else "see that it may be written, then run the ingest again"
        raise ClusterError(f"cannot write '{error.filename or what}': {reason}", remedy=remedy) from error
