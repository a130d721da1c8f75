"""An exact test over trials: would the sides look as different if their labels had been dealt out at random? No I/O.

Trials, not queries, are the independent units: the queries of one trial share one state of the machine. Every way to
deal the labels of the sides over the trials is tried (Fisher 1935, The Design of Experiments, section 21), so that few
trials give honest p: of three against three no p is below 0.1, whatever they show. All classes are tested at once by
the step-down maximum of Westfall and Young (1993, Resampling-Based Multiple Testing, algorithm 4.1): a trial's classes
keep together under every deal, so that classes which move together cost little.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from math import comb, log

import numpy as np
from numpy.typing import NDArray
from scipy.special import nctdtr, stdtrit

ALPHA = 0.05
"""Probability of any false alarm over all tests of a comparison."""
MOST_DEALS = 20_000
"""Ways to deal labels that are all tried; of more, this many are drawn, the one that was among them."""
POWER = 0.8
"""Share of comparisons in which a change is to be found."""
MOST_TRIALS = 50
ROUNDING = 1e-7
"""Statistics that differ by no more, as a share of them, are equal: deals that only exchange names make such ones."""
LEAST_ERROR = 1e-9
"""Standard error, of a logarithm, below which differences are those of the clock."""

Values = NDArray[np.float64]


def joint_p(values: Values, new_count: int, random: np.random.Generator) -> Values:
    """Two-sided p of each test, corrected for all tests together.

    Args:
        values: logarithms of times, float64[tests, trials]; the new side's trials come first. NaN where a trial has
            nothing of a class, which then is tested over the trials that have it.
        new_count: trials of the new side.

    Returns:
        float64[tests], never 0; 1 where a side has fewer than two trials of a class.

    >>> joint_p(np.array([[2.0, 2.1, 2.2, 1.0, 1.1, 1.2]]), 3, np.random.default_rng(1)).tolist()
    [0.1]
    """
    if not len(values):
        return np.empty(0)
    return step_down([_statistics(values, _deals(values.shape[1], new_count, random))])


def step_down(parts: Iterable[Values]) -> Values:
    """Corrected p of tests from their statistics under each deal; the first deal is as it was.

    Args:
        parts: statistics under some of the deals each, float64[tests, deals].

    A test whose first statistic is -inf tells nothing: its p is 1.
    """
    observed, order, bar = np.empty(0), np.empty(0, np.intp), np.empty(0)
    as_large, deals = np.zeros(0), 0
    for statistics in parts:
        if not deals:
            observed = statistics[:, 0].copy()
            order = np.argsort(-observed, kind="stable")
            bar, as_large = observed[order] - ROUNDING * np.maximum(1.0, observed[order]), np.zeros(len(observed))
        maxima = np.maximum.accumulate(statistics[order][::-1], axis=0)[::-1]
        as_large += (maxima >= bar[:, None]).sum(axis=1)
        deals += statistics.shape[1]
    adjusted = np.empty(len(observed))
    adjusted[order] = np.maximum.accumulate(as_large / max(1, deals))
    adjusted[~np.isfinite(observed)] = 1.0
    return adjusted


def _deals(trials: int, new_count: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """Which trials are new, bool[deals, trials]; the first is as it was."""
    as_it_was = np.arange(trials) < new_count
    if comb(trials, new_count) <= MOST_DEALS:
        chosen = np.array(list(combinations(range(trials), new_count)))
        deals = np.zeros((len(chosen), trials), bool)
        np.put_along_axis(deals, chosen, True, axis=1)
        return deals  # the first combination is the first trials
    drawn = random.permuted(np.tile(as_it_was, (MOST_DEALS - 1, 1)), axis=1)
    return np.vstack([as_it_was, drawn])


def _statistics(values: Values, deals: NDArray[np.bool_]) -> Values:
    """Student's |t|, float64[tests, deals]; a test is -inf where a side has fewer than two trials as it was."""
    has = np.isfinite(values)
    centred = np.where(has, values - np.nanmean(np.where(has.any(1, keepdims=True), values, 0.0), axis=1)[:, None], 0.0)
    new = deals.astype(float)
    counts, sums = (np.stack([each @ new.T, each @ (1.0 - new).T]) for each in (has.astype(float), centred))
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / counts
        within = np.stack([_within(centred[test], has[test], means[:, test], deals) for test in range(len(values))])
        within /= counts.sum(0) - 2
        error = np.sqrt(within * (1 / counts).sum(0))
        found = np.abs(means[0] - means[1]) / np.maximum(error, LEAST_ERROR)
    shown: Values = np.nan_to_num(found, nan=0.0, posinf=0.0)  # a deal that leaves a side empty shows nothing
    shown[counts[:, :, 0].min(axis=0) < 2] = -np.inf
    return shown


def _within(values: Values, has: NDArray[np.bool_], means: Values, deals: NDArray[np.bool_]) -> Values:
    """Squares of what one test's trials differ from the means of their sides by, float64[deals].

    Not the difference of two sums, in which they would be lost where the sides are far apart.
    """
    left = np.where(has, values - np.where(deals, means[0][:, None], means[1][:, None]), 0.0)
    found: Values = (left * left).sum(1)
    return found


def smallest_p(new_count: int, old_count: int) -> float:
    """The smallest two-sided p that so many trials can give; 1 where a side has fewer than two.

    >>> round(smallest_p(3, 3), 3), round(smallest_p(4, 4), 4), smallest_p(1, 40)
    (0.1, 0.0286, 1.0)
    """
    if min(new_count, old_count) < 2:
        return 1.0
    deals = min(comb(new_count + old_count, new_count), MOST_DEALS)
    return (2 if new_count == old_count else 1) / deals


def spread_of(sides: tuple[Values, Values]) -> float | None:
    """Standard deviation of the logarithm of a trial's time within a side; None where no side has two trials."""
    groups = [side[np.isfinite(side)] for side in sides]
    freedom = sum(max(0, len(group) - 1) for group in groups)
    if not freedom:
        return None
    squares = sum(float(np.square(group - group.mean()).sum()) for group in groups if len(group))
    return float(np.sqrt(squares / freedom))


def trials_needed(spread: float, ratio: float, tests: int = 1) -> int | None:
    """Trials a side from which a change is found in four of five comparisons, by the noncentral t distribution.

    Args:
        spread: standard deviation of the logarithm of a trial's time, as trials of one side show it.
        ratio: the change to be found, new over old.
        tests: tests of the comparison; each is taken to have its share of the false alarms that are allowed, which is
            more than the correction asks of classes that move together.

    Returns:
        None where more than 50 would be needed.

    >>> trials_needed(0.02, 1.2), trials_needed(0.1, 1.2), trials_needed(0.1, 1.2, tests=10)
    (4, 6, 11)
    """
    for count in range(2, MOST_TRIALS + 1):
        if smallest_p(count, count) > ALPHA:
            continue
        freedom = 2 * count - 2
        shift = min(abs(log(ratio)) / max(spread, LEAST_ERROR) * np.sqrt(count / 2), 30.0)
        bar = stdtrit(freedom, 1 - ALPHA / tests / 2)
        if 1 - nctdtr(freedom, shift, bar) >= POWER:
            return count
    return None
