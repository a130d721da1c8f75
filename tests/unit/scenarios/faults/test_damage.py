"""Damages of data files: each changes what it says, and only that."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.scenarios.faults.damage import DAMAGES, put

ROWS = b"".join(bytes([n]) * 10 for n in range(1, 10))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data file of nine records of ten bytes, and the head of its index, which counts them."""
    (tmp_path / "t.MYI").write_bytes(bytes(28) + (9).to_bytes(8, "big"))
    (tmp_path / "t.MYD").write_bytes(ROWS)
    return tmp_path / "t.MYD"


def test_two_bytes_change_places_and_every_sum_stays(data: Path) -> None:
    """No count, length or byte sum tells."""
    DAMAGES["swapped"](data)
    found = data.read_bytes()
    assert sorted(found) == sorted(ROWS)
    assert sum(a != b for a, b in zip(found, ROWS, strict=True)) == 2


def test_a_torn_file_has_lost_its_end_and_a_removed_one_is_gone(data: Path) -> None:
    """What is left is as before."""
    DAMAGES["torn"](data)
    assert data.read_bytes() == ROWS[:65]
    DAMAGES["removed"](data)
    assert not data.exists()


def test_a_damage_is_put_where_the_file_is_open(data: Path, tmp_path: Path) -> None:
    """Whoever has the file open sees it: it is the same file."""
    damaged = tmp_path / "damaged"
    damaged.write_bytes(ROWS[:5])
    with data.open("rb") as opened:
        put(damaged, data)
        assert opened.read() == ROWS[:5]
    damaged.unlink()
    put(damaged, data)
    assert not data.exists()


def test_an_older_copy_has_as_many_records_all_as_the_first(data: Path) -> None:
    """The length stays."""
    DAMAGES["older"](data)
    assert data.read_bytes() == ROWS[:10] * 9
