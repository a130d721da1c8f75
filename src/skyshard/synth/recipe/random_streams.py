"""One random stream for each (seed, table, chunk, column), independent of all others. No I/O.

Streams are counter-based (Philox) and keyed by a hash of those four values, so a column can be made alone, on any
machine and in any order. NumPy may change its distributions between releases, so manifests record the release.
"""

from __future__ import annotations

import numpy as np
import xxhash

WHOLE_SKY = -1
"""The chunk number of streams that belong to no chunk: visits, the density map."""


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
