"""The fit of cells and blocks."""

from __future__ import annotations

import numpy as np

from skyshard.bench.experiment.cell_fit import fit_cells


def test_a_block_that_lacks_a_cell_does_not_shift_it() -> None:
    """A cell that was tried in slow blocks only is not taken for slow: exact without noise."""
    cell_logs, block_logs = {1: 0.0, 2: 0.7}, {1: 0.0, 2: 2.0, 3: 1.0}
    points = [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2)]
    fit = fit_cells(
        [block for block, _ in points], [cell for _, cell in points],
        [cell_logs[cell] + block_logs[block] for block, cell in points],
    )  # fmt: skip
    assert fit is not None
    assert np.isclose(fit.means[1] - fit.means[0], 0.7)


def test_cells_that_no_block_connects_are_not_compared() -> None:
    """One cell in one block, another in another: drift and effect cannot be told apart."""
    assert fit_cells([1, 2], [1, 2], [0.0, 1.0]) is None
    assert fit_cells([], [], []) is None


def test_a_single_block_has_no_freedom() -> None:
    """Nothing is left that could be an error."""
    fit = fit_cells([1, 1], [1, 2], [0.0, 1.0])
    assert fit is not None
    assert fit.freedom == 0
