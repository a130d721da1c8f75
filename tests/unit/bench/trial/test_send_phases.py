"""The phases of a trial."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.lv_workloads import Exhausted, lv_workload, trial_of


@pytest.mark.timeout(20)
def test_phases_after_exhaustion_are_not_run(tmp_path: Path) -> None:
    """The second phase fails, the third is not sent; the summary says which, and why the trial fails."""
    loaded = lv_workload({}, {}, {}, ends_at_failure=True)
    summary = trial_of(loaded, Exhausted(), tmp_path)
    assert summary.not_run == ["p2"]
    assert [one.phase for one in summary.classes] == ["p0", "p1"]
    assert summary.n == 40
    assert not summary.is_passed
    assert "Not run, since a phase before them failed: p2" in (tmp_path / "report.html").read_text()
