"""Scans by columns over many columns, rows, chunks and nodes, several at once, and their memory; for ``columns.py``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import duckdb
import psutil
import pyarrow as pa
from columns_scans import SCAN, SCANNED, processor_s
from columns_sky import Sky, best_s, open_sky

from skyshard.basics.scan_way import ScanWay
from skyshard.columns.node_columns import read_images

WIDE_COLUMNS = 1038
"""Of Object in Hyper Suprime-Cam's reprocessed catalogs."""
WIDE_ROWS = 1_000_000
"""Of some 5.5 kB each: 5.5 GB of rows, and as much of columns; some five minutes. Of fewer rows a scan by columns takes
hardly any time of its own, so that what every statement costs is all that is seen."""
AT_ONCE = [("d0", "d1"), ("d1", "d2"), ("d2", "d3"), ("d3", "f0"), ("f0", "f1"), ("f1", "f2"), ("f2", "d0"),
           ("ra", "decl"), ("decl", "d4"), ("d4", "ra")]  # fmt: skip
"""Two columns of each of ten scans, ten columns in all."""
LENGTHS = (100, 30, 10, 3, 1)
"""Which parts of the longest catalog are scanned."""
FEWEST_ROWS = 30_000
MORE_TURNS = 10
SPREADS = {100: 74, 1_000: 240, 10_000: 760}
"""Stripes of the sky, by about how many chunks the area of the catalog then has."""


def scan_s(sky: Sky, database: str, scan: ScanWay, turns: int) -> float:
    """Seconds of the best turn; the first one warms, and does not count."""
    plain, best = SCAN.format(Object="Object"), float("inf")
    for turn in range(turns + 1):
        begun = perf_counter()
        sky.testbed.query(plain, database=database, scan=scan)
        best = min(best, perf_counter() - begun) if turn else best
    return best


def compare_wide(sky: Sky, turns: int) -> Mapping[str, float]:
    """The same scan of three columns as rows and by columns, of 1,038 columns."""
    database = sky.database(WIDE_ROWS, WIDE_COLUMNS)
    found: dict[str, float] = {}
    for way in ("rows", "columns"):
        scan_s(sky, database, way, 1)  # opens files and keeps statements: what is done once is none of a scan's
        before = processor_s(sky)
        found[f"wide_{way}_ms"] = 1e3 * scan_s(sky, database, way, turns)
        found[f"wide_{way}_processor_ms"] = 1e3 * (processor_s(sky) - before) / (turns + 1)
    ratios = {kind: found[f"wide_rows{kind}_ms"] / found[f"wide_columns{kind}_ms"] for kind in ("", "_processor")}
    return {f"scan_rows_vs_columns_wide{kind}": one for kind, one in ratios.items()} | found


def compare_lengths(sky: Sky, most: int, turns: int) -> Mapping[str, float]:
    """Nanoseconds a row that is added, from a hundredth of ``most`` rows, or FEWEST_ROWS, up to all: between the times
    of two lengths, as each scan has milliseconds of its own. Short scans, of which noise is a larger part, take more
    turns.

    Raises:
        SystemExit: there are less than two such steps.
    """
    lengths = [most // part for part in LENGTHS if most // part >= FEWEST_ROWS]
    if len(lengths) < 3:
        raise SystemExit(f"--most {most}: rows are added in steps from {10 * FEWEST_ROWS:,} rows up")
    times = {
        count: scan_s(sky, sky.database(count), "columns", turns * min(MORE_TURNS, most // count)) for count in lengths
    }
    found = {f"scan_{count}_ms": 1e3 * took for count, took in times.items()}
    added = [1e9 * (times[more] - times[fewer]) / (more - fewer) for fewer, more in pairwise(lengths)]
    found |= {f"added_row_to_{more}_ns": one for more, one in zip(lengths[1:], added, strict=True)}
    return found | {"row_ns_longest_vs_first": added[-1] / max(added[0], 1e-9)}


def compare_chunks(sky: Sky, rows: int, turns: int) -> Mapping[str, float]:
    """The same rows in some hundred, thousand and ten thousand chunks."""
    found = {}
    for name, stripes in SPREADS.items():
        database = f"spread_{name}_{rows}"
        if not sky.has(database):
            sky.testbed.ingest(sky.spread(rows, stripes), database=database, columns="all")
        chunks = len(sky.testbed.registry.published.catalog(database).tables["Object"].chunks)
        found[f"chunks_{name}"] = float(chunks)
        found[f"chunks_{name}_ms"] = 1e3 * scan_s(sky, database, "columns", turns)
    return found | {"scan_10000_vs_100_chunks": found["chunks_10000_ms"] / found["chunks_100_ms"]}


def compare_nodes(sky: Sky, rows: int, turns: int) -> Mapping[str, float]:
    """Two nodes, one scan thread each, against one node with one; and what two threads gain on this machine."""
    database = sky.database(rows)
    two = scan_s(sky, database, "columns", turns)
    with open_sky(sky.folder / "one", nodes=1, scan_threads=1) as alone:
        alone.share(sky)
        one = scan_s(alone, alone.database(rows), "columns", turns)
    found = {"two_nodes_speed": one / two, "one_node_ms": 1e3 * one, "two_nodes_ms": 1e3 * two}
    return found | {"two_threads_speed": _two_threads_speed(sky, database, turns)}


def _two_threads_speed(sky: Sky, database: str, turns: int) -> float:
    """What two threads gain by themselves: the engine over both halves of the columns, one after the other, against
    both at once. Processors that share what they compute with give less than 2, and two nodes not more than that."""
    images, names = sky.images(database, list(SCANNED)), list(SCANNED)
    middle = len(images) // 2
    halves = [pa.Table.from_batches(read_images(some, names)) for some in (images[:middle], images[middle:])]
    engines = [duckdb.connect(":memory:", config={"threads": 1}) for _ in halves]
    for engine, half in zip(engines, halves, strict=True):
        engine.register("Object", half)

    def ask(engine: duckdb.DuckDBPyConnection) -> object:
        return engine.execute(SCAN.format(Object="Object")).fetchall()

    with ThreadPoolExecutor(len(engines)) as threads:
        alone = best_s(lambda: [ask(engine) for engine in engines], turns + 1)
        at_once = best_s(lambda: list(threads.map(ask, engines)), turns + 1)
    for engine in engines:
        engine.close()
    return alone / at_once


def compare_at_once(sky: Sky, rows: int, read_bytes: Callable[[], int]) -> Mapping[str, float]:
    """Ten cold scans at once of ten columns: bytes read from the disk against those of the columns, once each."""
    database = sky.database(rows)
    names = sorted({name for pair in AT_ONCE for name in pair})
    needed = sum(int(batch.nbytes) for batch in read_images(sky.images(database, names), names))
    sky.cool(database)
    statements = [f"SELECT COUNT(*), MAX({one}) FROM Object WHERE {other} > 0" for one, other in AT_ONCE]
    before, begun = read_bytes(), perf_counter()
    _all_at_once(sky, database, statements)
    took, read = perf_counter() - begun, read_bytes() - before
    begun = perf_counter()
    _all_at_once(sky, database, statements)
    found = {"ten_scans_cold_s": took, "ten_scans_warm_s": perf_counter() - begun}
    return found | ({"shared_cold_bytes": read / needed} if read else {})


def _all_at_once(sky: Sky, database: str, statements: Sequence[str]) -> None:
    with ThreadPoolExecutor(len(statements)) as threads:
        asked = [threads.submit(sky.testbed.query, sql, database=database, scan="columns") for sql in statements]
        for one in asked:
            one.result()


def compare_memory(sky: Sky, rows: int) -> Mapping[str, float]:
    """MiB of this process, which computes, beyond files that are mapped: at most while a dozen scans run at once."""
    database, process, most = sky.database(rows), psutil.Process(), 0
    statements = [f"SELECT COUNT(*), MAX({one}) FROM Object WHERE {other} > 0" for one, other in AT_ONCE]
    statements += ["SELECT n, COUNT(*), AVG(d0) FROM Object GROUP BY n", "SELECT COUNT(DISTINCT htmId) FROM Object"]
    ended, before = threading.Event(), _own_bytes(process)

    def look() -> None:
        nonlocal most
        while not ended.wait(0.01):
            most = max(most, _own_bytes(process))

    watch = threading.Thread(target=look)
    watch.start()
    _all_at_once(sky, database, statements)
    ended.set()
    watch.join()
    return {"memory_before_mib": before / 2**20, "memory_added_mib": max(0, most - before) / 2**20}


def _own_bytes(process: psutil.Process) -> int:
    """Memory that is no file's."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))
