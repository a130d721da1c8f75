"""Director keys that were read back from a chunk table: an Arrow file of key, chunk, sub-chunk becomes sorted keys."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from skyshard.basics.errors import ClusterError
from skyshard.ingest.partition.director_keys import KeyKind, save_keys


def save_exported(path: Path, kind: KeyKind) -> Path:
    """Write an exported table's keys next to it, as ``build_keys`` takes them; returns that file.

    Raises:
        ClusterError: a key that occurs twice where it may not.
    """
    with pa.memory_map(str(path)) as source:
        keys, chunks, sub_chunks = (
            pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
            for column in pa.ipc.open_file(source).read_all().columns
        )
        out = path.with_suffix(".npy")
        if save_keys(out, [(keys, chunks.to_numpy(), sub_chunks.to_numpy())], kind):
            raise ClusterError(f"chunk table '{path.stem}' holds a director key twice", remedy="run skyshard verify")
    return out
