"""The process that ends what another one started, and those who would start the same again."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.runtime.keeper import Keeper


def test_nothing_is_started_where_an_earlier_keeper_still_ends_what_was(tmp_path: Path) -> None:
    """It knows processes by their folder only, so it would end new ones, too; once it is done there may be another."""
    folder, lock = tmp_path / "tmp", str(tmp_path / "lock")
    folder.mkdir()
    first = Keeper(str(folder), lock=lock)
    with pytest.raises(BlockingIOError):
        Keeper(str(folder), lock=lock)
    assert folder.exists()
    first.end()
    assert not folder.exists()
    Keeper(str(folder), lock=lock).end()
