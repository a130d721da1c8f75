"""Statistics of light curves for DiaObject rows: consistent with each other (quantiles rise), counts exact. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from skyshard.catalog.felis_schemas import SchemaColumn
from skyshard.synth.recipe.sky_tables import Masked, Validity, Values
from skyshard.synth.rows.column_meaning import Sense, meaning_of
from skyshard.synth.rows.fluxes import Light
from skyshard.synth.sky.population import Singles

_NJY = np.float32(1e3)
_QUANTILES = {
    "Min": -2.0, "Percentile05": -1.645, "Percentile25": -0.674, "Percentile50": 0.0, "Percentile75": 0.674,
    "Percentile95": 1.645, "Max": 2.0,
}  # fmt: skip
"""In standard deviations from the mean. Curves have few points, so the extremes are put at two."""
_OF_SIGMA = {"Sigma": 1.0, "MAD": 0.67, "MaxSlope": 0.3, "LinearSlope": 0.002}
_CONSTANTS = {"Skew": 0.1, "Chi2": 1.0, "StetsonJ": 0.5}


def light_curve_column(
    column: SchemaColumn, light: Callable[[str | None], Light], counts: Mapping[str, Values]
) -> Values | None:
    """One statistic over the detections of each object in a band; None for other columns.

    Without a detection in the band the count is 0 and the rest NULL.
    """
    meaning = meaning_of(column)
    if meaning.sense is not Sense.FLUX_STATISTIC:
        return None
    visits = counts.get(f"{meaning.band}/visits")
    if not isinstance(visits, np.ndarray):
        return None
    if meaning.words[0] == "Ndata":
        return visits
    is_science = "science" in meaning.stem or "TOT" in meaning.stem
    values = _statistic(meaning.words[0], light(meaning.band), visits.astype(np.float32), is_science=is_science)
    return Masked(values, Validity.of(visits > 0)) if column.is_nullable else values


def _statistic(word: str, light: Light, visits: Singles, *, is_science: bool) -> Singles:
    """Of the difference flux, or of the flux itself; nanojansky."""
    root = np.sqrt(np.maximum(visits, np.float32(1)))
    error = light.sigma * np.float32(4) * _NJY
    spread = np.where(light.is_variable, np.float32(0.3) * light.point * _NJY, np.float32(0)) + error
    mean = light.point * _NJY if is_science else np.float32(0.2) * spread
    if word in ("Mean", "LinearIntercept"):
        return np.asarray(mean)
    if word in _QUANTILES:
        return np.asarray(mean + np.float32(_QUANTILES[word]) * spread)
    if word in _OF_SIGMA:
        return np.asarray(spread * np.float32(_OF_SIGMA[word]))
    if word == "MeanErr":
        return np.asarray(error / root)
    return error if word == "ErrMean" else np.asarray(np.float32(_CONSTANTS[word]) * spread / error)
