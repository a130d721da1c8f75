"""A difference of two releases: seconds, rows and values a second, memory, by rows and columns and by way of matching.

    python benchmarks/diff.py [--rows 1000000] [--columns 100] [--nodes 2] [--match key] [--json FILE]

Two databases of one sky: of the new one 1 % of the rows are gone, 1 % are new, all have moved by some 50
milliarcseconds, and a third of the columns differ by 1 % in half of their rows. With ``--match position`` keys are
counted anew. The sky is 20 by 20 degrees, striped as qserv-85-12. The rows are made, ingested, and compared in this
process; what is measured is the comparison alone, twice, of which the faster is shown. Memory is the largest resident
set of this process, less what it had before.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

STRIPING = {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}
PIECE = 100_000
"""Rows of one input file."""
TARGET_S = 60.0
"""A million rows of a hundred columns, on two cores."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One comparison."""

    rows: int
    columns: int
    match: str
    matched: int
    wall_s: float
    cpu_s: float
    values_per_s: float
    memory_bytes: int
    stages: dict[str, float]


def write_release(folder: Path, name: str, rows: int, columns: int, *, is_new: bool, match: str) -> Path:
    """Parquet files of one release, and a mapping for them."""
    folder.mkdir()
    for number in range(0, rows, PIECE):
        write_piece(folder, number, min(PIECE, rows - number), columns, is_new=is_new, match=match)
    declared = [{"name": "objectId", "type": "bigint", "nullable": False}]
    declared += [{"name": name, "type": "double", "nullable": False} for name in ("ra", "decl")]
    declared += [{"name": f"c{i}", "type": "double" if i % 4 == 0 else "float"} for i in range(columns)]
    table = {
        "files": ["*.parquet"], "role": "director", "key": "objectId", "position": ["ra", "decl"], "declare": declared,
    }  # fmt: skip
    content = {"version": 1, "database": name, "striping": STRIPING, "tables": {"Object": table}}
    (folder / "mapping.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder


def write_piece(folder: Path, first: int, count: int, columns: int, *, is_new: bool, match: str) -> None:
    """One file; the same numbers give the same sky in both releases."""
    sky, change = np.random.default_rng(first), np.random.default_rng((first, 1))
    ra, dec = sky.uniform(10, 30, count), sky.uniform(-10, 10, count)
    key = np.arange(first, first + count) * 7 + 1
    values = [sky.normal(size=count).astype(np.float64 if i % 4 == 0 else np.float32) for i in range(columns)]
    if is_new:
        ra, dec = (place + change.normal(0, 0.05 / 3600, count) for place in (ra, dec))
        fresh = change.random(count) < 0.01
        dec[fresh] += 0.01  # far from what it was: one is lost, one is new
        key = key + 5 * 10**12 if match == "position" else np.where(fresh, key + 3, key)
        for i in range(0, columns, 3):
            differs = change.random(count) < 0.5
            values[i] = np.where(differs, np.multiply(values[i], 1.01), values[i]).astype(values[i].dtype)
    named = {f"c{i}": array for i, array in enumerate(values)}
    pq.write_table(pa.table({"objectId": key, "ra": ra, "decl": dec, **named}), folder / f"{first}.parquet")


def compare(testbed: Testbed, rows: int, columns: int, match: str, before: int) -> Measured:
    """Compare once."""
    stages: dict[str, float] = {}
    process, peak, stop = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            peak[0] = max(peak[0], process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        found = testbed.diff("bench_new", "bench_old", watcher=lambda p: stages.__setitem__(p.stage, p.elapsed_s))
    finally:
        stop.set()
        watching.join()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    objects = found.tables[0].objects
    assert objects is not None
    wanted = {"key": "key", "position": "position"}[match]
    if found.tables[0].how != wanted:
        sys.exit(f"rows were matched by {found.tables[0].how}: {found.tables[0].why}")
    values = objects.matched * columns
    return Measured(
        rows, columns, match, objects.matched, wall, cpu, values / wall, max(0, peak[0] - before), dict(stages)
    )


def measure(rows: int, columns: int, nodes: int, match: str) -> Measured:
    """Make, ingest and compare two releases in a cluster of their own."""
    with tempfile.TemporaryDirectory(prefix="skyshard-diff-", dir="/tmp") as folder:
        cluster = PrivateCluster(Path(folder) / "cluster")
        try:
            cluster.start(nodes)
            with Testbed(cluster.folder) as testbed:
                for name, is_new in (("bench_old", False), ("bench_new", True)):
                    made = write_release(Path(folder) / name, name, rows, columns, is_new=is_new, match=match)
                    testbed.ingest(made)
                before = psutil.Process().memory_info().rss
                runs = [compare(testbed, rows, columns, match, before) for _ in range(2)]
        finally:
            if cluster.exists:
                cluster.destroy()
    return replace(min(runs, key=lambda one: one.wall_s), memory_bytes=max(one.memory_bytes for one in runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--columns", type=int, nargs="+", default=[100])
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--match", nargs="+", choices=["key", "position"], default=["key", "position"])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    results: list[Measured] = []
    print(f"{'rows':>10} {'columns':>8} {'by':>9} {'wall':>8} {'cpu':>8} {'Mvalues/s':>10} {'memory':>9}")
    for rows in given.rows:
        for columns in given.columns:
            for match in given.match:
                one = measure(rows, columns, given.nodes, match)
                results.append(one)
                print(
                    f"{one.rows:>10,} {one.columns:>8} {one.match:>9} {one.wall_s:>6.1f} s {one.cpu_s:>6.1f} s "
                    f"{one.values_per_s / 1e6:>10.1f} {one.memory_bytes / 1e6:>6.0f} MB",
                    flush=True,
                )
    if given.json:
        content: dict[str, Any] = {"target_s": TARGET_S, "nodes": given.nodes, "results": [asdict(r) for r in results]}
        given.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
