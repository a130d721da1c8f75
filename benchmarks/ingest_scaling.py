"""How an ingest's time and memory grow with rows, chunks and keys.

    python benchmarks/ingest_scaling.py [--rows 300000] [--steps 10,100,1000,10000] [--quick] [--json FILE]

rows       three sizes, each √10 times the one before; area and number of files grow with them: time a row, and the
           peak memory of the ingesting process (inline, so everything but the servers is in it)
chunks     the same number of rows over ever more chunks of the layout 340/3: what a chunk costs besides its rows
index      sorted merge of director keys and their SQL copy: keys a second on one core
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from ingest import WIDE_AREA, Area, make_catalog, narrow_table, share, warm_memory

from skyshard.catalog.schema import Table
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.ingest.on_nodes.build_orders import index_build
from skyshard.ingest.partition.director_keys import DirectorKeys, KeyKind, build_keys, save_keys
from skyshard.node.mariadb_loader import MariaDBLoader
from skyshard.registry.stored.sql_tables import INDEX_DATABASE
from skyshard.testbed import Testbed

Result = dict[str, float]
CHUNKS_PER_SQUARE_DEGREE = 146_332 / 41_253
PART_ROWS = 100_000
SMALL = {"stripes": 340, "substripes": 3, "overlap_deg": 0.01667}


def slim_table() -> Table:
    """Seven columns, so that chunks show and not rows."""
    table = narrow_table()
    return replace(table, columns=table.columns[:7])


def _ingest(cluster: Path, catalog: Path, database: str, out: Any) -> None:
    """In a process of its own: seconds and peak memory of one ingest."""
    with Testbed(cluster) as testbed:
        testbed.registry.published.databases()
        start = time.perf_counter()
        report = testbed.ingest(catalog, database=database)
        elapsed_s = time.perf_counter() - start
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    peak_kib = next(int(words[1]) for words in lines if words[0] == "VmHWM:")  # ru_maxrss would be the parent's too
    out.put({"s": elapsed_s, "peak_MB": peak_kib * 1024 / 1e6, "rows": report.rows, "chunks": report.tables[0].chunks})


def ingested(cluster: PrivateCluster, catalog: Path, database: str) -> Result:
    warm_memory(1 << 30)
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    process = context.Process(target=_ingest, args=(cluster.folder, catalog, database, out))
    process.start()
    result: Result = out.get()
    process.join()
    return result


def by_rows(cluster: PrivateCluster, folder: Path, rows: int) -> list[Result]:
    """The same density, ever larger areas."""
    results = []
    for i in range(3):
        count = round(rows * 10 ** (i / 2))
        area = share(WIDE_AREA, count / 1e6)
        catalog = make_catalog(folder / f"rows{i}", narrow_table(), count, area, parts=-(-count // PART_ROWS))
        found = ingested(cluster, catalog, f"rows{i}")
        results.append(found | {"us_a_row": found["s"] / found["rows"] * 1e6})
    return results


def by_chunks(cluster: PrivateCluster, folder: Path, rows: int, steps: list[int]) -> list[Result]:
    """The same rows, ever more chunks; ``ms_a_chunk`` compares with the fewest."""
    results: list[Result] = []
    for i, chunks in enumerate(steps):
        side = (chunks / CHUNKS_PER_SQUARE_DEGREE) ** 0.5
        area: Area = (10.0, 10.0 + side, -side / 2, side / 2)
        catalog = make_catalog(folder / f"chunks{i}", slim_table(), rows, area, SMALL)
        found = ingested(cluster, catalog, f"chunks{i}")
        if results:
            more = found["chunks"] - results[0]["chunks"]
            found["ms_a_chunk"] = (found["s"] - results[0]["s"]) / more * 1e3
        results.append(found)
    return results


def by_keys(cluster: PrivateCluster, folder: Path, keys: int) -> Result:
    """Eight parts of random keys, merged and sorted, then made a table with its primary key."""
    random = np.random.default_rng(2)
    shuffled = random.permutation(keys)
    places = np.zeros(keys // 8, np.int32)
    files = [folder / f"part{i}.npy" for i in range(8)]
    sorting = _seconds(
        lambda: [
            save_keys(file, [(pa.array(shuffled[i * len(places) : (i + 1) * len(places)]), places, places)])
            for i, file in enumerate(files)
        ]
    )
    merging = _seconds(lambda: build_keys(folder / "keys", files, "Object", [f.name for f in files], DirectorKeys([])))
    loader = MariaDBLoader("czar", cluster.endpoint("czar"), str(cluster.data_dir("czar")))
    loader.make_database(INDEX_DATABASE)
    loading = _seconds(lambda: loader.build(index_build("bench", "Object", KeyKind(), 0, folder / "keys", folder)))
    total = sorting + merging + loading
    return {"keys": keys, "sort_s": sorting, "merge_s": merging, "load_s": loading, "keys_per_s": keys / total}


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def run(rows: int, steps: list[int], keys: int) -> dict[str, Any]:
    """All three; everything made is removed."""
    with tempfile.TemporaryDirectory(prefix="skyshard-bench-", dir="/tmp") as name:
        cluster, folder = PrivateCluster(Path(name) / "cluster"), Path(name)
        cluster.start(1)
        try:
            return {
                "index": by_keys(cluster, folder, keys),
                "rows": by_rows(cluster, folder, rows),
                "chunks": by_chunks(cluster, folder, rows, steps),
            }
        finally:
            cluster.destroy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--keys", type=int, default=4_000_000)
    parser.add_argument("--steps", default="10,100,1000,10000")
    parser.add_argument("--quick", action="store_true", help="30,000 rows, up to 1,000 chunks, 400,000 keys")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    steps = [int(step) for step in options.steps.split(",")]
    results = run(30_000, steps[:3], 400_000) if options.quick else run(options.rows, steps, options.keys)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    for name, found in results.items():
        for line in found if isinstance(found, list) else [found]:
            print(f"{name:<8}", "  ".join(f"{key} {value:,.4g}" for key, value in line.items()))


if __name__ == "__main__":
    main()
