"""Director keys while ingest runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from skyshard.errors import UserError
from skyshard.ingest import director_keys
from skyshard.ingest.director_keys import DirectorKeys, build_keys, save_keys

NO_KEYS = DirectorKeys([])


def part(folder: Path, name: str, keys: list[int | None], chunk: int) -> Path:
    path = folder / f"{name}.npy"
    places = np.full(len(keys), chunk, np.int32)
    save_keys(path, [(pa.array(keys, pa.int64()), places, places + 1)])
    return path


def test_keys_of_all_parts_are_found(tmp_path: Path) -> None:
    """A key leads to its chunk and sub-chunk whichever part brought it; NULL and unknown keys are not known."""
    files = [part(tmp_path, "a", [5, 1], 10), part(tmp_path, "b", [2**62, -3], 20)]
    build_keys(tmp_path / "keys", files, "Object", ["a.tsv", "b.tsv"], NO_KEYS)
    found = DirectorKeys.open(tmp_path / "keys").find(pa.array([1, -3, 2**62, 7, None], pa.int64()))
    assert found.is_known.tolist() == [True, True, True, False, False]
    assert found.chunks[:3].tolist() == [10, 20, 20]
    assert found.sub_chunks[:3].tolist() == [11, 21, 21]


def test_key_that_stands_twice_is_named_with_its_files(tmp_path: Path) -> None:
    """Duplicate keys are refused, within a file and across files."""
    files = [part(tmp_path, "a", [5, 1], 10), part(tmp_path, "b", [5], 20)]
    with pytest.raises(UserError, match=r"key 5 stands twice in director 'Object' \(a\.tsv, b\.tsv\)"):
        build_keys(tmp_path / "keys", files, "Object", ["in/a.tsv", "in/b.tsv"], NO_KEYS)


def test_key_of_an_earlier_transaction_is_named(tmp_path: Path) -> None:
    """A key that is already in the director index is refused, whichever transaction brought it."""
    build_keys(tmp_path / "keys" / "1", [part(tmp_path, "a", [5, 1], 10)], "Object", ["a.tsv"], NO_KEYS)
    earlier = DirectorKeys.open(tmp_path / "keys")
    with pytest.raises(
        UserError, match=r"key 5 of director 'Object' \(b\.tsv\) was ingested by an earlier transaction"
    ):
        build_keys(tmp_path / "keys" / "2", [part(tmp_path, "b", [7, 5], 20)], "Object", ["b.tsv"], earlier)


def test_parts_of_several_transactions_are_one_index(tmp_path: Path) -> None:
    """A key is found whichever transaction brought it."""
    for number, key in ((1, 5), (2, 9)):
        files = [part(tmp_path, f"f{number}", [key], 10 * number)]
        build_keys(tmp_path / "keys" / str(number), files, "Object", ["a.tsv"], NO_KEYS)
    found = DirectorKeys.open(tmp_path / "keys").find(pa.array([9, 5, 6], pa.int64()))
    assert found.is_known.tolist() == [True, True, False]
    assert found.chunks[:2].tolist() == [20, 10]


@pytest.mark.parametrize("parts", [1, 3, 40])
def test_keys_are_merged_in_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    """However many ranges it takes, all keys are there in order, and a duplicate is found, at a range's end too."""
    monkeypatch.setattr(director_keys, "RANGE_KEYS", 64)
    random = np.random.default_rng(parts)
    keys = np.unique(random.integers(-(2**60), 2**60, 1_000))
    shares = np.array_split(random.permutation(keys), parts)
    files = [part(tmp_path, f"f{i}", share.tolist(), i) for i, share in enumerate(shares)]
    names = [f"f{i}.tsv" for i in range(parts)]
    sizes = [len(records) for records, _ in director_keys._ranges([np.load(file) for file in files])]
    assert max(sizes) <= 64 or parts == 40
    assert len(sizes) > 10
    build_keys(tmp_path / "keys", files, "Object", names, NO_KEYS)
    blocks = list(DirectorKeys.open(tmp_path / "keys").blocks(1 << 20))
    assert np.concatenate([block for block, _ in blocks]).tolist() == keys.tolist()
    for at in (0, len(keys) // 3, len(keys) - 1):
        more = [*files, part(tmp_path, "twice", [int(keys[at])], 1)]
        with pytest.raises(UserError, match=f"key {keys[at]} stands twice"):
            build_keys(tmp_path / "again", more, "Object", [*names, "twice.tsv"], NO_KEYS)
    assert list((tmp_path / "again").iterdir()) == []


def test_null_key_is_refused(tmp_path: Path) -> None:
    """A director row without key cannot be found again."""
    with pytest.raises(UserError, match="a director key is NULL"):
        part(tmp_path, "a", [None], 1)


def test_no_director_rows_means_no_known_key(tmp_path: Path) -> None:
    """An empty director is not an error of its own."""
    assert len(DirectorKeys.open(tmp_path)) == 0
    assert not DirectorKeys.open(tmp_path).find(pa.array([1], pa.int64())).is_known.any()
