"""Mutated packets at the MySQL door of a real `skyshard serve`: nothing breaks, nothing is left, nobody beside is hurt.

    python benchmarks/fuzz_mysql.py [--packets 100000] [--seed 1] [--threads 4] [--json FILE]

Says how many packets of how many connections were sent, how many answers a sound client beside them got, each of them
right, and which memory, files and threads there were of `skyshard serve` and of the MariaDB behind its door: before,
after the first `WARM` packets, by which caches and pools of threads are full, and at the end. Exit code 1 where an
answer was wrong, files are left, or more than `GROWN_MB` of memory came between warm-up and end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pymysql
from query_catalog import DATABASE, FIRST_KEY, make_catalog
from serve import servers_of, serving
from tests.support.binary_client import BinaryClient, whole
from tests.support.wire_fuzz import Beside, Fuzz

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

ROWS = 20_000
PREPARED = f"SELECT n, ra FROM {DATABASE}.Object WHERE objectId = ?"
WARM = 20_000
"""Packets until what a door keeps of statements is as many as it keeps, and its threads are all there."""
GROWN_MB = 16
"""Of one process, from then on."""
MORE_FILES = 2
SETTLED_S = 70.0
"""Longer than a door keeps memory that answers took."""
LOOK_S = 30.0
State = dict[str, dict[str, int]]


def sound_client(port: int) -> tuple[Any, Callable[[], None]]:
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


def state(processes: dict[str, psutil.Process]) -> State:
    """Of each process: megabytes, open files, threads."""
    return {
        name: {"mb": one.memory_info().rss >> 20, "files": one.num_fds(), "threads": one.num_threads()}
        for name, one in processes.items()
    }


def sent(fuzzes: list[Fuzz], packets: int, look: Callable[[], None]) -> None:
    """So many packets of all, counted from their beginning."""
    running = [threading.Thread(target=one.run, args=(packets // len(fuzzes),)) for one in fuzzes]
    for thread in running:
        thread.start()
    for thread in running:
        while thread.is_alive():
            thread.join(LOOK_S)
            look()
    time.sleep(SETTLED_S)


def fuzzed(port: int, processes: dict[str, psutil.Process], packets: int, seed: int, threads: int) -> dict[str, Any]:
    """What happened, and the states ``before``, ``warm`` and ``after``."""
    client, ask = sound_client(port)
    fuzzes = [Fuzz(("127.0.0.1", port), seed + number, PREPARED) for number in range(threads)]

    def look() -> None:
        done = sum(one.counts["packets"] for one in fuzzes)
        print(f"{done:,} packets, {beside.answers} answers; {state(processes)}", flush=True)

    with contextlib.closing(client):
        ask()
        before, begun = state(processes), time.perf_counter()
        with Beside(ask) as beside:
            sent(fuzzes, min(WARM, packets // 2), look)
            warm = state(processes)
            sent(fuzzes, packets, look)
        took_s = time.perf_counter() - begun - 2 * SETTLED_S
        after = state(processes)
    counts = sum((one.counts for one in fuzzes), Counter[str]())
    return {
        "seed": seed, "threads": threads, "took_s": took_s, "counts": counts, "sound_answers": beside.answers,
        "problem": beside.problem, "before": before, "warm": warm, "after": after,
    }  # fmt: skip


def faults_of(found: dict[str, Any]) -> list[str]:
    """What was not as it is to be."""
    faults = [f"an answer beside them: {found['problem']}"] if found["problem"] else []
    if not found["sound_answers"]:
        faults.append("nobody was answered beside them")
    for name, after in found["after"].items():
        warm, before = found["warm"][name], found["before"][name]
        if after["mb"] > warm["mb"] + GROWN_MB:
            faults.append(f"{name} grew from {warm['mb']} to {after['mb']} MB, by more than {GROWN_MB}")
        if after["files"] > max(warm["files"], before["files"]) + MORE_FILES:
            faults.append(f"{name} had {warm['files']} files open, then {after['files']}")
    return faults


def show(found: dict[str, Any], faults: list[str]) -> None:
    print(f"seed {found['seed']}: {dict(found['counts'])} in {found['took_s']:.0f} s")
    print(f"beside them: {found['sound_answers']} sound answers, {found['problem'] or 'none wrong'}")
    for name in found["after"]:
        shown = "; ".join(f"{when} {found[when][name]}" for when in ("before", "warm", "after"))
        print(f"{name}: {shown}")
    print("\n".join(faults) or f"nothing is left, and no process grew by more than {GROWN_MB} MB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packets", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="skyshard-fuzz-") as where:
        cluster = PrivateCluster(Path(where) / "cluster")
        cluster.start(2)
        try:
            with Testbed(cluster.folder) as testbed:
                testbed.ingest(make_catalog(Path(where) / "sky", ROWS), database=DATABASE, runtime="inline")
            with serving(cluster.folder) as (port, process):
                processes = {"serve": process, "behind": servers_of(cluster.folder, "door-")[0]}
                found = fuzzed(port, processes, options.packets, options.seed, options.threads)
        finally:
            cluster.destroy()
    faults = faults_of(found)
    show(found, faults)
    if options.json:
        options.json.write_text(json.dumps(found | {"faults": faults}, indent=1))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
