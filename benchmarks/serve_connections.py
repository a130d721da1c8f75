"""What many clients of the MySQL door cost: 1,000 that idle, 200 that ask at once, and a look-up beside each of them.

    python benchmarks/serve_connections.py [--idle 1000] [--busy 200] [--rows 20000] [--json FILE]

`skyshard serve` is a process of its own, over a private cluster of two nodes. Every answer is compared with what the
catalog was made of. Memory and open files are those of `skyshard serve` and of the MariaDB behind its door, apart.
Times of look-ups are of one client that asks without pause; clients and servers share the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pymysql
from query_catalog import DATABASE, FIRST_KEY, make_catalog
from serve import servers_of, serving

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.host.open_files import raise_open_files
from skyshard.testbed import Testbed

LOOKUPS = 300
OPENED_AT_ONCE = 32
ROUNDS = 10
"""Statements of each busy client."""
Place = dict[str, Any]


def connected(place: Place) -> Any:
    return pymysql.connect(database=DATABASE, autocommit=True, connect_timeout=120, **place)


def asked(client: Any, sql: str) -> tuple[tuple[Any, ...], ...]:
    with client.cursor() as cursor:
        cursor.execute(sql)
        return tuple(cursor.fetchall())


def lookups_ms(place: Place, rows: int) -> list[float]:
    """Look-ups by id of one client; each gives its row."""
    times = []
    with contextlib.closing(connected(place)) as client:
        for number in range(LOOKUPS):
            key = FIRST_KEY + number * 977 % rows
            begun = time.perf_counter()
            found = asked(client, f"SELECT objectId FROM Object WHERE objectId = {key}")
            times.append((time.perf_counter() - begun) * 1e3)
            assert found == ((key,),), (key, found)
    return times


def percentiles(times: list[float]) -> dict[str, float]:
    return {f"p{part}_ms": round(float(np.percentile(times, part)), 2) for part in (50, 99)}


def held(processes: dict[str, psutil.Process]) -> dict[str, dict[str, float]]:
    """Memory and open files now."""
    return {
        name: {"rss_mb": one.memory_info().rss / 1e6, "files": one.num_fds(), "threads": one.num_threads()}
        for name, one in processes.items()
    }


@contextlib.contextmanager
def idling(place: Place, count: int) -> Iterator[list[Any]]:
    """Clients that have logged in, some at a time, and ask nothing."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(OPENED_AT_ONCE) as pool:
        clients = list(pool.map(lambda _: connected(place), range(count)))
        for client in clients:
            stack.callback(client.close)
        yield clients


class Busy:
    """Clients that ask at once, each a statement after the other: look-ups, and counts that read all chunks."""

    def __init__(self, place: Place, count: int, rows: int) -> None:
        self._place, self._rows = place, rows
        self.answers, self.wrong, self.faults = 0, 0, []  # type: tuple[int, int, list[str]]
        self._lock = threading.Lock()
        self.threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(count)]

    def _ask(self, number: int) -> None:
        try:
            with contextlib.closing(connected(self._place)) as client:
                for turn in range(ROUNDS):
                    self._check(client, number * ROUNDS + turn)
        except pymysql.MySQLError as error:
            with self._lock:
                self.faults.append(str(error))

    def _check(self, client: Any, number: int) -> None:
        key = FIRST_KEY + number * 7919 % self._rows
        is_scan = number % 10 == 0
        sql = "SELECT COUNT(*) FROM Object" if is_scan else f"SELECT objectId FROM Object WHERE objectId = {key}"
        found = asked(client, sql)
        with self._lock:
            self.answers += 1
            self.wrong += found != ((self._rows if is_scan else key,),)

    def run(self) -> float:
        begun = time.perf_counter()
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        return time.perf_counter() - begun


def measure(idle: int, busy: int, rows: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="skyshard-serve-") as where:
        cluster = PrivateCluster(Path(where) / "cluster")
        cluster.start(2)
        try:
            with Testbed(cluster.folder) as testbed:
                testbed.ingest(make_catalog(Path(where) / "sky", rows), database=DATABASE, runtime="inline")
            with serving(cluster.folder) as (port, process):
                behind = servers_of(cluster.folder, "door-")
                return _measured(port, {"serve": process, "behind": behind[0]}, idle, busy, rows)
        finally:
            cluster.destroy()


def _measured(port: int, processes: dict[str, psutil.Process], idle: int, busy: int, rows: int) -> dict[str, Any]:
    raise_open_files()  # of the clients only: the server was started with what it was given
    place = {"host": "127.0.0.1", "port": port, "user": "me", "ssl_disabled": True}
    print("ready", flush=True)
    lookups_ms(place, rows)  # which warms caches
    found: dict[str, Any] = {"idle": idle, "busy": busy, "rows": rows, "alone": percentiles(lookups_ms(place, rows))}
    found["before"] = held(processes)
    begun = time.perf_counter()
    with idling(place, idle) as clients:
        found["connect_s"] = time.perf_counter() - begun
        found["with_idle"] = held(processes)
        found["beside_idle"] = percentiles(lookups_ms(place, rows))
        crowd = Busy(place, busy, rows)
        found["busy_s"] = crowd.run()
        found["answers"], found["wrong"], found["faults"] = crowd.answers, crowd.wrong, crowd.faults[:5]
        found["with_busy"] = held(processes)
        found["answered_after"] = sum(asked(one, "SELECT 1") == ((1,),) for one in clients)
    time.sleep(2)
    found["after"] = held(processes)
    return found


def show(found: dict[str, Any]) -> None:
    idle, busy = found["idle"], found["busy"]
    print(f"{idle:,} sessions opened in {found['connect_s']:.1f} s; all answer: {found['answered_after'] == idle}")
    for name in ("serve", "behind"):
        before, now = found["before"][name], found["with_idle"][name]
        each = (now["rss_mb"] - before["rss_mb"]) / max(idle, 1) * 1e3
        print(f"{name:7} {each:.0f} kB a session; " + "; ".join(
            f"{when}: {found[when][name]['rss_mb']:.0f} MB, {found[when][name]['files']} files, "
            f"{found[when][name]['threads']} threads" for when in ("before", "with_idle", "with_busy", "after")
        ))  # fmt: skip
    print(f"{busy} at once: {found['answers']:,} answers in {found['busy_s']:.1f} s, {found['wrong']} wrong, "
          f"faults {found['faults'] or 'none'}")  # fmt: skip
    print(f"look-up alone {found['alone']}, beside {idle:,} idle sessions {found['beside_idle']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--busy", type=int, default=200)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = measure(options.idle, options.busy, options.rows)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
