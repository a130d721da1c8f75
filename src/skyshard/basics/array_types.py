"""Names for the types of NumPy arrays, one for each type of number. Values only."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Bytes: TypeAlias = NDArray[np.uint8]
Words: TypeAlias = NDArray[np.uint64]
Integers: TypeAlias = NDArray[np.int64]
SmallIntegers: TypeAlias = NDArray[np.int8]
Numbers: TypeAlias = NDArray[np.int32]
"""Numbers of chunks, sub-chunks or input slices, one a row."""
RowIndexes: TypeAlias = NDArray[np.intp]
"""Indexes of rows within an array, of NumPy's index type."""
