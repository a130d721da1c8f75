"""Keys that stay when rows in some chunks go, and folders of keys that a later one supersedes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from skyshard.host.array_files import load_array
from skyshard.ingest.partition.director_keys import DirectorKeys, KeyKind, build_keys, save_keys
from skyshard.ingest.partition.kept_keys import keys_elsewhere
from skyshard.ingest.partition.key_files import WHOLE_MARK, records, superseded

SEVERAL = KeyKind(is_unsigned=True, is_unique=False)


def built(folder: Path, keys: list[int], chunks: list[int], kind: KeyKind) -> None:
    places = np.array(chunks, np.int32)
    folder.parent.mkdir(parents=True, exist_ok=True)
    file = folder.with_suffix(".npy")
    assert (
        save_keys(file, [(pa.array(keys, kind.dtype.type and pa.from_numpy_dtype(kind.dtype)), places, places)], kind)
        == []
    )
    build_keys(folder, [file], "Object", ["a"], DirectorKeys([]), kind)
    file.unlink()


def test_keys_of_other_chunks_stay_in_order(tmp_path: Path) -> None:
    """Copies of one key in several chunks are apart; keys beyond 2^63 too; every part has a file, be it empty."""
    built(tmp_path / "keys" / "1", [2**64 - 1, 5, 5, 9], [7, 7, 8, 8], SEVERAL)
    built(tmp_path / "keys" / "2", [6], [7], SEVERAL)
    files = keys_elsewhere(tmp_path / "kept", DirectorKeys.open(tmp_path / "keys"), {7}, SEVERAL)
    assert [load_array(file).tolist() for file in files] == [[(5, 8, 8), (9, 8, 8)], []]


def test_a_marked_folder_supersedes_those_before_it(tmp_path: Path) -> None:
    """By number, not by name; later ones count as ever; the folder itself can be passed over with its mark."""
    for number in (9, 10, 11):
        built(tmp_path / str(number), [number], [1], KeyKind())
    (tmp_path / "10" / WHOLE_MARK).touch()
    assert superseded(tmp_path) == [tmp_path / "9"]
    assert [folder.name for folder in records(tmp_path)] == ["10", "11"]
    assert [folder.name for folder in records(tmp_path, apart_from=tmp_path / "10")] == ["11", "9"]
    assert len(DirectorKeys.open(tmp_path)) == 2
