"""Arrays on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skyshard.releases.differences.reading.spill_file import SpillFile


def test_arrays_come_back_and_the_folder_stays_empty(tmp_path: Path) -> None:
    """Whole, in parts, empty ones too; nothing is left, not even while the file is open."""
    with SpillFile(tmp_path) as spill:
        first = spill.append(np.arange(5.0))
        nothing = spill.append(np.empty(0, np.int64))
        second = spill.append(np.array([7, 8], np.int64))
        assert list(tmp_path.iterdir()) == []
        assert spill.read(first).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
        assert spill.read(first.part(1, 3)).tolist() == [1.0, 2.0]
        assert spill.read(nothing).tolist() == []
        assert spill.read_all([second, nothing], np.int64).tolist() == [7, 8]
