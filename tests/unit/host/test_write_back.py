"""A file system writes what it holds back when it is asked to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skyshard.basics.errors import ClusterError
from skyshard.host.write_back import begin_write_back, is_one_file_system, write_back


def test_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    """Nothing counts as written of a folder that is not there."""
    with pytest.raises(ClusterError, match=r"cannot write '.*gone': No such file"):
        write_back(tmp_path / "gone")


def test_writing_is_begun_and_not_waited_for(tmp_path: Path) -> None:
    """The file stays as it is; what no disk holds, as a pipe, is passed over."""
    path = tmp_path / "rows"
    path.write_bytes(bytes(range(256)) * 64)
    with path.open("rb") as file:
        begin_write_back(file.fileno(), 4096, 4096)
        begin_write_back(file.fileno())
        assert file.read() == bytes(range(256)) * 64
    ends = os.pipe()
    begin_write_back(ends[1])
    for end in ends:
        os.close(end)


def test_folders_of_one_file_system_are_told_from_others(tmp_path: Path) -> None:
    """What is on another one is not written with the first."""
    (tmp_path / "tables").mkdir()
    assert is_one_file_system(tmp_path, tmp_path / "tables")
    assert not is_one_file_system(tmp_path, Path("/proc"))
