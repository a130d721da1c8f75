"""Fluxes of rows in one band, with noise and flags: the base of a wide table's columns. No I/O.

Fluxes are in microjansky and single precision. Flags are int8 arrays made from a few draws, so that they are
correlated; columns of one meaning share one array.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from skyshard.basics.array_types import Flags, SmallIntegers
from skyshard.synth.recipe.sky_tables import Validity
from skyshard.synth.rows.kpm_columns import SATURATION_MAG
from skyshard.synth.sky.population import Singles, flux_of

_PSF_SIGMA_PIXELS = 2.0


@dataclass(slots=True)
class Light:
    """Rows as one band shows them."""

    total: Singles
    """All of the flux."""
    point: Singles
    """What a point-source fit finds."""
    mean: Singles
    """The point-source flux, averaged over time."""
    sigma: Singles
    luck: Singles
    """Uniform in [0, 1): decides flags."""
    is_edge: Flags
    is_variable: Flags
    is_blend: Flags
    is_point: Flags
    validity: Validity | None
    """NULL where the band was never observed."""
    made: dict[str, SmallIntegers] = field(default_factory=dict)

    @property
    def snr(self) -> Singles:
        return self.point / self.sigma

    def flag(self, word: str) -> SmallIntegers:
        """The flag column for a word; see ``column_meaning``."""
        if word not in self.made:
            self.made[word] = self._flag(word).view(np.int8)
        return self.made[word]

    def _flag(self, word: str) -> Flags:
        luck = self.luck
        if word.endswith(" centre"):
            is_centre = (luck * np.float32(64)) % np.float32(1) < np.float32(0.5)
            return np.asarray(self.flag(word.removesuffix(" centre")).view(np.bool_) & is_centre)
        is_saturated = self.total > flux_of(SATURATION_MAG)
        is_bad = luck < np.float32(0.006)
        if word in ("saturated", "bad", "cosmic", "edge"):
            is_cosmic = luck > np.float32(0.985)
            return {"saturated": is_saturated, "bad": is_bad, "cosmic": is_cosmic, "edge": self.is_edge}[word]
        if word in ("primary", "inner", "single"):
            is_inner = (luck * np.float32(32)) % np.float32(1) < np.float32(0.93)
            return {"primary": is_inner & ~is_bad, "inner": is_inner, "single": ~self.is_blend}[word]
        if word in ("blend", "blended and bad"):
            return self.is_blend if word == "blend" else self.is_blend & (luck < np.float32(0.05))
        return np.asarray(self._rarer(word, is_saturated, is_bad))

    def _rarer(self, word: str, is_saturated: Flags, is_bad: Flags) -> Flags:
        luck = self.luck
        if word == "suspect":
            return np.asarray(self.total > flux_of(SATURATION_MAG + 0.7))
        if word == "interpolated":
            return is_saturated | is_bad | (luck > np.float32(0.98))
        if word == "failed":
            return is_bad | (self.is_edge & (luck < np.float32(0.3)))
        if word == "faint":
            return np.asarray(self.snr < 3)
        if word == "variable":
            return self.is_variable
        if word == "calibrator":
            return np.asarray(self.is_point & ~is_saturated & (self.snr > 100) & (luck < np.float32(0.6)))
        return np.asarray(luck < np.float32(0.0005))


class FluxFamily(NamedTuple):
    """How one kind of flux measurement sees an object."""

    extended: float
    """0: as a point source; 1: all of its light."""
    scale: float
    """Share of that light that it finds."""
    noise: float
    """Its error over the point-source error."""


_FAMILIES = (
    (re.compile(r"localBackground|^sky|fluxOverlap"), FluxFamily(0.0, 0.0, 0.3)),
    (re.compile(r"^(free_)?(psf|ps|trail)"), FluxFamily(0.0, 1.0, 1.0)),
    (re.compile(r"_inner"), FluxFamily(1.0, 0.7, 1.0)),
    (re.compile(r"_dev|FluxB"), FluxFamily(1.0, 0.4, 1.1)),
    (re.compile(r"_exp|FluxD$|FluxDErr"), FluxFamily(1.0, 0.6, 1.1)),
    (re.compile(r"gaap"), FluxFamily(0.2, 0.8, 1.1)),
    (re.compile(r"^noMW"), FluxFamily(1.0, 1.08, 0.0)),
    (re.compile(r"^true"), FluxFamily(1.0, 1.0, 0.0)),
    (re.compile(r"kron|calib"), FluxFamily(1.0, 0.96, 1.3)),
)
_APERTURE = re.compile(r"^ap(?:Flux_)?(\d+)")


@lru_cache(maxsize=1024)
def flux_family(stem: str) -> FluxFamily:
    """The family of a flux, or of its error, by the name without its band.

    >>> flux_family("ap03Flux").scale < flux_family("ap09Flux").scale < flux_family("ap70FluxErr").scale
    True
    """
    if match := _APERTURE.match(stem):
        radius = float(match.group(1))
        found = 1 - math.exp(-(radius**2) / (2 * _PSF_SIGMA_PIXELS**2))
        return FluxFamily(min(1.0, radius / 17), found, 0.5 + radius / 8)
    return next((family for pattern, family in _FAMILIES if pattern.search(stem)), FluxFamily(1.0, 1.0, 1.1))
