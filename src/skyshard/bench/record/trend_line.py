"""A straight line through times that follow one another; their dependence does not narrow its interval. No I/O.

Times of successive visits are skewed, have outliers (compaction, a checkpoint), repeat from field to field, and depend
on their neighbours. So the line is laid through the medians of blocks of consecutive visits: medians take out what is
rare, blocks as long as a round of the fields what repeats, and most of what neighbours share. What the medians of
neighbouring blocks still share widens the interval: the variance by (1 + r) / (1 - r), r their autocorrelation,
corrected for its bias in so few blocks and never taken as negative; the degrees of freedom shrink by the same factor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

Floats = NDArray[np.float64]

MOST_BLOCKS = 24
LEAST_BLOCKS = 6
"""Fewer say nothing of the spread about a line."""
ROUNDING = 1e-12
"""Differences of medians, as a share of them, that are those of the arithmetic."""
MOST_SHARED = 0.8
"""Autocorrelation of blocks above which it is taken as this."""


@dataclass(frozen=True, slots=True)
class TrendLine:
    """A line through the medians of blocks; its slope with a 95 % interval."""

    first: float
    """The x of the first value."""
    last: float
    n: int
    blocks: int
    slope: float
    """In units of y for each unit of x."""
    low: float
    high: float
    p: float
    """Two-sided, of a slope of 0."""
    at_first: float
    at_last: float
    """The line at its ends."""
    spread: float
    """Standard deviation of the blocks' medians about the line."""
    shared: float
    """Autocorrelation of the residuals of neighbouring blocks, as it was allowed for."""
    error: float
    """Standard error of the slope."""
    freedom: float

    @property
    def middle(self) -> float:
        """The line half-way."""
        return 0.5 * (self.at_first + self.at_last)

    def at(self, x: float) -> float:
        return self.at_first + self.slope * (x - self.first)


def line_through(x: Floats, y: Floats, period: int = 1) -> TrendLine | None:
    """The line through values in order of x; None where there are too few.

    Args:
        x: ascending, such as visit numbers.
        period: values after which their pattern repeats, such as the number of fields; blocks are multiples of it
            where there are enough values.

    >>> line = line_through(np.arange(100.0), 2 + 0.5 * np.arange(100.0))
    >>> round(line.slope, 6), round(line.at_last, 6), line.blocks
    (0.5, 51.5, 20)
    """
    blocks = _blocks(len(y), period)
    if blocks is None:
        return None
    xs = np.concatenate([part.mean(axis=1) for part in _parts(x, blocks)])
    ys = np.concatenate([np.median(part, axis=1) for part in _parts(y, blocks)])
    centred = xs - xs.mean()
    squares = float(centred @ centred)
    slope = float(centred @ ys) / squares
    rest = ys - ys.mean() - slope * centred
    if np.ptp(ys) <= ROUNDING * float(np.abs(ys).max()):
        slope, rest = 0.0, np.zeros(blocks)
    shared = _shared(rest)
    widening = (1 + shared) / (1 - shared)
    freedom = max(2.0, (blocks - 2) / widening)
    variance = float(rest @ rest) / (blocks - 2)
    error = float(np.sqrt(variance * widening / squares))
    half = float(stdtrit(freedom, 0.975)) * error
    at_middle = float(ys.mean())
    return TrendLine(
        first=float(x[0]), last=float(x[-1]), n=len(y), blocks=blocks, slope=slope, low=slope - half, high=slope + half,
        p=_p(slope, error, freedom), at_first=at_middle + slope * (float(x[0]) - float(xs.mean())),
        at_last=at_middle + slope * (float(x[-1]) - float(xs.mean())), spread=float(np.sqrt(variance)), shared=shared,
        error=error, freedom=freedom,
    )  # fmt: skip


def _blocks(count: int, period: int) -> int | None:
    """How many blocks: as many as have at least five values, and whole periods where that leaves enough blocks."""
    length = max(5, -(-count // MOST_BLOCKS))
    whole = -(-length // period) * period
    if count // whole >= LEAST_BLOCKS:
        return count // whole
    return count // length if count // length >= LEAST_BLOCKS else None


def _parts(values: Floats, blocks: int) -> tuple[Floats, Floats]:
    """Consecutive blocks, one a row: those that have one value more, then the others.

    >>> [part.tolist() for part in _parts(np.arange(5.0), 2)]
    [[[0.0, 1.0, 2.0]], [[3.0, 4.0]]]
    """
    length, longer = divmod(len(values), blocks)
    first, others = np.split(values, [longer * (length + 1)])
    return first.reshape(longer, length + 1), others.reshape(blocks - longer, length)


def _shared(rest: Floats) -> float:
    """Autocorrelation at lag one, without the bias of estimating it about a fitted line: from 0 to 0.8."""
    total = float(rest @ rest)
    if total <= 0:
        return 0.0
    count = len(rest)
    raw = float(rest[1:] @ rest[:-1]) / total
    corrected = raw + (2.0 + 4.0 * max(raw, 0.0)) / count
    return float(np.clip(corrected, 0.0, MOST_SHARED))


def _p(slope: float, error: float, freedom: float) -> float:
    if error <= 0:
        return 1.0 if slope == 0 else 0.0
    return float(2 * stdtr(freedom, -abs(slope) / error))


def ratio_interval(new: TrendLine, old: TrendLine) -> tuple[float, float | None, float | None]:
    """New slope over old slope with its 95 % interval by Fieller; None where the old slope may be 0."""
    t = float(stdtrit(max(2.0, min(new.freedom, old.freedom)), 0.975))
    g = (t * old.error / old.slope) ** 2 if old.slope else np.inf
    ratio = new.slope / old.slope if old.slope else float("inf")
    if not g < 1:
        return ratio, None, None
    half = t / abs(old.slope) * np.sqrt(new.error**2 * (1 - g) + ratio**2 * old.error**2) / (1 - g)
    middle = ratio / (1 - g)
    return ratio, float(middle - half), float(middle + half)
