"""When and where visits point: times by night, fields in turn or at random. Pure functions of the settings."""

from __future__ import annotations

import math

import numpy as np

from skyshard.apdb.sky.sky_settings import START_MJD, VISIT_S, SkySettings
from skyshard.apdb.tables.apdb_tables import MONTH_DAYS
from skyshard.basics.array_types import Floats, Integers

_BANDS = "ugrizy"
_POINTING = 7
"""Tells this stream of random numbers from others of the same seed."""


def visit_times(settings: SkySettings) -> Floats:
    """Middle of the exposure of each visit, MJD TAI, growing.

    Nights have ``visits_per_month / 30`` visits, evenly rounded, 45 s apart, unless a night is too short for them.
    """
    index = np.arange(settings.count, dtype=np.float64)
    a_night = settings.visits_per_month / MONTH_DAYS
    night = np.floor(index / a_night)
    within = index - np.ceil(night * a_night - 1e-9)
    step = min(VISIT_S / 86_400.0, 0.5 / max(1.0, math.ceil(a_night)))
    return START_MJD + night + np.maximum(within, 0.0) * step


def visit_fields(settings: SkySettings) -> Integers:
    """Number of the field of each visit."""
    fields = len(settings.centres)
    if settings.order == "round-robin":
        return np.arange(settings.count, dtype=np.int64) % fields
    rng = np.random.default_rng([settings.seed, _POINTING])
    return rng.integers(0, fields, settings.count, dtype=np.int64)


def band_of(settings: SkySettings, index: int) -> str:
    """Band of a visit, by its place from 0: another one each time round the fields."""
    return _BANDS[index // len(settings.centres) % len(_BANDS)]
