"""Makes the rows of every table of a chunk: a pure function of (recipe, seed, chunk). No I/O.

The rows do not depend on which other chunks are made, when, or where. Director rows are made first, and child rows
refer to their object's row number, so parents and children agree without a look-up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pyarrow as pa

from skyshard.basics.errors import Bug, UserError
from skyshard.basics.lazy import locked_property
from skyshard.catalog.chunkers import chunker_of
from skyshard.chunking import Chunker
from skyshard.host.malloc_limits import keep_freed_memory
from skyshard.synth.recipe.felis_tables import FelisTables, resolve_tables
from skyshard.synth.recipe.recipe import Recipe
from skyshard.synth.recipe.sky_tables import TableSpec, to_arrow
from skyshard.synth.recipe.table_columns import FORCED_SOURCE, OBJECT, REF_MATCH, REF_OBJECT, SOURCE
from skyshard.synth.rows.felis_regular import regular_table
from skyshard.synth.rows.felis_rows import FelisChunk, make_table
from skyshard.synth.rows.kpm_columns import (
    Children,
    Patch,
    count_exposures,
    expose,
    forced_source_columns,
    object_columns,
    source_columns,
)
from skyshard.synth.rows.reference_catalog import reference_columns
from skyshard.synth.sky.density import Cells, DensityMap
from skyshard.synth.sky.population import draw_population
from skyshard.synth.sky.positions import SkyPositions, draw_positions
from skyshard.synth.sky.visits import Pointings, draw_pointings, regular_tables

RUN_ROWS = 4_000_000
"""Child rows made at a time, roughly: they take about 500 MB."""


@dataclass(frozen=True)
class SyntheticSky:
    """A recipe and a seed, with what all chunks share: density map, visits, table definitions."""

    recipe: Recipe
    seed: int
    chunker: Chunker
    density: DensityMap
    pointings: Pointings
    specs: dict[str, TableSpec]
    felis: FelisTables | None
    """The columns of a Felis schema, where the recipe names one."""

    def cells(self, chunk: int) -> Cells:
        """Expected objects within a chunk, which must exist in the striping."""
        if not self.chunker.is_chunk(np.array([chunk])).all():
            raise UserError(f"no chunk {chunk} in striping {self.recipe.striping.family}", remedy="see skyshard locate")
        return self.density.cells(self.chunker.chunk_box(chunk))

    def positions(self, chunk: int, share: float = 1.0) -> SkyPositions:
        """Where the objects of one chunk are."""
        return draw_positions(self.cells(chunk), self.recipe.sky, self.chunker, self.seed, chunk, share)

    def chunk_tables(self, chunk: int, share: float = 1.0, only: Collection[str] | None = None) -> dict[str, pa.Table]:
        """The rows of every chunked table in one chunk, or of some; with a share below 1, of its first objects only.

        The rows of a smaller share are among those of a larger one, with the same ids and values.
        """
        runs: dict[str, list[pa.Table]] = {}
        for name, rows in self.chunk_runs(chunk, share, only):
            runs.setdefault(name, []).append(rows)
        return {name: some[0] if len(some) == 1 else pa.concat_tables(some) for name, some in runs.items()}

    def chunk_runs(
        self, chunk: int, share: float = 1.0, only: Collection[str] | None = None, most_rows: int = RUN_ROWS
    ) -> Iterator[tuple[str, pa.Table]]:
        """The same, table name and rows, with the children made for a run of parents after the other.

        Args:
            most_rows: child rows of a run, about; the tables of a Felis schema are made whole.
        """
        recipe, seed = self.recipe, self.seed
        positions = self.positions(chunk, share)
        patch = Patch(recipe, seed, chunk, positions, draw_population(recipe, seed, chunk, len(positions)))
        specs = {name: spec for name, spec in self.chunked.items() if only is None or name in only}
        if self.felis is not None:
            box = self.chunker.chunk_box(chunk)
            made = FelisChunk(patch, expose(patch, self.pointings), self.pointings, box, self.felis.rule)
            for name, spec in specs.items():
                yield name, make_table(made, spec, self.felis.columns[name])
            return
        if OBJECT in specs:
            columns = object_columns(patch, count_exposures(patch, self.pointings))
            yield OBJECT, to_arrow(specs[OBJECT].table, columns)
        if recipe.tables.Reference is not None and {REF_OBJECT, REF_MATCH} & set(specs):
            found = reference_columns(patch, self.chunker.chunk_box(chunk), recipe.tables.Reference)
            for name in [name for name in found if name in specs]:
                yield name, to_arrow(specs[name].table, found[name])
        if {SOURCE, FORCED_SOURCE} & set(specs):
            yield from self._child_runs(patch, specs, most_rows)

    def _child_runs(
        self, patch: Patch, specs: Mapping[str, TableSpec], most_rows: int
    ) -> Iterator[tuple[str, pa.Table]]:
        """Source and ForcedSource; one run at least, if without rows."""
        children = Children(patch)
        step = max(1, int(most_rows / max(1.0, self.recipe.visits.per_object)))
        for first in range(0, max(1, len(patch.population)), step):
            exposures = expose(patch, self.pointings, children, slice(first, first + step))
            if SOURCE in specs and self.recipe.tables.Source is not None:
                snr = self.recipe.tables.Source.detection_snr
                columns = source_columns(children, exposures, self.pointings, snr)
                yield SOURCE, to_arrow(specs[SOURCE].table, columns)
            if FORCED_SOURCE in specs:
                columns = forced_source_columns(children, exposures, self.pointings)
                yield FORCED_SOURCE, to_arrow(specs[FORCED_SOURCE].table, columns)

    @property
    def director(self) -> str:
        """The table of objects, the first one."""
        return next(iter(self.specs))

    @property
    def position(self) -> tuple[str, str]:
        """Its position columns."""
        position = self.specs[self.director].layout.position
        if position is None:
            raise Bug(f"table {self.director} has no position")
        return position

    @property
    def chunked(self) -> dict[str, TableSpec]:
        """The tables that chunks have rows of."""
        return {name: spec for name, spec in self.specs.items() if spec.layout.role.is_chunked}

    def regular_tables(self) -> dict[str, pa.Table]:
        """The whole of every regular table."""
        if self.felis is not None:
            regular = {name: spec for name, spec in self.specs.items() if not spec.layout.role.is_chunked}
            return {
                name: regular_table(self.felis, spec, self.recipe, self.seed, self.pointings)
                for name, spec in regular.items()
            }
        return regular_tables(self.recipe, self.seed, self.pointings)

    def expected_objects(self) -> dict[int, float]:
        """Expected number of objects by chunk, for all chunks that may hold any, in order of chunk number."""
        return self._expected

    @locked_property
    def _expected(self) -> dict[int, float]:
        boxes = [piece.box for piece in self.recipe.sky.footprint]
        chunks = np.unique(np.concatenate([self.chunker.chunks_in(box) for box in boxes]))
        expected = self.density.expected(self.chunker.chunk_edges(chunks))
        is_some = expected > 0
        return dict(zip(chunks[is_some].tolist(), expected[is_some].tolist(), strict=True))


def open_sky(recipe: Recipe, seed: int | None = None) -> SyntheticSky:
    """What all chunks of a recipe share, made once in a process.

    Raises:
        UserError: a striping that cannot be, or a footprint without area.
    """
    keep_freed_memory()
    return _open(recipe.model_dump_json(by_alias=True), recipe.seed if seed is None else seed)


@lru_cache(maxsize=4)
def _open(recipe_json: str, seed: int) -> SyntheticSky:
    recipe = Recipe.model_validate_json(recipe_json)
    felis, specs = resolve_tables(recipe)
    _require_columns(recipe, specs)
    sky = SyntheticSky(
        recipe=recipe,
        seed=seed,
        chunker=chunker_of(recipe.striping),
        density=DensityMap.of(recipe.sky, seed),
        pointings=draw_pointings(recipe, seed),
        specs=specs,
        felis=felis,
    )
    total = recipe.sky.objects_total
    if total is None:
        return sky
    return replace(sky, density=sky.density.scaled(total / sum(sky.expected_objects().values())))


def _require_columns(recipe: Recipe, specs: dict[str, TableSpec]) -> None:
    """Truth can be kept of numbers in chunked tables only."""
    for key, rules in (("truth", recipe.truth), ("histograms", recipe.histograms), ("aggregates", recipe.aggregates)):
        for rule in rules:
            spec = specs.get(rule.table)
            if spec is None or not spec.layout.role.is_chunked:
                raise UserError(f"key '{key}': '{rule.table}' is no chunked table", remedy="name one that is made")
            if spec.table.column(rule.column).type.arrow == pa.binary():
                raise UserError(f"key '{key}': {rule.table}.{rule.column} is text", remedy="name a column of numbers")


def generate(recipe: Recipe, seed: int, chunk: int) -> dict[str, pa.Table]:
    """The rows of every chunked table in one chunk: a pure function of its arguments."""
    return open_sky(recipe, seed).chunk_tables(chunk)
