"""Mutated packets at the MySQL door of a real `skyshard serve`: nothing breaks, nothing is left, nobody beside is hurt.

    python benchmarks/fuzz_mysql.py [--packets 100000] [--seed 1] [--threads 4] [--json FILE]

Says how many packets of how many connections were sent, how many answers a sound client beside them got, each of them
right, and which memory, files and threads there were of `skyshard serve` and of the MariaDB behind its door: before,
and after each of `ROUNDS` rounds, once what answers took has been given back. Exit code 1 where an answer was wrong,
files are left, more than `GROWN_MB` of memory came in the second half, before which caches and pools of threads fill,
or it grows there by more than `GROWN_BYTES` a packet: a leak goes on, what fills a store levels off.
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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
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
ROUNDS = 6
GROWN_MB = 16
"""Of one process, in the second half."""
GROWN_BYTES = 200
"""A packet, of one process, by the straight line that is nearest to what it had after the rounds of the second half."""
NOISE_MB = 4
"""So much more or less is in use at the moment that is looked at: it tells nothing of few packets."""
MORE_FILES = 2
SETTLED_S = 70.0
"""Longer than a door keeps memory that answers took."""
LOOK_S = 30.0
State = dict[str, dict[str, int]]
"""Of each process."""


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


def packets_of(fuzzes: list[Fuzz]) -> int:
    return sum(one.counts["packets"] for one in fuzzes)


def sent(fuzzes: list[Fuzz], packets: int, look: Callable[[], None]) -> None:
    """So many packets of all, counted from their beginning; and a while until their memory has been given back."""
    running = [threading.Thread(target=one.run, args=(packets // len(fuzzes),)) for one in fuzzes]
    for thread in running:
        thread.start()
    for thread in running:
        while thread.is_alive():
            thread.join(LOOK_S)
            look()
    time.sleep(SETTLED_S)


def fuzzed(port: int, processes: dict[str, psutil.Process], packets: int, seed: int, threads: int) -> dict[str, Any]:
    """What happened, and the ``rounds``: packets so far, and the states of the processes, before the first one too."""
    client, ask = sound_client(port)
    fuzzes = [Fuzz(("127.0.0.1", port), seed + number, PREPARED) for number in range(threads)]

    def look() -> None:
        print(f"{packets_of(fuzzes):,} packets, {beside.answers} answers; {state(processes)}", flush=True)

    with contextlib.closing(client):
        ask()
        rounds, begun = [(0, state(processes))], time.perf_counter()
        with Beside(ask) as beside:
            for number in range(1, ROUNDS + 1):
                sent(fuzzes, packets * number // ROUNDS, look)
                rounds.append((packets_of(fuzzes), state(processes)))
        took_s = time.perf_counter() - begun - ROUNDS * SETTLED_S
    counts = sum((one.counts for one in fuzzes), Counter[str]())
    return {
        "seed": seed, "threads": threads, "took_s": took_s, "counts": counts, "sound_answers": beside.answers,
        "problem": beside.problem, "rounds": rounds,
    }  # fmt: skip


def bytes_a_packet(points: Sequence[tuple[int, int]]) -> float:
    """By how much a process grows with each packet: of packets and megabytes, by the line that fits the second half.

    >>> round(bytes_a_packet([(0, 100), (20_000, 180), (40_000, 190), (60_000, 191), (80_000, 192)]))
    52
    >>> round(bytes_a_packet([(0, 100), (10_000, 110), (20_000, 120)]))
    1049
    """
    half = [(packets, size_mb) for packets, size_mb in points if 2 * packets >= points[-1][0]]
    packets, sizes_mb = np.array(half, np.float64).T
    return float(np.polyfit(packets, sizes_mb, 1)[0]) * (1 << 20)


def is_grown(points: Sequence[tuple[int, int]]) -> bool:
    """Whether a process grows on and on, by more than what is noise."""
    grown_mb = bytes_a_packet(points) * points[-1][0] / 2 / (1 << 20)
    return bytes_a_packet(points) > GROWN_BYTES and grown_mb > NOISE_MB


def points_of(found: dict[str, Any], process: str) -> list[tuple[int, int]]:
    """Packets so far, and the megabytes of a process."""
    return [(packets, states[process]["mb"]) for packets, states in found["rounds"]]


def faults_of(found: dict[str, Any]) -> list[str]:
    """What was not as it is to be."""
    faults = [f"an answer beside them: {found['problem']}"] if found["problem"] else []
    if not found["sound_answers"]:
        faults.append("nobody was answered beside them")
    for name, after in found["rounds"][-1][1].items():
        points = points_of(found, name)
        (_, warm_mb), (_, after_mb) = points[ROUNDS // 2], points[-1]
        if after_mb > warm_mb + GROWN_MB:
            faults.append(f"{name} grew from {warm_mb} to {after_mb} MB, by more than {GROWN_MB}")
        if is_grown(points):
            faults.append(f"{name} grows by {bytes_a_packet(points):.0f} bytes a packet, more than {GROWN_BYTES}")
        first = max(states[name]["files"] for _, states in found["rounds"][: ROUNDS // 2 + 1])
        if after["files"] > first + MORE_FILES:
            faults.append(f"{name} had {first} files open, then {after['files']}")
    return faults


def show(found: dict[str, Any], faults: list[str]) -> None:
    print(f"seed {found['seed']}: {dict(found['counts'])} in {found['took_s']:.0f} s")
    print(f"beside them: {found['sound_answers']} sound answers, {found['problem'] or 'none wrong'}")
    for name, last in found["rounds"][-1][1].items():
        sizes = ", ".join(f"{size_mb} MB" for _, size_mb in points_of(found, name))
        grown = bytes_a_packet(points_of(found, name))
        print(f"{name}: {sizes}: {grown:+.0f} bytes a packet in the second half; at the end {last}")
    print("\n".join(faults) or f"nothing is left, and no process grew by more than {GROWN_MB} MB, or grows on")


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
