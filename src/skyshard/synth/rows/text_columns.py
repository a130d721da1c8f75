"""Text columns as bytes: words picked by index, numbers, dates. No loops over rows, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_MJD_OF_EPOCH = 40_587.0


def pick(words: Sequence[str], chosen: NDArray[Any]) -> pa.Array:
    """A word for each row, latin1.

    >>> pick(["g", "r"], np.array([1, 0, 1])).to_pylist()
    [b'r', b'g', b'r']
    """
    return pa.array([word.encode("latin1", "replace") for word in words], pa.binary()).take(pa.array(chosen))


def number_texts(numbers: NDArray[Any]) -> pa.Array:
    """Whole numbers as text.

    >>> number_texts(np.array([7, 12])).to_pylist()
    [b'7', b'12']
    """
    return pa.array(numbers).cast(pa.string()).cast(pa.binary())


def join_texts(first: pa.Array, between: str, second: pa.Array) -> pa.Array:
    """Two texts of each row as one.

    >>> join_texts(number_texts(np.array([7])), "_", number_texts(np.array([1]))).to_pylist()
    [b'7_1']
    """
    return pc.binary_join_element_wise(first, second, between.encode())


def date_texts(mjd: NDArray[np.float64]) -> pa.Array:
    """Days as DATETIME(6).

    >>> date_texts(np.array([60000.5])).to_pylist()
    [b'2023-02-25 12:00:00.000000']
    """
    moments = np.round((mjd - _MJD_OF_EPOCH) * 86_400e6).astype(np.int64).astype("datetime64[us]")
    return pc.strftime(pa.array(moments), format="%Y-%m-%d %H:%M:%S").cast(pa.binary())
