"""Random streams: one for each (seed, table, chunk, column), independent of every other. No I/O.

Counter-based (Philox), keyed by a hash of those four words, so that a column can be made alone, on any machine, in any
order. The numbers depend on NumPy's distributions, which may change between its releases: manifests name the release.
"""

from __future__ import annotations

import numpy as np
import xxhash

WHOLE_SKY = -1
"""Stands for the chunk in streams that belong to no chunk: visits, the density map."""


def stream(seed: int, table: str, chunk: int, column: str) -> np.random.Generator:
    """The random numbers of one column in one chunk.

    >>> stream(1, "Object", 7140, "ra").random() == stream(1, "Object", 7140, "ra").random()
    True
    >>> stream(1, "Object", 7140, "ra").random() == stream(1, "Object", 7141, "ra").random()
    False
    """
    key = xxhash.xxh3_128_intdigest(f"{seed}/{table}/{chunk}/{column}".encode())
    words = np.frombuffer(key.to_bytes(16, "little"), "<u8")  # a third cheaper than the number itself
    return np.random.Generator(np.random.Philox(key=words))
