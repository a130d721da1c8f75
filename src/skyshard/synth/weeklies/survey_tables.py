"""The tables of a release as pools of rows: objects, sources, forced sources, visits, difference images. No I/O.

Ids embed where a row was found: tract and patch, or visit and detector, above 32 bits of a number of the row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from skyshard.basics.array_types import Flags, Floats, Integers, RowIndexes
from skyshard.catalog.felis_schemas import SchemaColumn, read_schema
from skyshard.synth.recipe.random_streams import WHOLE_SKY, stream
from skyshard.synth.recipe.sky_tables import Values
from skyshard.synth.rows.felis_columns import TableRows
from skyshard.synth.rows.felis_rows import PHYSICAL
from skyshard.synth.rows.fluxes import Light
from skyshard.synth.rows.text_columns import date_texts, pick
from skyshard.synth.sky.tracts import DETECTOR_PIXELS
from skyshard.synth.weeklies.few_columns import is_among_few
from skyshard.synth.weeklies.pool_table import PoolTable
from skyshard.synth.weeklies.survey_frame import DETECTORS_PER_SIDE, SurveyFrame, taken

_ID_BITS = np.int64(32)
_DETECTED_SNR = 5.0
_EXPOSURE_NOISE = np.float32(2.0)
_FLICKER_SHARE = 0.002
_DIA_SHARE = 0.05
_EXPOSURE_S = {"HSC": 200.0, "LSSTCam": 30.0}


def physical_filter(band: str, kind: str) -> str:
    """The filter of a band.

    >>> physical_filter("i", "hsc-gen3"), physical_filter("i", "dp2")
    ('HSC-I', 'i_27')
    """
    return PHYSICAL[band] if kind == "dp2" else f"HSC-{band.upper()}"


def object_table(frame: SurveyFrame) -> PoolTable:
    """Objects, as every patch that sees them."""
    pool, of = frame.pool, frame.pool.of
    own: dict[str, Values] = {
        "tract": pool.tract, "patch": pool.patch, "detect_isPatchInner": pool.is_patch_inner,
        "detect_isTractInner": pool.is_tract_inner, "detect_isPrimary": pool.is_primary,
        "sky_object": pool.is_sky, "merge_peak_sky": pool.is_sky,
        "parentObjectId": _parents(frame), "deblend_blendId": _parents(frame),
    }  # fmt: skip
    if "refBand" in (names := _names("Object", frame)):
        own["refBand"] = pick(["i"], np.zeros(pool.rows, np.int64))
    rows = _rows(frame, "Object", own, of, names, pool.ra, pool.dec, lambda band: taken(frame.light(band), of))
    return PoolTable(
        "Object", _schema("Object", frame), rows, frame.present, ("objectId",), pool.tract, pool.patch,
        missing={band: frame.unseen(band, of) for band in frame.bands},
        fixed={"objectId": lambda weekly: object_ids(frame, weekly)},
    )  # fmt: skip


def object_ids(frame: SurveyFrame, weekly: int) -> Integers:
    """Of every row of the pool; 0 in a weekly that has it not, if ids are counted anew."""
    pool = frame.pool
    place = (pool.tract * 100 + pool.patch) << _ID_BITS
    if frame.order.keys == "lasting":
        return np.asarray(place + np.arange(1, pool.rows + 1))
    there = np.flatnonzero(frame.present(weekly))
    lot = stream(frame.order.seed, "keys", WHOLE_SKY, str(weekly)).permutation(len(there))
    order = there[np.lexsort((lot, place[there]))]
    start = np.searchsorted(place[order], place[order], side="left")
    ids = np.zeros(pool.rows, np.int64)
    ids[order] = place[order] + 1 + np.arange(len(order)) - start
    return ids


def _parents(frame: SurveyFrame) -> Integers:
    """The id of a pair's common parent; 0 for all others."""
    pool = frame.pool
    parents = np.zeros(pool.rows, np.int64)
    first = np.arange(pool.pairs)
    number = ((pool.tract[first] * 100 + pool.patch[first]) << _ID_BITS) + (1 << 31) + first
    parents[first] = parents[pool.births.first - pool.pairs + first] = number
    return parents


def parent_table(frame: SurveyFrame) -> PoolTable:
    """The parents of pairs, as long as one of the pair is there."""
    pool, first = frame.pool, np.arange(frame.pool.pairs)
    own: dict[str, Values] = {"objectId": _parents(frame)[first], "parentObjectId": np.zeros(len(first), np.int64)}

    def present(weekly: int) -> Flags:
        return np.asarray(frame.present(weekly)[first])

    rows = _rows(
        frame, "Parent", own, first, (), pool.ra[first], pool.dec[first], lambda band: taken(frame.light(band), first)
    )
    return PoolTable(
        "Parent", _schema("Parent", frame), rows, present, ("objectId",), pool.tract[first], pool.patch[first]
    )


def _exposures(frame: SurveyFrame, objects: RowIndexes) -> tuple[RowIndexes, RowIndexes, Floats, Floats]:
    """Objects within the square of each visit: their places in ``objects``, the visit, and where, both in [0, 1)."""
    visits, pool = frame.visits, frame.pool
    ra, dec = pool.ra[objects], pool.dec[objects]
    east = (ra[:, None] - visits.ra + 180.0) % 360.0 - 180.0
    u = (east * np.cos(np.radians(dec))[:, None] / visits.reach_deg + 1) / 2
    v = ((dec[:, None] - visits.dec) / visits.reach_deg + 1) / 2
    place, visit = np.nonzero((u >= 0) & (u < 1) & (v >= 0) & (v < 1))
    return place, visit, u[place, visit], v[place, visit]


def _exposed_light(frame: SurveyFrame, of: RowIndexes, visit: RowIndexes) -> Light:
    """Rows of single visits: the light of each row's own band, with the noise of one exposure."""
    band = frame.visits.band[visit]
    lights = [frame.light(name) for name in frame.bands]
    light = taken(lights[0], of)
    for number, other in enumerate(lights):
        rows = np.flatnonzero(band == number)
        for name in ("total", "point", "mean", "sigma", "luck"):
            getattr(light, name)[rows] = getattr(other, name)[of[rows]]
    light.sigma = light.sigma * _EXPOSURE_NOISE
    return light


def _visit_columns(
    frame: SurveyFrame, visit: RowIndexes, u: Floats, v: Floats, names: Sequence[str]
) -> dict[str, Values]:
    """What a row of a single visit takes from it."""
    visits, side = frame.visits, DETECTORS_PER_SIDE
    column, row = (u * side).astype(np.int64), (v * side).astype(np.int64)
    made: dict[str, Values] = {"visit": visits.number[visit], "detector": row * side + column}
    made |= {"x": (u * side - column) * DETECTOR_PIXELS, "y": (v * side - row) * DETECTOR_PIXELS}
    made |= dict.fromkeys(("midpointMjdTai",), visits.mjd[visit])
    texts = {"band": frame.bands, "physical_filter": [physical_filter(one, frame.order.kind) for one in frame.bands]}
    return made | {name: pick(words, visits.band[visit]) for name, words in texts.items() if name in names}


def source_table(frame: SurveyFrame, name: str = "Source") -> PoolTable:
    """Detections on single visits; of each weekly's, two in a thousand are not found from then on."""
    pool, is_dia = frame.pool, name == "DiaSource"
    objects = dia_objects(frame) if is_dia else np.arange(pool.births.first)
    place, visit, u, v = _exposures(frame, objects)
    of = objects[place]
    light = _exposed_light(frame, of, visit)
    found = light.snr > _DETECTED_SNR
    if is_dia:
        found |= np.diff(place, prepend=-1) != 0  # at least once
    kept = np.flatnonzero(found)
    of, visit, u, v, light = of[kept], visit[kept], u[kept], v[kept], taken(light, kept)
    names = _names(name, frame)
    own = _visit_columns(frame, visit, u, v, names)
    detector = np.asarray(own["detector"])
    where = (frame.visits.slot[visit] * 1000 + detector) << _ID_BITS
    key = "diaSourceId" if is_dia else "sourceId"
    own |= {key: where + np.arange(1, len(of) + 1), "diaObjectId": of + 1, "parentDiaSourceId": np.zeros(len(of))}
    scatter = stream(frame.order.seed, name, WHOLE_SKY, "scatter").uniform(-5e-6, 5e-6, (2, len(of)))
    ra, dec = (pool.ra[of] + scatter[0]) % 360.0, pool.dec[of] + scatter[1]
    rows = _rows(frame, name, own, of, names, ra, dec, lambda _: light)

    def present(weekly: int) -> Flags:
        held = np.full(len(of), weekly > 0)
        for number in range(2, weekly + 1):
            luck = stream(frame.order.seed, f"{name}/flicker", WHOLE_SKY, str(number)).random(len(of))
            held &= luck >= _FLICKER_SHARE
        return held

    return PoolTable(
        name, _schema(name, frame), rows, present, (key, "diaObjectId"), pool.tract[of] if is_dia else None,
        pool.patch[of] if is_dia else None, frame.visits.number[visit], detector,
    )  # fmt: skip


def forced_table(frame: SurveyFrame, name: str = "ForcedSource") -> PoolTable:
    """A measurement of every object's row on every visit that covers it."""
    pool, is_dia = frame.pool, name == "ForcedSourceOnDiaObject"
    held = dia_objects(frame) if is_dia else np.arange(pool.rows)
    place, visit, u, v = _exposures(frame, held)
    row = held[place]
    of = pool.of[row]
    names = _names(name, frame)
    own = _visit_columns(frame, visit, u, v, names)
    serial = (frame.visits.slot[visit] << np.int64(40)) + np.arange(1, len(row) + 1)
    flags = {"isPrimary": pool.is_primary, "isPatchInner": pool.is_patch_inner, "isTractInner": pool.is_tract_inner}
    own |= {"forcedSourceId": serial, "forcedSourceOnDiaObjectId": serial, "parentObjectId": _parents(frame)[row]}
    own |= {"tract": pool.tract[row], "patch": pool.patch[row], "diaObjectId": of + 1}
    own |= {f"detect_{name}": flag[row] for name, flag in flags.items()}
    light = _exposed_light(frame, of, visit)
    rows = _rows(frame, name, own, of, names, pool.ra[row], pool.dec[row], lambda _: light)

    def present(weekly: int) -> Flags:
        return np.full(len(row), weekly > 0) if is_dia else np.asarray(frame.present(weekly)[row])

    fixed: dict[str, Callable[[int], Any]] = {} if is_dia else {"objectId": lambda n: object_ids(frame, n)[row]}
    keys = ("forcedSourceOnDiaObjectId", "diaObjectId") if is_dia else ("forcedSourceId", "objectId")
    return PoolTable(
        name, _schema(name, frame), rows, present, keys, pool.tract[row], pool.patch[row],
        frame.visits.number[visit], np.asarray(own["detector"]), fixed=fixed,
    )  # fmt: skip


def dia_objects(frame: SurveyFrame) -> RowIndexes:
    """Objects that difference imaging finds."""
    luck = frame.patch.uniform("dia", "found", frame.pool.births.first)
    return np.flatnonzero((luck < _DIA_SHARE) | (np.arange(len(luck)) == 0))


def dia_object_table(frame: SurveyFrame) -> PoolTable:
    """Objects of difference imaging: the same in every weekly."""
    of, pool = dia_objects(frame), frame.pool
    names = _names("DiaObject", frame)
    own: dict[str, Values] = {"diaObjectId": of + 1, "tract": pool.tract[of]}
    rows = _rows(frame, "DiaObject", own, of, names, pool.ra[of], pool.dec[of], lambda b: taken(frame.light(b), of))
    return PoolTable(
        "DiaObject", _schema("DiaObject", frame), rows, lambda weekly: np.full(len(of), weekly > 0), ("diaObjectId",),
        pool.tract[of], pool.patch[of],
    )  # fmt: skip


def visit_table(frame: SurveyFrame) -> PoolTable:
    """Every visit."""
    visit = np.arange(len(frame.visits))
    return _visits(frame, "Visit", visit, None)


def visit_detector_table(frame: SurveyFrame) -> PoolTable:
    """Every detector of every visit."""
    of_visit = DETECTORS_PER_SIDE**2
    count = len(frame.visits) * of_visit
    return _visits(frame, "VisitDetector", np.arange(count) // of_visit, np.arange(count) % of_visit)


def _visits(frame: SurveyFrame, name: str, visit: RowIndexes, detector: Integers | None) -> PoolTable:
    visits, names = frame.visits, _names(name, frame)
    instrument = "LSSTCam" if frame.order.kind == "dp2" else "HSC"
    mid, ra, dec = visits.mjd[visit], visits.ra[visit], visits.dec[visit]
    own: dict[str, Values] = {"visit": visits.number[visit], "visitId": visits.number[visit], "decl": dec}
    own |= {"midpointMjdTai": mid, "obsStartMjdTai": mid - _EXPOSURE_S[instrument] / 2 / 86_400}
    own |= {"midpoint": date_texts(mid), "obsStart": date_texts(mid - _EXPOSURE_S[instrument] / 2 / 86_400)}
    own["expTime"] = np.full(len(visit), _EXPOSURE_S[instrument])
    texts = {"band": frame.bands, "physical_filter": [physical_filter(one, frame.order.kind) for one in frame.bands]}
    own |= {column: pick(words, visits.band[visit]) for column, words in texts.items() if column in names}
    if detector is not None:
        side, reach = DETECTORS_PER_SIDE, visits.reach_deg
        own["detector"] = detector
        east, north = (((one + 0.5) * 2 / side - 1) * reach for one in (detector % side, detector // side))
        for corner, x, y in (("llc", -1, -1), ("ulc", -1, 1), ("urc", 1, 1), ("lrc", 1, -1)):
            own[f"{corner}dec"] = dec + north + y * reach / side
            own[f"{corner}ra"] = (ra + (east + x * reach / side) / np.cos(np.radians(dec))) % 360.0
        ra, dec = (ra + east / np.cos(np.radians(dec))) % 360.0, dec + north
        own["decl"] = dec
    of = np.zeros(len(visit), np.int64)
    rows = _rows(frame, name, own, of, names, ra, dec, lambda band: taken(frame.light(band), of))
    keys = ("visit", "visitId", "detector", "decl")
    return PoolTable(
        name, _schema(name, frame), rows, lambda weekly: np.full(len(visit), weekly > 0), keys,
        visit=visits.number[visit], detector=detector,
    )  # fmt: skip


def _rows(
    frame: SurveyFrame, name: str, own: Mapping[str, Values], of: RowIndexes, names: Sequence[str], ra: Floats,
    dec: Floats, light: Callable[[str], Light],
) -> TableRows:  # fmt: skip
    """Rows with their ready columns; the light of each band is made once."""
    made: dict[str, Light] = {}

    def of_band(band: str | None) -> Light:
        word = band if band in frame.bands else "i"
        if word not in made:
            made[word] = light(word)
        return made[word]

    patch, population = frame.patch, frame.patch.population
    e1, e2 = (np.float32(0.2) * patch.normal("population", word, len(frame.pool))[of] for word in ("e1", "e2"))
    schema = {one.name: one for one in _schema(name, frame)}
    return TableRows(patch, name, len(of), ra, dec, own, of_band, {}, population.size[of], e1, e2, schema)


def _schema(name: str, frame: SurveyFrame) -> tuple[SchemaColumn, ...]:
    """The table's columns by the released schema; a table that HSC's schema lacks is as in DP2."""
    is_few = frame.order.columns == "few"
    for catalog in ("dp2", "hsc") if frame.order.kind == "dp2" else ("hsc", "dp2"):
        for table in read_schema(catalog):
            if table.table.name == name:
                return tuple(one for one in table.columns if not is_few or is_among_few(name, one.name))
    raise LookupError(name)


def _names(name: str, frame: SurveyFrame) -> tuple[str, ...]:
    return tuple(one.name for one in _schema(name, frame))


TABLES: dict[str, Callable[[SurveyFrame], PoolTable]] = {
    "Object": object_table, "Parent": parent_table, "Source": source_table, "ForcedSource": forced_table,
    "Visit": visit_table, "VisitDetector": visit_detector_table, "DiaObject": dia_object_table,
    "DiaSource": lambda frame: source_table(frame, "DiaSource"),
    "ForcedSourceOnDiaObject": lambda frame: forced_table(frame, "ForcedSourceOnDiaObject"),
}  # fmt: skip
"""By name of the schema's table."""
