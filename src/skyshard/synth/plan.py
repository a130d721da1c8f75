"""Which chunks to make for a share of a recipe's sky, and what to expect of them. No I/O.

Shrinking is by coverage: density stays real, chunks are left out. The chunks of a smaller fraction are always among
those of a larger one. They are taken neighbourhood by neighbourhood, so that overlap between chunks stays real too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import hpgeom  # type: ignore[import-untyped]
import numpy as np
import xxhash

from skyshard.errors import UserError
from skyshard.synth.columns import FORCED_SOURCE, OBJECT, SOURCE
from skyshard.synth.folder import Identity
from skyshard.synth.generate import SyntheticSky, open_sky
from skyshard.synth.measure import SERIAL_BITS, compactness, sigma_of
from skyshard.synth.population import draw_population, flux_of
from skyshard.synth.recipe import Recipe
from skyshard.synth.streams import WHOLE_SKY, stream
from skyshard.synth.tables import row_bytes

_NEIGHBOURHOOD_NSIDE = 8
_SAMPLE_OBJECTS = 4000


@dataclass(frozen=True, slots=True)
class ChunkTask:
    """One chunk to make: all that a worker needs, small enough to send."""

    recipe: Recipe
    seed: int
    chunk: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """What a synthesis will do. Expected numbers are means: real ones scatter about them as Poisson does."""

    identity: Identity
    tasks: tuple[ChunkTask, ...]
    expected_rows: dict[str, int]
    """By chunked table."""
    expected_bytes: int
    """Of all rows' values, uncompressed."""
    whole_rows: dict[str, int]
    """The same for the whole recipe, all chunks."""
    whole_chunks: int


def plan(
    recipe: Recipe, out: Path, *, chunks: Sequence[int] | None = None, fraction: float = 1.0, seed: int | None = None
) -> Plan:
    """Choose the chunks and estimate rows and bytes.

    ``fraction`` is a share of the expected objects; ``chunks`` keeps only those among the chosen.

    Raises:
        UserError: a fraction outside (0, 1], a chunk that the recipe does not hold, or too many rows for ids.
    """
    if not 0 < fraction <= 1:
        raise UserError(f"fraction {fraction:g} is not above 0 and at most 1", remedy="give a share such as 0.5")
    sky = open_sky(recipe, seed)
    expected = sky.expected_objects()
    ratios = expected_ratios(recipe, sky.seed)
    _refuse_overflow(max(expected.values(), default=0.0) * max(ratios.values()))
    chosen = _keep(_cover(sky, expected, fraction), chunks, expected)
    share, whole = sum(expected[chunk] for chunk in chosen), sum(expected.values())
    rows = {name: round(share * ratio) for name, ratio in ratios.items()}
    identity = Identity(recipe, sky.seed, fraction, None if chunks is None else tuple(sorted(set(chunks))))
    return Plan(
        identity=identity,
        tasks=tuple(ChunkTask(recipe, sky.seed, chunk, out) for chunk in chosen),
        expected_rows=rows,
        expected_bytes=sum(count * row_bytes(sky.specs[name].table) for name, count in rows.items()),
        whole_rows={name: round(whole * ratio) for name, ratio in ratios.items()},
        whole_chunks=len(expected),
    )


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
    boxes = [sky.chunker.chunk_box(chunk) for chunk in chunks]
    ra = np.array([(box.ra_min + box.ra_max) / 2 for box in boxes])
    dec = np.array([(box.dec_min + box.dec_max) / 2 for box in boxes])
    pixels = hpgeom.angle_to_pixel(_NEIGHBOURHOOD_NSIDE, ra, dec)
    rank = {int(pixel): xxhash.xxh3_64_intdigest(f"{sky.seed}/coverage/{pixel}".encode()) for pixel in set(pixels)}
    return [
        chunk for _, chunk in sorted((rank[int(pixel)], chunk) for pixel, chunk in zip(pixels, chunks, strict=True))
    ]


def _keep(covered: list[int], chunks: Sequence[int] | None, expected: dict[int, float]) -> list[int]:
    if chunks is None:
        return covered
    if not chunks:
        raise UserError("the list of chunks is empty", remedy="leave --chunks out to make all")
    unknown = sorted(set(chunks) - set(covered))
    if unknown:
        where = "the fraction of this recipe" if unknown[0] in expected else "this recipe's footprint"
        raise UserError(
            f"chunk {unknown[0]} is not in {where}", remedy="skyshard synth --dry-run --json lists the chunks"
        )
    return sorted(set(chunks))


def expected_ratios(recipe: Recipe, seed: int) -> dict[str, float]:
    """Expected rows per object of each chunked table, over a sample of the population."""
    population = draw_population(recipe, seed, WHOLE_SKY, _SAMPLE_OBJECTS)
    shares = np.array([recipe.bands[band].visit_share for band in recipe.band_names])
    visits = recipe.visits.per_object * shares / shares.sum()
    is_observed = ~population.is_missing
    ratios = {OBJECT: 1.0}
    if recipe.tables.Source is not None:
        depths = np.array([recipe.bands[band].depth_mag for band in recipe.band_names], np.float32)
        flux = population.flux * compactness(population)
        snr = flux / sigma_of(flux, flux_of(depths)[:, None])
        noise = stream(seed, SOURCE, WHOLE_SKY, "detected").standard_normal(snr.shape)
        seen = snr + noise > recipe.tables.Source.detection_snr
        ratios[SOURCE] = float((seen * is_observed).mean(axis=1) @ visits)
    if recipe.tables.ForcedSource is not None:
        ratios[FORCED_SOURCE] = float(is_observed.mean(axis=1) @ visits)
    return ratios
