"""What all weeklies of a sky share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skyshard.synth.weeklies.survey_frame import open_survey
from skyshard.synth.weeklies.weekly_order import WeeklyOrder


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_visits_are_the_same_whatever_the_weekly(seed: int) -> None:
    """Also where an object at the field's edge is born, or moves to where it is born, in one of them."""
    first, *others = (open_survey(WeeklyOrder("hsc-gen2", weekly, 300, seed=seed)).visits for weekly in (1, 2, 3, 6))
    for other in others:
        assert np.array_equal(first.ra, other.ra)
        assert np.array_equal(first.dec, other.dec)
        assert first.reach_deg == other.reach_deg


def test_a_file_called_hsc_is_not_taken_for_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weeklies are of the shipped recipe, whatever lies in the folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hsc").write_text("no recipe")
    assert len(open_survey(WeeklyOrder("hsc-gen3", 1, 50)).visits.ra)
