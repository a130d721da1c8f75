"""What ran beside visits, and what it cost them."""

from __future__ import annotations

import pytest
from tests.support.visit_trials import MadeVisits, made_samples

from skyshard.bench.record.beside_actions import BesideAction, beside_effects
from skyshard.bench.record.visit_times import visit_times

TIMES = visit_times(made_samples(MadeVisits(visits=60, noise=0.0, before=0.0, driver_s=0.02)), "visits")
"""Visits of 100 ms one after the other."""


def test_visits_meanwhile_are_those_that_overlap_it() -> None:
    """A scan of half a second overlaps five visits; as many around it are compared with them."""
    (found,) = beside_effects([BesideAction(name="scan", begun_s=2.01, ended_s=2.49, rows=7)], TIMES)
    assert (found.actions, found.failed, found.rows, found.during) == (1, 0, 7, 5)
    assert found.ratio == pytest.approx(1.0)


def test_actions_of_one_name_are_together_and_failures_counted() -> None:
    """Two drops are one row; a third that failed is counted."""
    actions = [BesideAction(name="drop", begun_s=s, ended_s=s + 0.25, error=why) for s, why in ((1, ""), (3, "gone"))]
    (found,) = beside_effects(actions, TIMES)
    assert (found.actions, found.failed) == (2, 1)
    assert found.mean_s == pytest.approx(0.25)


def test_too_few_visits_have_no_effect() -> None:
    """An action beside one visit says nothing of its cost."""
    (found,) = beside_effects([BesideAction(name="drop", begun_s=2.01, ended_s=2.05)], TIMES)
    assert (found.during, found.during_s, found.ratio) == (1, None, None)


def test_no_actions_no_effects() -> None:
    """Nothing ran, nothing is told."""
    assert beside_effects([], TIMES) == []
