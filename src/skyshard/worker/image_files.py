"""The data file of a table made of row images: a file taken over by a second name, slices copied behind it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from skyshard.errors import ClusterError
from skyshard.worker.messages import TableBuild
from skyshard.worker.room import writing


def write_image(target: Path, build: TableBuild, length: int) -> None:
    """Make the data file of an empty table that nobody knows yet: the longest file of its own, the other slices."""
    rest = list(build.slices)
    with writing(target):
        for piece in sorted((piece for piece in rest if piece.is_own), key=lambda piece: -piece.rows)[:1]:
            if _taken_over(Path(piece.bundle), target, piece.rows * length):
                rest.remove(piece)
        with open(os.open(target, os.O_RDWR | os.O_CREAT, 0o660), "r+b", buffering=0) as out:
            out.seek(0, os.SEEK_END)
            for piece in rest:
                with open(piece.bundle, "rb") as bundle:
                    _copy(bundle.fileno(), out.fileno(), piece.offset, piece.rows * length)


def _taken_over(own: Path, target: Path, size: int) -> bool:
    """Give a bundle's file a second name, as a table's data file; False where the disk is another one.

    A build that was killed may have appended to it: what is behind its rows goes.
    """
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(own)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            return False
        raise
    if target.stat().st_size > size:
        os.truncate(target, size)
    return True


def _copy(source: int, target: int, offset: int, count: int) -> None:
    while count:
        moved = os.sendfile(target, source, offset, count)
        if not moved:
            raise ClusterError("a bundle is shorter than its sidecar says", remedy="run the ingest again")
        offset, count = offset + moved, count - moved
