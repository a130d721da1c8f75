"""The regular tables of a Felis recipe: visits, detectors of visits, patches of the sky, and tables that no rule knows.

Child rows join to them: every (visit, detector) that a row names exists. Human columns come from Faker. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.array_types import Floats
from skyshard.catalog.felis_schemas import SchemaColumn
from skyshard.synth.recipe.felis_tables import FelisTables
from skyshard.synth.recipe.random_streams import WHOLE_SKY, stream
from skyshard.synth.recipe.recipe import Recipe
from skyshard.synth.recipe.sky_tables import TableSpec, Values, to_array
from skyshard.synth.recipe.table_kinds import TableKind
from skyshard.synth.rows.column_meaning import Sense, meaning_of
from skyshard.synth.rows.felis_rows import DETECTORS, PHYSICAL
from skyshard.synth.rows.generic_columns import distribution_of, draw_shape, rule_shape
from skyshard.synth.rows.text_columns import date_texts, pick
from skyshard.synth.sky.density import in_footprint
from skyshard.synth.sky.tracts import DETECTOR_PIXELS, detector_centres, patch_centres
from skyshard.synth.sky.visits import EXPOSURE_S, Pointings

_HALF_EXPOSURE_DAYS = EXPOSURE_S / 2 / 86_400
_SERIAL_IDS = ("id", "ssObjectId", "diaSourceId", "obs_id", "numid")


def regular_table(tables: FelisTables, spec: TableSpec, recipe: Recipe, seed: int, pointings: Pointings) -> pa.Table:
    """The whole of one regular table."""
    columns = tables.columns[spec.table.name]
    count, ready = _READY.get(spec.kind, _other)(recipe, tables.rule.other_rows, pointings)
    made = _Columns(tables, spec, seed, count, ready)
    arrays = [to_array(made.of(columns[field.name]), field.type) for field in spec.arrow]
    return pa.Table.from_arrays(arrays, schema=spec.arrow)


ReadyColumns = tuple[int, dict[str, Values]]


def _visits(recipe: Recipe, rows: int, pointings: Pointings) -> ReadyColumns:
    everyone = np.arange(len(pointings))
    return len(pointings), _of_visits(recipe, pointings, everyone, pointings.ra, pointings.dec)


def _detectors(recipe: Recipe, rows: int, pointings: Pointings) -> ReadyColumns:
    side = recipe.visits.detectors_per_side
    visit, detector, ra, dec = detector_centres(pointings, side)
    made = _of_visits(recipe, pointings, visit, ra, dec)
    number = pointings.visit_id[visit]
    made |= {"detector": detector, "ccdVisitId": number * DETECTORS + detector}
    half = recipe.visits.field_radius_deg / side
    east = half / np.maximum(np.cos(np.radians(dec)), 1e-3)
    for corner, (x, y) in {"ll": (-1, -1), "ul": (-1, 1), "ur": (1, 1), "lr": (1, -1)}.items():
        made[f"{corner}cra"] = (ra + x * east) % 360.0
        made[f"{corner}cdec"] = np.clip(dec + y * half, -90.0, 90.0)
    size = np.full(len(visit), DETECTOR_PIXELS)
    return len(visit), made | {"xSize": size, "ySize": size}


def _of_visits(
    recipe: Recipe, pointings: Pointings, visit: NDArray[np.intp], ra: Floats, dec: Floats
) -> dict[str, Values]:
    """Columns that visits and their detectors share."""
    names, band, mjd = recipe.band_names, pointings.band[visit], pointings.mjd[visit]
    seeing, airmass = pointings.seeing_arcsec[visit], pointings.airmass[visit]
    start = mjd - _HALF_EXPOSURE_DAYS
    zenith = np.degrees(np.arccos(1 / airmass))
    number = pointings.visit_id[visit]
    made: dict[str, Values] = {
        "visit": number, "visitId": number, "ra": ra, "dec": dec, "decl": dec, "airmass": airmass, "seeing": seeing,
        "zenithDistance": zenith, "altitude": 90.0 - zenith, "magLim": pointings.depth_mag[visit],
        "psfSigma": seeing / 2.355 / 0.2, "psfArea": 4 * np.pi * (seeing / 2.355 / 0.2) ** 2,
        "zeroPoint": 31.4 - 0.1 * airmass, "expTime": np.full(len(visit), EXPOSURE_S),
        "darkTime": np.full(len(visit), EXPOSURE_S + 1.0), "effTime": EXPOSURE_S / airmass / seeing,
        "band": pick(names, band), "physical_filter": pick([PHYSICAL[name] for name in names], band),
    }  # fmt: skip
    made |= dict.fromkeys(("midpointMjdTai", "expMidptMJD"), mjd)
    made |= dict.fromkeys(("obsStartMjdTai", "obsStartMJD"), start)
    made |= {name: date_texts(mjd) for name in ("midpoint", "expMidpt")}
    return made | {"obsStart": date_texts(start)}


def _patches(recipe: Recipe, rows: int, pointings: Pointings) -> ReadyColumns:
    """The patches whose centre is in or near the footprint."""
    tract, patch, ra, dec, width = patch_centres()
    is_in = in_footprint(recipe.sky.footprint, ra, dec, 0.2)
    tract, patch, ra, dec, width = tract[is_in], patch[is_in], ra[is_in], dec[is_in], width[is_in]
    half = 0.075
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    numbers = [
        np.char.mod("%.6f", values)
        for x, y in corners
        for values in ((ra + x * width / 2) % 360.0, np.clip(dec + y * half, -90.0, 90.0))
    ]
    region = np.full(len(ra), "POLYGON ICRS", dtype=object)
    for text in numbers:
        region = region + " " + text.astype(object)
    made: dict[str, Values] = {"lsst_tract": tract, "lsst_patch": patch, "s_ra": ra, "s_dec": dec}
    return len(ra), made | {"s_region": pa.array(region.tolist(), pa.string()).cast(pa.binary())}


def _other(recipe: Recipe, rows: int, pointings: Pointings) -> ReadyColumns:
    serial = np.arange(1, rows + 1)
    return rows, dict.fromkeys(_SERIAL_IDS, serial)


_READY: Mapping[TableKind, Callable[[Recipe, int, Pointings], ReadyColumns]] = {
    TableKind.VISIT: _visits, TableKind.VISIT_DETECTOR: _detectors, TableKind.PATCH: _patches,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of one regular table: those that are ready, the others by name, unit and type."""

    tables: FelisTables
    spec: TableSpec
    seed: int
    count: int
    ready: Mapping[str, Values]

    def of(self, column: SchemaColumn) -> Values:
        rule = self.tables.rule.columns.get(f"{self.spec.table.name}.{column.name}")
        random = stream(self.seed, self.spec.table.name, WHOLE_SKY, column.name)
        shape = None if rule is None else rule_shape(rule)
        if shape is not None:
            return draw_shape(shape, random, self.count)
        is_text = column.type.startswith(("char", "varchar", "text"))
        if column.name in self.ready and not (is_text and isinstance(self.ready[column.name], np.ndarray)):
            return self.ready[column.name]
        if is_text:
            words = _human_words(self.seed, column)
            return pick(words, random.integers(len(words), size=self.count))
        if column.type.startswith("datetime"):
            return date_texts(60_000.0 + 400 * random.random(self.count))
        if column.type == "tinyint(1)":
            return random.random(self.count) < 0.02
        if (sense := meaning_of(column).sense) in (Sense.RA, Sense.DEC):
            place = random.random(self.count)
            return 360.0 * place if sense is Sense.RA else 60.0 - 120.0 * place
        return draw_shape(distribution_of(column), random, self.count)


def _human_words(seed: int, column: SchemaColumn) -> list[str]:
    """Forty texts as people would write them, by the column's name, no longer than it may be."""
    from faker import Faker

    fake = Faker("en_US")
    fake.seed_instance(f"{seed}/{column.name}")
    ways: dict[str, Callable[[], str]] = {
        "name": fake.name, "credit": fake.name, "observer": fake.name, "url": fake.url, "did": fake.uri,
        "designation": lambda: fake.bothify("20## ??##").upper(), "permid": lambda: fake.numerify("######"),
        "band": lambda: fake.random_element("ugrizy"), "json": lambda: "{}", "title": fake.catch_phrase,
        "region": lambda: f"CIRCLE ICRS {fake.random_int(0, 359)} -30 0.1", "_id": fake.bs,
        "filter": lambda: fake.random_element(list(PHYSICAL.values())), "type": lambda: "image",
    }  # fmt: skip
    write = next((way for word, way in ways.items() if word in column.name.lower()), lambda: fake.sentence(nb_words=5))
    length = int(column.type.split("(")[1].rstrip(")")) if "(" in column.type else 255
    return [write().encode("ascii", "replace").decode()[:length] for _ in range(40)]
