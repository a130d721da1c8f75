"""The separation of pairs as a MariaDB on this host computes it, to the last bit.

``region_sql.haversine`` step by step, with Arrow's functions: these call the C library's sin, cos, pow and asin, as the
server does, where NumPy has its own, which differ in the last bit for one pair in 700. Whether the server has the same
C library is not known here: who uses this compares some pairs with the server's own values first. No I/O.
"""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.array_types import Floats
from skyshard.chunking.sphere import RAD_PER_DEG

_HALF = RAD_PER_DEG / 2
_PER_RAD = 180 / math.pi
"""DEGREES multiplies by it."""


def server_separations(ra: Floats, dec: Floats, ra0: Floats, dec0: Floats) -> pa.Array:
    """``scisql_angSep`` of positions in degrees, pair by pair.

    >>> import numpy as np
    >>> server_separations(*map(np.array, ([10.0, 7.0], [0.0, 90.0], [10.5, 7.0], [0.0, 90.0]))).to_pylist()
    [0.5, 0.0]
    """
    a, b, c, d = (pa.array(part) for part in (ra, dec, ra0, dec0))
    spread = pc.multiply(pc.cos(pc.multiply(b, RAD_PER_DEG)), pc.cos(pc.multiply(d, RAD_PER_DEG)))
    height = _squared_sine(pc.subtract(b, d))
    half = pc.sqrt(pc.add(height, pc.multiply(spread, _squared_sine(pc.subtract(a, c)))))
    return pc.multiply(pc.multiply(pc.asin(pc.min_element_wise(half, 1.0)), 2.0), _PER_RAD)


def _squared_sine(gap: Any) -> Any:
    return pc.power(pc.sin(pc.multiply(gap, _HALF)), 2.0)
