"""Speed of the synthetic sky, beside the speed at which NumPy draws as many random numbers of the same types.

    python benchmarks/synth.py [RECIPE] [--crowd FACTOR] [--repeat N]

One core. ``values`` are rows times columns. Ratios within one run mean something on a busy machine, rates less.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from skyshard.rowimage.digest import digest
from skyshard.rowimage.record import Field
from skyshard.synth.generate import SyntheticSky, open_sky
from skyshard.synth.recipe import Recipe, read_recipe
from skyshard.synth.write import write_catalog


def crowded(recipe: Recipe, factor: float) -> Recipe:
    """The recipe with ``factor`` times the objects."""
    density = recipe.sky.objects_per_sqdeg * factor
    return recipe.model_copy(update={"sky": recipe.sky.model_copy(update={"objects_per_sqdeg": density})})


def best_of(repeat: int, work: Callable[[], object]) -> float:
    """Least of some elapsed times, seconds."""
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def draw_like(tables: list[pa.Table], random: np.random.Generator) -> None:
    """As many random numbers as the tables have values, of the same types, thrown away."""
    for rows, field in ((table.num_rows, field) for table in tables for field in table.schema):
        dtype = np.dtype(field.type.to_pandas_dtype())
        if dtype.kind == "f":
            random.standard_normal(rows, dtype=dtype.type)
        else:
            random.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, rows, dtype=dtype)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", nargs="?", default="tiny")
    parser.add_argument("--crowd", type=float, default=10.0, help="factor on the recipe's density")
    parser.add_argument("--chunks", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    recipe = crowded(read_recipe(options.recipe), options.crowd)
    sky = open_sky(recipe)
    expected = sky.expected_objects()
    chunks = sorted(expected, key=lambda chunk: -expected[chunk])[: options.chunks]
    measure_tables(sky, chunks, options.repeat)
    measure_writing(recipe, chunks)
    measure_plan(recipe, options.repeat)


def measure_tables(sky: SyntheticSky, chunks: list[int], repeat: int) -> None:
    """Rows into Arrow, by themselves and with digests."""
    made = [sky.chunk_tables(chunk) for chunk in chunks]
    tables = [table for one in made for table in one.values()]
    values = sum(table.num_rows * table.num_columns for table in tables)
    rows = sum(table.num_rows for table in tables)
    print(f"{len(chunks)} chunks, {rows:,} rows, {values / 1e6:.1f} M values")
    generated_s = best_of(repeat, lambda: [sky.chunk_tables(chunk) for chunk in chunks])
    random = np.random.default_rng(1)
    drawn_s = best_of(repeat, lambda: draw_like(tables, random))
    fields = {
        name: [Field(column.name, column.type, column.is_nullable) for column in spec.table]
        for name, spec in sky.specs.items()
    }
    digest_s = best_of(1, lambda: [digest(table, fields[name]) for one in made for name, table in one.items()])
    print(f"into Arrow            {values / generated_s / 1e6:8.1f} M values/s {rows / generated_s:12,.0f} rows/s")
    print(f"NumPy draws as many   {values / drawn_s / 1e6:8.1f} M values/s; ratio {drawn_s / generated_s:.2f}")
    print(f"row digests           {values / digest_s / 1e6:8.1f} M values/s")


def measure_writing(recipe: Recipe, chunks: list[int]) -> None:
    """Rows into Parquet with digests, hashes and manifest."""
    folder = Path(tempfile.mkdtemp(prefix="skyshard-bench-"))
    try:
        started = time.perf_counter()
        manifest = write_catalog(recipe, folder, chunks)
        elapsed_s = time.perf_counter() - started
    finally:
        shutil.rmtree(folder)
    rows, tables = sum(manifest.truth.rows.values()), manifest.tables.values()
    values = sum(table.rows * len(table.columns) for table in tables)
    size = sum(file.bytes for table in tables for file in table.files)
    rates = f"{values / elapsed_s / 1e6:8.1f} M values/s {rows / elapsed_s:12,.0f} rows/s"
    print(f"into Parquet          {rates} {size / elapsed_s / 1e6:8.1f} MB/s")


def measure_plan(recipe: Recipe, repeat: int) -> None:
    """The whole sky's chunks with their expected rows, at the survey's striping."""
    content = recipe.model_dump(mode="json", by_alias=True)
    content["striping"] = {"stripes": 340, "substripes": 3, "overlap_deg": 0.01667}
    content["sky"]["footprint"] = [{}]
    sky = open_sky(Recipe.model_validate(content))
    elapsed_s = best_of(repeat, sky.expected_objects)
    print(f"plan of the whole sky {len(sky.chunker.chunk_ids()):,} chunks in {elapsed_s:.2f} s")


if __name__ == "__main__":
    main()
