"""Column images beside rows: what they cost and what they save, as ratios in one run.

    python benchmarks/columns.py [--quick | --all | --only NAME,NAME] [--rows N] [--turns 3] [--most 1000000]
                                 [--folder DIR] [--json]

A private cluster of two nodes on this host, an Object of 41 columns, of 300,000 rows, of 1.5 million where scans are
compared, of 3 million where nodes are. --quick, which is what is done without a choice, measures in less than a minute
on two idle processors:

ingest_cost       seconds of an ingest with the images of all columns, against the same without (at least 5 turns);
                  and ingest_cost_processor, those of processors
lookup_unchanged  seconds of look-ups by id and of cones in a database with images, against one without
neighbours_vs_lsdb
                  seconds of a count of all pairs within 60 arcseconds, against LSDB in threads (without it only against
                  the nodes' own joins)
scan_vs_duckdb    seconds of a scan of three columns by columns, against DuckDB over Parquet with as many threads; and
                  scan_rows_vs_columns, those of the same scan as rows against by columns
join_vs_duckdb    the same of a join by key with a filter on each side, grouped; and join_rows_vs_columns
cold_bytes        bytes read from the disk by a scan of two columns that nothing is cached of, against those of the two
                  columns (a folder on a disk: --folder)

--all measures these, too:

scan_rows_vs_columns_wide
                  seconds of the same scan as rows against by columns, of an Object of 1,038 columns (1,000,000 rows);
                  with _processor those of processors, which other work on the machine disturbs less
row_ns_longest_vs_first
                  nanoseconds of a row that is added, from a hundredth of --most rows (at least 30,000) up to all, the
                  last step against the first one
scan_10000_vs_100_chunks
                  seconds of a scan of the same rows in some ten thousand chunks against a hundred
two_nodes_speed   seconds of a scan on one node with one scan thread, against two such nodes; and two_threads_speed,
                  what two threads of the engine gain on this machine without anything around it
shared_cold_bytes bytes read by ten cold scans at once of ten columns, against the bytes of these columns, once each
memory_added_mib  memory of the process that computes, beyond mapped files, added by a dozen scans at once

Turns of both sides alternate, and each ratio is of the best turns. ``--json`` prints ``{"ratios": {NAME: RATIO}}``, and
under ``took_s`` the seconds that each measurement took with what it made for itself.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pyarrow as pa
import pyarrow.compute as pc
from columns_neighbours import compare_neighbours
from columns_scans import compare_joins, compare_scans, processor_s
from columns_sizes import (
    compare_at_once,
    compare_chunks,
    compare_lengths,
    compare_memory,
    compare_nodes,
    compare_wide,
)
from columns_sky import AREA, FIRST_KEY, Sky, open_sky

from skyshard.columns.node_columns import read_images

LOOK_UPS = 24
INGEST_TURNS = 5
"""So many at least: an ingest of a second or two differs by a tenth from one turn to the next."""
LOOK_UP_TURNS = 6
"""Times as many turns: one of look-ups is short."""


@dataclass(frozen=True)
class Sizes:
    """What is measured how often."""

    rows: int
    turns: int
    most: int
    """Rows of the longest catalog."""


Measure = Callable[[Sky, Sizes], Mapping[str, float]]
MEASURES: dict[str, Measure] = {}
"""By name: what gives the ratio of this name, and more of them."""


def measure(name: str) -> Callable[[Measure], Measure]:
    """Add a measurement to those that there are."""

    def add(work: Measure) -> Measure:
        MEASURES[name] = work
        return work

    return add


QUICK = ("scan_vs_duckdb", "ingest_cost", "lookup_unchanged", "neighbours_vs_lsdb", "join_vs_duckdb", "cold_bytes")
"""``scan_rows_vs_columns`` comes with the first."""
ROWS = 300_000
MORE_ROWS = {"scan_vs_duckdb": 1_500_000, "two_nodes_speed": 3_000_000}
"""Where fewer take hardly longer than what every statement costs."""


@measure("ingest_cost")
def ingest_cost(sky: Sky, sizes: Sizes) -> Mapping[str, float]:
    """Parquet to published, and to published with images; the databases of the last turn are those of others, too."""
    source = sky.source(sizes.rows)
    sides: list[Literal["all", "none"]] = ["none", "all"]
    took: dict[str, list[float]] = {"none": [], "all": []}
    used: dict[str, list[float]] = {"none": [], "all": []}
    for turn in range(max(sizes.turns, INGEST_TURNS) + 1):
        order = sides if turn % 2 else sides[::-1]  # neither is always the second
        for columns in order if turn else order[:1]:  # one with images warms what both need
            name = sky.name(sizes.rows, imaged=columns == "all")
            if sky.has(name):
                sky.testbed.drop(name)
            before, begun = processor_s(sky), perf_counter()
            sky.testbed.ingest(source, database=name, columns=columns)
            if turn:
                took[columns].append(perf_counter() - begun)
                used[columns].append(processor_s(sky) - before)
    return {
        f"ingest_cost{kind}": min(times["all"]) / min(times["none"])
        for kind, times in (("", took), ("_processor", used))
    }


@measure("lookup_unchanged")
def lookup_unchanged(sky: Sky, sizes: Sizes) -> Mapping[str, float]:
    """Statements that read one chunk or few, the same in both databases, in turns; of each the best turn is taken.

    A disturbance of a tenth of a second, which spoils a few of them, would move the time of forty in a row.
    """
    names = [sky.database(sizes.rows, imaged=False), sky.database(sizes.rows)]
    ids = [f"SELECT ra, decl, d0 FROM Object WHERE objectId = {FIRST_KEY + 97 * i}" for i in range(LOOK_UPS)]
    cones = [
        f"SELECT objectId, n FROM Object WHERE qserv_areaspec_circle({AREA[0] + 0.5 * (i % 40) + 1}, {i % 10}, 0.05)"
        for i in range(LOOK_UPS)
    ]
    ratios = {}
    for kind, statements in (("id", ids), ("cone", cones)):
        best = {name: [inf] * len(statements) for name in names}
        for turn in range(LOOK_UP_TURNS * sizes.turns):
            for i, sql in enumerate(statements):
                for name in names if (turn + i) % 2 else names[::-1]:  # neither is always the second
                    begun = perf_counter()
                    sky.testbed.query(sql, database=name)
                    best[name][i] = min(best[name][i], perf_counter() - begun)
        ratios[kind] = sum(best[names[1]]) / sum(best[names[0]])
    return {"lookup_unchanged": max(ratios.values())} | {
        f"lookup_unchanged_{kind}": one for kind, one in ratios.items()
    }


@measure("neighbours_vs_lsdb")
def neighbours_vs_lsdb(sky: Sky, sizes: Sizes) -> Mapping[str, float]:
    """Pairs counted, and as rows, with the seconds of each side."""
    return compare_neighbours(sky, sizes.rows, sizes.turns)


@measure("scan_vs_duckdb")
def scan_vs_duckdb(sky: Sky, sizes: Sizes) -> Mapping[str, float]:
    """And against rows, with the milliseconds of each side."""
    return compare_scans(sky, sizes.rows, sizes.turns)


@measure("join_vs_duckdb")
def join_vs_duckdb(sky: Sky, sizes: Sizes) -> Mapping[str, float]:
    """And against rows, with the milliseconds of each side."""
    return compare_joins(sky, sizes.rows, sizes.turns)


@measure("cold_bytes")
def cold_bytes(sky: Sky, sizes: Sizes) -> Mapping[str, float]:
    """Two columns of 41, of which nothing is in memory; what is read beside them is counted, too."""
    wanted = ["d3", "f5"]
    database = sky.database(sizes.rows)
    images = sky.images(database, wanted)  # the files are open: their indexes are read once for many scans
    sky.cool(database)
    before = _read_bytes()
    needed = sum(_touched(batch) for batch in read_images(images, wanted))
    read = _read_bytes() - before
    if not needed:
        raise SystemExit(f"{database} has no images")
    return {"cold_bytes": read / needed} if read else {}


@measure("scan_rows_vs_columns_wide")
def scan_rows_vs_columns_wide(sky: Sky, sizes: Sizes) -> Mapping[str, float]:
    return compare_wide(sky, sizes.turns)


@measure("row_ns_longest_vs_first")
def row_ns_longest_vs_first(sky: Sky, sizes: Sizes) -> Mapping[str, float]:
    return compare_lengths(sky, sizes.most, sizes.turns)


@measure("scan_10000_vs_100_chunks")
def scan_10000_vs_100_chunks(sky: Sky, sizes: Sizes) -> Mapping[str, float]:
    return compare_chunks(sky, sizes.rows, sizes.turns)


@measure("two_nodes_speed")
def two_nodes_speed(sky: Sky, sizes: Sizes) -> Mapping[str, float]:
    return compare_nodes(sky, sizes.rows, sizes.turns)


@measure("shared_cold_bytes")
def shared_cold_bytes(sky: Sky, sizes: Sizes) -> Mapping[str, float]:
    return compare_at_once(sky, sizes.rows, _read_bytes)


@measure("memory_added_mib")
def memory_added_mib(sky: Sky, sizes: Sizes) -> Mapping[str, float]:
    return compare_memory(sky, sizes.rows)


def _touched(batch: pa.RecordBatch) -> int:
    """Bytes of a batch, each of which was looked at."""
    for column in batch.columns:
        pc.min_max(column)
    return int(batch.nbytes)


def _read_bytes() -> int:
    """Bytes that this process had read from disks so far."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["read_bytes"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--quick", action="store_true", help="the first half of them, as without a choice")
    chosen.add_argument("--all", action="store_true", help="all of them")
    chosen.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--rows", type=int, help=f"{ROWS:,} without; 1.5 million where scans are compared, nodes 3")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--most", type=int, default=1_000_000, help="rows of the longest catalog, up to 30,000,000")
    parser.add_argument("--folder", default="/var/tmp", help="where the cluster is; a disk for cold_bytes")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else list(MEASURES if given.all else QUICK)
    if unknown := [name for name in names if name not in MEASURES]:
        parser.error(f"no measurement '{unknown[0]}'; there are {', '.join(MEASURES)}")
    ratios: dict[str, float] = {}
    took_s: dict[str, float] = {}
    with open_sky(Path(tempfile.mkdtemp(prefix="skyshard-columns-", dir=given.folder))) as sky:
        for name in names:
            rows = given.rows or MORE_ROWS.get(name, ROWS)
            begun = perf_counter()
            ratios |= MEASURES[name](sky, Sizes(rows, given.turns, given.most))
            took_s[name] = perf_counter() - begun
            if not given.json:
                print(f"{name}: {ratios.get(name, float('nan')):.3f}", flush=True)
    if given.json:
        print(json.dumps({name: _rounded(found) for name, found in (("ratios", ratios), ("took_s", took_s))}))


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


if __name__ == "__main__":
    main()
