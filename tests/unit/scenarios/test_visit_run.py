"""What is refused before a store is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.basics.progress import unwatched
from skyshard.bench.workload.workload import find_workload, read_workload
from skyshard.scenarios.visit_run import VisitRun


def test_months_that_visits_read_are_not_dropped_beside_them(tmp_path: Path) -> None:
    """The action leaves twelve; visits of a longer history would have had wrong answers."""
    text = find_workload("apdb-quick").read_text()
    longer = text.replace("months: 12", "months: 13") + "      beside: [{action: drop-month, every: 9}]\n"
    (tmp_path / "longer.yaml").write_text(longer)
    run = VisitRun(read_workload(tmp_path / "longer.yaml"), tmp_path / "out", "cluster:none", tmp_path / "cluster")
    with pytest.raises(UserError, match="visits read 13 months, and 'drop-month' beside them leaves 12"):
        run.run(unwatched)
    assert not (tmp_path / "out").exists()
