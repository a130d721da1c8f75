"""The samples of visits on disk."""

from pathlib import Path

import pytest

from skyshard.bench.visits.visit_record import UNFINISHED, VisitRecord, VisitSample, read_unfinished

SAMPLE = VisitSample("visits", 1, 0, 60000.0, "", "tile", 0.0, 0.0, 1.0)


def test_samples_stay_until_all_of_them_are_written_anew(tmp_path: Path) -> None:
    """A trial that goes on, and is killed at once or finds a full disk, has lost nothing."""
    first = VisitRecord.open(tmp_path)
    first.add([SAMPLE])
    first.close()
    cannot_be_written = tmp_path / f"{UNFINISHED}.new"
    cannot_be_written.mkdir()
    with pytest.raises(OSError, match=UNFINISHED):
        VisitRecord.open(tmp_path)
    assert read_unfinished(tmp_path).num_rows == 1
    cannot_be_written.rmdir()
    second = VisitRecord.open(tmp_path)
    second.add([SAMPLE])
    second.close()
    assert read_unfinished(tmp_path).num_rows == 2
