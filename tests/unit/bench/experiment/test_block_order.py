"""The order of trials."""

from __future__ import annotations

from skyshard.bench.experiment.block_order import block_order


def test_each_block_has_each_cell_once_in_an_order_of_its_own() -> None:
    """Drawn, and the same for the same seed."""
    order = block_order(list(range(1, 9)), 6, seed=5)
    blocks = [[one.cell for one in order if one.block == block] for block in range(1, 7)]
    assert all(sorted(block) == list(range(1, 9)) for block in blocks)
    assert len({tuple(block) for block in blocks}) == 6
    assert block_order(list(range(1, 9)), 6, seed=5) == order != block_order(list(range(1, 9)), 6, seed=6)
