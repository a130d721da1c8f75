"""Places and ids that no other query of a trial has, nor of trials with the next seeds: a repeated one is in memory.

Places follow a low-discrepancy sequence over the footprint of the data, so that they fill it evenly and keep apart; a
trial takes the next stretch of it. The sequence is that of the workload's own seed, where the first trial begins.
Source of the sequence: M. Roberts, The unreasonable effectiveness of quasirandom sequences (2018), R2. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_PLASTIC = 1.32471795724474602596
_STEP = np.array([1 / _PLASTIC, 1 / _PLASTIC**2])
_BLOCK = 4096
_ROWS_A_CELL = 8
"""Sampled objects in a cell of the footprint, at least on average: then hardly one in it is empty by chance."""
_FINEST_DEG = 1 / 64


@dataclass(frozen=True)
class Footprint:
    """Where a sample of objects is, as cells of a grid in right ascension and declination, and the box around them."""

    cell_deg: float
    cells: NDArray[np.int64]
    west_deg: float
    width_deg: float
    sin_range: tuple[float, float]

    @staticmethod
    def of(ra_deg: Floats, decl_deg: Floats) -> Footprint:
        """The finest grid whose occupied cells hold several objects each, on average."""
        size = 16.0
        while size > _FINEST_DEG and len(np.unique(_cells(ra_deg, decl_deg, size / 2))) * _ROWS_A_CELL <= len(ra_deg):
            size /= 2
        west, width = _span(ra_deg)
        sines = np.sin(np.radians(decl_deg))
        cells = np.unique(_cells(ra_deg, decl_deg, size))
        return Footprint(size, cells, west, width, (float(sines.min()), float(sines.max())))

    def has(self, ra_deg: Floats, decl_deg: Floats) -> NDArray[np.bool_]:
        """Which places are in a cell with objects."""
        return np.isin(_cells(ra_deg, decl_deg, self.cell_deg), self.cells)


def _cells(ra_deg: Floats, decl_deg: Floats, size_deg: float) -> NDArray[np.int64]:
    """Numbers of cells: rows of equal height, each in so many columns that they are about as wide."""
    row = np.floor((decl_deg + 90.0) / size_deg).astype(np.int64)
    middle = np.radians((row + 0.5) * size_deg - 90.0)
    columns = np.maximum(1, np.round(360.0 * np.cos(middle) / size_deg))
    column = np.minimum(np.floor(ra_deg % 360.0 / 360.0 * columns), columns - 1).astype(np.int64)
    return np.asarray(row * 1_000_000 + column)


def _span(ra_deg: Floats) -> tuple[float, float]:
    """The western edge and the width of all but the widest gap between right ascensions."""
    around = np.unique(ra_deg % 360.0)
    gaps = np.diff(np.append(around, around[0] + 360.0))
    widest = int(np.argmax(gaps))
    return float(around[(widest + 1) % len(around)]), float(360.0 - gaps[widest])


@dataclass
class FreshPlaces:
    """Hands out the next places and ids of a sequence, and counts them.

    Args:
        seed: decides the sequence.
        skipped: places and ids of it that belong to others.
    """

    footprint: Footprint
    object_ids: NDArray[np.int64]
    seed: int
    skipped: tuple[int, int] = (0, 0)
    taken: tuple[int, int] = field(default=(0, 0), init=False)
    """Places and ids that were handed out."""
    _waiting: list[tuple[float, float]] = field(default_factory=list, init=False)
    _index: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng([self.seed, 0xF4E5])
        self._shift = random.random(2)
        self._order = random.permutation(len(self.object_ids))
        self._left = self.skipped[0]

    def place(self) -> tuple[float, float]:
        """Right ascension and declination, degrees."""
        while not self._waiting:
            self._waiting = self._block()[::-1]
        self.taken = (self.taken[0] + 1, self.taken[1])
        return self._waiting.pop()

    def _block(self) -> list[tuple[float, float]]:
        index = np.arange(self._index, self._index + _BLOCK)
        self._index += _BLOCK
        across, up = np.mod(self._shift + (index[:, np.newaxis] + 1) * _STEP, 1.0).T
        low, high = self.footprint.sin_range
        ra = (self.footprint.west_deg + across * self.footprint.width_deg) % 360.0
        decl = np.degrees(np.arcsin(np.clip(low + up * (high - low), -1.0, 1.0)))
        is_in = self.footprint.has(ra, decl)
        found = list(zip(ra[is_in].tolist(), decl[is_in].tolist(), strict=True))
        passed = min(self._left, len(found))
        self._left -= passed
        return found[passed:]

    def ids(self, count: int) -> list[int]:
        """So many ids that differ, all if there are no more; from the start again when all were handed out."""
        total = len(self.object_ids)
        count = min(count, total)
        start = self.skipped[1] + self.taken[1]
        self.taken = (self.taken[0], self.taken[1] + count)
        chosen = self._order[np.arange(start, start + count) % total]
        return [int(one) for one in np.sort(self.object_ids[chosen])]
