"""The exact test of experiments against plain counting, and what it leaves to chance."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import replace
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.bench.compare.permutation import MOST_DEALS
from skyshard.bench.experiment.cell_fit import CellFit, fit_cells
from skyshard.bench.experiment.deals import AT_ONCE, deal_p, deal_trials


def fitted(trials: list[tuple[int, int]], logs: list[float]) -> CellFit:
    fit = fit_cells([block for block, _ in trials], [cell for _, cell in trials], logs)
    assert fit is not None
    return fit


def grid(blocks: int, cells: int) -> list[tuple[int, int]]:
    return [(block, cell) for block in range(1, blocks + 1) for cell in range(1, cells + 1)]


@given(st.lists(st.floats(-1, 1, width=32), min_size=6, max_size=6))
def test_p_is_the_share_of_deals_that_look_as_large(logs: list[float]) -> None:
    """Two blocks of three cells, one effect: t is computed anew for each of the 36 deals, by the fit itself."""
    trials, weights = grid(2, 3), np.array([1.0, -1.0, 0.0])
    found = deal_p(deal_trials(trials), [fitted(trials, logs)], [weights])
    statistics = []
    for first, second in itertools.product(itertools.permutations(logs[:3]), itertools.permutations(logs[3:])):
        value, error = fitted(trials, [*first, *second]).estimate(weights)
        statistics.append(abs(value) / error)
    # a floating-point tie may fall either way: p lies between both ways of counting
    least = np.mean([one > statistics[0] * (1 + 1e-6) + 1e-6 for one in statistics])
    most = np.mean([one >= statistics[0] * (1 - 1e-6) - 1e-6 for one in statistics])
    assert least <= found[0] <= most


@pytest.mark.parametrize(("blocks", "p"), [(2, 1 / 2), (3, 1 / 4), (6, 1 / 32)])
def test_two_cells_that_never_change_places_give_the_smallest_p(blocks: int, p: float) -> None:
    """However far apart they are, and it is the one that is said beforehand."""
    trials = grid(blocks, 2)
    logs = [5.0 * (cell == 2) + 0.01 * block * cell for block, cell in trials]
    deals = deal_trials(trials)
    assert deal_p(deals, [fitted(trials, logs)], [np.array([-1.0, 1.0])])[0] == pytest.approx(p)
    assert deals.smallest_p == pytest.approx(p)
    assert deals.are_all


def test_more_ways_than_can_be_tried_are_drawn() -> None:
    """Sixteen cells in three blocks: 20,000 deals, the one that was first; every deal keeps the blocks."""
    deals = deal_trials(grid(3, 16))
    assert deals.dealt.shape == (MOST_DEALS, 48)
    assert not deals.are_all
    assert deals.dealt[0].tolist() == list(range(48))
    assert np.array_equal(np.sort(deals.dealt, axis=1), np.tile(np.arange(48), (MOST_DEALS, 1)))
    assert np.array_equal(deals.dealt // 16, np.tile(np.repeat(np.arange(3), 16), (MOST_DEALS, 1)))
    assert deals.smallest_p == 1 / MOST_DEALS


def test_a_class_that_some_trials_lack_is_dealt_over_the_others() -> None:
    """A trial that failed takes part in no deal of its class, and in those of the other classes."""
    trials = grid(6, 2)
    some = [one for one in trials if one != (6, 2)]
    logs = {one: 3.0 * (one[1] == 2) + 0.01 * one[0] * one[1] for one in trials}
    fits = [fitted(trials, [logs[one] for one in trials]), fitted(some, [logs[one] for one in some])]
    deals, weights = deal_trials(trials), [np.array([-1.0, 1.0])]
    alone = [deal_p(deals, [fit], weights)[0] for fit in fits]
    assert alone == pytest.approx([1 / 32, 1 / 16])  # the sixth block has one trial of it: nothing to exchange
    assert np.all(deal_p(deals, fits, weights * 2) >= alone)


def test_a_single_block_tells_nothing() -> None:
    """There is no spread to hold an effect against."""
    trials = grid(1, 4)
    fit = fitted(trials, [0.0, 1.0, 2.0, 3.0])
    assert deal_p(deal_trials(trials), [fit], [np.array([1.0, -1.0, 0.0, 0.0])]).tolist() == [1.0]


@pytest.mark.parametrize("apart", [0.1, 5.0, 14.0])
@pytest.mark.parametrize("noise", [1e-2, 1e-4, 1e-5])
def test_deals_that_exchange_names_are_ties_however_far_apart_cells_are(apart: float, noise: float) -> None:
    """Five blocks of two cells: one of two is ahead in all of them in one experiment of sixteen, and no p is below."""
    trials, random = grid(5, 2), np.random.default_rng(7)
    for _ in range(20):
        logs = [apart * (cell == 2) + 0.05 * block + float(random.normal(0, noise)) for block, cell in trials]
        assert deal_p(deal_trials(trials), [fitted(trials, logs)], [np.array([-1.0, 1.0])])[0] >= 1 / 16


def test_ways_without_end_are_told_with_all_their_digits() -> None:
    """Python makes no text of a number of more than 4,300, and no floating-point number of one of 309."""
    deals = deal_trials(grid(2, 100))
    assert deals.possible == factorial(100) ** 2 > 10**309
    assert deals.smallest_p == 1 / MOST_DEALS
    endless = replace(deals, possible=factorial(200) ** 12)
    assert len(endless.possible_text) == 4499
    left, text = endless.possible, ""
    while left:
        left, digit = divmod(left, 10)
        text = f"{digit}{text}"
    assert endless.possible_text == text
    assert deal_trials(grid(3, 2)).possible_text == "8"


def test_blocks_of_a_single_trial_have_nothing_to_exchange() -> None:
    """However many there are: of a cell that failed in all blocks but three."""
    trials = [*grid(3, 2), *((block, 1) for block in range(4, 90))]
    deals = deal_trials(trials)
    assert deals.dealt.shape == (8, len(trials))
    assert deals.are_all
    assert deals.dealt[0].tolist() == list(range(len(trials)))
    assert (deals.dealt[:, 6:] == np.arange(6, len(trials))).all()


def test_memory_is_that_of_a_few_deals() -> None:
    """190 effects on each of three classes under 20,000 deals take 91 MB, of which a part at a time is there."""
    trials, random = grid(3, 20), np.random.default_rng(1)
    fits = [fitted(trials, random.normal(size=len(trials)).tolist()) for _ in range(3)]
    pairs = list(itertools.combinations(np.eye(20), 2))
    each = [(fit, one - other) for fit in fits for one, other in pairs]
    deals = deal_trials(trials)
    tracemalloc.start()
    try:
        found = deal_p(deals, [fit for fit, _ in each], [weights for _, weights in each])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.shape == (570,)
    assert peak < 8 * AT_ONCE * 570 * 8
