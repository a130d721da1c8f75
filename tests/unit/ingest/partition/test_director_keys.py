"""Director keys while ingest runs."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.depth import drawn

from skyshard.basics.errors import UserError
from skyshard.ingest.partition import director_keys
from skyshard.ingest.partition.director_keys import DirectorKeys, KeyKind, build_keys, save_keys

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
    with pytest.raises(UserError, match=r"key 5 of director 'Object' occurs twice, in 'in/a\.tsv' and 'in/b\.tsv'"):
        build_keys(tmp_path / "keys", files, "Object", ["in/a.tsv", "in/b.tsv"], NO_KEYS)


def test_key_of_an_earlier_transaction_is_named(tmp_path: Path) -> None:
    """A key that is already in the director index is refused, whichever transaction brought it."""
    build_keys(tmp_path / "keys" / "1", [part(tmp_path, "a", [5, 1], 10)], "Object", ["a.tsv"], NO_KEYS)
    earlier = DirectorKeys.open(tmp_path / "keys")
    with pytest.raises(
        UserError, match=r"key 5 of director 'Object' in 'b\.tsv' was ingested by an earlier transaction"
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
    sizes = [len(records) for records, _ in director_keys.by_key([np.load(file) for file in files])]
    assert max(sizes) <= 64 or parts == 40
    assert len(sizes) > 10
    build_keys(tmp_path / "keys", files, "Object", names, NO_KEYS)
    blocks = list(DirectorKeys.open(tmp_path / "keys").blocks(1 << 20))
    assert np.concatenate([block for block, _ in blocks]).tolist() == keys.tolist()
    for at in (0, len(keys) // 3, len(keys) - 1):
        more = [*files, part(tmp_path, "twice", [int(keys[at])], 1)]
        with pytest.raises(UserError, match=f"key {keys[at]} of director 'Object' occurs twice"):
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


UNSIGNED = KeyKind(is_unsigned=True)
DOUBLED = KeyKind(is_unique=False)


def saved(folder: Path, name: str, keys: pa.Array, chunks: list[int], kind: KeyKind) -> Path:
    path = folder / f"{name}.npy"
    places = np.array(chunks, np.int32)
    assert save_keys(path, [(keys, places, places + 1)], kind) == []
    return path


def test_unsigned_keys_are_found_from_two_to_the_63rd_on(tmp_path: Path) -> None:
    """Keys of BIGINT UNSIGNED keep their order and their values, whatever integers ask for them."""
    keys = pa.array([2**64 - 1, 5, 2**63, 2**63 - 1], pa.uint64())
    build_keys(
        tmp_path / "keys", [saved(tmp_path, "a", keys, [4, 1, 3, 2], UNSIGNED)], "Object", ["a"], NO_KEYS, UNSIGNED
    )
    known = DirectorKeys.open(tmp_path / "keys")
    found = known.find(pa.array([5, 2**63, 2**64 - 1, 2**63 + 1, None], pa.uint64()))
    assert found.is_known.tolist() == [True, True, True, False, False]
    assert found.chunks[:3].tolist() == [1, 3, 4]
    assert known.find(pa.array([-1, 5, -(2**63)], pa.int64())).is_known.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("keys", "known"),
    [
        (pa.array([7, 8, None], pa.uint8()), [True, False, False]),
        (pa.array([2**63 + 7], pa.uint64()), [False]),  # 7 - 2^63 when it is taken for a signed one
        (pa.array([7.0, 7.5, None, -3.0], pa.float64()), [True, False, False, True]),
        (pa.array([Decimal(7), None, Decimal(10**30)], pa.decimal128(38, 0)), [True, False, False]),
        (pa.array([Decimal(-3), Decimal(2**63 + 7)], pa.decimal256(60, 0)), [True, False]),
    ],
)
def test_keys_of_other_number_types_are_compared_by_value(tmp_path: Path, keys: pa.Array, known: list[bool]) -> None:
    """A follower's key of another type leads to the director's row of the same value, and to no other."""
    build_keys(tmp_path / "keys", [part(tmp_path, "a", [7, -3], 10)], "Object", ["a.tsv"], NO_KEYS)
    assert DirectorKeys.open(tmp_path / "keys").find(keys).is_known.tolist() == known


def test_copies_of_a_key_are_kept_and_said_to_be_spread(tmp_path: Path) -> None:
    """Where keys may occur twice: in one chunk nothing is spread, in two it is, also over two transactions."""
    one = saved(tmp_path, "a", pa.array([1, 1, 2], pa.int64()), [10, 10, 20], DOUBLED)
    assert not build_keys(tmp_path / "keys" / "1", [one], "Star", ["a"], NO_KEYS, DOUBLED)
    earlier = DirectorKeys.open(tmp_path / "keys")
    same = saved(tmp_path, "b", pa.array([1], pa.int64()), [10], DOUBLED)
    assert not build_keys(tmp_path / "same", [same], "Star", ["b"], earlier, DOUBLED)
    other = saved(tmp_path, "c", pa.array([3, 2], pa.int64()), [20, 10], DOUBLED)
    assert build_keys(tmp_path / "keys" / "2", [other], "Star", ["c"], earlier, DOUBLED)
    both = saved(tmp_path, "d", pa.array([5, 5], pa.int64()), [1, 2], DOUBLED)
    assert build_keys(tmp_path / "both", [both], "Star", ["d"], NO_KEYS, DOUBLED)
    assert len(DirectorKeys.open(tmp_path / "keys")) == 5


def test_of_several_copies_the_near_one_is_taken(tmp_path: Path) -> None:
    """The copy in the asked chunk, in whichever part; else the first, always the same."""
    first = saved(tmp_path, "a", pa.array([1, 1, 1, 2], pa.int64()), [10, 30, 20, 7], DOUBLED)
    build_keys(tmp_path / "keys" / "1", [first], "Star", ["a"], NO_KEYS, DOUBLED)
    second = saved(tmp_path, "b", pa.array([1, 2], pa.int64()), [40, 8], DOUBLED)
    build_keys(tmp_path / "keys" / "2", [second], "Star", ["b"], NO_KEYS, DOUBLED)
    known = DirectorKeys.open(tmp_path / "keys")
    asked = pa.array([1, 1, 1, 1, 2, 9], pa.int64())
    found = known.find(asked, np.array([20, 40, 99, 30, 8, 5], np.int32))
    assert found.chunks[:5].tolist() == [20, 40, 10, 30, 8]
    assert found.sub_chunks[:5].tolist() == [21, 41, 11, 31, 9]
    assert known.find(asked).chunks[:5].tolist() == [10, 10, 10, 10, 7]


def test_two_rows_of_a_key_in_one_part_are_named(tmp_path: Path) -> None:
    """The rows as the part has them, in order, and no file is written."""
    keys = pa.array([5, 9, 3, 9, 9], pa.int64())
    places = np.zeros(5, np.int32)
    assert save_keys(tmp_path / "a.npy", [(keys, places, places)]) == [1, 3]
    assert not (tmp_path / "a.npy").exists()


@pytest.mark.parametrize("name", ["keys.npy", "places.npy", "record.json"])
@pytest.mark.parametrize("harm", ["bit", "cut", "gone"])
def test_harmed_keys_are_not_believed(tmp_path: Path, name: str, harm: str) -> None:
    """One bit, the end, or the whole of any file: refused with the file and what rebuilds it."""
    folder = tmp_path / "sky" / "Object" / "1"
    build_keys(folder, [part(tmp_path, "a", [1, 2, 3], 10)], "Object", ["a.tsv"], NO_KEYS)
    assert len(DirectorKeys.open(folder.parent)) == 3
    content = bytearray((folder / name).read_bytes())
    content[-3] ^= 4
    changed = {"bit": bytes(content), "cut": bytes(content[:-8]), "gone": b""}[harm]
    (folder / name).unlink()
    if harm != "gone":
        (folder / name).write_bytes(changed)
    with pytest.raises(UserError, match=r"director 'sky.Object' are damaged: .*; run skyshard index rebuild sky"):
        DirectorKeys.open(folder.parent)


@settings(max_examples=drawn(12))
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(-1, 6), st.integers(0, 8)), min_size=1, max_size=20),
)
def test_a_copy_in_the_asked_chunk_is_found_if_there_is_one(
    rows: list[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    """Whatever copies a key has, in one part or two: the near one, else one of them; unknown keys stay unknown."""
    half = len(rows) // 2
    parts = [np.array(sorted(some), np.int64).reshape(-1, 2) for some in (rows[:half], rows[half:])]
    known = DirectorKeys([(part[:, 0], part[:, [1, 1]].astype(np.int32)) for part in parts], is_unique=False)
    near = np.array([chunk for _, chunk in asked], np.int32)
    found = known.find(pa.array([key for key, _ in asked], pa.int64()), near)
    for at, (key, chunk) in enumerate(asked):
        copies = {place for other, place in rows if other == key}
        assert found.is_known[at] == bool(copies)
        assert not copies or found.chunks[at] == chunk or (chunk not in copies and found.chunks[at] in copies)
