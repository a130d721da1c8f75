"""The effects of an experiment with their intervals, and whether they are shown. No I/O.

An effect is a ratio of medians. Two tests have to show it. The exact one (``deals``) asks nothing of how trials spread;
its p is the one that is told. Student's t against the spread between trials (``cell_fit``), by Holm over all effects of
all classes, gives the interval. Of experiments without any effect at most one in twenty shows one, whatever the noise,
and one in forty where it is normal, so that of 200 hardly ever more than ten (5 %) do. The interval of an effect is as
wide as Holm's step at its rank asks, and reaches to 1 where the exact test does not show the effect: it excludes 1
exactly where the effect is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np
from scipy.special import stdtr, stdtrit

from skyshard.bench.experiment.cell_fit import CellFit
from skyshard.bench.experiment.contrasts import Contrast
from skyshard.bench.experiment.deals import Deals, deal_p

ALPHA = 0.025
"""Of experiments without effects: the share for which Student's t shows one."""
EXACT_ALPHA = 0.05
"""The same share for the exact test."""
MARGIN = 1.10
"""Ratios between 1/margin and margin are called equal."""
POWER = 0.8
MOST_BLOCKS = 200

PhaseClass = tuple[str, str]
"""Phase and class."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One effect on one class."""

    key: PhaseClass
    contrast: Contrast
    ratio: float
    low: float
    high: float
    p: float
    """The exact test's, corrected; 1 with a single block, which tells nothing."""
    is_shown: bool


def estimate_all(
    fits: Mapping[PhaseClass, CellFit], contrasts: Mapping[PhaseClass, Sequence[Contrast]], deals: Deals
) -> list[Estimate]:
    """Every effect on every class, in the given order; ``deals`` are those of all trials of the fits."""
    listed = [(key, fits[key], contrast) for key in fits for contrast in contrasts[key]]
    if not listed:
        return []
    told = [fit.estimate(contrast.weights) for _, fit, contrast in listed]
    raw = [_p(value, error, fit.freedom) for (value, error), (_, fit, _) in zip(told, listed, strict=True)]
    corrected, levels = holm_steps(raw)
    exact = deal_p(deals, [fit for _, fit, _ in listed], [contrast.weights for _, _, contrast in listed])
    found = []
    for (key, fit, contrast), (value, error), of_t, of_deals, level in zip(
        listed, told, corrected, exact, levels, strict=True
    ):
        is_exact = of_deals < EXACT_ALPHA
        half = float(stdtrit(fit.freedom, 1 - level / 2)) * error if fit.freedom else np.inf
        half = half if is_exact else max(half, abs(value))
        low, high = (float(np.exp(value + sign * half)) for sign in (-1, 1))
        is_shown = bool(is_exact and of_t < ALPHA)
        found.append(Estimate(key, contrast, float(np.exp(value)), low, high, float(of_deals), is_shown))
    return found


def _p(value: float, error: float, freedom: int) -> float:
    """Two-sided."""
    if not freedom or error <= 0:
        return 1.0
    return float(2 * stdtr(freedom, -abs(value) / error))


def holm_steps(raw: Sequence[float]) -> tuple[list[float], list[float]]:
    """Holm's corrected p, and for each the level of the step that decided it.

    >>> p, level = holm_steps([0.001, 0.04, 0.03])
    >>> [round(one, 3) for one in p], [round(one, 4) for one in level]
    ([0.003, 0.06, 0.06], [0.0083, 0.0125, 0.0125])
    """
    count = len(raw)
    corrected, levels = [1.0] * count, [ALPHA] * count
    highest, has_stopped, level = 0.0, False, ALPHA / max(1, count)
    for rank, place in enumerate(sorted(range(count), key=lambda one: raw[one])):
        highest = max(highest, min(1.0, raw[place] * (count - rank)))
        level = level if has_stopped else ALPHA / (count - rank)
        has_stopped = has_stopped or highest >= ALPHA
        corrected[place], levels[place] = highest, level
    return corrected, levels


def by_median(fit: CellFit) -> list[int]:
    """The cells in order of their medians, the fastest first."""
    return [fit.cells[int(place)] for place in np.argsort(fit.means)]


def best_cells(fit: CellFit, comparisons: int) -> list[int]:
    """The cell with the shortest median, and the cells that are not shown to be slower, in order of their medians.

    Args:
        comparisons: by which the level is divided: of all pairs of cells, over all classes, since the best one is not
            known before. Of a class that no effect is shown for, no cell is called the best: see ``analyse``.
    """
    if not fit.freedom:
        return by_median(fit)
    order = [int(place) for place in np.argsort(fit.means)]
    bar = float(stdtrit(fit.freedom, 1 - ALPHA / max(1, comparisons) / 2))
    found = []
    for place in order:
        weights = np.zeros(len(order))
        weights[place] += 1.0
        weights[order[0]] -= 1.0
        value, error = fit.estimate(weights)
        if place == order[0] or value <= bar * error:
            found.append(fit.cells[place])
    return found


def orders(cells: int, blocks: int) -> int:
    """In one of so many experiments equal cells come in one order in all blocks: no exact p is below 1 over it.

    >>> orders(2, 6), orders(4, 3)
    (32, 576)
    """
    return int(factorial(cells) ** max(0, blocks - 1))


def can_show(cells: int, blocks: int) -> bool:
    """Whether the exact test shows that a single cell differs from all others, however the others lie.

    Of equal cells one is ahead of the others in all blocks once in ``cells ** (blocks - 1)`` experiments.

    >>> [next(blocks for blocks in range(1, 9) if can_show(cells, blocks)) for cells in (2, 3, 4, 5, 20, 21)]
    [6, 4, 4, 3, 3, 2]
    """
    return blocks > 1 and cells ** (blocks - 1) > 1 / EXACT_ALPHA  # a whole number of any length


def blocks_needed(fit: CellFit, contrast: Contrast, tests: int, ratio: float = MARGIN) -> int | None:
    """Trials of each cell from which an effect is shown in four of five experiments, from the spread seen.

    None where more than 200 would be needed, or a single block shows no spread.
    """
    if not fit.freedom:
        return None
    width = float(np.sqrt(contrast.weights @ contrast.weights)) * fit.spread
    for blocks in range(2, MOST_BLOCKS + 1):
        if not can_show(len(fit.cells), blocks):
            continue
        freedom = (blocks - 1) * (len(fit.cells) - 1)
        needed = stdtrit(freedom, 1 - ALPHA / max(1, tests) / 2) + stdtrit(freedom, POWER)
        if needed * width / np.sqrt(blocks) <= np.log(ratio):
            return blocks
    return None
