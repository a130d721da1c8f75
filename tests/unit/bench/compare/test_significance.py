"""How much slower is one side? Intervals hold the true ratio."""

from __future__ import annotations

import numpy as np
import pytest

from skyshard.bench.compare.significance import (
    LatencyGroup,
    blocks,
    group_of,
    ratio_of_quantiles,
)

pytestmark = pytest.mark.timeout(30)


def groups(random: np.random.Generator, trials: int, factor: float = 1.0, n: int = 60) -> list[LatencyGroup]:
    """Trials of two templates whose medians differ tenfold; each trial has a speed of its own."""
    made = []
    for _ in range(trials):
        own = factor * np.exp(random.normal(0, 0.04))
        names = np.array(["LV/a", "LV/b"] * (n // 2), dtype=object)
        values = np.where(names == "LV/a", 0.01, 0.1) * own * np.exp(random.normal(0, 0.3, len(names)))
        made.append(group_of(names, values))
    return made


@pytest.mark.parametrize("trials", [2, 3, 5])
def test_intervals_hold_the_true_ratio_nineteen_times_in_twenty(trials: int) -> None:
    """The bootstrap interval of a ratio of 1.1 over a few trials a side covers it in 90 to 99 % of 300 cases."""
    random = np.random.default_rng(3)
    sides = ((groups(random, trials, 1.1), groups(random, trials)) for _ in range(300))
    made = [ratio_of_quantiles(*side, 0.5, random, 400) for side in sides]
    assert 0.90 <= np.mean([one.low <= 1.1 <= one.high for one in made]) <= 0.99


def test_a_single_trial_is_cut_into_consecutive_blocks() -> None:
    """Its blocks stand in for trials; too few samples make one block."""
    cut = blocks(np.array(["q"] * 42, dtype=object), np.arange(42.0))
    assert [len(group.values) for group in cut] == [9, 9, 8, 8, 8]
    assert len(blocks(np.array(["q"] * 3, dtype=object), np.arange(3.0))) == 1
