"""Director keys that were read back from a chunk table: rows of key, chunk, sub-chunk become sorted keys."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from skyshard.basics.errors import ClusterError
from skyshard.ingest.partition.director_keys import KeyKind, save_keys


def save_stored_keys(path: Path, rows: pa.Table, kind: KeyKind) -> Path:
    """Write the keys of a chunk table to a file, as ``build_keys`` takes them; returns the file.

    Raises:
        ClusterError: a key that occurs twice where it may not.
    """
    keys, chunks, sub_chunks = (column.combine_chunks() for column in rows.columns)
    if save_keys(path, [(keys, chunks.to_numpy(), sub_chunks.to_numpy())], kind):
        raise ClusterError(f"chunk table '{path.stem}' holds a director key twice", remedy="run skyshard verify")
    return path
