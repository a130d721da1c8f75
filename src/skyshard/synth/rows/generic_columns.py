"""Values of columns known only by unit, type and a word of the name, or set by a recipe. No I/O."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from skyshard.catalog.felis_schemas import SchemaColumn
from skyshard.synth.recipe.recipe import ColumnRecipe
from skyshard.synth.sky.population import Singles


class Distribution(NamedTuple):
    """A distribution of two numbers."""

    name: str
    """uniform (from, to), normal (mean, deviation), log-normal (median, deviation of ln), poisson (mean)."""
    first: float
    second: float = 0.0


_BY_NAME = (
    (r"(Err|_unc|Uncertainty)$", Distribution("log-normal", 0.05, 0.5)),
    (r"_Cov$", Distribution("normal", 0.0, 1e-4)),
    (r"^ebv$", Distribution("log-normal", 0.05, 0.5)),
    (r"chi2|chisq|Chi2|rms", Distribution("log-normal", 1.0, 0.3)),
    (r"lnL|logL", Distribution("normal", -20.0, 8.0)),
    (r"theta|[aA]ngle$|Rotation|node|peri$|argperi|anomaly|Longitude", Distribution("uniform", -90.0, 90.0)),
    (r"azimuth|Lambda|galacticL|galLon|eclLambda", Distribution("uniform", 0.0, 360.0)),
    (r"altitude", Distribution("uniform", 30.0, 88.0)),
    (r"zenithDistance", Distribution("uniform", 2.0, 60.0)),
    (r"Coverage", Distribution("uniform", 0.85, 1.0)),
    (r"[fF]raction|fluxfrac|fracDev|mfrac|reliability|blendedness|^e$", Distribution("uniform", 0.0, 1.0)),
    (r"apCorr$|jacobian|^localPhotoCalib$", Distribution("normal", 1.0, 0.01)),
    (r"CDMatrix", Distribution("normal", 0.0, 5e-5)),
    (r"variance_value", Distribution("log-normal", 50.0, 0.2)),
    (r"index$", Distribution("log-normal", 1.8, 0.4)),
    (r"redshift", Distribution("log-normal", 0.8, 0.5)),
    (r"Length$", Distribution("log-normal", 1.5, 0.5)),
    (r"airmass", Distribution("uniform", 1.0, 1.6)),
    (r"area$", Distribution("normal", 60.0, 3.0)),
    (r"Dist$|Range$", Distribution("log-normal", 2.5, 0.3)),
)
_BY_UNIT = {
    "mag": Distribution("normal", 22.0, 1.5),
    "deg": Distribution("uniform", -90.0, 90.0),
    "pixel": Distribution("uniform", 0.0, 4000.0),
    "arcsec": Distribution("log-normal", 0.3, 0.5),
    "AU": Distribution("normal", 0.0, 1.5),
    "km/s": Distribution("normal", 0.0, 15.0),
    "s": Distribution("uniform", 29.0, 31.0),
    "adu": Distribution("log-normal", 300.0, 0.4),
    "d": Distribution("uniform", 1.0, 4000.0),
    "arcsec/pixel": Distribution("normal", 0.2, 0.001),
    "nJy": Distribution("log-normal", 500.0, 1.0),
}
_PATTERNS = tuple((re.compile(pattern), shape) for pattern, shape in _BY_NAME)


def distribution_of(column: SchemaColumn) -> Distribution:
    """The distribution of a column that no other rule knows.

    >>> distribution_of(SchemaColumn("ebv", "float", True, "mag", "", ""))
    Distribution(name='log-normal', first=0.05, second=0.5)
    """
    for pattern, shape in _PATTERNS:
        if pattern.search(column.name):
            return shape
    if column.type.startswith(("tinyint", "smallint", "int", "bigint")):
        return Distribution("poisson", 3.0)
    return _BY_UNIT.get(column.unit, Distribution("normal", 0.0, 1.0))


def draw_shape(shape: Distribution, random: np.random.Generator, count: int) -> Singles:
    """``count`` values of a distribution."""
    if shape.name == "uniform":
        values = random.random(count, dtype=np.float32)
        return np.asarray(values * np.float32(shape.second - shape.first) + np.float32(shape.first))
    if shape.name == "poisson":
        return random.poisson(shape.first, count).astype(np.float32)
    values = random.standard_normal(count, dtype=np.float32)
    values *= np.float32(shape.second)
    if shape.name == "log-normal":
        return np.asarray(np.exp(values + np.float32(math.log(shape.first))))
    return np.asarray(values + np.float32(shape.first))


def rule_shape(rule: ColumnRecipe) -> Distribution | None:
    """The distribution that a recipe gives a column, if it gives one."""
    if rule.uniform is not None:
        return Distribution("uniform", *rule.uniform)
    if rule.normal is not None:
        return Distribution("normal", *rule.normal)
    if rule.lognormal is not None:
        return Distribution("log-normal", *rule.lognormal)
    return Distribution("poisson", rule.poisson) if rule.poisson is not None else None
