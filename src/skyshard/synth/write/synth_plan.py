"""Which chunks to make for a share of a recipe's sky, and what to expect of them. No I/O.

Shrinking by coverage keeps the density and leaves out chunks. Whole neighbourhoods are kept, so overlap between chunks
is as in the full sky. Thinning keeps all chunks and leaves out objects, with their children. Either
way the rows of a smaller fraction are among those of a larger one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import hpgeom
import numpy as np
import xxhash

from skyshard.basics.array_types import Floats
from skyshard.basics.errors import UserError
from skyshard.catalog.synth_manifest import Shrink
from skyshard.synth.recipe.felis_tables import FelisTables
from skyshard.synth.recipe.random_streams import WHOLE_SKY, stream
from skyshard.synth.recipe.recipe import Recipe
from skyshard.synth.recipe.sky_tables import row_bytes
from skyshard.synth.recipe.table_columns import FORCED_SOURCE, OBJECT, REF_MATCH, REF_OBJECT, SOURCE
from skyshard.synth.recipe.table_kinds import TableKind
from skyshard.synth.rows.felis_rows import rows_per_object
from skyshard.synth.rows.generate import SyntheticSky, open_sky
from skyshard.synth.rows.kpm_columns import SERIAL_BITS, compactness, sigma_of
from skyshard.synth.sky.population import Population, draw_population, flux_of
from skyshard.synth.sky.positions import widened
from skyshard.synth.write.output_folder import Identity

_NEIGHBOURHOOD_NSIDE = 8
_SAMPLE_OBJECTS = 4000


@dataclass(frozen=True, slots=True)
class ChunkTask:
    """One chunk to make: all that a worker needs, small enough to send."""

    identity: Identity
    """The catalog that it is part of: objects of its other chunks count as neighbours."""
    chunk: int
    folder: Path

    @property
    def recipe(self) -> Recipe:
        return self.identity.recipe

    @property
    def seed(self) -> int:
        return self.identity.seed

    @property
    def share(self) -> float:
        """Share of the chunk's objects to make."""
        return self.identity.fraction if self.identity.shrink == "thinning" else 1.0


@dataclass(frozen=True, slots=True)
class SynthPlan:
    """What a synthesis will do. Expected numbers are means: real ones scatter about them as Poisson does."""

    identity: Identity
    tasks: tuple[ChunkTask, ...]
    expected_rows: dict[str, int]
    """By chunked table."""
    expected_bytes: int
    """Of all rows' values, uncompressed."""
    whole_rows: dict[str, int]
    """The same for the whole recipe, all chunks."""
    whole_bytes: int
    whole_chunks: int


def plan(
    recipe: Recipe,
    out: Path,
    *,
    chunks: Sequence[int] | None = None,
    fraction: float = 1.0,
    seed: int | None = None,
    shrink: Shrink = "coverage",
) -> SynthPlan:
    """Choose the chunks and estimate rows and bytes.

    Raises:
        UserError: a fraction outside (0, 1], a chunk that the recipe does not hold, or too many rows for ids.
    """
    if not 0 < fraction <= 1:
        raise UserError(f"fraction {fraction:g} is not above 0 and at most 1", remedy="give a share such as 0.5")
    sky = open_sky(recipe, seed)
    expected = sky.expected_objects()
    ratios = expected_ratios(sky)
    _refuse_overflow(max(expected.values(), default=0.0) * max(ratios.values()))
    if chunks is not None and not chunks:
        raise UserError("the list of chunks is empty", remedy="leave --chunks out to make all")
    identity = Identity(recipe, sky.seed, fraction, None if chunks is None else tuple(sorted(set(chunks))), shrink)
    chosen = _chosen(sky, expected, identity)
    share = fraction if shrink == "thinning" else 1.0
    made, whole = share * sum(expected[chunk] for chunk in chosen), sum(expected.values())
    widths = {name: row_bytes(sky.specs[name].table) for name in ratios}
    return SynthPlan(
        identity=identity,
        tasks=tuple(ChunkTask(identity, chunk, out) for chunk in chosen),
        expected_rows={name: round(made * ratio) for name, ratio in ratios.items()},
        expected_bytes=round(sum(made * ratio * widths[name] for name, ratio in ratios.items())),
        whole_rows={name: round(whole * ratio) for name, ratio in ratios.items()},
        whole_bytes=round(sum(whole * ratio * widths[name] for name, ratio in ratios.items())),
        whole_chunks=len(expected),
    )


def chosen_chunks(sky: SyntheticSky, identity: Identity) -> list[int]:
    """The chunks of a catalog, ascending.

    Raises:
        UserError: a chunk that the recipe, or the fraction of it, does not hold.
    """
    return _chosen(sky, sky.expected_objects(), identity)


def _chosen(sky: SyntheticSky, expected: dict[int, float], identity: Identity) -> list[int]:
    covered = _cover(sky, expected, identity.fraction) if identity.shrink == "coverage" else sorted(expected)
    return _keep(covered, identity.chunks, expected)


@lru_cache(maxsize=4)
def _made(identity_text: str) -> frozenset[int]:
    identity = Identity.parse(identity_text)
    return frozenset(chosen_chunks(open_sky(identity.recipe, identity.seed), identity))


def neighbours_of(sky: SyntheticSky, task: ChunkTask, margin_deg: float) -> list[int]:
    """Other chunks of the catalog that a margin around a task's chunk reaches."""
    around = sky.chunker.chunks_in(widened(sky.chunker.chunk_box(task.chunk), margin_deg))
    return sorted(_made(task.identity.text).intersection(around.tolist()) - {task.chunk})


def _refuse_overflow(most_rows: float) -> None:
    if most_rows >= 2 ** (SERIAL_BITS - 1):
        what = f"a chunk would hold {most_rows:.3g} rows of one table, ids count to {2**SERIAL_BITS:.3g}"
        raise UserError(what, remedy="use more stripes or lower sky.objects_per_sqdeg")


def _cover(sky: SyntheticSky, expected: dict[int, float], fraction: float) -> list[int]:
    """The shortest run of chunks, in neighbourhood order, that holds the share; all of them for 1."""
    if fraction == 1:
        return sorted(expected)
    ordered = _neighbourhood_order(sky, list(expected))
    reached = np.cumsum([expected[chunk] for chunk in ordered])
    count = int(np.searchsorted(reached, fraction * reached[-1] * (1 - 1e-12))) + 1
    return sorted(ordered[:count])


def _neighbourhood_order(sky: SyntheticSky, chunks: list[int]) -> list[int]:
    """Chunks sorted by a hash of the seed and of the coarse pixel that they lie in, then by number."""
    west, east, south, north = sky.chunker.chunk_edges(chunks)
    pixels = hpgeom.angle_to_pixel(_NEIGHBOURHOOD_NSIDE, (west + east) / 2, (south + north) / 2)
    found, which = np.unique(pixels, return_inverse=True)
    ranks = [xxhash.xxh3_64_intdigest(f"{sky.seed}/coverage/{pixel}".encode()) for pixel in found.tolist()]
    numbers = np.asarray(chunks)
    return [int(chunk) for chunk in numbers[np.lexsort((numbers, np.array(ranks, np.uint64)[which]))]]


def _keep(covered: list[int], chunks: Sequence[int] | None, expected: dict[int, float]) -> list[int]:
    if chunks is None:
        return covered
    unknown = sorted(set(chunks) - set(covered))
    if unknown:
        where = "the fraction of this recipe" if unknown[0] in expected else "this recipe's footprint"
        raise UserError(
            f"chunk {unknown[0]} is not in {where}", remedy="skyshard synth --dry-run --json lists the chunks"
        )
    return sorted(set(chunks))


def expected_ratios(sky: SyntheticSky) -> dict[str, float]:
    """Expected rows per object of each chunked table, over a sample of the population."""
    recipe = sky.recipe
    population = draw_population(recipe, sky.seed, WHOLE_SKY, _SAMPLE_OBJECTS)
    shares = np.array([recipe.bands[band].visit_share for band in recipe.band_names])
    visits = recipe.visits.per_object * shares / shares.sum()
    forced = float((~population.is_missing).mean(axis=1) @ visits)
    if sky.felis is not None:
        return _felis_ratios(sky, sky.felis, population, visits, forced)
    ratios = {OBJECT: 1.0}
    if recipe.tables.Source is not None:
        ratios[SOURCE] = _detected(sky, population, visits, recipe.tables.Source.detection_snr)
    if recipe.tables.ForcedSource is not None:
        ratios[FORCED_SOURCE] = forced
    if recipe.tables.Reference is not None:
        ratios |= dict.fromkeys((REF_OBJECT, REF_MATCH), recipe.tables.Reference.share)
    return ratios


def _detected(sky: SyntheticSky, population: Population, visits: Floats, least_snr: float) -> float:
    """Detections per object."""
    recipe = sky.recipe
    depths = np.array([recipe.bands[band].depth_mag for band in recipe.band_names], np.float32)
    flux = population.flux * compactness(population)
    snr = flux / sigma_of(flux, flux_of(depths)[:, None])
    noise = stream(sky.seed, SOURCE, WHOLE_SKY, "detected").standard_normal(snr.shape)
    return float(((snr + noise > least_snr) & ~population.is_missing).mean(axis=1) @ visits)


def _felis_ratios(
    sky: SyntheticSky, felis: FelisTables, population: Population, visits: Floats, forced: float
) -> dict[str, float]:
    rule, variable = felis.rule, float(population.is_variable.mean())
    dia = rule.dia_share * (1 - variable) + variable
    per_dia = min(rule.dia_detections, forced) * (1 - variable / dia) + 0.6 * forced * variable / dia
    by_kind = {
        TableKind.OBJECT: 1.0,
        TableKind.DETECTION: _detected(sky, population, visits, rule.detection_snr),
        TableKind.FORCED: forced,
        TableKind.DIA_OBJECT: dia,
        TableKind.DIA_DETECTION: dia * per_dia,
        TableKind.DIA_FORCED: dia * forced,
    }
    stars = float(population.is_star.mean())
    return {
        name: by_kind.get(spec.kind) or rows_per_object(spec.kind, felis.columns[name], stars)
        for name, spec in sky.chunked.items()
    }
