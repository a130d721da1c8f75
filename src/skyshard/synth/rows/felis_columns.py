"""Columns of a Felis table, made by their meaning: one function for each sense. No I/O.

``TableRows`` holds what is known of a table's rows in one chunk; a maker computes a column's values from it. Columns
that follow from others (magnitudes from fluxes) look them up by name, so that a table is consistent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import Floats
from skyshard.catalog.felis_schemas import SchemaColumn
from skyshard.synth.recipe.random_streams import stream
from skyshard.synth.recipe.recipe import ColumnRecipe
from skyshard.synth.recipe.sky_tables import Masked, Validity, Values
from skyshard.synth.rows.column_meaning import ColumnMeaning, Sense, meaning_of
from skyshard.synth.rows.fluxes import Light, flux_family
from skyshard.synth.rows.generic_columns import Distribution, distribution_of, draw_shape, rule_shape
from skyshard.synth.rows.kpm_columns import Patch
from skyshard.synth.rows.text_columns import date_texts, number_texts, pick
from skyshard.synth.sky.population import Singles

_UNITS = {"nJy": 1e3, "count": 700.0, "": 1e3, "uJy": 1.0, "nJy/d": 1e3}
"""Of a microjansky."""
_NJY_ZERO_POINT_MAG = np.float32(31.4)
_CENTROID_DEG = np.float32(0.7 / 3600)
_PIXELS_PER_DEG = np.float32(3600 / 0.2)
_PSF_PIXELS2 = np.float32(4.0)


@dataclass(slots=True)
class TableRows:
    """The rows of one table in one chunk, before their columns are made."""

    patch: Patch
    name: str
    count: int
    ra: Floats
    dec: Floats
    ids: Mapping[str, Values]
    """Ready-made columns by name: ids, and whatever else the table's kind decides."""
    light: Callable[[str | None], Light]
    """The light in a band; None: the row's own, or the reference band."""
    statistics: Mapping[str, Values]
    size: Singles
    """Second moment of the intrinsic image, square pixels."""
    e1: Singles
    e2: Singles
    columns: Mapping[str, SchemaColumn] = field(default_factory=dict)
    made: dict[str, Singles] = field(default_factory=dict)
    """Fluxes that other columns may ask for."""

    def random(self, name: str) -> np.random.Generator:
        return stream(self.patch.seed, self.name, self.patch.chunk, name)

    def normal(self, name: str) -> Singles:
        return self.random(name).standard_normal(self.count, dtype=np.float32)

    def uniform(self, name: str) -> Singles:
        return self.random(name).random(self.count, dtype=np.float32)


Maker: TypeAlias = Callable[[TableRows, SchemaColumn, ColumnMeaning], Values]


def make_column(rows: TableRows, column: SchemaColumn, rule: ColumnRecipe | None) -> Values:
    """The values of one column; NULL where its band was never observed, if it may be NULL."""
    meaning = meaning_of(column)
    values = _ruled(rows, column, rule)
    if values is None:
        ready = rows.ids.get(column.name)
        values = _MAKERS[meaning.sense](rows, column, meaning) if ready is None else ready
    if column.is_nullable and not isinstance(values, Masked | pa.Array):
        validity = rows.light(meaning.band).validity if meaning.band is not None else None
        if rule is not None and rule.nulls:
            validity = Validity.of(rows.uniform(f"{column.name}/nulls") >= rule.nulls)
        if validity is not None:
            return Masked(values, validity)
    return values


def _ruled(rows: TableRows, column: SchemaColumn, rule: ColumnRecipe | None) -> Values | None:
    """What the recipe says of the column, if it does."""
    if rule is None:
        return None
    if rule.choice is not None:
        return pick(rule.choice, rows.random(column.name).integers(len(rule.choice), size=rows.count))
    if isinstance(rule.constant, str):
        return pick([rule.constant], np.zeros(rows.count, np.int64))
    if rule.constant is not None:
        return np.full(rows.count, rule.constant)
    shape = rule_shape(rule)
    return None if shape is None else draw_shape(shape, rows.random(column.name), rows.count)


def _flux(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    if column.name not in rows.made:
        rows.made[column.name] = _measured_flux(rows, column, meaning)
    return rows.made[column.name]


def _measured_flux(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Singles:
    light, family = rows.light(meaning.band), flux_family(meaning.stem)
    unit = np.float32(_UNITS.get(column.unit, 1e3))
    if family.scale == 0:
        return np.asarray(rows.normal(column.name) * light.sigma * (np.float32(family.noise) * unit))
    if family.extended == 0:
        mean = light.point
    elif family.extended == 1:
        mean = light.total
    else:
        mean = light.point + (light.total - light.point) * np.float32(family.extended)
    if family.noise == 0:
        return np.asarray(mean * np.float32(family.scale * unit))
    values = rows.normal(column.name)
    values *= light.sigma * np.float32(family.noise * unit)
    values += mean * np.float32(family.scale * unit)
    return values


def _flux_error(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    """A multiple of the point-source error, so that pulls are those of a standard normal."""
    unit = _UNITS.get(column.unit, 1e3)
    return np.asarray(rows.light(meaning.band).sigma * np.float32(flux_family(meaning.stem).noise * unit))


def _flux_difference(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    light, unit = rows.light(meaning.band), np.float32(_UNITS.get(column.unit, 1e3))
    return np.asarray((light.point - light.mean + light.sigma * rows.normal(column.name)) * unit)


def _mag(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    """The magnitude of the flux column that belongs to it; NULL where the flux is not positive."""
    flux = _beside(rows, column, "Mag", "Flux")
    if flux is None:
        flux = rows.light(meaning.band or "r").total * np.float32(1e3)
    is_positive = flux > 0
    band = rows.light(meaning.band).validity if meaning.band is not None else None
    values = _NJY_ZERO_POINT_MAG - np.float32(2.5) * np.log10(np.where(is_positive, flux, np.float32(1)))
    return Masked(values, Validity.of(is_positive).intersect(band)) if column.is_nullable else values


def _mag_error(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    flux = _beside(rows, column, "MagErr", "Flux")
    light = rows.light(meaning.band)
    if flux is None:
        return np.asarray(np.float32(1.0857) / light.snr)
    is_positive = flux > 0
    sigma = light.sigma * np.float32(1.0857e3 * flux_family(meaning.stem.replace("MagErr", "Flux")).noise)
    values = sigma / np.where(is_positive, flux, np.float32(1))
    return Masked(values, Validity.of(is_positive).intersect(light.validity)) if column.is_nullable else values


def _beside(rows: TableRows, column: SchemaColumn, old: str, new: str) -> Singles | None:
    """The flux column that belongs to a magnitude column."""
    name = column.name.removesuffix(old) + new
    other = rows.columns.get(name)
    if other is None:
        return None
    _flux(rows, other, meaning_of(other))
    return rows.made[name]


def _position(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    """A row's position; measured in a band, or by another model, it scatters by its error."""
    is_ra = meaning.sense is Sense.RA
    own = rows.ra if is_ra else rows.dec
    if meaning.stem in ("coord_ra", "coord_dec") or (meaning.band is None and meaning.stem in ("ra", "dec", "decl")):
        return own
    offset = _position_error_deg(rows.light(meaning.band)) * rows.normal(column.name)
    if not is_ra:
        return np.clip(own + offset, -90.0, 90.0)
    return (own + offset / np.maximum(np.cos(np.radians(rows.dec)), 1e-3)) % 360.0


def _position_error_deg(light: Light) -> Singles:
    return np.asarray(np.minimum(_CENTROID_DEG / np.maximum(light.snr, np.float32(0.5)), _CENTROID_DEG))


def _position_error(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    error = _position_error_deg(rows.light(meaning.band))
    if meaning.words == ("pixels",):
        return np.asarray(error * _PIXELS_PER_DEG)
    if meaning.words == ("covariance",):
        return np.asarray(error * error * (rows.uniform(column.name) - np.float32(0.5)))
    return error * np.float32(1.05) if "dec" in meaning.stem else error


def _pixel(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    """Place on the patch's image, from the position itself."""
    degrees = rows.ra if meaning.words == ("x",) else rows.dec + 90.0
    return (degrees * float(_PIXELS_PER_DEG)) % 4000.0


def _moment(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    axis, is_psf = meaning.words[0], len(meaning.words) > 1
    noise = rows.normal(column.name)
    noise *= np.float32(0.01 if is_psf else 0.04)
    one = np.float32(1)
    if is_psf:
        return np.asarray(_PSF_PIXELS2 * (noise if axis == "xy" else one + noise))
    if axis == "xy":
        return np.asarray(rows.size * rows.e2 + noise)
    ellipticity = rows.e1 if axis == "xx" else -rows.e1
    noise += one
    noise *= _PSF_PIXELS2 + rows.size * np.abs(one + ellipticity)
    return noise


def _ellipticity(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    noise = rows.normal(column.name)
    noise *= np.float32(0.05)
    if "sf" in meaning.stem or "moments" in meaning.stem:
        return noise
    noise += rows.e1 if meaning.stem.endswith(("1", "x")) else rows.e2
    return np.clip(noise, np.float32(-0.99), np.float32(0.99))


def _size(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    """Radius or second moment, in the column's unit, 0.2 arcseconds a pixel."""
    second = rows.size + np.float32(0.0 if "reff" in meaning.stem else _PSF_PIXELS2)
    values = second if meaning.stem.endswith(("_T", "trace")) else np.sqrt(second)
    noise = rows.normal(column.name)
    noise *= np.float32(0.05)
    noise += np.float32(1)
    noise *= values
    if column.unit.startswith("arcsec"):
        noise *= np.float32(0.04 if "**2" in column.unit else 0.2)
    return noise


def _kind(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    """0 for point sources, 1 for extended ones; some values are between, and near the limit some are wrong."""
    light = rows.light(meaning.band)
    kind = ~light.is_point
    is_confused = rows.uniform(column.name) < np.minimum(1 / np.maximum(light.snr, np.float32(1)), np.float32(0.3))
    return (kind ^ is_confused).astype(np.float32)


def _flag(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    return rows.light(meaning.band).flag(meaning.words[0])


def _count(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    word = meaning.words[0]
    if word == "0":
        return rows.light(meaning.band).flag("failed")
    if word == "blend":
        return rows.light(meaning.band).flag("blend") * np.int8(2)
    if word == "area":
        return np.asarray(60 + 20 * rows.size + 10 * rows.uniform(column.name)).astype(np.int32)
    return draw_shape(Distribution("poisson", float(word)), rows.random(column.name), rows.count)


def _snr(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    return rows.light(meaning.band).snr


def _statistic(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    return rows.statistics.get(column.name, _generic(rows, column, meaning))


def _time(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    """Days of the survey: a mean epoch, or the day of processing; times of visits come with their rows."""
    visits = rows.patch.recipe.visits
    mjd = visits.first_mjd + visits.nights * (0.4 + 0.2 * rows.random(column.name).random(rows.count))
    return date_texts(mjd) if column.type.startswith("datetime") else mjd


def _generic(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    return draw_shape(distribution_of(column), rows.random(column.name), rows.count)


def _zero(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    return np.zeros(rows.count, np.int64)


def _pm(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    values = rows.normal(column.name) * np.float32(6.0)
    return np.abs(values) if meaning.words == ("parallax",) else values


def _visits(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    """Visits that cover the row, in the column's band or in all."""
    return rows.statistics.get(f"{meaning.band or ''}/visits", np.ones(rows.count, np.int64))


def _text(rows: TableRows, column: SchemaColumn, meaning: ColumnMeaning) -> Values:
    words = {"skymap": ["DC2"], "metaStep": ["ns"]}.get(meaning.stem)
    if words is None and not column.type.startswith("char"):
        words = ["survey", "calibration", "commissioning"]
    if words is None:
        return number_texts(np.arange(1, rows.count + 1))
    return pick(words, rows.random(column.name).integers(len(words), size=rows.count))


_MAKERS: dict[Sense, Maker] = {
    Sense.ID: _zero, Sense.PARENT_ID: _zero, Sense.NO_ID: _zero, Sense.VISIT: _zero, Sense.CCD_VISIT: _zero,
    Sense.DETECTOR: _zero, Sense.TRACT: _zero, Sense.PATCH: _zero, Sense.BAND: _text, Sense.TEXT: _text,
    Sense.RA: _position, Sense.DEC: _position, Sense.POSITION_ERROR: _position_error, Sense.PIXEL: _pixel,
    Sense.FLUX: _flux, Sense.FLUX_ERROR: _flux_error, Sense.FLUX_DIFFERENCE: _flux_difference,
    Sense.FLUX_STATISTIC: _statistic, Sense.MAG: _mag, Sense.MAG_ERROR: _mag_error, Sense.SNR: _snr,
    Sense.MOMENT: _moment, Sense.ELLIPTICITY: _ellipticity, Sense.SIZE: _size, Sense.KIND: _kind, Sense.FLAG: _flag,
    Sense.COUNT: _count, Sense.VISITS: _visits, Sense.TIME: _time, Sense.PM: _pm, Sense.GENERIC: _generic,
}  # fmt: skip
"""Ids, visits, detectors, tracts and patches are given with the rows, or 0 for a kind of table without them."""
