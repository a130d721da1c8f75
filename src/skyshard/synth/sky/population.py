"""True properties of the objects of a chunk: kind, magnitudes, variability, bands never observed. No I/O, no noise.

``rows.kpm_columns`` makes measured columns from them. Arrays are float32, one row per band where two-dimensional.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.array_types import Flags
from skyshard.synth.recipe.random_streams import stream
from skyshard.synth.recipe.recipe import Recipe

Singles = NDArray[np.float32]

ZERO_POINT_MAG = 23.9
"""AB magnitude of one microjansky, the unit of all fluxes before they are written."""
_LN_FLUX_PER_MAG = -0.4 * math.log(10)
_ZERO_POINT = np.float32(ZERO_POINT_MAG)

# Magnitude minus r in each band: a + b t + c t^4, with t uniform in [0, 1]. Stars run along a narrow locus from
# blue dwarfs to M dwarfs; galaxies run from blue and star-forming to red, with a wide scatter.
_STAR_LOCUS = {
    "u": (1.10, 2.30, 0.30), "g": (0.25, 1.15, 0.10), "r": (0.0, 0.0, 0.0),
    "i": (-0.08, -0.30, -1.10), "z": (-0.10, -0.48, -1.60), "y": (-0.11, -0.55, -1.90),
}  # fmt: skip
_GALAXY_LOCUS = {
    "u": (0.75, 1.60, 0.20), "g": (0.25, 0.85, 0.0), "r": (0.0, 0.0, 0.0),
    "i": (-0.15, -0.40, 0.0), "z": (-0.25, -0.65, 0.0), "y": (-0.30, -0.80, 0.0),
}  # fmt: skip
_STAR_SCATTER_MAG, _GALAXY_SCATTER_MAG = np.float32(0.03), np.float32(0.15)


@dataclass(frozen=True, slots=True)
class Population:
    """Objects of one chunk; bands in the recipe's order, blue to red."""

    is_star: Flags
    flux: Singles
    """Mean flux, (band, object), microjansky."""
    is_missing: Flags
    """(band, object): never observed there."""
    size: Singles
    """Second moment of the intrinsic image, square pixels; 0 for stars."""
    is_variable: Flags
    amplitude_mag: Singles
    """This and the next two: 0 where an object does not vary."""
    period_days: Singles
    phase: Singles

    def __len__(self) -> int:
        return len(self.is_star)


def flux_of(magnitude: Singles | float) -> Singles:
    """AB magnitude to microjansky.

    >>> float(flux_of(23.9))
    1.0
    """
    return np.asarray(np.exp(np.float32(_LN_FLUX_PER_MAG) * (np.asarray(magnitude, np.float32) - _ZERO_POINT)))


def draw_variable(recipe: Recipe, seed: int, chunk: int, count: int) -> Flags:
    """Which of a chunk's objects vary, as ``draw_population`` has it, without the rest."""
    return _PopulationDraws(seed, chunk, count).chance("isVariable", recipe.population.variable_fraction)


def draw_population(recipe: Recipe, seed: int, chunk: int, count: int) -> Population:
    """The true properties of a chunk's objects."""
    draw = _PopulationDraws(seed, chunk, count)
    is_star = draw.chance("isStar", recipe.population.star_fraction)
    magnitudes = _magnitudes(recipe, draw, is_star)
    missing = [draw.chance(f"{band}_missing", recipe.bands[band].missing_fraction) for band in recipe.band_names]
    size = np.where(is_star, np.float32(0), np.exp(np.float32(1.2) + np.float32(0.8) * draw.normal("size")))
    is_variable = draw_variable(recipe, seed, chunk, count)
    variables = _PopulationDraws(seed, chunk, int(np.count_nonzero(is_variable)))
    amplitude = np.exp(np.float32(-1.2) + np.float32(0.6) * variables.normal("amplitude"))
    period = np.exp(np.float32(math.log(0.2)) + np.float32(math.log(1500)) * variables.uniform("period"))
    return Population(
        is_star=is_star,
        flux=flux_of(magnitudes),
        is_missing=np.array(missing),
        size=size,
        is_variable=is_variable,
        amplitude_mag=_where(is_variable, amplitude),
        period_days=_where(is_variable, period),
        phase=_where(is_variable, variables.uniform("phase")),
    )


def _where(is_there: Flags, values: Singles) -> Singles:
    """Values of some rows, 0 in the others."""
    spread = np.zeros(len(is_there), np.float32)
    spread[is_there] = values
    return spread


@dataclass(frozen=True, slots=True)
class _PopulationDraws:
    """Single-precision random columns of one chunk's population."""

    seed: int
    chunk: int
    count: int

    def uniform(self, name: str) -> Singles:
        return stream(self.seed, "population", self.chunk, name).random(self.count, dtype=np.float32)

    def chance(self, name: str, share: float) -> Flags:
        """True for a share of the rows, to the nearest 65,536th."""
        words = stream(self.seed, "population", self.chunk, name).bit_generator.random_raw((self.count + 3) // 4)
        return np.asarray(words.astype("<u8", copy=False).view("<u2")[: self.count] < np.int32(round(share * 65_536)))

    def normal(self, name: str) -> Singles:
        return stream(self.seed, "population", self.chunk, name).standard_normal(self.count, dtype=np.float32)


def _magnitudes(recipe: Recipe, draw: _PopulationDraws, is_star: Flags) -> Singles:
    """(band, object): r by the number counts, the others by colour."""
    counts = recipe.population
    share = 1.0 - 10.0 ** (-counts.slope * (counts.faint_mag - counts.bright_mag))
    r_mag = counts.faint_mag + np.log(np.float32(1) - draw.uniform("r_mag") * np.float32(share)) / np.float32(
        counts.slope * math.log(10)
    )
    t = draw.uniform("colour")
    t2 = t * t
    star = is_star.astype(np.float32)
    terms = (t, t2 * t2, star, star * t, star * (t2 * t2))
    scatter = _GALAXY_SCATTER_MAG + np.float32(_STAR_SCATTER_MAG - _GALAXY_SCATTER_MAG) * star
    magnitudes = np.empty((len(recipe.band_names), len(t)), np.float32)
    for band, magnitude in zip(recipe.band_names, magnitudes, strict=True):
        _add_locus(band, terms, r_mag, magnitude)
        if band != "r":
            noise = draw.normal(f"{band}_colour")
            noise *= scatter
            magnitude += noise
    return magnitudes


def _add_locus(band: str, terms: Sequence[Singles], r_mag: Singles, out: Singles) -> None:
    """Magnitudes on the locus of stars or galaxies: the galaxies' polynomial, plus the difference for stars.

    Adding a product with 0 or 1 is several times as fast as choosing between two numbers.
    """
    (a, b, c), star = _GALAXY_LOCUS[band], _STAR_LOCUS[band]
    factors = (b, c, star[0] - a, star[1] - b, star[2] - c)
    np.add(r_mag, np.float32(a), out=out)
    part = np.empty_like(out)
    for factor, term in zip(factors, terms, strict=True):
        if factor:
            out += np.multiply(term, np.float32(factor), out=part)
