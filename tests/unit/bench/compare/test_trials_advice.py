"""What few trials cannot tell is said, with the number that would."""

from __future__ import annotations

import pytest
from tests.support.bench_trials import made_trial

from skyshard.bench.compare.class_change import LatencyChange
from skyshard.bench.compare.comparison import Comparison, compare_trials
from skyshard.bench.compare.trials_advice import LEAST_TRIALS

pytestmark = pytest.mark.timeout(30)


def compared(count: int, factor: float = 1.0) -> Comparison:
    sides = [[(f"{name}{i}", made_trial(seed + i, by)) for i in range(count)] for name, seed, by in
             (("new", 1, factor), ("old", 100, 1.0))]  # fmt: skip
    return compare_trials(*sides)


def test_one_trial_a_side_decides_nothing_however_slow() -> None:
    """Seven times as long in one trial is inconclusive, no regression, with the remedy."""
    found = compared(1, 7.0)
    assert {one.change for one in found.classes} == {LatencyChange.INCONCLUSIVE}
    assert {one.tail for one in found.classes} == {LatencyChange.INCONCLUSIVE}
    assert found.regressions == []
    assert not found.can_tell
    assert found.advice == [
        "One trial of a side shows one state of the machine: its times decide nothing. Run at least 4 a side, those of "
        "both sides in turns."
    ]


def test_three_against_three_are_said_not_to_get_below_a_tenth() -> None:
    """The page says the floor, the number that would do, and by the spread that is seen how many find the threshold."""
    found = compared(3, 1.4)
    assert found.regressions == []
    assert "3 against 3 trials cannot give a p below 0.1, whatever they show." in found.advice[0]
    assert "Trials of one side differ by" in found.advice[1]
    assert "A change of 1.1 times would be found in four of five comparisons by about" in found.advice[1]


def test_four_against_four_can_tell() -> None:
    """They find 1.4 times, and nothing is advised about classes that are judged."""
    found = compared(LEAST_TRIALS, 1.4)
    assert {one.change for one in found.classes} == {LatencyChange.WORSE}
    assert len(found.regressions) == 2
    assert found.advice == []
