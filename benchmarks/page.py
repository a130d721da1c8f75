"""What the page for operators costs while nothing changes, and after a change, by databases and chunks.

    python benchmarks/page.py [--quick] [--seconds 60] [--json FILE]

Registries without rows on a private server: some databases of some chunks each, four tables with DR1's striping. One
reader follows `/ui/live` of a `skyshard serve` process. Processor seconds are those of that process and, apart, of the
czar's server, over a time in which nothing changes; the parts are measured in a process of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx2 as httpx
import psutil
from serve import cpu_of, servers_of
from simulated_sky import ROW_BYTES, STRIPING, SimulatedSky, layout_of, table_of
from tests.support.served import served

from skyshard.catalog.layout import Layout
from skyshard.cli.serving.overview import TestbedOverview
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.registry.access.tokens import Scope
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import Event
from skyshard.registry.transactions.transaction_report import TransactionReport
from skyshard.serve.page.snapshot import as_rows
from skyshard.testbed import Testbed

Row = dict[str, Any]
SIZES = ((1, 1_241), (40, 1_241), (1, 146_332))
"""Databases, and chunks of each."""
QUICK_SIZES = ((4, 100),)
SETTLES_S = 20.0


def fill(held: Registry, databases: int, chunks: int) -> None:
    """Published databases ``sky00``, ``sky01``, …"""
    sky = SimulatedSky(chunks, 1, 1)
    records = [record for name in ROW_BYTES for record in sky.records(name)]
    for number in range(databases):
        add_database(held, f"sky{number:02}", records)


def add_database(held: Registry, database: str, records: list[Any]) -> None:
    mine = held.transactions.begin(database, Layout(striping=STRIPING, tables={}), "", "", {})
    for name in ROW_BYTES:
        held.databases.add_table(database, table_of(name), layout_of(name), "image", mine.id)
    parts = [records[start : start + 5000] for start in range(0, len(records), 5000)]
    list(map(partial(held.replicas.add, database, mine.id), parts))
    held.transactions.move(mine, Event.COMMIT)
    held.transactions.publish(database, mine, TransactionReport())


class Follower:
    """Reads the stream in a thread: the first event's bytes, and when a text was first in one."""

    def __init__(self, client: httpx.Client) -> None:
        self.first, self.events, self.seen = b"", 0, b""
        self._client = client
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(httpx.HTTPError), self._client.stream("GET", "/ui/live", timeout=None) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    with self._news:
                        self.first = self.first or line.encode()
                        self.seen = line.encode()
                        self.events += 1
                        self._news.notify_all()

    def wait_for(self, text: bytes, at_most_s: float = 600.0) -> float:
        """Seconds until an event holds a text."""
        begun = time.perf_counter()
        with self._news:
            assert self._news.wait_for(lambda: text in self.seen, at_most_s), text
        return time.perf_counter() - begun


@contextlib.contextmanager
def cluster_of(databases: int, chunks: int) -> Iterator[PrivateCluster]:
    with tempfile.TemporaryDirectory(prefix="skyshard-page-") as where:
        cluster = PrivateCluster(Path(where) / "cluster")
        cluster.start(1)
        try:
            held = Registry(cluster.endpoint("czar"), cluster.folder)
            held.prepare()
            fill(held, databases, chunks)
            held.close()
            yield cluster
        finally:
            cluster.destroy()


def parts(cluster: PrivateCluster) -> Row:
    """Processor seconds of each part, the second time: here, and of the czar's server."""
    servers, found = servers_of(cluster.folder, "czar"), {}
    with Testbed(cluster.folder) as testbed:
        for _ in range(2):
            overview = TestbedOverview(testbed)
            for name in ("running", "transactions", "catalogs", "nodes"):
                before, behind, begun = time.process_time(), cpu_of(servers), time.perf_counter()
                text = json.dumps(as_rows(getattr(overview, name)()))
                found[name] = {
                    "cpu_s": round(time.process_time() - before, 4), "czar_cpu_s": round(cpu_of(servers) - behind, 2),
                    "s": round(time.perf_counter() - begun, 3), "bytes": len(text),
                }  # fmt: skip
    return found


def percent_of(processes: list[psutil.Process], seconds: float) -> float:
    """Of one processor, over some seconds."""
    before = cpu_of(processes)
    time.sleep(seconds)
    return round(100 * (cpu_of(processes) - before) / seconds, 2)


def live(cluster: PrivateCluster, idle_s: float) -> Row:
    """The stream: its first event, what it costs while nothing changes, how late a new database is shown."""
    with Testbed(cluster.folder) as testbed:
        token = testbed.registry.tokens.create("page", Scope.ADMIN)
    servers = servers_of(cluster.folder, "czar")
    with served(cluster.folder, "--http", "127.0.0.1:0") as server:
        process = [psutil.Process(server.process.pid)]
        headers = {"authorization": f"Bearer {token}"}
        with httpx.Client(base_url=server.doors["http"].rstrip("/"), timeout=600, headers=headers) as client:
            client.get("/ui/data/history")
            time.sleep(SETTLES_S)
            quiet_percent = percent_of(process, idle_s)
            begun = time.perf_counter()
            follower = Follower(client)
            follower.wait_for(b'"sky00"')
            first_s = time.perf_counter() - begun
            time.sleep(SETTLES_S)
            behind, events = cpu_of(servers), follower.events
            idle_percent = percent_of(process, idle_s)
            found = {
                "first_s": round(first_s, 2), "first_bytes": len(follower.first),
                "unwatched_cpu_percent": quiet_percent, "idle_cpu_percent": idle_percent,
                "idle_czar_percent": round(100 * (cpu_of(servers) - behind) / idle_s, 2),
                "events": follower.events - events,
            }  # fmt: skip
            begun = time.perf_counter()
            sky = client.get("/ui/data/sky/sky00/Object")
            found |= {"sky_s": round(time.perf_counter() - begun, 2), "sky_bytes": len(sky.content)}
            found["sky_wire_bytes"] = int(sky.headers["content-length"])
            held = Registry(cluster.endpoint("czar"), cluster.folder)
            add_database(held, "newcomer", SimulatedSky(4, 1, 1).records("Object"))
            found["change_shown_s"] = round(follower.wait_for(b'"name":"newcomer"'), 2)
            held.close()
            found["rss_mb"] = round(process[0].memory_info().rss / 1e6)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="four databases of 100 chunks")
    parser.add_argument("--seconds", type=float, default=60.0, help="time in which nothing changes")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows: list[Row] = []
    for databases, chunks in QUICK_SIZES if options.quick else SIZES:
        with cluster_of(databases, chunks) as cluster:
            row: Row = {"databases": databases, "chunks": chunks}
            row |= {"parts": parts(cluster), "live": live(cluster, options.seconds)}
        print(json.dumps(row), flush=True)
        rows.append(row)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
