"""One random stream for each (seed, table, chunk, column), independent of all others. No I/O.

Streams are counter-based (Philox) and keyed by a hash of those four values, so a column can be made alone, on any
machine and in any order. NumPy may change its distributions between releases, so manifests record the release.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xxhash
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

WHOLE_SKY = -1
"""The chunk number of streams that belong to no chunk: visits, the density map."""


class _Key(ISeedSequence):
    """The words of a key as they are. Philox, given a key, asks the system for entropy first, and does not use it."""

    def __init__(self, words: NDArray[np.uint64]) -> None:
        self._words = words

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        return self._words


def stream(seed: int, table: str, chunk: int, column: str) -> np.random.Generator:
    """The random numbers of one column in one chunk.

    >>> stream(1, "Object", 7140, "ra").random() == stream(1, "Object", 7140, "ra").random()
    True
    >>> stream(1, "Object", 7140, "ra").random() == stream(1, "Object", 7141, "ra").random()
    False
    """
    name = xxhash.xxh3_128_intdigest(f"{seed}/{table}/{chunk}/{column}".encode())
    words = np.frombuffer(name.to_bytes(16, "little"), "<u8")  # a third cheaper than the number itself
    key: Any = _Key(words)  # NumPy takes any ISeedSequence; its types know one
    return np.random.Generator(np.random.Philox(key))
