"""Director keys that stay when rows in some chunks are replaced: those of all other chunks, read from the key files."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from skyshard.host.disk_space import require_room
from skyshard.ingest.partition.director_keys import RANGE_KEYS, DirectorKeys, KeyKind
from skyshard.ingest.partition.key_files import new_array


def keys_elsewhere(path: Path, known: DirectorKeys, chunks: Collection[int], kind: KeyKind) -> list[Path]:
    """Write the keys that are not in some chunks, as ``save_keys`` writes those of a slice; a file a part.

    Memory is bounded by ``RANGE_KEYS``.
    """
    files = []
    for number, part in enumerate(known.each):
        total = sum(int(is_kept.sum()) for _, _, is_kept in _kept(part, chunks))
        files.append(file := path.with_name(f"{path.name}-{number}.npy"))
        require_room(path.parent, total * kind.record.itemsize)
        with new_array(file, (total,), kind.record) as records:
            at = 0
            for keys, places, is_kept in _kept(part, chunks):
                block = records[at : at + int(is_kept.sum())]
                block["key"] = keys[is_kept]
                block["chunk"], block["sub_chunk"] = places[is_kept, 0], places[is_kept, 1]
                at += len(block)
    return files


def _kept(part: DirectorKeys, chunks: Collection[int]) -> Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    gone = np.fromiter(chunks, np.int32)
    for keys, places in part.blocks(RANGE_KEYS):
        yield keys, places, ~np.isin(places[:, 0], gone)
