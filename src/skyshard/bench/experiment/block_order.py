"""The order of the trials: blocks that hold each cell once, each in an order of its own, drawn from the seed. No I/O.

A machine that grows slower or faster in the course of an experiment does so for all cells alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """One trial: its block, from 1 on, and its cell's number."""

    block: int
    cell: int

    @property
    def name(self) -> str:
        """The name of its folder: ``b02-c13``."""
        return f"b{self.block:02}-c{self.cell:02}"


def block_order(cells: Sequence[int], blocks: int, seed: int) -> list[PlannedTrial]:
    """All trials in the order in which they run; the order of a block depends on the seed and its number alone.

    >>> [one.name for one in block_order([1, 2, 3], 2, 1)]
    ['b01-c03', 'b01-c01', 'b01-c02', 'b02-c01', 'b02-c02', 'b02-c03']
    """
    return [
        PlannedTrial(block, cells[place])
        for block in range(1, blocks + 1)
        for place in np.random.default_rng([seed, block]).permutation(len(cells)).tolist()
    ]
