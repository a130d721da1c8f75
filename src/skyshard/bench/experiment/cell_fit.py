"""One class over all trials: logarithm of the median = block + cell + what is left. No I/O.

The trial is the unit: one number for each trial, however many queries it sent. What is left between blocks and cells
(a cell that is slower in one block than the blocks and the cells make one expect) is the only error that counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_SPREAD = 1e-6
"""Logarithms do not differ by less: times are not measured better."""
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CellFit:
    """The fit of one class."""

    cells: list[int]
    """Numbers of the cells that have data."""
    means: Values
    """Logarithm of each cell's median, at the average block."""
    covariance: Values
    """Of the means, for a spread of 1."""
    spread: float
    """Standard deviation of what is left: of one trial's logarithm, without the drift of blocks."""
    freedom: int
    """Degrees of freedom of the spread; 0 with a single block."""
    trials: list[tuple[int, int]]
    """Block and cell of each trial, as they were given."""
    logs: Values
    """Logarithm of each trial's median."""
    model: Values
    """float64[trials, cells + blocks - 1]: what cells and blocks give each trial."""

    def estimate(self, weights: Values) -> tuple[float, float]:
        """A weighted sum of the means, and its standard error."""
        return float(weights @ self.means), self.spread * float(
            np.sqrt(max(0.0, float(weights @ self.covariance @ weights)))
        )


def fit_cells(blocks: Sequence[int], cells: Sequence[int], logs: Sequence[float]) -> CellFit | None:
    """Fit trials given as block, cell and logarithm of the median; None where the blocks do not connect the cells.

    >>> fit = fit_cells([1, 1, 2, 2, 3, 3], [1, 2, 1, 2, 1, 2], [0.0, 1.0, 0.5, 1.5, 0.2, 1.2])
    >>> fit.means.round(3).tolist(), fit.freedom
    ([0.233, 1.233], 2)
    """
    if not len(logs):
        return None
    block_names, block_of = np.unique(blocks, return_inverse=True)
    cell_names, cell_of = np.unique(cells, return_inverse=True)
    rows, last = len(logs), len(block_names) - 1
    model = np.zeros((rows, len(cell_names) + last))
    model[np.arange(rows), cell_of] = 1.0
    for row, block in enumerate(block_of):
        model[row, len(cell_names) :] = -1.0 if block == last else np.eye(last)[block] if last else 0.0
    rank = int(np.linalg.matrix_rank(model))
    if rank < model.shape[1]:
        return None
    values = np.asarray(logs, float)
    found, *_ = np.linalg.lstsq(model, values, rcond=None)
    left = values - model @ found
    freedom = rows - rank
    spread = max(LEAST_SPREAD, float(np.sqrt(left @ left / freedom))) if freedom else float("nan")
    covariance = np.linalg.inv(model.T @ model)[: len(cell_names), : len(cell_names)]
    means = np.asarray(found[: len(cell_names)], np.float64)
    trials = list(zip(map(int, blocks), map(int, cells), strict=True))
    return CellFit(
        list(map(int, cell_names)), means, np.asarray(covariance, np.float64), spread, freedom,
        trials, values, model,
    )  # fmt: skip
