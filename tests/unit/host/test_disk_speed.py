"""A disk is measured with a small file, which is gone afterwards."""

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.host.disk_speed import disk_speed


def test_a_disk_has_rates(tmp_path: Path) -> None:
    """All rates are positive, reads by two threads are not fewer than by one, and no file is left."""
    found = disk_speed(tmp_path, threads=2, file_bytes=4 << 20, seconds=0.1)
    assert found.sequential_mb_per_s > 0
    assert found.read_ms > 0
    assert found.random_per_s >= 0.99 * 1000 / found.read_ms
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """One line, with the remedy."""
    with pytest.raises(UserError, match="cannot measure the disk"):
        disk_speed(tmp_path / "none", file_bytes=1 << 20, seconds=0.1)
