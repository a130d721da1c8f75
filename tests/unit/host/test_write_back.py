"""A file system writes what it holds back when it is asked to."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import ClusterError
from skyshard.host.write_back import write_back


def test_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    """Nothing counts as written of a folder that is not there."""
    with pytest.raises(ClusterError, match=r"cannot write '.*gone': No such file"):
        write_back(tmp_path / "gone")
