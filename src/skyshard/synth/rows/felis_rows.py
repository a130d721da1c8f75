"""Rows of the chunked tables of a Felis recipe in one chunk, and how they refer to each other. No I/O.

All follow from one population and its exposures: Source rows are the exposures in which the object is detected,
ForcedSource rows are all exposures, and difference imaging finds variable objects and a share of the others. Ids count
within the chunk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import Flags, Floats, Integers, RowIndexes
from skyshard.basics.lazy import locked_property
from skyshard.catalog.felis_schemas import SchemaColumn
from skyshard.chunking.sphere import Box
from skyshard.synth.recipe.recipe import ColumnRecipe, SchemaTables
from skyshard.synth.recipe.sky_tables import TableSpec, Validity, Values, to_array
from skyshard.synth.recipe.table_kinds import TableKind
from skyshard.synth.rows.felis_columns import TableRows, make_column
from skyshard.synth.rows.fluxes import Light
from skyshard.synth.rows.kpm_columns import Exposures, Patch, coadd_sigma, compactness, detect
from skyshard.synth.rows.light_curves import light_curve_column
from skyshard.synth.rows.text_columns import date_texts, join_texts, number_texts, pick
from skyshard.synth.sky.population import Singles
from skyshard.synth.sky.positions import keep_inside
from skyshard.synth.sky.tracts import detector_places, tract_and_patch
from skyshard.synth.sky.visits import Pointings

_EDGE_SHARE = np.float32(0.02)
_SHEAR_STEPS = ("ns", "1p", "1m", "2p", "2m")
_BLEND_PARENT_SHARE = 0.15
_SCATTER_DEG = 0.05 / 3600
PHYSICAL = {band: f"{band}_{number:02d}" for number, band in enumerate("ugrizy", 24)}
DETECTORS = 1000
"""A detector of a visit is the visit's number times this, plus the detector's."""


@dataclass(frozen=True)
class FelisChunk:
    """One chunk's objects and exposures, from which the rows of every table follow."""

    patch: Patch
    exposures: Exposures
    pointings: Pointings
    box: Box
    rule: SchemaTables

    @property
    def parents(self) -> RowIndexes | None:
        return self.patch.positions.parents

    @locked_property
    def object_ids(self) -> Integers:
        return self.patch.ids(len(self.patch.population))

    @locked_property
    def compact(self) -> Singles:
        return compactness(self.patch.population)

    @locked_property
    def ellipticity(self) -> tuple[Singles, Singles]:
        count = len(self.patch.population)
        e1, e2 = (self.patch.normal("population", name, count) for name in ("e1", "e2"))
        return np.float32(0.2) * e1, np.float32(0.2) * e2

    @locked_property
    def is_blend(self) -> Flags:
        count = len(self.patch.population)
        return np.zeros(count, np.bool_) if self.parents is None else self.parents >= 0

    @locked_property
    def is_edge(self) -> Flags:
        return np.asarray(self.patch.uniform("population", "edge", len(self.patch.population)) < _EDGE_SHARE)

    @locked_property
    def dia_objects(self) -> RowIndexes:
        """Objects that difference imaging finds."""
        population = self.patch.population
        is_found = self.patch.uniform("dia", "found", len(population)) < self.rule.dia_share
        return np.flatnonzero(is_found | population.is_variable)

    @locked_property
    def dia_positions(self) -> tuple[Floats, Floats]:
        """Where difference imaging sees each object: its DiaObject's position, which forced measurements copy."""
        return _scattered(self, "dia", None, self.patch.positions.ra, self.patch.positions.dec)

    @locked_property
    def dia_exposures(self) -> RowIndexes:
        is_dia = np.zeros(len(self.patch.population), np.bool_)
        is_dia[self.dia_objects] = True
        return np.flatnonzero(is_dia[self.exposures.row])

    @locked_property
    def dia_detections(self) -> RowIndexes:
        """Exposures detected in difference images: the first of each object, and others by brightness or at random."""
        of, seen = self.dia_exposures, self.exposures
        row = seen.row[of]
        mean = self.patch.population.flux[seen.band[of], row] * self.compact[row]
        pull = np.abs(seen.flux[of] - mean) / seen.sigma[of]
        luck = self.patch.uniform("dia", "detected", len(of))
        others = (self.rule.dia_detections - 1) / max(1.0, self.patch.recipe.visits.per_object - 1)
        is_first = np.diff(row, prepend=-1) != 0
        return np.asarray(of[is_first | (pull > 5) | (luck < others)])

    def object_rows(self, kind: TableKind, columns: Mapping[str, SchemaColumn]) -> RowIndexes:
        """The object of each row of a table without exposures."""
        every = np.arange(len(self.patch.population))
        if kind is TableKind.DIA_OBJECT:
            return self.dia_objects
        if kind is TableKind.COMPANION and "metaStep" in columns:
            return np.asarray(np.repeat(np.flatnonzero(~self.patch.population.is_star), len(_SHEAR_STEPS)))
        if kind is TableKind.COMPANION and "isolated_star_id" in columns:
            return np.asarray(np.flatnonzero(self.patch.population.is_star))
        if kind is TableKind.DETAIL and "deblend_failed" in columns:
            luck = self.patch.uniform("population", "isParent", len(every))
            return np.asarray(np.flatnonzero(luck < _BLEND_PARENT_SHARE))
        return every

    def exposure_rows(self, kind: TableKind) -> RowIndexes:
        """The exposures that are rows of a table."""
        if kind is TableKind.DETECTION:
            return detect(self.patch, self.exposures, self.rule.detection_snr)
        if kind is TableKind.DIA_DETECTION:
            return self.dia_detections
        return self.dia_exposures if kind is TableKind.DIA_FORCED else np.arange(len(self.exposures))


def rows_per_object(kind: TableKind, columns: Mapping[str, SchemaColumn], star_share: float) -> float:
    """Expected rows of a companion or detail table for each object."""
    if kind is TableKind.COMPANION and "metaStep" in columns:
        return len(_SHEAR_STEPS) * (1 - star_share)
    if kind is TableKind.COMPANION and "isolated_star_id" in columns:
        return star_share
    return _BLEND_PARENT_SHARE if kind is TableKind.DETAIL and "deblend_failed" in columns else 1.0


def make_table(chunk: FelisChunk, spec: TableSpec, columns: Mapping[str, SchemaColumn]) -> pa.Table:
    """The rows of one chunked table, column by column."""
    rows = _rows_of(chunk, spec, columns)
    rules = _rules_of(chunk.rule, spec.table.name)
    arrays = [
        to_array(make_column(rows, columns[field.name], rules.get(field.name)), field.type) for field in spec.arrow
    ]
    return pa.Table.from_arrays(arrays, schema=spec.arrow)


def _rules_of(rule: SchemaTables, table: str) -> dict[str, ColumnRecipe]:
    prefix = f"{table}."
    return {key.removeprefix(prefix): one for key, one in rule.columns.items() if key.startswith(prefix)}


def _rows_of(chunk: FelisChunk, spec: TableSpec, columns: Mapping[str, SchemaColumn]) -> TableRows:
    kind, patch = spec.kind, chunk.patch
    seen = chunk.exposure_rows(kind) if kind.is_exposure else None
    row = chunk.exposures.row[seen] if seen is not None else chunk.object_rows(kind, columns)
    is_dia = kind in (TableKind.DIA_OBJECT, TableKind.DIA_DETECTION, TableKind.DIA_FORCED)
    ra, dec = (places[row] for places in (chunk.dia_positions if is_dia else (patch.positions.ra, patch.positions.dec)))
    if kind in (TableKind.DETECTION, TableKind.COMPANION, TableKind.DIA_DETECTION):
        ra, dec = _scattered(chunk, spec.table.name, seen, ra, dec)
    light = _Lights(chunk, spec.table.name, row, seen)
    e1, e2 = chunk.ellipticity
    made = TableRows(
        patch, spec.table.name, len(row), ra, dec, _ready(chunk, spec, columns, row, seen), light.of,
        {}, patch.population.size[row], e1[row], e2[row], columns,
    )  # fmt: skip
    position = _positional(chunk, made, seen)
    return replace(made, ids={**position, **made.ids}, statistics=_statistics(chunk, kind, columns, row, light))


def _scattered(
    chunk: FelisChunk, table: str, seen: RowIndexes | None, ra: Floats, dec: Floats
) -> tuple[Floats, Floats]:
    """Positions of a second measurement: scattered about the object's, inside its chunk."""
    patch = chunk.patch
    error = _SCATTER_DEG if seen is None else 0.7 / 3600 * chunk.exposures.sigma[seen] / chunk.exposures.flux[seen]
    east = error * patch.normal(table, "scatterRa", len(ra)) / np.maximum(np.cos(np.radians(dec)), 1e-3)
    return keep_inside(chunk.box, ra + east, dec + error * patch.normal(table, "scatterDec", len(ra)))


@dataclass(slots=True)
class _Lights:
    """The light of a table's rows: by band, or of each row's own exposure. Each is made once."""

    chunk: FelisChunk
    table: str
    row: RowIndexes
    seen: RowIndexes | None
    made: dict[str | None, Light] = field(default_factory=dict)

    def of(self, band: str | None) -> Light:
        names = self.chunk.patch.recipe.band_names
        if self.seen is not None:
            band = None
        elif band is None:
            band = "i" if "i" in names else names[len(names) // 2]
        if band not in self.made:
            self.made[band] = self._of_exposures(self.seen) if self.seen is not None else self._of_band(str(band))
        return self.made[band]

    def _of_exposures(self, seen: RowIndexes) -> Light:
        chunk, row, exposures = self.chunk, self.row, self.chunk.exposures
        point, compact = exposures.flux[seen], chunk.compact[row]
        population = chunk.patch.population
        luck = chunk.patch.uniform("exposure", "luck", len(exposures))[seen]
        return Light(
            total=point / compact, point=point, mean=population.flux[exposures.band[seen], row] * compact,
            sigma=exposures.sigma[seen], luck=luck, is_edge=exposures.flags["flagPixEdge"][seen],
            is_variable=population.is_variable[row], is_blend=chunk.is_blend[row], is_point=population.is_star[row],
            validity=None,
        )  # fmt: skip

    def _of_band(self, band: str) -> Light:
        """A band that the recipe does not have is NULL in all rows."""
        chunk, row, patch = self.chunk, self.row, self.chunk.patch
        population, names = patch.population, patch.recipe.band_names
        count = len(population)
        place = names.index(band) if band in names else 0
        total = population.flux[place]
        scatter = patch.uniform("Object", f"{band}_sigma", count)
        sigma = coadd_sigma(patch.recipe, names[place], total, scatter)
        point = (total * chunk.compact)[row]
        is_missing = population.is_missing[place][row] if band in names else np.ones(len(row), np.bool_)
        return Light(
            total=total[row], point=point, mean=point, sigma=sigma[row],
            luck=patch.uniform("population", f"{band}_luck", count)[row], is_edge=chunk.is_edge[row],
            is_variable=population.is_variable[row], is_blend=chunk.is_blend[row], is_point=population.is_star[row],
            validity=Validity.of(~is_missing),
        )  # fmt: skip


def _ready(
    chunk: FelisChunk, spec: TableSpec, columns: Mapping[str, SchemaColumn], row: RowIndexes, seen: RowIndexes | None
) -> dict[str, Values]:
    """Columns that the kind of the table decides: ids and links, visits, bands."""
    own = chunk.patch.ids(len(row))
    objects = chunk.object_ids[row]
    made: dict[str, Values] = {"objectId": objects, "match_objectId": objects, "deblend_blendId": objects}
    for name in ("sourceId", "diaSourceId", "forcedSourceId", "forcedSourceOnDiaObjectId", "diaForcedSourceId"):
        made[name] = own
    if "diaObjectId" in columns:
        rank = np.zeros(len(chunk.object_ids), np.int64)
        rank[chunk.dia_objects] = chunk.patch.ids(len(chunk.dia_objects))
        made["diaObjectId"] = rank[row]
    made |= dict.fromkeys(("shearObjectId", "isolated_star_id", "cosmodc2_id"), own)
    if spec.kind in (TableKind.COMPANION, TableKind.DETAIL):
        made |= _companion_columns(columns, objects, chunk.patch.population.is_star[row])
    if "parentObjectId" in columns and chunk.parents is not None:
        parent = chunk.parents[row]
        made["parentObjectId"] = np.where(parent >= 0, chunk.object_ids[np.maximum(parent, 0)], 0)
    if "refBand" in columns:
        made["refBand"] = _reference_band(chunk, row)
    if seen is not None:
        made |= _visit_columns(chunk, columns, seen)
    return made


def _companion_columns(columns: Mapping[str, SchemaColumn], objects: Integers, is_star: Flags) -> dict[str, Values]:
    """A truth catalog's ids are text: the object's number, and with its type."""
    made: dict[str, Values] = {}
    if "id" in columns and columns["id"].type.startswith("char"):
        kind = np.where(is_star, 2, 1)
        numbers = number_texts(objects)
        made |= {"id": numbers, "truth_type": kind, "is_pointsource": is_star.astype(np.int32)}
        made["id_truth_type"] = join_texts(numbers, "_", number_texts(kind))
    if "metaStep" in columns:
        made["metaStep"] = pick(_SHEAR_STEPS, np.arange(len(objects)) % len(_SHEAR_STEPS))
    return made


def _reference_band(chunk: FelisChunk, row: RowIndexes) -> pa.Array:
    """i, or the first other band in which the object was observed."""
    names = chunk.patch.recipe.band_names
    order = sorted(range(len(names)), key=lambda place: names[place] != "i")
    is_seen = ~chunk.patch.population.is_missing[order][:, row]
    return pick([names[place] for place in order], is_seen.argmax(axis=0) if len(row) else np.zeros(0, np.int64))


def _visit_columns(chunk: FelisChunk, columns: Mapping[str, SchemaColumn], seen: RowIndexes) -> dict[str, Values]:
    """What an exposure takes from its visit: they join to the Visit and the detector table."""
    exposures, pointings, recipe = chunk.exposures, chunk.pointings, chunk.patch.recipe
    visit, row = exposures.visit[seen], exposures.row[seen]
    positions, names = chunk.patch.positions, recipe.band_names
    side = recipe.visits.detectors_per_side
    detector, x, y = detector_places(pointings, side, visit, positions.ra[row], positions.dec[row])
    number, mjd, band = pointings.visit_id[visit], pointings.mjd[visit], exposures.band[seen]
    made: dict[str, Values] = {"visit": number, "visitId": number, "detector": detector, "x": x, "y": y}
    made["ccdVisitId"] = number * DETECTORS + detector
    made |= dict.fromkeys(("midpointMjdTai", "midPointTai", "radecTai"), mjd)
    made |= {name: pick(names, band) for name in ("band", "filterName") if name in columns}
    if "physical_filter" in columns:
        made["physical_filter"] = pick([PHYSICAL[name] for name in names], band)
    if "instrument" in columns:
        made["instrument"] = pick([chunk.rule.instrument], np.zeros(len(seen), np.int64))
    if "time_processed" in columns:
        made["time_processed"] = date_texts(mjd + 1.0)
    if "timeProcessedMjdTai" in columns:
        made["timeProcessedMjdTai"] = mjd + 1.0
    return made


def _positional(chunk: FelisChunk, rows: TableRows, seen: RowIndexes | None) -> dict[str, Values]:
    """Columns that follow from the position."""
    tract, patch = tract_and_patch(rows.ra, rows.dec)
    return {"tract": tract, "patch": patch}


def _statistics(
    chunk: FelisChunk, kind: TableKind, columns: Mapping[str, SchemaColumn], row: RowIndexes, light: _Lights
) -> dict[str, Values]:
    """Numbers of visits by band, and for DiaObjects what their detections amount to."""
    if kind.is_exposure:
        return {}
    names, count, exposures = chunk.patch.recipe.band_names, len(chunk.patch.population), chunk.exposures
    seen = chunk.dia_detections if kind is TableKind.DIA_OBJECT else np.arange(len(exposures))
    each = np.bincount(exposures.band[seen] * count + exposures.row[seen], minlength=count * len(names))
    each = each.reshape(len(names), count)[:, row] if count else np.zeros((len(names), 0), np.int64)
    made: dict[str, Values] = {f"{name}/visits": each[place] for place, name in enumerate(names)}
    made["/visits"] = each.sum(axis=0)
    if kind is TableKind.DIA_OBJECT:
        for name, column in columns.items():
            if (found := light_curve_column(column, light.of, made)) is not None:
                made[name] = found
    return made
