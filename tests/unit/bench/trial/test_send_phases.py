"""The phases of a trial."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.lv_workloads import Exhausted, lv_workload, trial_of

from skyshard.bench.record.trial_folder import read_trial
from skyshard.bench.target import NullTarget


@pytest.mark.timeout(20)
def test_phases_after_exhaustion_are_not_run(tmp_path: Path) -> None:
    """The second phase fails, the third is not sent; the summary says which, and why the trial fails."""
    loaded = lv_workload({}, {}, {}, ends_at_failure=True)
    summary = trial_of(loaded, Exhausted(), tmp_path, has_page=True)
    assert summary.not_run == ["p2"]
    assert [one.phase for one in summary.classes] == ["p0", "p1"]
    assert summary.n == 40
    assert not summary.is_passed
    assert "Not run, since a phase before them failed: p2" in (tmp_path / "report.html").read_text()


@pytest.mark.timeout(20)
def test_the_machine_is_timed_before_between_and_after_the_phases(tmp_path: Path) -> None:
    """The first and the last reading are of the moments around all phases; a slow machine leaves out some between."""
    trial_of(lv_workload({}, {}, {}), NullTarget(), tmp_path)
    first, *between, last = [one.when for one in read_trial(tmp_path).manifest.machine]
    assert (first, last) == ("before", "after")
    assert set(between) <= {"between"}
    assert len(between) <= 2
