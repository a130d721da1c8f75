"""The pure function at the heart: (recipe, seed, chunk) to the rows of every table. No I/O.

Nothing here depends on which other chunks are made, or when, or where. A chunk's director rows stand first; children
know their object's row, so parents and children agree without being looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from skyshard.chunking import Chunker
from skyshard.errors import UserError
from skyshard.synth.columns import FORCED_SOURCE, OBJECT, SOURCE
from skyshard.synth.density import Cells, DensityMap
from skyshard.synth.measure import Patch, expose, forced_source_columns, object_columns, source_columns
from skyshard.synth.population import draw_population
from skyshard.synth.positions import draw_positions
from skyshard.synth.recipe import Recipe
from skyshard.synth.tables import TableSpec, table_specs, to_arrow
from skyshard.synth.visits import Pointings, draw_pointings, regular_tables


@dataclass(frozen=True, slots=True)
class SyntheticSky:
    """A recipe and a seed, with what all chunks share: density map, visits, table definitions."""

    recipe: Recipe
    seed: int
    chunker: Chunker
    density: DensityMap
    pointings: Pointings
    specs: dict[str, TableSpec]

    def cells(self, chunk: int) -> Cells:
        """Expected objects within a chunk, which must exist in the striping."""
        if not self.chunker.is_chunk(np.array([chunk])).all():
            raise UserError(f"no chunk {chunk} in striping {self.recipe.striping.family}", remedy="see skyshard locate")
        return self.density.cells(self.chunker.chunk_box(chunk))

    def chunk_tables(self, chunk: int) -> dict[str, pa.Table]:
        """The rows of every chunked table in one chunk."""
        recipe, seed = self.recipe, self.seed
        positions = draw_positions(self.cells(chunk), recipe.sky.clusters, self.chunker, seed, chunk)
        patch = Patch(recipe, seed, chunk, positions, draw_population(recipe, seed, chunk, len(positions)))
        exposures = expose(patch, self.pointings)
        values = {OBJECT: object_columns(patch, exposures)}
        if recipe.tables.Source is not None:
            snr = recipe.tables.Source.detection_snr
            values[SOURCE] = source_columns(patch, exposures, self.pointings, snr)
        if recipe.tables.ForcedSource is not None:
            values[FORCED_SOURCE] = forced_source_columns(patch, exposures, self.pointings)
        return {name: to_arrow(self.specs[name].table, columns) for name, columns in values.items()}

    def regular_tables(self) -> dict[str, pa.Table]:
        """The whole of every regular table."""
        return regular_tables(self.recipe, self.seed, self.pointings)

    def expected_objects(self) -> dict[int, float]:
        """Expected number of objects by chunk, for all chunks that may hold any, in order of chunk number."""
        boxes = [piece.box for piece in self.recipe.sky.footprint]
        chunks = np.unique(np.concatenate([self.chunker.chunks_in(box) for box in boxes]))
        expected = self.density.expected([self.chunker.chunk_box(int(chunk)) for chunk in chunks])
        return {int(chunk): float(mean) for chunk, mean in zip(chunks, expected, strict=True) if mean > 0}


def open_sky(recipe: Recipe, seed: int | None = None) -> SyntheticSky:
    """What all chunks of a recipe share, made once in a process.

    Raises:
        UserError: a striping that cannot be, or a footprint without area.
    """
    return _open(recipe.model_dump_json(by_alias=True), recipe.seed if seed is None else seed)


@lru_cache(maxsize=4)
def _open(recipe_json: str, seed: int) -> SyntheticSky:
    recipe = Recipe.model_validate_json(recipe_json)
    striping = recipe.striping
    return SyntheticSky(
        recipe=recipe,
        seed=seed,
        chunker=Chunker(striping.stripes, striping.substripes, striping.overlap_deg),
        density=DensityMap.of(recipe.sky, seed),
        pointings=draw_pointings(recipe, seed),
        specs=table_specs(recipe),
    )


def generate(recipe: Recipe, seed: int, chunk: int) -> dict[str, pa.Table]:
    """The rows of every chunked table in one chunk: a pure function of its arguments."""
    return open_sky(recipe, seed).chunk_tables(chunk)
