"""Arrays in files of NumPy's format (``.npy``), read and written from any thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.python_syntax import ONE_AT_A_TIME
from skyshard.host.atomic_files import new_file
from skyshard.host.disk_space import require_room, writing


def load_array(path: Path) -> NDArray[Any]:
    """The whole array of a file, in memory.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no array, or one of Python objects.
    """
    with ONE_AT_A_TIME:
        return np.asarray(np.load(path, allow_pickle=False))


def map_array(path: Path) -> NDArray[Any]:
    """A view of the array in a file, which is read where it is looked at; an empty array is read at once.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no array, or one of Python objects.
    """
    with ONE_AT_A_TIME:
        try:
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except ValueError:  # nothing can be mapped
            return np.asarray(np.load(path, allow_pickle=False))


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array to a file of its own, which gets its name when all is written.

    Raises:
        ClusterError: the disk has no room for it, or the file cannot be written.
    """
    require_room(path.parent, array.nbytes)
    with writing(path), new_file(path) as draft, draft.open("wb") as file:
        np.save(file, array)
