"""Effects as weighted sums of the cells' means: of a factor between two levels, of two factors together. No I/O.

The weights are those of least squares with sum coding: over all combinations they are plain averages; where cells are
missing, as in a fraction or after failures, they are the best estimate that the cells allow, if they allow any.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyshard.bench.experiment.coding import Matrix, coded_columns, pair_columns, sum_coding
from skyshard.bench.experiment.factors import Value

Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Contrast:
    """One effect: ``factor`` at ``level`` against ``against``; of a pair, also what the other factor changes in it."""

    factor: str
    level: Value
    against: Value
    weights: Weights
    """Of the cells' means, in the cells' order; their sum is zero."""
    other: str = ""
    other_level: Value = ""
    other_against: Value = ""


def contrasts_of(
    factors: Mapping[str, Sequence[Value]], cells: Sequence[Mapping[str, Value]], *, has_pairs: bool = True
) -> list[Contrast]:
    """The effects that these cells tell: of each factor between any two levels, then of each two factors.

    Args:
        cells: the levels of the cells that have data.
        has_pairs: False in a fraction, where pairs are not told.
    """
    names = [name for name in factors if len({cell[name] for cell in cells}) > 1]
    levels = {name: [level for level in factors[name] if any(cell[name] == level for cell in cells)] for name in names}
    counts = [len(levels[name]) for name in names]
    runs = [[levels[name].index(cell[name]) for name in names] for cell in cells]
    if not names:
        return []
    mains = coded_columns(counts, runs)
    pairs = pair_columns(counts, runs) if has_pairs else {}
    whole = np.hstack([mains, *pairs.values()])
    model = whole if np.linalg.matrix_rank(whole) == whole.shape[1] else mains
    return [
        *_main_contrasts(names, levels, model),
        *(_pair_contrasts(names, levels, model, pairs) if model is whole else []),
    ]


def _main_contrasts(names: Sequence[str], levels: Mapping[str, Sequence[Value]], model: Matrix) -> list[Contrast]:
    found, first, inverse = [], 1, _inverse(model)
    for name in names:
        coding = sum_coding(len(levels[name]))
        for against, level in itertools.combinations(range(len(levels[name])), 2):
            wanted = np.zeros(model.shape[1])
            wanted[first : first + coding.shape[1]] = coding[level] - coding[against]
            weights = _weights(model, inverse, wanted)
            if weights is not None:
                found.append(Contrast(name, levels[name][level], levels[name][against], weights))
        first += coding.shape[1]
    return found


def _pair_contrasts(
    names: Sequence[str],
    levels: Mapping[str, Sequence[Value]],
    model: Matrix,
    pairs: Mapping[tuple[int, int], Matrix],
) -> list[Contrast]:
    """Each level but the first of one factor with each of the other."""
    found, first, inverse = [], 1 + sum(len(levels[name]) - 1 for name in names), _inverse(model)
    for (one, other), columns in pairs.items():
        mine, theirs = (levels[names[place]] for place in (one, other))
        coding, other_coding = sum_coding(len(mine)), sum_coding(len(theirs))
        for level, other_level in itertools.product(range(1, len(mine)), range(1, len(theirs))):
            wanted = np.zeros(model.shape[1])
            change = np.outer(coding[level] - coding[0], other_coding[other_level] - other_coding[0])
            wanted[first : first + columns.shape[1]] = change.ravel()
            weights = _weights(model, inverse, wanted)
            if weights is not None:
                ends = (names[other], theirs[other_level], theirs[0])
                found.append(Contrast(names[one], mine[level], mine[0], weights, *ends))
        first += columns.shape[1]
    return found


def _inverse(model: Matrix) -> Matrix:
    return np.asarray(np.linalg.pinv(model), np.float64)


def _weights(model: Matrix, inverse: Matrix, wanted: Weights) -> Weights | None:
    """Weights of the cells' means; None where the cells do not tell it."""
    if not np.allclose(wanted @ inverse @ model, wanted, atol=1e-8):
        return None
    weights: Weights = wanted @ inverse
    return np.where(np.abs(weights) < 1e-12, 0.0, weights)
