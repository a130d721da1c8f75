"""Locks of a folder that several processes work with; one that was killed holds none any more."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path


class FolderLock:
    """Held by one thread of one process; it may enter again while it is inside."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._threads = threading.RLock()
        self._inside = 0
        self._handle = -1

    def __enter__(self) -> None:
        self._threads.acquire()
        try:
            if not self._inside:
                self._handle = self._taken()
            self._inside += 1
        except BaseException:
            self._threads.release()
            raise

    def __exit__(self, *_: object) -> None:
        self._inside -= 1
        if not self._inside:
            os.close(self._handle)
        self._threads.release()

    def _taken(self) -> int:
        self._folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except BaseException:
            os.close(handle)
            raise
        return handle


class FileLock:
    """A file that is there and locked while somebody is inside. One that several may want is taken, looked at and left
    within a ``FolderLock`` of its folder only, so that nobody holds a file that another one has removed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1

    def take(self) -> bool:
        """False where somebody has it, here or in another process."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException as error:
            os.close(handle)
            if isinstance(error, BlockingIOError):
                return False
            raise
        self._handle = handle
        return True

    def leave(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._handle)

    @property
    def is_taken(self) -> bool:
        """Whether somebody has it; a file that a killed process left is removed."""
        if not self._path.exists():
            return False
        if not self.take():
            return True
        self.leave()
        return False
