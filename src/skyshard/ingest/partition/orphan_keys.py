"""Keys of orphans (dependent rows without director), by key and chunk, kept in a file after their ingest.

What becomes of them when a director comes later is decided in `skyshard.ingest.transaction.strays`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.host.array_files import save_array
from skyshard.ingest.partition.director_keys import whole_keys
from skyshard.ingest.partition.key_files import seal

ORPHANS = "orphans.npy"
Orphans = NDArray[np.int64]
"""Distinct (key, chunk), int64[n, 2], sorted; a key from 2^63 on by the bits that it has as an unsigned number."""


def orphans_of(keys: pa.Array, is_orphan: NDArray[np.bool_], chunks: NDArray[np.int32]) -> Orphans:
    """The keys without director, and the chunks of their rows; NULL, and what is no whole number, is no key."""
    (signed, is_signed), (unsigned, is_unsigned) = (whole_keys(keys, np.dtype(kind)) for kind in ("<i8", "<u8"))
    values = np.where(is_signed, signed, unsigned.view(np.int64))
    is_asked = is_orphan & (is_signed | is_unsigned)
    return distinct([np.stack([values[is_asked], chunks[is_asked].astype(np.int64)], axis=1)])


def distinct(parts: Sequence[Orphans]) -> Orphans:
    """The pairs of all parts, each once, sorted by key and chunk.

    >>> distinct([np.array([[5, 7], [3, 8]]), np.array([[5, 7], [5, 2]])]).tolist()
    [[3, 8], [5, 2], [5, 7]]
    """
    pairs = np.concatenate(parts) if parts else np.empty((0, 2), np.int64)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    is_first = np.ones(len(pairs), bool)
    is_first[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    return pairs[is_first]


def save_orphans(path: Path, parts: Sequence[Orphans]) -> dict[str, int]:
    """Write the orphans of several batches or slices; returns the file's name and size."""
    pairs = distinct(parts)
    save_array(path, pairs)
    seal(path)
    return {path.name: path.stat().st_size}
