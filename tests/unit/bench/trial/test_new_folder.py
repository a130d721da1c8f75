"""Folders of trials are looked at before anything is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.bench.trial.new_folder import check_folder, prepare_folder
from skyshard.host.output_folder import require_writable


def test_looking_makes_nothing(tmp_path: Path) -> None:
    """Neither the folder nor those above it."""
    check_folder(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
    assert require_writable(tmp_path / "a" / "b") == tmp_path


def test_an_absent_or_empty_folder_is_taken(tmp_path: Path) -> None:
    """With the folders above it."""
    prepare_folder(tmp_path / "a" / "b")
    prepare_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize(
    ("name", "words"),
    [("full", "is not an empty folder"), ("file", "is not an empty folder"), ("file/x", "cannot write")],
)
def test_what_is_taken_or_cannot_be_written_is_refused(tmp_path: Path, name: str, words: str) -> None:
    """A trial never overwrites, and says so before it begins."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=words):
        check_folder(tmp_path / name)
