"""How fast each engine takes rows in, and what they take on its disk, as ratios to MyISAM in one run.

    python benchmarks/engines.py [--recipe tiny] [--fraction 1] [--rounds 3] [--quick] [--json FILE]

A sky is made once by row images into every engine and way of storage, and once by LOAD DATA, on one private node, one
after the other and in turns over the rounds, after one ingest that does not count. Of each the best round counts:

load      seconds in which chunk tables are made from bundles, counted and digest-checked
cpu       processor seconds of the node's server and of this process, from first to last, and behind it until the
          server has nothing left to do (InnoDB writes pages, MyRocks merges files)
disk      bytes of the files of the tables, sub-chunk and director keys included

Other work on the machine lengthens ``load`` more than ``cpu``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from skyshard import Layout, Loader, Source, Testbed, source_at
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.host.shipped_data import data_folder

WAYS: dict[str, dict[str, Any]] = {
    "MyISAM": {"engine": "MyISAM"},
    "Aria": {"engine": "Aria"},
    "Aria fixed": {"engine": "Aria", "storage": {"row_format": "fixed"}},
    "InnoDB": {"engine": "InnoDB"},
    "InnoDB key_block_kib 8": {"engine": "InnoDB", "storage": {"key_block_kib": 8}},
    "InnoDB page_compressed 6": {"engine": "InnoDB", "storage": {"page_compressed": 6}},
    "MyRocks": {"engine": "MyRocks"},
    "MyRocks zstd": {"engine": "MyRocks", "storage": {"compression": "zstd", "block_kib": 16}},
}
IDLE_CPU_S = 0.02
SETTLE_S = 20.0


@dataclass(slots=True)
class Cell:
    """One ingest."""

    way: str
    loader: str
    load_s: float
    ingest_s: float
    cpu_s: float
    disk_bytes: int
    rows: int


class Bench:
    """A node, and the sky that it takes in again and again."""

    def __init__(self, cluster: PrivateCluster, source: Source) -> None:
        self._cluster = cluster
        self._source = source
        (pid,) = (server.pid for server in cluster.status() if server.name == "node1")
        self._processes = [psutil.Process(), psutil.Process(pid)]
        self._count = 0

    def cpu_s(self) -> float:
        times = [process.cpu_times() for process in self._processes]
        return sum(one.user + one.system for one in times)

    def measure(self, testbed: Testbed, way: str, loader: Loader) -> Cell:
        self._count += 1
        database = f"e{self._count}"
        layout = Layout.model_validate({"striping": self._source.layout.striping, **WAYS[way]})
        cpu, start = self.cpu_s(), time.perf_counter()
        report = testbed.ingest(self._source, database=database, layout=layout, loader=loader)
        elapsed = time.perf_counter() - start
        self._settle()
        used, grown = self.cpu_s() - cpu, self._disk(database)
        with connect(self._cluster.endpoint("node1"), Account.ADMIN) as server:
            server.execute(f"DROP DATABASE {database}")
        self._settle()
        return Cell(way, str(loader), report.stages_s["load"], elapsed, used, grown, report.rows)

    def _settle(self) -> None:
        """Wait until the server has nothing left to do."""
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            before = self._processes[1].cpu_times()
            time.sleep(0.5)
            now = self._processes[1].cpu_times()
            if now.user + now.system - before.user - before.system < IDLE_CPU_S:
                return

    def _disk(self, database: str) -> int:
        """Blocks that the tables' files take, and what MyRocks says of its tables, whose files are common."""
        files = (self._cluster.data_dir("node1") / database).glob("*")
        told = "SELECT SUM(DATA_LENGTH + INDEX_LENGTH) FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s"
        with connect(self._cluster.endpoint("node1"), Account.ADMIN) as server:
            common = server.value(f"{told} AND ENGINE = 'ROCKSDB'", [database])
        return sum(512 * file.stat().st_blocks for file in files) + int(common or 0)


def run(recipe: str, fraction: float, rounds: int) -> list[Cell]:
    """Every way by both loaders, the best of the rounds; an engine that the node has not is left out."""
    with tempfile.TemporaryDirectory(prefix="skyshard-bench-", dir="/tmp") as name:
        cluster = PrivateCluster(Path(name) / "cluster")
        cluster.start(1)
        try:
            with connect(cluster.endpoint("node1"), Account.ADMIN) as server:
                engines = {str(row[0]).lower() for row in server.rows("SHOW ENGINES")}
            ways = [way for way in WAYS if "MyRocks" not in way or "rocksdb" in engines]
            bench = Bench(cluster, source_at(data_folder("synth", "recipes") / f"{recipe}.yaml", fraction=fraction))
            best: dict[tuple[str, str], Cell] = {}
            with Testbed(cluster.folder, runtime="inline") as testbed:
                bench.measure(testbed, ways[0], Loader.IMAGE)  # what is read and made once is not its own
                for number in range(rounds):
                    turn = number % len(ways)
                    for way in [*ways[turn:], *ways[:turn]]:
                        for loader in (Loader.IMAGE, Loader.LOAD_DATA):
                            cell = bench.measure(testbed, way, loader)
                            known = best.get((way, cell.loader))
                            best[way, cell.loader] = cell if known is None else _better(known, cell)
            return [best[way, str(loader)] for way in ways for loader in (Loader.IMAGE, Loader.LOAD_DATA)]
        finally:
            cluster.destroy()


def _better(one: Cell, other: Cell) -> Cell:
    """The least of each figure."""
    return Cell(
        one.way, one.loader, min(one.load_s, other.load_s), min(one.ingest_s, other.ingest_s),
        min(one.cpu_s, other.cpu_s), min(one.disk_bytes, other.disk_bytes), one.rows,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="tiny")
    parser.add_argument("--fraction", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sky, one round")
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE", help="write JSON to a file, or print it")
    options = parser.parse_args()
    if options.quick:
        options.fraction, options.rounds = 0.1, 1
    cells = run(options.recipe, options.fraction, options.rounds)
    content = json.dumps({"recipe": options.recipe, "fraction": options.fraction, "cells": [asdict(c) for c in cells]})
    if options.json == "-":
        print(content)
        return
    if options.json:
        Path(options.json).write_text(content)
    base = cells[0]
    print(f"{base.rows:,} rows; ratios to MyISAM by row images")
    heads = f"{'load s':>8}{'ratio':>8}{'ingest s':>10}{'cpu s':>8}{'ratio':>8}{'MB':>9}{'ratio':>8}"
    print(f"{'engine':<26}{'loader':<11}{heads}")
    for cell in cells:
        print(
            f"{cell.way:<26}{cell.loader:<11}{cell.load_s:>8.2f}{cell.load_s / base.load_s:>8.2f}{cell.ingest_s:>10.2f}"
            f"{cell.cpu_s:>8.2f}{cell.cpu_s / base.cpu_s:>8.2f}{cell.disk_bytes / 1e6:>9.1f}"
            f"{cell.disk_bytes / base.disk_bytes:>8.2f}"
        )


if __name__ == "__main__":
    main()
