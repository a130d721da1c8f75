"""When and where the telescope pointed, and the regular tables about it, Visit and Filter. No I/O.

Pointings are drawn over the footprint widened by the field's radius, so that every object inside has the same expected
number of visits; the number itself is Poisson.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.array_types import Floats
from skyshard.chunking.sphere import unit_vectors
from skyshard.synth.recipe.random_streams import WHOLE_SKY, stream
from skyshard.synth.recipe.recipe import Recipe
from skyshard.synth.recipe.sky_tables import table_specs, to_arrow
from skyshard.synth.recipe.table_columns import BANDS, FILTER, VISIT
from skyshard.synth.sky.density import SQDEG_PER_SPHERE, in_footprint, pixel_centres
from skyshard.synth.sky.field_covering import Near

EXPOSURE_S = 30.0
_POINTING_NSIDE = 128
_NIGHT_DAYS = 0.35
_CENTRE_NM = {"u": 367.0, "g": 482.5, "r": 622.2, "i": 754.5, "z": 869.1, "y": 971.0}
_WIDTH_NM = {"u": 64.0, "g": 150.0, "r": 140.0, "i": 128.0, "z": 104.0, "y": 86.0}
_PROGRAMMES = ("wide-fast-deep", "deep drilling", "galactic plane", "twilight near-sun", "target of opportunity")
_PROGRAMME_SHARES = (0.85, 0.07, 0.04, 0.03, 0.01)
_NOTE_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Pointings:
    """All visits, in time order; ``band`` counts within the recipe's bands."""

    visit_id: NDArray[np.int64]
    band: NDArray[np.intp]
    ra: Floats
    dec: Floats
    mjd: Floats
    airmass: Floats
    seeing_arcsec: Floats
    depth_mag: Floats
    """Five sigma for a point source."""
    radius_deg: float

    def __len__(self) -> int:
        return len(self.visit_id)

    def covering(self, ra: Floats, dec: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(row, visit) for each position and each visit whose field holds it; sorted by row, then visit."""
        if not len(ra) or not len(self):
            return np.empty(0, np.intp), np.empty(0, np.intp)
        near = self._near(ra, dec)
        rows, visits = [], []
        for start, cells, row, place in near.blocks():
            is_covered = near.is_around[cells]
            is_covered[row, place] = True
            row, place = np.nonzero(is_covered)
            rows.append(row + start)
            visits.append(near.visits[place])
        return np.concatenate(rows), np.concatenate(visits)

    def counts(self, ra: Floats, dec: Floats, bands: int) -> NDArray[np.int64]:
        """Visits that cover each position, by (row, band): what ``covering`` lists, only counted."""
        counted = np.zeros((len(ra), bands), np.int64)
        if not len(ra) or not len(self):
            return counted
        near = self._near(ra, dec)
        band = self.band[near.visits]
        around = np.stack([np.count_nonzero(near.is_around[:, band == one], axis=1) for one in range(bands)], axis=1)
        for start, cells, row, place in near.blocks():
            met = np.bincount(row * bands + band[place], minlength=bands * len(cells)).reshape(-1, bands)
            np.add(around[cells], met, out=counted[start : start + len(cells)])
        return counted

    def _near(self, ra: Floats, dec: Floats) -> Near:
        return Near.of((ra, dec), unit_vectors(self.ra, self.dec), math.radians(self.radius_deg))


def draw_pointings(recipe: Recipe, seed: int) -> Pointings:
    """All visits of a catalog."""
    rule = recipe.visits
    ra, dec = pixel_centres(_POINTING_NSIDE)
    is_in = in_footprint(recipe.sky.footprint, ra, dec, rule.field_radius_deg)
    pixel_sqdeg = SQDEG_PER_SPHERE / len(ra)
    field_sqdeg = SQDEG_PER_SPHERE * (1 - math.cos(math.radians(rule.field_radius_deg))) / 2
    count = max(1, round(rule.per_object * int(is_in.sum()) * pixel_sqdeg / field_sqdeg))
    draw = _VisitDraws(seed, count)
    pixel = np.flatnonzero(is_in)[draw.integers("pixel", int(is_in.sum()))]
    dither = (draw.uniform("dither", 2) - 0.5) * math.sqrt(pixel_sqdeg)
    dec = np.clip(dec[pixel] + dither[1], -90.0, 90.0)
    night = np.sort(draw.integers("night", rule.nights))
    mjd = rule.first_mjd + night + _NIGHT_DAYS * draw.uniform("time")
    order = np.argsort(mjd, kind="stable")
    band = _choose(draw.uniform("filter"), [recipe.bands[name].visit_share for name in recipe.band_names])
    seeing = np.exp(math.log(0.8) + 0.2 * draw.normal("seeing"))
    depth = np.array([recipe.bands[name].depth_mag for name in recipe.band_names])[band]
    return Pointings(
        visit_id=_visit_ids(night, rule.first_mjd),
        band=band,
        ra=(ra[pixel] + dither[0] / np.maximum(np.cos(np.radians(dec)), 1e-3)) % 360.0,
        dec=dec,
        mjd=mjd[order],
        airmass=1.0 + np.abs(0.2 * draw.normal("airmass")),
        seeing_arcsec=seeing,
        depth_mag=depth - 2.5 * np.log10(seeing / 0.8) + 0.05 * draw.normal("transparency"),
        radius_deg=rule.field_radius_deg,
    )


@dataclass(frozen=True, slots=True)
class _VisitDraws:
    """Random columns of the Visit table."""

    seed: int
    count: int

    def uniform(self, name: str, rows: int = 0) -> Floats:
        return stream(self.seed, VISIT, WHOLE_SKY, name).random((rows, self.count) if rows else self.count)

    def normal(self, name: str) -> Floats:
        return stream(self.seed, VISIT, WHOLE_SKY, name).standard_normal(self.count)

    def integers(self, name: str, below: int) -> NDArray[np.int64]:
        return stream(self.seed, VISIT, WHOLE_SKY, name).integers(below, size=self.count)


def _choose(uniform: Floats, weights: list[float] | tuple[float, ...]) -> NDArray[np.intp]:
    """Indexes drawn in proportion to weights."""
    edges = np.cumsum(weights)
    return np.asarray(np.minimum(np.searchsorted(edges, uniform * edges[-1], side="right"), len(edges) - 1))


def _visit_ids(night: NDArray[np.int64], first_mjd: float) -> NDArray[np.int64]:
    """YYYYMMDD of the night, then a five-digit serial number within it; nights must be sorted."""
    serial = np.arange(len(night)) - np.searchsorted(night, night) + 1
    days = np.datetime64("1858-11-17") + (math.floor(first_mjd) + night).astype("timedelta64[D]")
    months = days.astype("datetime64[M]")
    year, month = np.divmod(months.astype(np.int64), 12)
    dates = (year + 1970) * 10_000 + (month + 1) * 100 + (days - months).astype(np.int64) + 1
    return np.asarray(dates * 100_000 + serial)


def regular_tables(recipe: Recipe, seed: int, pointings: Pointings) -> dict[str, pa.Table]:
    """The whole Visit and Filter tables."""
    specs = table_specs(recipe)
    bands = recipe.band_names
    filters = {
        "filterId": filter_ids(recipe),
        "filterName": pa.array([band.encode() for band in bands], pa.binary()),
        "photClam": np.array([_CENTRE_NM[band] for band in bands]),
        "photBW": np.array([_WIDTH_NM[band] for band in bands]),
    }
    visits = {
        "visitId": pointings.visit_id,
        "filterId": filter_ids(recipe)[pointings.band],
        "band": _taken([band.encode() for band in bands], pa.array(pointings.band)),
        "ra": pointings.ra,
        "decl": pointings.dec,
        "taiMidPoint": pointings.mjd,
        "obsStart": _timestamps(pointings.mjd - EXPOSURE_S / 2 / 86_400),
        "expTime": np.full(len(pointings), EXPOSURE_S),
        "airmass": pointings.airmass,
        "seeing": pointings.seeing_arcsec,
        "depth": pointings.depth_mag,
        **_human_columns(seed, len(pointings)),
    }
    return {VISIT: to_arrow(specs[VISIT].table, visits), FILTER: to_arrow(specs[FILTER].table, filters)}


def filter_ids(recipe: Recipe) -> NDArray[np.int8]:
    """Number of each of the recipe's bands in the Filter table: 0 for u to 5 for y."""
    return np.array([BANDS.index(band) for band in recipe.band_names], dtype=np.int8)


def _timestamps(mjd: Floats) -> pa.Array:
    """YYYY-MM-DD HH:MM:SS, to the nearest second."""
    seconds = np.round((mjd - 40_587.0) * 86_400).astype(np.int64).astype("datetime64[s]")
    return pa.array(seconds).cast(pa.string()).cast(pa.binary())


def _human_columns(seed: int, count: int) -> dict[str, Any]:
    """Observer, programme and note, as people would write them."""
    from faker import Faker

    fake = Faker("en_US")
    fake.seed_instance(seed)
    observers = [fake.name().encode("ascii", "replace")[:64] for _ in range(12)]
    notes = [fake.sentence(nb_words=7).encode("ascii", "replace")[:128] for _ in range(40)]
    draw = _VisitDraws(seed, count)
    has_note = draw.uniform("hasNote") < _NOTE_SHARE
    chosen = draw.integers("note", len(notes))
    programmes = [one.encode() for one in _PROGRAMMES]
    return {
        "observer": _taken(observers, pa.array(draw.integers("observer", len(observers)))),
        "programme": _taken(programmes, pa.array(_choose(draw.uniform("programme"), _PROGRAMME_SHARES))),
        "note": _taken(notes, pa.array(chosen, mask=~has_note)),
    }


def _taken(texts: list[bytes], places: pa.Array) -> pa.Array:
    """The text at each place; NULL where there is none."""
    return pa.array(texts, pa.binary()).take(places)
