"""Writes finished files to the disk while others are made.

Publishing waits until everything is on the disk. Written only then, it takes a disk of 200 MB/s as long as half of the
ingest; begun at once, it is written while the ingest goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path

from skyshard.host.disk_space import writing
from skyshard.ingest.on_nodes.bounded_futures import BackgroundThread

MANY_BYTES = 192 << 20
"""About a second of a disk."""


class DiskWriter:
    """A thread that has files written, one after the other; nothing waits for it."""

    def __init__(self, write_rest: Callable[[], None]) -> None:
        """``write_rest`` has everything written that is there."""
        self._write_rest = write_rest
        self._thread = BackgroundThread("to-disk")
        self._begun: list[Future[None]] = []
        self._rest: Future[None] | None = None
        self._waiting = 0

    def begin(self, files: Iterable[Path]) -> None:
        """Have finished files written; one that is gone when its turn comes is passed over."""
        self._begun += [self._thread.do(_write, file) for file in files]

    def begin_rest(self) -> Future[None]:
        """Have everything written that is there when its turn comes, after the files so far; done once for several
        calls that come before."""
        if self._rest is None or self._rest.running() or self._rest.done():
            self._rest = self._thread.do(self._write_rest)
        return self._rest

    def made(self, size: int) -> None:
        """Say that files of so many bytes were made; once they are many, all that is there is begun.

        While everything is written, no file can be made: a few are written faster when all are made.
        """
        self._waiting += size
        if self._waiting >= MANY_BYTES:
            self._waiting = 0
            self.begin_rest()

    def close(self) -> None:
        """Begin no further file, and wait for the one under way."""
        self._thread.close()

    def end(self) -> None:
        """Close, and say what could not be written.

        Raises:
            ClusterError: a file that the disk did not take.
        """
        self.close()
        for call in self._begun:
            if not call.cancelled():
                call.result()


def _write(path: Path) -> None:
    with writing(path):
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            os.fdatasync(file)
        finally:
            os.close(file)
