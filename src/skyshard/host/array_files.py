"""Arrays in files of NumPy's format (``.npy``), read from any thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.python_syntax import ONE_AT_A_TIME


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
