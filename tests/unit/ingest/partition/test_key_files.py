"""Director keys on disk: believed only as they were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skyshard.basics.errors import UserError
from skyshard.ingest.partition.key_files import (
    KEYS,
    PLACES,
    RECORD,
    is_sealed,
    new_array,
    open_arrays,
    records,
    seal,
    write_record,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The keys of one transaction of a director."""
    return write_keys(tmp_path / "sky" / "Object" / "1", [3, 5])


def write_keys(folder: Path, keys: list[int]) -> Path:
    folder.mkdir(parents=True)
    with new_array(folder / KEYS, (len(keys),), np.dtype(np.int64)) as array:
        array[:] = keys
    with new_array(folder / PLACES, (len(keys), 2), np.dtype(np.int32)) as array:
        array[:] = 7
    write_record(folder, len(keys), is_unique=True)
    return folder


def test_keys_are_read_back(folder: Path) -> None:
    """The record says rows and digests, and the arrays are what was written."""
    found = records(folder)
    keys, places = open_arrays(folder, found[folder])
    assert (found[folder].rows, keys.tolist(), places.tolist()) == (2, [3, 5], [[7, 7], [7, 7]])


def test_a_director_without_rows_has_arrays_too(tmp_path: Path) -> None:
    """Nothing can be mapped, and nothing is missing."""
    folder = write_keys(tmp_path / "none", [])
    keys, places = open_arrays(folder, records(folder)[folder])
    assert (len(keys), places.shape) == (0, (0, 2))


def test_the_folders_of_all_transactions_are_found(folder: Path) -> None:
    """In the order of their names."""
    other = write_keys(folder.with_name("2"), [9])
    assert list(records(folder.parent)) == [folder, other]


@pytest.mark.parametrize("name", [KEYS, PLACES])
def test_an_array_that_changed_is_refused(folder: Path, name: str) -> None:
    """One byte is enough; the remedy names the command that makes it again."""
    record = records(folder)[folder]
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(
        UserError, match=r"keys of director 'sky.Object' are damaged.*not the file that was written"
    ) as caught:
        open_arrays(folder, record)
    assert "skyshard index rebuild sky" in caught.value.remedy


def test_an_array_that_is_gone_is_refused(folder: Path) -> None:
    """The error says which file."""
    record = records(folder)[folder]
    (folder / KEYS).unlink()
    with pytest.raises(UserError, match=r"keys\.npy' cannot be read"):
        open_arrays(folder, record)


@pytest.mark.parametrize("text", ["", "{}", "[1]"])
def test_arrays_without_a_good_record_are_refused(folder: Path, text: str) -> None:
    """What a killed ingest left, or a broken record, is not believed."""
    (folder / RECORD).write_text(text)
    with pytest.raises(UserError, match="is missing, or does not describe"):
        records(folder)


def test_a_failed_array_gets_no_name(tmp_path: Path) -> None:
    """Only what is whole is found later."""
    with pytest.raises(ZeroDivisionError), new_array(tmp_path / KEYS, (3,), np.dtype(np.int64)) as array:
        array[:] = 1 // 0
    assert list(tmp_path.iterdir()) == []


def test_a_sealed_file_is_told_from_a_changed_one(tmp_path: Path) -> None:
    """Without a seal, or without the file, nothing is sealed."""
    path = tmp_path / "orphans.npy"
    assert not is_sealed(path)
    path.write_bytes(b"12")
    assert not is_sealed(path)
    seal(path)
    assert is_sealed(path)
    path.write_bytes(b"13")
    assert not is_sealed(path)
