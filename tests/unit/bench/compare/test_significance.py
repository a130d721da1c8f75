"""Is one side slower than the other? Error rates, intervals, corrections."""

from __future__ import annotations

import numpy as np
import pytest

from skyshard.bench.compare.significance import (
    LatencyGroup,
    blocks,
    group_of,
    holm,
    quantile_test,
    rank_test,
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


def test_equal_sides_give_fewer_than_five_percent_false_alarms() -> None:
    """Of 400 comparisons of five equal trials a side at most 5 % have p below 0.05, whatever a trial's own speed."""
    random = np.random.default_rng(1)
    found = [rank_test(groups(random, 5), groups(random, 5)) for _ in range(400)]
    assert np.mean(np.array(found) < 0.05) <= 0.05


def test_a_class_slower_by_a_fifth_is_found() -> None:
    """Of 100 comparisons with a slowdown of 20 % at least 95 are found, at a scatter between trials of 4 %."""
    random = np.random.default_rng(2)
    found = [rank_test(groups(random, 5, 1.2), groups(random, 5)) for _ in range(100)]
    assert np.mean(np.array(found) < 0.05) >= 0.95


def test_intervals_hold_the_true_ratio_nineteen_times_in_twenty() -> None:
    """The bootstrap interval of a ratio of 1.1 over five trials a side covers it in 90 to 99 % of 300 cases."""
    random = np.random.default_rng(3)
    made = [ratio_of_quantiles(groups(random, 5, 1.1), groups(random, 5), 0.5, random, 400) for _ in range(300)]
    assert 0.90 <= np.mean([one.low <= 1.1 <= one.high for one in made]) <= 0.99


def test_the_rank_test_agrees_with_mann_and_whitney_when_every_trial_is_one_query() -> None:
    """With one value a trial the statistic is Mann-Whitney's; p agrees with Brunner and Munzel's t form of it."""
    random = np.random.default_rng(4)
    new, old = np.exp(random.normal(0.4, 1, 25)), np.exp(random.normal(0, 1, 30))
    sides = [[LatencyGroup({"q": np.array([value])}) for value in side] for side in (new, old)]
    from scipy import stats as distributions

    assert rank_test(*sides) == pytest.approx(distributions.brunnermunzel(new, old).pvalue, rel=0.05)


def test_one_trial_a_side_says_nothing_of_other_trials() -> None:
    """Without a second group there is no p; a single trial's blocks stand in for it."""
    random = np.random.default_rng(5)
    one = groups(random, 1)
    assert rank_test(one, groups(random, 5)) == 1.0
    assert quantile_test(one, one, 0.95) == 1.0
    cut = blocks(np.array(["q"] * 42, dtype=object), np.arange(42.0))
    assert [len(group.values) for group in cut] == [9, 9, 8, 8, 8]
    assert len(blocks(np.array(["q"] * 3, dtype=object), np.arange(3.0))) == 1


def test_holm_is_scipys() -> None:
    """The correction never lowers a p, keeps order, and equals a published example."""
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]
