"""Measured columns of Object, Source and ForcedSource, made from a population. No I/O.

Fluxes are made in microjansky, in single precision, and scaled to the recipe's unit at the end. Errors follow the
point-source model of LSE-40: (sigma/F5)^2 = 0.001 F/F5 + 0.039, where F5 is the flux at five sigma.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.array_types import Flags, Integers, RowIndexes
from skyshard.synth.recipe.random_streams import stream
from skyshard.synth.recipe.recipe import Recipe
from skyshard.synth.recipe.sky_tables import Masked, Validity, Values
from skyshard.synth.recipe.table_columns import FORCED_SOURCE, OBJECT, SOURCE
from skyshard.synth.sky.population import Population, Singles, flux_of
from skyshard.synth.sky.positions import SkyPositions
from skyshard.synth.sky.visits import Pointings, filter_ids

SERIAL_BITS = 32
"""An id is the chunk number, then this many bits that count rows within the chunk from 1."""
UNIT_PER_UJY = {"uJy": 1.0, "nJy": 1e3, "cgs": 1e-29}
SATURATION_MAG = 16.5
_PSF_PIXELS2 = 4.0
_CENTROID_DEG = 0.7 / 3600
"""Width of the image: its centre is known to this over the signal-to-noise ratio."""
_AP_NOISE, _MODEL_NOISE = np.float32(1.3), np.float32(1.05)
_EDGE_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Patch:
    """Objects of one chunk, and how they are measured."""

    recipe: Recipe
    seed: int
    chunk: int
    positions: SkyPositions
    population: Population

    @property
    def unit(self) -> np.float32:
        return np.float32(UNIT_PER_UJY[self.recipe.flux_unit])

    def normal(self, table: str, column: str, count: int) -> Singles:
        return stream(self.seed, table, self.chunk, column).standard_normal(count, dtype=np.float32)

    def uniform(self, table: str, column: str, count: int) -> Singles:
        return stream(self.seed, table, self.chunk, column).random(count, dtype=np.float32)

    @property
    def first_id(self) -> np.int64:
        """The id of serial number 0."""
        return np.int64(self.chunk) << np.int64(SERIAL_BITS)

    def ids(self, count: int) -> Integers:
        return self.first_id + np.arange(1, count + 1, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Children:
    """Random draws and ids of a patch's child rows.

    Runs of parents are made one after the other. Each run continues the streams of the last one, so the rows do not
    depend on how long the runs are.
    """

    patch: Patch
    streams: dict[tuple[str, str], np.random.Generator] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)

    def normal(self, table: str, column: str, count: int) -> Singles:
        return self.stream(table, column).standard_normal(count, dtype=np.float32)

    def uniform(self, table: str, column: str, count: int) -> Singles:
        return self.stream(table, column).random(count, dtype=np.float32)

    def stream(self, table: str, column: str) -> np.random.Generator:
        if (table, column) not in self.streams:
            self.streams[table, column] = stream(self.patch.seed, table, self.patch.chunk, column)
        return self.streams[table, column]

    def serials(self, table: str, count: int) -> Integers:
        """Serial numbers of a table's next rows, from 1; each is given once."""
        first = self.made.get(table, 0) + 1
        self.made[table] = first + count - 1
        return np.arange(first, first + count, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Exposures:
    """Each object in each visit that covers it, in a band it was observed in; sorted by object, then time."""

    row: RowIndexes
    visit: RowIndexes
    band: RowIndexes
    flux: Singles
    """True point-source flux at that time, microjansky."""
    sigma: Singles
    flags: dict[str, Flags]

    def __len__(self) -> int:
        return len(self.row)


def sigma_of(flux: Singles, five_sigma: Singles) -> Singles:
    """Error of a point source's flux; both in one unit."""
    return np.asarray(np.sqrt((np.float32(0.001) * flux + np.float32(0.039) * five_sigma) * five_sigma))


def coadd_sigma(recipe: Recipe, band: str, total: Singles, scatter: Singles) -> Singles:
    """Error of a flux measured on all visits of a band; ``scatter`` is uniform in [0, 1)."""
    rule, visits = recipe.bands[band], recipe.visits.per_object
    share = rule.visit_share / sum(other.visit_share for other in recipe.bands.values())
    sigma = sigma_of(total, flux_of(rule.depth_mag + 1.25 * math.log10(max(1.0, visits * share))))
    sigma *= np.float32(0.9) + np.float32(0.2) * scatter
    return sigma


def compactness(population: Population) -> Singles:
    """Share of the flux that a point-source fit finds: 1 for stars."""
    return np.asarray(1 / (1 + np.float32(0.03) * population.size))


def expose(
    patch: Patch, pointings: Pointings, children: Children | None = None, parents: slice = slice(None)
) -> Exposures:
    """All exposures of a chunk's objects, or of a run of them."""
    population, children = patch.population, children or Children(patch)
    row, visit = pointings.covering(patch.positions.ra[parents], patch.positions.dec[parents])
    row += parents.start or 0
    band = pointings.band[visit]
    is_observed = ~population.is_missing[band, row]
    row, visit, band = row[is_observed], visit[is_observed], band[is_observed]
    flux = population.flux[band, row] * compactness(population)[row]
    _vary(flux, population, row, pointings.mjd[visit])
    five_sigma = flux_of(pointings.depth_mag.astype(np.float32))[visit]
    is_saturated = flux > flux_of(SATURATION_MAG)
    is_edge = children.uniform("exposure", "edge", len(row)) < _EDGE_SHARE
    luck = children.uniform("exposure", "bad", len(row))
    flags = {
        "flagPixSaturAny": is_saturated,
        "flagPixEdge": is_edge,
        "flagBadPsfFlux": is_saturated | (luck < np.where(is_edge, np.float32(0.3), np.float32(0.005))),
    }
    return Exposures(row, visit, band, flux, sigma_of(flux, five_sigma), flags)


def _vary(flux: Singles, population: Population, row: RowIndexes, mjd: NDArray[np.float64]) -> None:
    """Let variable objects vary, in place: a sine in magnitude."""
    varying = np.flatnonzero(population.is_variable[row])
    objects = row[varying]
    turns = mjd[varying] / population.period_days[objects] + population.phase[objects]
    magnitudes = population.amplitude_mag[objects] * np.sin(2 * math.pi * turns)
    flux[varying] *= np.exp(-0.4 * math.log(10) * magnitudes).astype(np.float32)


def count_exposures(patch: Patch, pointings: Pointings) -> RowIndexes:
    """How many exposures each object has, without making them."""
    counts = pointings.counts(patch.positions.ra, patch.positions.dec, len(patch.recipe.band_names))
    total = counts.sum(axis=1)
    for place, is_missing in enumerate(patch.population.is_missing):
        rows = np.flatnonzero(is_missing)
        total[rows] -= counts[rows, place]
    return np.asarray(total)


def object_columns(patch: Patch, exposures: RowIndexes) -> dict[str, Values]:
    """Values of the Object table; ``exposures`` counts those of each object."""
    population, count = patch.population, len(patch.population)
    brightest = population.flux.max(axis=0)
    deepest = flux_of(max(band.depth_mag for band in patch.recipe.bands.values()))
    noise = sigma_of(brightest, deepest) / brightest
    variance = np.square(np.float32(_CENTROID_DEG) * noise)
    kind = np.where(population.is_star, np.float32(0), np.float32(1))
    is_confused = patch.uniform(OBJECT, "extendedness", count) < np.minimum(noise, 0.3)
    observed = Validity.of(np.asarray((~population.is_missing).any(axis=0)))
    columns: dict[str, Values] = {
        "objectId": patch.ids(count),
        "ra": patch.positions.ra,
        "decl": patch.positions.dec,
        "raVar": variance,
        "declVar": variance * (1 + np.float32(0.1) * patch.uniform(OBJECT, "declVar", count)),
        "radeclCov": variance * (patch.uniform(OBJECT, "radeclCov", count) - np.float32(0.5)),
        "extendedness": Masked(np.where(is_confused, 1 - kind, kind), observed),
        "obsCount": np.minimum(exposures, 32_767),
        "flagVariable": population.is_variable,
        "flagPixSaturAny": brightest > flux_of(SATURATION_MAG),
    }
    shapes = _Shapes.of(patch)
    for place, band in enumerate(patch.recipe.band_names):
        validity = Validity.of(~population.is_missing[place])
        for name, values in _band_columns(patch, shapes, place, band).items():
            columns[f"{band}_{name}"] = Masked(values, validity)
    return columns


def _band_columns(patch: Patch, shapes: _Shapes, place: int, band: str) -> dict[str, Singles]:
    """One band's measurements, those that the recipe asks for."""
    recipe, population, unit = patch.recipe, patch.population, patch.unit
    total = population.flux[place]
    sigma = coadd_sigma(recipe, band, total, patch.uniform(OBJECT, f"{band}_sigma", len(population)))
    point = total * compactness(population)
    means = {
        "psf": (point, np.float32(1)), "ap": (total, _AP_NOISE), "model": (total, _MODEL_NOISE),
        "inst": (np.float32(0.97) * point, np.float32(1)),
    }  # fmt: skip
    made: dict[str, Singles] = {}
    for name in recipe.tables.Object.band_columns:
        if name.startswith("shape"):
            made[name] = shapes.measured(patch, band, name)
        elif name.endswith("Sigma"):
            made[name] = sigma * (means[name.removesuffix("FluxSigma")][1] * unit)
        else:
            mean, factor = means[name.removesuffix("Flux")]
            noise = patch.normal(OBJECT, f"{band}_{name}", len(population))
            noise *= sigma
            if factor != 1:
                noise *= factor
            noise += mean
            made[name] = noise * unit if unit != 1 else noise
    return made


@dataclass(frozen=True, slots=True)
class _Shapes:
    """Second moments of the objects before they are measured, square pixels."""

    means: dict[str, Singles]

    @classmethod
    def of(cls, patch: Patch) -> _Shapes:
        size, count = patch.population.size, len(patch.population)
        psf, wanted = np.float32(_PSF_PIXELS2), set(patch.recipe.tables.Object.band_columns)
        means = {}
        if wanted & {"shapeIxx", "shapeIyy"}:
            e1 = np.float32(0.2) * patch.normal("population", "e1", count)
            means = {"shapeIxx": psf + size * np.abs(1 + e1), "shapeIyy": psf + size * np.abs(1 - e1)}
        if "shapeIxy" in wanted:
            means["shapeIxy"] = size * np.float32(0.2) * patch.normal("population", "e2", count)
        return cls(means)

    def measured(self, patch: Patch, band: str, name: str) -> Singles:
        mean = self.means[name]
        noise = patch.normal(OBJECT, f"{band}_{name}", len(mean))
        noise *= np.float32(0.04)
        noise += np.float32(1)
        noise *= mean
        return noise


def forced_source_columns(children: Children, exposures: Exposures, pointings: Pointings) -> dict[str, Values]:
    """Values of the ForcedSource table: all exposures."""
    patch = children.patch
    good = Validity.of(~exposures.flags["flagBadPsfFlux"])
    flux = exposures.flux + exposures.sigma * children.normal(FORCED_SOURCE, "psfFlux", len(exposures))
    return {
        "forcedSourceId": patch.first_id + children.serials(FORCED_SOURCE, len(exposures)),
        "objectId": patch.first_id + 1 + exposures.row,
        "visitId": pointings.visit_id[exposures.visit],
        "filterId": filter_ids(patch.recipe)[exposures.band],
        "psfFlux": Masked(flux * patch.unit, good),
        "psfFluxSigma": Masked(exposures.sigma * patch.unit, good),
        **exposures.flags,
    }


def detect(patch: Patch | Children, exposures: Exposures, snr: float) -> RowIndexes:
    """The exposures in which the object is detected."""
    seen = exposures.flux / exposures.sigma + patch.normal(SOURCE, "detected", len(exposures))
    return np.flatnonzero(seen > snr)


def source_columns(children: Children, exposures: Exposures, pointings: Pointings, snr: float) -> dict[str, Values]:
    """Values of the Source table: the detections among the exposures."""
    patch, detected = children.patch, detect(children, exposures, snr)
    count = len(detected)
    serials = children.serials(SOURCE, count)
    row, visit = exposures.row[detected], exposures.visit[detected]
    flux, sigma = exposures.flux[detected], exposures.sigma[detected]
    flags = {name: values[detected] for name, values in exposures.flags.items()}
    good, whole = Validity.of(~flags["flagBadPsfFlux"]), Validity.of(~flags["flagPixEdge"])
    ra, dec = patch.positions.ra[row], patch.positions.dec[row]
    error_deg = np.float32(_CENTROID_DEG) * sigma / flux
    has_parent = children.uniform(SOURCE, "hasParent", count) < 0.1
    parent = 1 + ((serials - 1) * children.stream(SOURCE, "parent").random(count)).astype(np.int64)

    def measured(name: str, share: float, factor: float) -> Singles:
        noise = np.float32(factor) * sigma * children.normal(SOURCE, name, count)
        return np.asarray((np.float32(share) * flux + noise) * patch.unit)

    return {
        "sourceId": patch.first_id + serials,
        "objectId": patch.first_id + 1 + row,
        "visitId": pointings.visit_id[visit],
        "filterId": filter_ids(patch.recipe)[exposures.band[detected]],
        "ra": (ra + error_deg * children.normal(SOURCE, "ra", count) / np.cos(np.radians(dec))) % 360.0,
        "decl": np.clip(dec + error_deg * children.normal(SOURCE, "decl", count), -90.0, 90.0),
        "raObject": ra,
        "declObject": dec,
        "taiMidPoint": pointings.mjd[visit],
        "psfFlux": Masked(measured("psfFlux", 1.0, 1.0), good),
        "psfFluxSigma": Masked(sigma * patch.unit, good),
        "apFlux": Masked(measured("apFlux", 1.05, 1.3), whole),
        "apFluxSigma": Masked(sigma * (_AP_NOISE * patch.unit), whole),
        "flux_sinc": Masked(measured("flux_sinc", 1.03, 1.2), whole),
        "snr": flux / sigma,
        "parent": Masked(patch.first_id + parent, Validity.of(has_parent)),
        **flags,
    }
