"""Speed of the synthetic sky, beside the speed at which NumPy draws as many random numbers of the same types.

    python benchmarks/synth.py [--quick] [--json] [--nodes N] [--cores N]

One core; seconds are those on the processor. ``values`` are rows times columns.
Ratios within one run mean something on a busy machine, rates less.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import yaml
from ingest import warm_memory

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.rowimage.digest import digest
from skyshard.rowimage.record import Field
from skyshard.synth.recipe.recipe import Recipe, read_recipe
from skyshard.synth.rows.generate import SyntheticSky, open_sky
from skyshard.synth.write.synth_plan import plan
from skyshard.synth.write.write_catalog import write_catalog
from skyshard.testbed import Testbed, source_at

WARM_BYTES = 1500 << 20
"""What an ingest of two million rows touches, in files and processes."""

DR1_SHARE = 0.5
NO_CHILDREN: dict[str, Any] = {"tables__Source": None, "tables__ForcedSource": None, "truth": []}


def changed(name: str, **keys: Any) -> Recipe:
    """A shipped recipe with dotted keys (``sky__nside``) replaced."""
    content = read_recipe(name).model_dump(mode="json", by_alias=True)
    for key, value in keys.items():
        *path, last = key.split("__")
        inner = content
        for part in path:
            inner = inner[part]
        inner[last] = value
    return Recipe.model_validate(content)


def best_of(repeat: int, *works: Callable[[], object]) -> tuple[float, ...]:
    """Least of some times on the processor, seconds, of each work: what others do on the machine counts less.

    The works take turns, so that a machine that slows down slows all of them.
    """
    times: list[list[float]] = [[] for _ in works]
    for _ in range(repeat):
        for taken, work in zip(times, works, strict=True):
            started = time.process_time()
            work()
            taken.append(time.process_time() - started)
    return tuple(min(taken) for taken in times)


def draw_like(tables: list[pa.Table], random: np.random.Generator) -> None:
    """As many random numbers as the tables have values, of the same types, thrown away."""
    for rows, field in ((table.num_rows, field) for table in tables for field in table.schema):
        if pa.types.is_binary(field.type):
            random.bytes(rows)
            continue
        dtype = np.dtype(field.type.to_pandas_dtype())
        if dtype.kind == "f":
            random.standard_normal(rows, dtype=dtype.type)
        else:
            random.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, rows, dtype=dtype)


class Report:
    """Figures as they come: printed, and kept."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self.ratios: dict[str, float] = {}
        self.rates: dict[str, float] = {}

    def say(self, text: str) -> None:
        if not self.quiet:
            print(text, flush=True)


def measure_tables(report: Report, name: str, sky: SyntheticSky, chunks: list[int], repeat: int) -> None:
    """Rows into Arrow, and NumPy's draws of as many, in turn."""
    made = [sky.chunk_tables(chunk) for chunk in chunks]
    tables = [table for one in made for table in one.values()]
    values = sum(table.num_rows * table.num_columns for table in tables)
    rows = sum(table.num_rows for table in tables)
    random = np.random.default_rng(1)
    generated_s, drawn_s = best_of(
        repeat, lambda: [sky.chunk_tables(chunk) for chunk in chunks], lambda: draw_like(tables, random)
    )
    report.rates |= {f"{name}_values_per_s": values / generated_s, f"{name}_rows_per_s": rows / generated_s}
    report.ratios[f"{name}_over_numpy"] = drawn_s / generated_s
    report.say(
        f"{name:<12} {len(chunks)} chunks, {rows:>9,} rows, {values / 1e6:7.1f} M values: "
        f"{values / generated_s / 1e6:6.1f} M values/s, "
        f"{rows / generated_s:11,.0f} rows/s; NumPy draws {values / drawn_s / 1e6:.1f}; "
        f"ratio {drawn_s / generated_s:.2f}"
    )
    fields = {
        table: [Field(column.name, column.type, column.is_nullable) for column in spec.table]
        for table, spec in sky.specs.items()
    }
    (digest_s,) = best_of(1, lambda: [digest(rows, fields[table]) for one in made for table, rows in one.items()])
    report.rates[f"{name}_digest_values_per_s"] = values / digest_s


def fullest(sky: SyntheticSky, count: int) -> list[int]:
    expected = sky.expected_objects()
    return sorted(expected, key=lambda chunk: -expected[chunk])[:count]


def measure_writing(report: Report, recipe: Recipe, chunks: list[int]) -> None:
    """Rows into Parquet with digests, hashes and manifest."""
    folder = Path(tempfile.mkdtemp(prefix="skyshard-bench-"))
    try:
        started = time.perf_counter()
        manifest = write_catalog(recipe, folder, chunks)
        elapsed_s = time.perf_counter() - started
    finally:
        shutil.rmtree(folder)
    rows = sum(manifest.known_truth.rows.values())
    size = sum(file.bytes for table in manifest.tables.values() for file in table.files)
    report.rates["parquet_rows_per_s"] = rows / elapsed_s
    report.say(f"into Parquet {rows:,} rows: {rows / elapsed_s:,.0f} rows/s, {size / elapsed_s / 1e6:.1f} MB/s")


def measure_plan(report: Report) -> None:
    """The whole sky's chunks with their expected rows, at the survey's striping; half of them by coverage."""
    recipe = read_recipe("gaia")
    started = time.process_time()
    planned = plan(recipe, Path("nowhere"), fraction=0.5)
    elapsed_s = time.process_time() - started
    report.rates["plan_s"] = elapsed_s
    report.say(f"plan: {len(planned.tasks):,} of {planned.whole_chunks:,} chunks in {elapsed_s:.2f} s, map included")


def measure_memory(report: Report, objects: int) -> None:
    """Greatest resident size of a process that makes one crowded chunk: Object alone, then with 90 visits' children."""
    sky = open_sky(changed("tiny", sky__objects_per_sqdeg=None, sky__objects_total=49.0 * objects / 2,
                           tables__Source=None, tables__ForcedSource=None, truth=[]))  # fmt: skip
    chunk = fullest(sky, 1)[0]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    table = sky.chunk_tables(chunk)["Object"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report.rates |= {"chunk_rows": table.num_rows, "chunk_bytes": table.nbytes, "peak_bytes": peak * 1024}
    report.say(
        f"a chunk of {table.num_rows:,} objects, {table.nbytes / 1e6:.0f} MB: process grows from {before / 1e3:.0f} to "
        f"{peak / 1e3:.0f} MB"
    )
    deep = changed("tiny", sky__objects_per_sqdeg=None, sky__objects_total=49.0 * objects / 2, visits__per_object=90.0)
    rows = sum(table.num_rows for _, table in open_sky(deep).chunk_runs(chunk))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report.rates |= {"deep_chunk_rows": rows, "deep_peak_bytes": peak * 1024}
    report.say(f"the same with 90 visits, {rows:,} rows: {peak / 1e3:.0f} MB, as children come in runs of parents")


def processor_s(folder: Path) -> float:
    """Seconds on the processor of this process, its tasks and loaders, and the servers of a cluster folder."""
    mine = psutil.Process().children(recursive=True)
    servers = [one for one in psutil.process_iter() if one.name().startswith("mariadbd")]
    total = time.process_time()
    for process in {one.pid: one for one in mine}.values():
        with contextlib.suppress(psutil.Error):
            total += sum(process.cpu_times()[:2])
    for process in servers:
        with contextlib.suppress(psutil.Error):
            if str(folder) in " ".join(process.cmdline()) and process not in mine:
                total += sum(process.cpu_times()[:2])
    return total


def measure_in_place(report: Report, cases: dict[str, Recipe]) -> None:
    """Rows made, packed, written, loaded with their indexes and checked, on two nodes; all processes run."""
    folder = Path(tempfile.mkdtemp(prefix="skyshard-bench-"))
    cluster = PrivateCluster(folder / "cluster")
    cluster.start(2)
    try:
        with Testbed(cluster.folder, runtime="ray") as testbed:
            write_recipe(read_recipe("mini"), folder / "warm.yaml")
            testbed.ingest(source_at(folder / "warm.yaml"), database="warm")
            for name, recipe in cases.items():
                write_recipe(recipe, folder / f"{name}.yaml")
                warm_memory(WARM_BYTES)
                before, started = processor_s(folder), time.perf_counter()
                found = testbed.ingest(source_at(folder / f"{name}.yaml"), database=name)
                elapsed_s, used_s = time.perf_counter() - started, processor_s(folder) - before
                say_in_place(report, name, {table.table: table.rows for table in found.tables}, elapsed_s, used_s)
    finally:
        cluster.destroy()
        shutil.rmtree(folder, ignore_errors=True)


def say_in_place(report: Report, name: str, rows: dict[str, int], elapsed_s: float, used_s: float) -> None:
    every, both = sum(rows.values()), rows["Object"] / used_s * 2
    report.rates |= {
        f"{name}_objects_per_s": rows["Object"] / elapsed_s,
        f"{name}_rows_per_s": every / elapsed_s,
        f"{name}_rows_per_s_of_a_core": every / used_s,
        f"{name}_objects_per_s_of_two_cores": both,
    }
    report.say(
        f"in place, {name}: {rows['Object']:,} Object rows of {every:,} in {elapsed_s:.2f} s: "
        f"{rows['Object'] / elapsed_s:,.0f} Object rows/s, {every / elapsed_s:,.0f} rows/s; {used_s:.2f} s on the "
        f"processor: two cores of our own would do {both:,.0f} Object rows/s"
    )


def write_recipe(recipe: Recipe, path: Path) -> None:
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json", by_alias=True)))


def object_40(objects: int, **keys: Any) -> Recipe:
    """A recipe whose Object table has 40 columns."""
    bands = ["psfFlux", "psfFluxSigma", "apFlux", "instFlux", "shapeIxx"]
    total = {"sky__objects_per_sqdeg": None, "sky__objects_total": float(objects)}
    return changed("tiny", tables__Object__band_columns=bands, **{**keys, **total, "truth": []})


def extrapolate(report: Report, objects: int, nodes: int, cores: int) -> None:
    """What half of DR1 takes, from the time of a share of one of its chunks."""
    sky = open_sky(read_recipe("dr1"))
    expected = sky.expected_objects()
    chunk = sorted(expected, key=lambda one: expected[one])[len(expected) // 2]
    share = min(1.0, objects / expected[chunk])
    made = sky.chunk_tables(chunk, share)
    elapsed_s, draw_s = best_of(2, lambda: sky.chunk_tables(chunk, share), lambda: sky.positions(chunk, share))
    rows = sum(table.num_rows for table in made.values())
    per_object_s = (elapsed_s - draw_s) / made["Object"].num_rows + draw_s / expected[chunk]
    total = DR1_SHARE * sum(expected.values())
    rows_each = rows / made["Object"].num_rows
    hours = total * per_object_s / (nodes * cores) / 3600
    report.rates |= {
        "dr1_objects_per_s": 1 / per_object_s,
        "dr1_rows_per_s": rows / made["Object"].num_rows / per_object_s,
    }
    loaded_hours = total * rows_each / report.rates["all_tables_rows_per_s_of_a_core"] / (nodes * cores) / 3600
    report.rates |= {"half_dr1_hours": hours, "half_dr1_loaded_hours": loaded_hours}
    report.say(
        f"half of DR1: {total:,.0f} objects with {rows_each:.1f} rows each; "
        f"{1 / per_object_s:,.0f} objects/s a core; on {nodes} nodes of {cores} cores {hours:.2f} hours into Arrow, "
        f"{loaded_hours:.1f} hours with row images, loading and indexes in place"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller chunks; under 50 s")
    parser.add_argument("--json", action="store_true", help="print {ratios, rates} only")
    parser.add_argument("--nodes", type=int, default=25, help="nodes for the estimate of half of DR1")
    parser.add_argument("--cores", type=int, default=16, help="cores of each")
    options = parser.parse_args()
    report = Report(quiet=options.json)
    # First: the greatest size of a process never shrinks.
    measure_memory(report, 30_000 if options.quick else 400_000)
    repeat, chunks = (3, 2) if options.quick else (5, 6)
    columns_40 = changed("tiny", sky__objects_per_sqdeg=6000.0)
    sky = open_sky(columns_40)
    measure_tables(report, "columns_40", sky, fullest(sky, chunks), repeat)
    alone = open_sky(changed("tiny", sky__objects_per_sqdeg=6000.0, **NO_CHILDREN))
    measure_tables(report, "object_46", alone, fullest(alone, chunks), repeat)
    wide = open_sky(changed("hsc", sky__objects_per_sqdeg=30_000.0, schema__tables=["Object"]))
    measure_tables(report, "hsc_object", wide, fullest(wide, 1 if options.quick else 3), repeat)
    every = open_sky(changed("hsc", sky__objects_per_sqdeg=15_000.0))
    measure_tables(report, "hsc_all", every, fullest(every, 1), repeat)
    measure_writing(report, columns_40, fullest(sky, chunks))
    measure_plan(report)
    some, few = (2_000_000, 100_000) if options.quick else (4_000_000, 1_000_000)
    in_place = {"object_40": object_40(some, **NO_CHILDREN), "all_tables": object_40(few)}
    measure_in_place(report, in_place)
    extrapolate(report, 4000 if options.quick else 20_000, options.nodes, options.cores)
    if options.json:
        print(json.dumps({"ratios": report.ratios, "rates": report.rates}))


if __name__ == "__main__":
    main()
