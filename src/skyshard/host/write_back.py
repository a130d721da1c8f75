"""Has a file system write what it holds back, and no other one: ``os.sync`` writes those of strangers, too."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from skyshard.host.disk_space import writing


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
