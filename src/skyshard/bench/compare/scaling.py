"""How times grow with size: a power law to describe, overhead + work per node to predict. Pure; no I/O.

Two models are used. The *power law* t = c f^e, fitted on logarithms, gives the exponent and its interval: 1 is linear.
It must not be extrapolated over decades: where a fixed overhead dominates, its exponent is near 0 and says nothing
about larger data. So projections use *overhead + work*: t = a + b f / N with a, b >= 0, fitted by relative error. Every
projection lists its assumptions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

FitValues = NDArray[np.float64]
RESAMPLES = 500
UNKNOWN_REACH = float(np.log(1_000))
"""Half width of the band, as a logarithm, where the scatter is unknown."""
ROUNDS = 6
"""Iterations in which the weights are taken from the previous fit."""

ASSUMPTIONS = (
    "Time is a fixed overhead plus work in proportion to the rows of a node.",
    "Rows are spread evenly over equal nodes of the hardware measured here.",
    "The share of the data that memory holds stays as measured; beyond memory, disks decide and times jump.",
    "Answers grow with the data; one client asks at a time.",
)

SHARED = "What a further machine adds was not measured: its share of the rows is taken to need its share of the time."


@dataclass(frozen=True, slots=True)
class PowerFit:
    """Exponent of time against fraction, with its 95 % interval; the interval is None with fewer than three sizes."""

    exponent: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class WorkFit:
    """t = overhead_s + per_share_s * fraction / nodes."""

    overhead_s: float
    per_share_s: float

    def at(self, fraction: float, nodes: float) -> float:
        return self.overhead_s + self.per_share_s * fraction / nodes


@dataclass(frozen=True, slots=True)
class Prediction:
    """A time with its 95 % band, valid if the assumptions hold."""

    value_s: float
    low_s: float
    high_s: float

    def holds(self, measured_s: float) -> bool:
        return self.low_s <= measured_s <= self.high_s


def power_fit(fractions: Sequence[float], times_s: Sequence[float]) -> PowerFit:
    """The exponent by least squares on logarithms.

    >>> round(power_fit([1, 2, 4], [3, 6, 12]).exponent, 6)
    1.0
    """
    x, y = np.log(np.array(fractions)), np.log(np.array(times_s))
    if len(x) < 3:
        return PowerFit(float(np.polyfit(x, y, 1)[0]), None, None)
    spread = x - x.mean()
    slope = float(spread @ y / (spread @ spread))
    residuals = y - y.mean() - slope * spread
    error = np.sqrt(residuals @ residuals / (len(x) - 2) / (spread @ spread))
    reach = float(stdtrit(len(x) - 2, 0.975) * error)
    return PowerFit(slope, slope - reach, slope + reach)


def work_fit(fractions: Sequence[float], nodes: Sequence[float], times_s: Sequence[float]) -> WorkFit:
    """Overhead and work by least squares of relative errors, neither below zero."""
    overhead, work = _fits(np.array(fractions) / np.array(nodes), np.array(times_s)[None, :])
    return WorkFit(float(overhead[0]), float(work[0]))


def _fits(load: FitValues, times: FitValues) -> tuple[FitValues, FitValues]:
    """``work_fit`` of many rows of times at once, over the sizes' fraction per node.

    Errors are relative to the fitted times; relative to the measured ones, the fit would lie below scattered points. So
    weights are taken from the previous fit, in a few iterations.
    """
    scale = load.max()
    x = load / scale
    weights = times
    for _ in range(ROUNDS):
        overhead, work = _weighted(x, times, weights)
        weights = np.maximum(overhead[:, None] + work[:, None] * x, 1e-9)
    return overhead, work / scale


def _weighted(x: FitValues, times: FitValues, weights: FitValues) -> tuple[FitValues, FitValues]:
    """Overhead and slope of each row, neither below zero, with errors divided by ``weights``."""
    w = 1 / weights**2
    a, b, c = w.sum(1), (w * x).sum(1), (w * x**2).sum(1)
    d, e = (w * times).sum(1), (w * x * times).sum(1)
    determinant = np.maximum(a * c - b * b, 1e-300)
    overhead, work = (c * d - b * e) / determinant, (a * e - b * d) / determinant
    is_flat = (work < 0) | (np.ptp(x) == 0)
    overhead, work = np.where(overhead < 0, 0.0, overhead), np.where(overhead < 0, e / c, work)
    return np.where(is_flat, d / a, overhead), np.where(is_flat, 0.0, work)


def predict(
    fractions: Sequence[float],
    nodes: Sequence[float],
    samples_s: Sequence[FitValues],
    at: tuple[float, float],
    random: np.random.Generator,
) -> Prediction:
    """The median time at (fraction, nodes) = ``at``, from the samples measured at each size.

    The band comes from resampling the queries, widened by the scatter of the sizes about the fit: Student's t with as
    many degrees of freedom as there are sizes beyond the model's two (at least one). Two sizes fit exactly, so their
    scatter is unknown and the band is very wide.
    """
    medians = [float(np.median(one)) for one in samples_s]
    best = work_fit(fractions, nodes, medians)
    resampled = np.stack([_medians_of_resamples(one, random) for one in samples_s], axis=1)
    overheads, works = _fits(np.array(fractions) / np.array(nodes), resampled)
    drawn = overheads + works * at[0] / at[1]
    value = best.at(*at)
    fitted = [max(best.at(f, n), 1e-9) for f, n in zip(fractions, nodes, strict=True)]
    residuals = np.log(medians) - np.log(fitted)
    freedom = max(1, len(medians) - 2)
    scatter = float(np.sqrt((residuals**2).sum() / freedom))
    reach = float(stdtrit(freedom, 0.975)) * scatter if len(medians) > 2 else UNKNOWN_REACH
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Prediction(value, float(min(low, value) * np.exp(-reach)), float(max(high, value) * np.exp(reach)))


def _medians_of_resamples(values: FitValues, random: np.random.Generator) -> FitValues:
    """Medians of resamples with replacement."""
    picked = random.integers(len(values), size=(RESAMPLES, len(values)))
    medians: FitValues = np.median(values[picked], axis=1)
    return medians
