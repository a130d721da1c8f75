"""A recipe as a source of ingest: partition tasks make the rows of their chunk instead of reading a file.

Nothing is written or transferred: a task needs the recipe, a seed and a chunk number. Rows, digests and chunks are the
same as through Parquet files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from skyshard.catalog.layout import Layout, TableLayout
from skyshard.catalog.schema import Table
from skyshard.catalog.strict_files import load_yaml
from skyshard.catalog.synth_manifest import Shrink
from skyshard.ingest.source import InputBatch, InputSlice, Source, SourceTable, batch_rows
from skyshard.synth.recipe.recipe import read_recipe, shipped_files
from skyshard.synth.recipe.sky_tables import row_bytes
from skyshard.synth.rows.generate import SyntheticSky, open_sky
from skyshard.synth.write.catalog_truth import joined, table_truth
from skyshard.synth.write.output_folder import Identity
from skyshard.synth.write.synth_plan import ChunkTask, SynthPlan, plan


def is_recipe(path: Path) -> bool:
    """True for a YAML file that describes a sky."""
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return False
    content = load_yaml(path)
    return isinstance(content, dict) and "sky" in content


def shipped_recipe(name: str) -> Path | None:
    """The file of a recipe that Skyshard brings; None if it brings none of this name."""
    return shipped_files("recipes").get(name)


def open_recipe(
    path: Path,
    *,
    fraction: float = 1.0,
    shrink: Shrink = "coverage",
    seed: int | None = None,
    chunks: Sequence[int] | None = None,
) -> Source:
    """A recipe, or a fraction of it, as a source.

    Raises:
        UserError: a wrong recipe, fraction or chunk.
    """
    planned = plan(read_recipe(path), path.parent, chunks=chunks, fraction=fraction, seed=seed, shrink=shrink)
    identity = planned.identity
    sky = open_sky(identity.recipe, identity.seed)
    reader = RecipeReader(identity)
    tables = {name: _source_table(path, name, sky, planned, reader) for name in sky.specs}
    layout = Layout(striping=identity.recipe.striping, tables={name: table.layout for name, table in tables.items()})
    share = identity.fraction if identity.shrink == "thinning" else 1.0
    known = {"recipe": identity.recipe.model_dump(mode="json", by_alias=True), "seed": identity.seed, "share": share}
    return Source(str(path), "recipe", identity.recipe.name.replace("-", "_"), layout, tables, known=known)


def _source_table(path: Path, name: str, sky: SyntheticSky, planned: SynthPlan, reader: RecipeReader) -> SourceTable:
    """A slice for each chunk; one for a regular table."""
    spec, text = sky.specs[name], planned.identity.text
    if spec.layout.role.is_chunked:
        expected = sky.expected_objects()
        objects = sum(expected[task.chunk] * task.share for task in planned.tasks)
        size = row_bytes(spec.table) * planned.expected_rows[name] / (objects or 1.0)
        slices = tuple(
            InputSlice(
                f"{path}#{name}/{task.chunk}",
                round(size * expected[task.chunk] * task.share),
                made=f"{text} {name} {task.chunk}",
            )
            for task in planned.tasks
        )
    else:
        slices = (InputSlice(f"{path}#{name}", row_bytes(spec.table), made=f"{text} {name}"),)
    return SourceTable(spec.table, spec.layout, slices, reader)


@dataclass(frozen=True, slots=True)
class RecipeReader:
    """Makes the rows of a slice; the slice's path ends in ``#Table`` or ``#Table/chunk``."""

    identity: Identity

    def narrowed(self, table: Table, wanted: frozenset[str]) -> RecipeReader:
        """The same: columns that are not in the table asked for are left out."""
        return self

    def batches(self, piece: InputSlice, table: Table, layout: TableLayout) -> Iterator[InputBatch]:
        first = 1
        for rows, known in self._runs(piece):
            for batch in rows.select(table.column_names).to_batches(batch_rows(table)):
                yield InputBatch(batch, first, _positions(batch, layout), known=known)
                first += batch.num_rows

    def _runs(self, piece: InputSlice) -> Iterator[tuple[pa.Table, dict[str, Any]]]:
        """Rows, and what is known of them and those before them."""
        sky = open_sky(self.identity.recipe, self.identity.seed)
        name, _, chunk = piece.path.rpartition("#")[2].partition("/")
        if not chunk:
            yield sky.regular_tables()[name], {"is_whole": True}
            return
        task, truth = ChunkTask(self.identity, int(chunk), Path()), None
        for _, rows in sky.chunk_runs(task.chunk, task.share, {name}):
            truth = joined(truth, table_truth(sky, task, name, rows))
            yield rows, {"truth": truth.model_dump(mode="json")}


def _positions(rows: pa.RecordBatch, layout: TableLayout) -> Any:
    if layout.position is None or not set(layout.position) <= set(rows.schema.names):
        return None
    ra, dec = (np.asarray(rows[name].to_numpy(), np.float64) for name in layout.position)
    return ra, dec
