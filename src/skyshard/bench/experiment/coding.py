"""Factors as columns of numbers whose sums over the levels are zero, so that effects are averages. No I/O."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def sum_coding(count: int) -> Matrix:
    """Rows of a factor's levels: the first is -1 in all columns, each other has its own.

    >>> sum_coding(3).tolist()
    [[-1.0, -1.0], [1.0, 0.0], [0.0, 1.0]]
    """
    return np.vstack([-np.ones(count - 1), np.eye(count - 1)])


def coded_columns(counts: Sequence[int], runs: Sequence[Sequence[int]]) -> Matrix:
    """A constant, and each factor's own columns; ``runs`` are levels by number, one for each factor."""
    levels = np.array(runs, int).reshape(len(runs), len(counts))
    parts = [sum_coding(count)[levels[:, place]] for place, count in enumerate(counts)]
    return np.hstack([np.ones((len(runs), 1)), *parts])


def pair_columns(counts: Sequence[int], runs: Sequence[Sequence[int]]) -> dict[tuple[int, int], Matrix]:
    """The products of each two factors' columns, by the factors' places."""
    levels = np.array(runs, int).reshape(len(runs), len(counts))
    parts = [sum_coding(count)[levels[:, place]] for place, count in enumerate(counts)]
    return {
        (one, other): np.einsum("ri,rj->rij", parts[one], parts[other]).reshape(len(runs), -1)
        for one, other in itertools.combinations(range(len(counts)), 2)
    }
