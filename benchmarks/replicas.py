"""What replicas cost: verifying, repairing, look-ups beside a repair, ingests at higher levels, and fail-over.

    python benchmarks/replicas.py [--of verify,repair,lookups,ingest,failover] [--rows 1000000] [--turns 5] [--json F]

A private cluster of three nodes on this host. What is compared is measured turn by turn, and each figure is the median
of its turns; CPU seconds are those of this process, its children and all servers of the cluster. The machine's load at
the beginning and at the end stands beside the figures: ratios of a busy machine say little.

verify    MB and rows a CPU second and a second, and the same of a plain scan: every data file read, every row summed
repair    MB a second when all that a node has of a table is made again, as fast as it goes, and its CPU seconds
lookups   milliseconds of `WHERE objectId = n` with nothing beside, and beside `replicas repair` at each rate
ingest    seconds and CPU seconds at level 1, 2 and 3, and their ratios to level 1
failover  milliseconds of the first look-ups after a node was killed, p50 and p99; `wrong` and `failed` look-ups
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from query_catalog import FIRST_KEY, make_catalog

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect, quote_name
from skyshard.registry.stored.records import Replica
from skyshard.testbed import Testbed

NODES = 3
RATES_MB_S = (50.0, 10.0)
LOOKUPS_S = 6.0
KILLS = 20
AFTER_A_KILL = 12
Figures = dict[str, Any]


class Bench:
    """A cluster with one database at level 2 on it, which the measurements share."""

    def __init__(self, folder: Path, rows: int, turns: int) -> None:
        self.folder, self.rows, self.turns = folder, rows, turns
        self.cluster = PrivateCluster(folder / "cluster")
        self.random = random.Random(1)

    def open(self) -> None:
        self.cluster.start(NODES)
        self.source = make_catalog(self.folder / "source", self.rows)
        with Testbed(self.cluster.folder) as testbed:
            testbed.ingest(self.source, database="sky", replicas=2)

    def close(self) -> None:
        if self.cluster.exists:
            self.cluster.destroy()

    def cpu_s(self) -> float:
        """Of this process with its children that have ended, and of the servers."""
        mine = os.times()
        servers = sum(sum(process.cpu_times()[:2]) for process in self._servers())
        return mine.user + mine.system + mine.children_user + mine.children_system + servers

    def _servers(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or [""]
            if "mariadbd" in words[0] and any(str(self.cluster.folder) in word for word in words):
                yield process

    def timed(self, work: Callable[[], object]) -> tuple[float, float]:
        """Seconds and CPU seconds."""
        cpu_s, start = self.cpu_s(), time.monotonic()
        work()
        return time.monotonic() - start, self.cpu_s() - cpu_s

    # what is measured

    def verify(self) -> Figures:
        with Testbed(self.cluster.folder) as testbed:
            held = testbed.registry.replicas.all("sky")
            size, rows = sum(r.bytes for r in held), sum(r.rows for r in held)
            done = [
                (self.timed(lambda: testbed.replicas.verify("sky")), self.timed(lambda: self._scan(testbed, held)))
                for _ in range(self.turns)
            ]
        return {
            "bytes": size, "rows": rows, **_rates("verify", [one for one, _ in done], size, rows),
            **_rates("scan", [one for _, one in done], size, rows),
            "verify_to_scan_cpu": _median([one[1] / other[1] for one, other in done]),
        }  # fmt: skip

    def _scan(self, testbed: Testbed, held: Sequence[Replica]) -> None:
        """Each table is read by its server: every row of it, two columns summed."""
        for node in testbed.nodes:
            with connect(self.cluster.endpoint(node), Account.READER, "sky") as connection:
                for replica in held:
                    if replica.node == node and replica.rows:
                        connection.rows(f"SELECT SUM(d0), SUM(n) FROM {quote_name(replica.name)}")

    def repair(self) -> Figures:
        taken = []
        with Testbed(self.cluster.folder) as testbed:
            for _ in range(self.turns):
                self._lose(testbed)
                found: list[Any] = []
                times = self.timed(lambda found=found: found.extend(testbed.replicas.repair("sky")))  # type: ignore[misc]
                taken.append((*times, found[0].bytes))
        return {
            "bytes": taken[0][2],
            "mb_a_s": _median([size / 1e6 / wall for wall, _, size in taken]),
            "mb_a_cpu_s": _median([size / 1e6 / cpu for _, cpu, size in taken]),
        }

    def _lose(self, testbed: Testbed, share: float = 0.5) -> None:
        """A share of the tables of a node are gone, and the registry knows it."""
        node = self.random.choice(testbed.nodes)
        names = [r.name for r in testbed.registry.replicas.all("sky") if r.node == node and r.rows and not r.is_overlap]
        lost = self.random.sample(sorted(names), max(1, int(share * len(names))))
        with connect(self.cluster.endpoint(node), Account.ADMIN, "sky") as connection:
            for name in lost:
                connection.execute(f"DROP TABLE {quote_name(name)}")
        testbed.replicas.verify("sky", nodes=[node])

    def lookups(self) -> Figures:
        alone: list[np.ndarray[Any, Any]] = []
        beside: dict[float, list[np.ndarray[Any, Any]]] = {rate: [] for rate in RATES_MB_S}
        with Testbed(self.cluster.folder) as testbed:
            for _ in range(100):
                self._one(testbed)
            for _ in range(self.turns):
                alone.append(self._look_up(testbed, lambda: False))
                for rate in RATES_MB_S:
                    until = time.monotonic() + LOOKUPS_S
                    while time.monotonic() < until:
                        with self._repairing(testbed, rate) as is_over:
                            beside[rate].append(self._look_up(testbed, is_over))
                        self._end_repair(testbed)
        found: Figures = {"alone": _percentiles(alone)}
        for rate, times in beside.items():
            one = _percentiles(times)
            both = [name for name in ("p50", "p99") if f"{name}_ms" in one and f"{name}_ms" in found["alone"]]
            ratios = {f"{name}_ratio": one[f"{name}_ms"] / found["alone"][f"{name}_ms"] for name in both}
            found[f"at_{rate:g}_mb_s"] = one | ratios
        return found

    @contextlib.contextmanager
    def _repairing(self, testbed: Testbed, rate: float) -> Iterator[Callable[[], bool]]:
        """Inside, a process repairs; what is given says whether it has ended."""
        self._lose(testbed, 1.0)
        command = [sys.executable, "-m", "skyshard.cli.app", "replicas", "repair", "sky", "--rate", str(rate)]
        with (self.folder / "repair.log").open("ab") as out:
            process = subprocess.Popen(
                [*command, "--cluster", str(self.cluster.folder)], stdout=out, stderr=out, start_new_session=True
            )
        index = testbed.registry.replication
        while process.poll() is None and all(one.replica.state != "building" for one in index.not_good("sky")):
            time.sleep(0.01)
        try:
            yield lambda: process.poll() is not None
        finally:
            process.terminate()
            process.wait()

    def _end_repair(self, testbed: Testbed) -> None:
        """All is good again: the process that was ended may hold its nodes for a moment."""
        while not testbed.replicas.repair("sky")[0].is_done:
            time.sleep(0.2)

    def _look_up(self, testbed: Testbed, is_over: Callable[[], bool]) -> np.ndarray[Any, Any]:
        """Milliseconds of look-ups one after the other, for a time or until something is over; 10 ms between them."""
        times, until = [], time.monotonic() + LOOKUPS_S
        while time.monotonic() < until and not is_over():
            start = time.monotonic()
            assert self._one(testbed)
            times.append(1e3 * (time.monotonic() - start))
            time.sleep(0.01)
        return np.array(times)

    def _one(self, testbed: Testbed) -> bool:
        key = FIRST_KEY + self.random.randrange(self.rows)
        found = testbed.query(f"SELECT objectId, ra, decl FROM Object WHERE objectId = {key}", database="sky").table
        return bool(found.column(0).to_pylist() == [key])

    def ingest(self) -> Figures:
        taken: dict[int, list[tuple[float, float]]] = {1: [], 2: [], 3: []}
        with Testbed(self.cluster.folder) as testbed:
            for turn in range(self.turns):
                for level, times in taken.items():
                    name = f"level{level}_{turn}"
                    work = partial(testbed.ingest, self.source, database=name, replicas=level)
                    times.append(self.timed(work))
                    testbed.drop(name)
        found: Figures = {}
        for level, times in taken.items():
            found[f"level{level}"] = {
                "s": _median([wall for wall, _ in times]), "cpu_s": _median([cpu for _, cpu in times]),
                "ratio": _median([one[0] / first[0] for one, first in zip(times, taken[1], strict=True)]),
                "cpu_ratio": _median([one[1] / first[1] for one, first in zip(times, taken[1], strict=True)]),
            }  # fmt: skip
        return found

    def failover(self) -> Figures:
        wrong = failed = 0
        first: list[float] = []
        rest: list[float] = []
        with Testbed(self.cluster.folder) as testbed:
            for _ in range(200):
                self._one(testbed)
            for kill in range(KILLS):
                self.cluster.kill_server(self.cluster.node_names[kill % NODES])
                for number in range(AFTER_A_KILL):
                    start = time.monotonic()
                    try:
                        wrong += not self._one(testbed)
                    except Exception:
                        failed += 1
                    (rest if number else first).append(1e3 * (time.monotonic() - start))
                self.cluster.start()
        return {
            "kills": KILLS, "wrong": wrong, "failed": failed, "first": _percentiles([np.array(first)]),
            "next": _percentiles([np.array(rest)]),
        }  # fmt: skip


def _rates(what: str, taken: Sequence[tuple[float, float]], size: int, rows: int) -> Figures:
    return {
        f"{what}_mb_a_s": _median([size / 1e6 / wall for wall, _ in taken]),
        f"{what}_mb_a_cpu_s": _median([size / 1e6 / cpu for _, cpu in taken]),
        f"{what}_rows_a_cpu_s": _median([rows / cpu for _, cpu in taken]),
    }


def _percentiles(times: Sequence[np.ndarray[Any, Any]]) -> Figures:
    every = np.concatenate(times)
    most = {"most_ms": float(every.max())}
    borne = [p for p in (50, 90, 99) if len(every) * (100 - p) >= 100]
    return {f"p{p}_ms": float(np.percentile(every, p)) for p in borne} | most | {"count": len(every)}


def _median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


MEASURED: Mapping[str, Callable[[Bench], Figures]] = {
    "verify": Bench.verify, "repair": Bench.repair, "lookups": Bench.lookups, "ingest": Bench.ingest,
    "failover": Bench.failover,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", default=",".join(MEASURED), help="what is measured, with commas")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="skyshard-replicas-", dir="/tmp"))
    bench = Bench(folder, options.rows, options.turns)
    found: Figures = {
        "rows": options.rows,
        "turns": options.turns,
        "cores": os.cpu_count(),
        "load": [os.getloadavg()[0]],
    }
    try:
        bench.open()
        for name in options.of.split(","):
            found[name] = MEASURED[name](bench)
            print(name, json.dumps(found[name], indent=1), flush=True)
    finally:
        bench.close()
        shutil.rmtree(folder, ignore_errors=True)
    found["load"].append(os.getloadavg()[0])
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
