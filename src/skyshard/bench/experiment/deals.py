"""An exact test of an experiment: would its effects look as large if each block's trials had other cells? No I/O.

The order of cells within a block was drawn, so without any effect the trials of a block could as well have been those
of its cells in any other order (Fisher 1935, The Design of Experiments, section 21). Every way to deal the trials of
all blocks to their cells is tried. All effects on all classes are tested at once, by the step-down maximum of Westfall
and Young (see ``compare.permutation``), and a trial's classes keep together.

Exact where nothing moves a class. Where one factor does, its spread is among what is dealt out when another is judged;
``effects`` therefore asks Student's t, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray

from skyshard.bench.compare.permutation import MOST_DEALS, step_down
from skyshard.bench.experiment.cell_fit import LEAST_SPREAD, CellFit

Places = NDArray[np.intp]
Values = NDArray[np.float64]
_SEED = 1935
AT_ONCE = 1_000
"""Deals that are looked at together: the memory that it takes is that of so many."""


@dataclass(frozen=True, slots=True)
class Deals:
    """Ways to deal trials to the cells of their blocks."""

    trials: tuple[tuple[int, int], ...]
    """Block and cell of each trial, sorted."""
    dealt: Places
    """int[deals, trials]: whose numbers each trial gets; the first deal is as it was."""
    possible: int
    """How many ways there are."""
    smallest_p: float
    """No p is below: the same exchange of cells in every block only gives the cells other names."""

    @property
    def are_all(self) -> bool:
        """Whether every way is tried; else so many were drawn."""
        return len(self.dealt) == self.possible

    @property
    def possible_text(self) -> str:
        """All digits of it; Python makes no text of a whole number of more than 4,300."""
        return f"{Decimal(self.possible):f}"


def deal_trials(trials: Sequence[tuple[int, int]]) -> Deals:
    """All deals of trials given as (block, cell), or 20,000 drawn ones and the one that was among them.

    >>> deals = deal_trials([(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)])
    >>> len(deals.dealt), deals.are_all, deals.smallest_p
    (8, True, 0.25)
    """
    return _dealt(tuple(sorted(trials)))


@lru_cache(maxsize=4)
def _dealt(ordered: tuple[tuple[int, int], ...]) -> Deals:
    sizes = [len(list(group)) for _, group in itertools.groupby(ordered, lambda trial: trial[0])]
    possible = prod(map(factorial, sizes))
    firsts = np.cumsum([0, *sizes])[:-1]
    if not sizes:
        return Deals(ordered, np.zeros((1, 0), np.intp), 1, 1.0)
    if possible <= MOST_DEALS:
        orders = [np.array(list(itertools.permutations(range(size))), np.intp) for size in sizes]
        picks = np.array(list(itertools.product(*(range(len(order)) for order in orders))), np.intp).T
        parts = [order[pick] + first for order, pick, first in zip(orders, picks, firsts, strict=True)]
    else:
        random = np.random.default_rng(_SEED)
        same = [np.arange(first, first + size) for first, size in zip(firsts, sizes, strict=True)]
        drawn = [random.permuted(np.tile(one, (MOST_DEALS - 1, 1)), axis=1) for one in same]
        parts = [np.vstack([one, more]) for one, more in zip(same, drawn, strict=True)]
    dealt = np.hstack(parts)
    dealt.setflags(write=False)
    names = factorial(sizes[0]) if len(set(sizes)) == 1 else 1
    return Deals(ordered, dealt, possible, max(names / possible, 1 / len(dealt)))


def deal_p(deals: Deals, fits: Sequence[CellFit], weights: Sequence[Values]) -> Values:
    """Two-sided p of effects, float64[effects], corrected for all of them together; 1 where a fit has no freedom.

    Args:
        fits: one for each effect; an effect of the same class has the same fit.
        weights: of the cells' means, for each effect.
    """
    if not fits:
        return np.empty(0)
    classes = [_Class.of(fit, fits, weights) for fit in {id(one): one for one in fits}.values()]
    parts = (deals.dealt[first : first + AT_ONCE] for first in range(0, len(deals.dealt), AT_ONCE))
    return step_down(_statistics(deals.trials, part, classes, len(fits)) for part in parts)


@dataclass(frozen=True, slots=True)
class _Class:
    """One class, with all that is the same under each deal."""

    fit: CellFit
    places: list[int]
    """Of its effects, among those of all classes."""
    axes: Values
    """float64[trials, columns of the model], orthonormal: the model's space."""
    sums: Values
    """float64[effects, columns]: an effect of what a deal has along the axes."""
    unit: Values
    """Standard errors of the effects, for a spread of 1."""

    @classmethod
    def of(cls, fit: CellFit, fits: Sequence[CellFit], weights: Sequence[Values]) -> _Class:
        places = [place for place, one in enumerate(fits) if one is fit]
        axes, triangle = np.linalg.qr(fit.model)
        mine = np.array([weights[place] for place in places])
        unit = np.sqrt(np.maximum(((mine @ fit.covariance) * mine).sum(1), 1e-30))
        return cls(fit, places, axes, mine @ np.linalg.inv(triangle)[: len(fit.cells)], unit)


def _statistics(trials: Sequence[tuple[int, int]], dealt: Places, classes: Sequence[_Class], effects: int) -> Values:
    """Student's |t| of each effect under each of some deals, float64[effects, deals]."""
    found = np.full((effects, len(dealt)), -np.inf)
    for one in classes:
        if one.fit.freedom:
            logs = (one.fit.logs - one.fit.logs.mean())[_of_class(trials, dealt, one.fit)]
            along = logs @ one.axes
            left = logs - along @ one.axes.T  # not the difference of two sums of squares: it would be lost in these
            spread = np.maximum(np.sqrt((left * left).sum(1) / one.fit.freedom), LEAST_SPREAD)
            found[one.places] = np.abs(one.sums @ along.T) / (one.unit[:, None] * spread)
    return found


def _of_class(trials: Sequence[tuple[int, int]], dealt: Places, fit: CellFit) -> Places:
    """Deals of the trials that have a class, by their places in its fit; trials without it are passed over."""
    if fit.trials == list(trials):
        return dealt
    have = {trial: place for place, trial in enumerate(fit.trials)}
    mine = np.array([have.get(trial, -1) for trial in trials], np.intp)[dealt]
    parts = []
    blocks = np.array([block for block, _ in trials])
    for block in np.unique(blocks):
        own = mine[:, blocks == block]
        order = np.argsort(own < 0, axis=1, kind="stable")
        count = int((own[0] >= 0).sum())
        parts.append(np.take_along_axis(own, order, axis=1)[:, :count])
    return np.hstack(parts)
