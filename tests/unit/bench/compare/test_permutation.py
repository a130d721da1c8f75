"""The exact test over trials: what it can say, how often it is wrong, what it finds."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from skyshard.bench.compare.permutation import ALPHA, joint_p, smallest_p, spread_of, trials_needed

pytestmark = pytest.mark.timeout(60)


def test_p_is_the_share_of_all_deals_that_look_as_different() -> None:
    """Over one test it equals scipy's exact permutation test of Student's t."""
    from scipy import stats  # slow to read

    random = np.random.default_rng(1)
    for new_count, old_count in ((3, 3), (4, 5), (2, 6)):
        values = random.normal(0, 0.1, new_count + old_count) + np.repeat([0.1, 0.0], [new_count, old_count])
        theirs = stats.permutation_test(
            (values[:new_count], values[new_count:]), lambda a, b: abs(stats.ttest_ind(a, b).statistic),
            permutation_type="independent", alternative="greater", n_resamples=np.inf,
        )  # fmt: skip
        assert joint_p(values[None], new_count, random)[0] == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize(("new_count", "old_count"), [(2, 2), (3, 3), (4, 4), (2, 5), (3, 6)])
def test_no_p_is_below_what_so_few_trials_can_give(new_count: int, old_count: int) -> None:
    """Even sides that differ a thousandfold do not get below the floor: 0.1 for three against three."""
    values = np.concatenate([np.full(new_count, 7.0), np.zeros(old_count)]) + np.linspace(
        0, 0.01, new_count + old_count
    )
    found = joint_p(values[None], new_count, np.random.default_rng(1))[0]
    assert found == pytest.approx(smallest_p(new_count, old_count))
    assert found == pytest.approx((2 if new_count == old_count else 1) / comb(new_count + old_count, new_count))


@pytest.mark.parametrize("noise", [1e-2, 1e-4, 1e-6])
def test_sides_that_are_exchanged_are_ties_however_far_apart_they_are(noise: float) -> None:
    """A millionfold, with trials that hardly differ: both ways to call the sides new and old look as different."""
    random = np.random.default_rng(5)
    for _ in range(20):
        values = np.concatenate([np.full(4, 14.0), np.zeros(4)]) + random.normal(0, noise, 8)
        assert joint_p(values[None], 4, random)[0] == pytest.approx(smallest_p(4, 4))


@pytest.mark.parametrize("trials", [4, 5])
def test_equal_sides_are_called_different_in_one_of_twenty_comparisons_at_most(trials: int) -> None:
    """300 comparisons of twelve classes that share their trial's speed: one in twenty at most has a p below 0.05."""
    random = np.random.default_rng(trials)
    alarms = 0
    for _ in range(300):
        common = random.normal(0, 0.05, 2 * trials)
        values = common + random.standard_t(3, (12, 2 * trials)) * 0.03
        alarms += bool((joint_p(values, trials, random) < ALPHA).any())
    assert alarms <= 22  # 5 %, and two standard deviations of it


def test_a_fifth_is_found_with_as_many_trials_as_are_said_to_be_needed() -> None:
    """One of eight classes is slower by a fifth, trials differ by 5 %: found in 80 % or more of 200 comparisons."""
    random = np.random.default_rng(3)
    count = trials_needed(0.05, 1.2, tests=8)
    assert count is not None
    found = 0
    for _ in range(200):
        values = random.normal(0, 0.05, (8, 2 * count))
        values[2, :count] += np.log(1.2)
        found += bool(joint_p(values, count, random)[2] < ALPHA)
    assert found >= 160


def test_a_correction_over_more_classes_never_lowers_p() -> None:
    """p of a class is at least its own p alone, and the order of the classes does not matter."""
    random = np.random.default_rng(4)
    values = random.normal(0, 0.05, (6, 8))
    together = joint_p(values, 4, random)
    assert all(p >= joint_p(row[None], 4, random)[0] for p, row in zip(together, values, strict=True))
    assert joint_p(values[::-1], 4, random)[::-1] == pytest.approx(together)


def test_a_class_that_some_trials_lack_is_tested_over_the_others() -> None:
    """Missing in one of four: still found; in three of four of a side: p is 1."""
    values = np.log(np.array([[1.5, 1.51, 1.49, np.nan, 1.0, 1.01, 0.99, 1.0], [1.5, *[np.nan] * 3, 1, 1, 1, 1]]))
    found = joint_p(values, 4, np.random.default_rng(5))
    assert found[0] < 0.1
    assert found[1] == 1.0


def test_no_trials_and_equal_times_say_nothing() -> None:
    """Without a test there is no p; without any difference it is 1, and with differences of rounding no alarm."""
    random = np.random.default_rng(6)
    assert joint_p(np.empty((0, 8)), 4, random).shape == (0,)
    assert joint_p(np.zeros((1, 8)), 4, random).tolist() == [1.0]
    assert joint_p(np.ones((1, 2)), 1, random).tolist() == [1.0]


def test_of_many_deals_some_are_drawn_and_p_is_still_not_zero() -> None:
    """Twelve against twelve has 2.7 million deals."""
    values = np.concatenate([np.full(12, 1.0), np.zeros(12)]) + np.random.default_rng(7).normal(0, 0.01, 24)
    assert 0 < joint_p(values[None], 12, np.random.default_rng(8))[0] < 0.001


def test_the_spread_is_that_within_the_sides() -> None:
    """A difference between the sides does not count; one trial a side shows none; gaps are left out."""
    assert spread_of((np.array([1.0, 1.2]), np.array([5.0, 5.2]))) == pytest.approx(0.2 / np.sqrt(2))
    assert spread_of((np.array([1.0]), np.array([5.0]))) is None
    assert spread_of((np.array([1.0, np.nan]), np.array([5.0, 5.2]))) == pytest.approx(0.2 / np.sqrt(2))


def test_a_change_that_would_need_very_many_trials_is_said_to() -> None:
    """None beyond fifty."""
    assert trials_needed(0.5, 1.1) is None
