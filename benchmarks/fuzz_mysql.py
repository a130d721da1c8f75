"""Mutated packets at the MySQL door of a real `skyshard serve`: nothing breaks, nothing is left, nobody beside is hurt.

    python benchmarks/fuzz_mysql.py [--packets 100000] [--seed 1] [--threads 4]

Says how many packets of how many connections were sent, what memory and which files and sessions there were before and
after, and how many answers a sound client beside them got, each of them right. Exit code 1 where something was not so.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pymysql
from query_catalog import DATABASE, FIRST_KEY, make_catalog
from serve import servers_of, serving
from tests.support.binary_client import BinaryClient, whole
from tests.support.wire_fuzz import Beside, Fuzz

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

ROWS = 20_000
PREPARED = f"SELECT n, ra FROM {DATABASE}.Object WHERE objectId = ?"
SETTLED_S = 15.0


def sound_client(port: int) -> tuple[Any, Any]:
    """A connection, and what asks it: a count, and a prepared look-up."""
    client = pymysql.connect(
        host="127.0.0.1", port=port, user="me", database=DATABASE, autocommit=True, ssl_disabled=True
    )

    def ask() -> None:
        with client.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM Object")
            assert cursor.fetchall() == ((ROWS,),)
        assert len(BinaryClient(client).ask(PREPARED, whole(FIRST_KEY + 5)).rows) == 1

    return client, ask


def state(processes: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    """Of each process: megabytes, open files, threads."""
    return {name: (one.memory_info().rss >> 20, one.num_fds(), one.num_threads()) for name, one in processes.items()}


def fuzzed(port: int, processes: dict[str, Any], packets: int, seed: int, threads: int) -> bool:
    client, ask = sound_client(port)
    with contextlib.closing(client):
        warm = Fuzz(("127.0.0.1", port), seed - 1, PREPARED)
        warm.run(min(2000, packets))
        ask()
        time.sleep(SETTLED_S)
        before, begun = state(processes), time.perf_counter()
        fuzzes = [Fuzz(("127.0.0.1", port), seed + number, PREPARED) for number in range(threads)]
        with Beside(ask) as beside:
            running = [threading.Thread(target=one.run, args=(packets // threads,)) for one in fuzzes]
            for thread in running:
                thread.start()
            while any(thread.is_alive() for thread in running):
                time.sleep(30)
                sent, sizes = sum(one.counts["packets"] for one in fuzzes), state(processes)
                print(f"{sent:,} packets, {beside.answers} answers; MB, files, threads {sizes}", flush=True)
        took, counts = time.perf_counter() - begun, sum((one.counts for one in fuzzes), Counter[str]())
        time.sleep(SETTLED_S)
        after = state(processes)
    print(f"seed {seed}: {dict(counts)} in {took:.0f} s")
    print(f"beside them: {beside.answers} sound answers, {beside.problem or 'none wrong'}")
    for name in processes:
        print(f"{name}: MB, files, threads {before[name]} before, {after[name]} after")
    return not beside.problem and all(after[name][1] <= before[name][1] + 2 for name in processes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packets", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="skyshard-fuzz-") as where:
        cluster = PrivateCluster(Path(where) / "cluster")
        cluster.start(2)
        try:
            with Testbed(cluster.folder) as testbed:
                testbed.ingest(make_catalog(Path(where) / "sky", ROWS), database=DATABASE, runtime="inline")
            with serving(cluster.folder) as (port, process):
                processes = {"serve": process, "behind": servers_of(cluster.folder, "door-")[0]}
                is_sound = fuzzed(port, processes, options.packets, options.seed, options.threads)
                return 0 if is_sound and process.is_running() else 1
        finally:
            cluster.destroy()


if __name__ == "__main__":
    sys.exit(main())
