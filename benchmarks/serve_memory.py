"""Whether the memory of `skyshard serve` grows with an answer: its resident size while many rows stream out of a door.

    python benchmarks/serve_memory.py [--rows 500000] [--times 100] [--ways binary2 csv mysql] [--json FILE]

A private cluster of two nodes holds the rows; a table that a client brings, with `--times` rows, multiplies them, so
that one answer has rows x times of them. The client reads the bytes and drops them. The size of the process and of the
MariaDB behind the MySQL door is looked at twice a second; what counts is its growth from a tenth of the way to the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psutil
import pymysql
from query_catalog import DATABASE, make_catalog
from serve import servers_of

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

LOOK_S = 0.5
MANY = "user_many"
SQL = "SELECT o.objectId, o.ra, o.decl, o.n, o.f0 FROM {}.Object AS o, {}.Times AS t"


class Doors:
    """The process, and where its doors are."""

    def __init__(self, process: psutil.Process, http: str, port: int, folder: Path) -> None:
        self.process, self.http, self.port, self.folder = process, http, port, folder

    @property
    def resident_mb(self) -> tuple[float, float]:
        """Of the process, and of the MariaDB behind its MySQL door."""
        behind = sum(one.memory_info().rss for one in servers_of(self.folder, "door-"))
        return self.process.memory_info().rss / 1e6, behind / 1e6


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Doors]:
    """``skyshard serve`` with two doors."""
    command = [sys.executable, "-m", "skyshard.cli.app", "serve", "--http", "127.0.0.1:0", "--mysql", "127.0.0.1:0"]
    process = subprocess.Popen([*command, "--open", "--cluster", str(folder)], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if "all doors are open" in line:
                break
        http, mysql = re.search(r"http://\S+", said), re.search(r"mysql://\S+:(\d+)/", said)
        assert http is not None
        assert mysql is not None
        yield Doors(psutil.Process(process.pid), http.group(), int(mysql.group(1)), folder)
    finally:
        process.terminate()
        process.communicate()


def bring_times(doors: Doors, times: int) -> None:
    """A regular table of so many rows."""
    body = {
        "database": MANY, "table": "Times", "version": 55, "schema": [{"name": "t", "type": "INT"}], "indexes": [],
        "rows": [[str(number)] for number in range(times)],
    }  # fmt: skip
    found = httpx.post(f"{doors.http}ingest/data", json=body, timeout=600).json()
    assert found["success"], found


def by_tap(doors: Doors, form: str) -> int:
    """Bytes of an answer of TAP."""
    data = {"QUERY": SQL.format(DATABASE, MANY), "FORMAT": form, "MAXREC": "100000000"}
    taken, tail = 0, b""
    with httpx.stream("POST", f"{doors.http}tap/sync", data=data, timeout=None) as answer:
        assert answer.status_code == 200, answer.read()
        for piece in answer.iter_raw(1 << 20):
            taken += len(piece)
            tail = (tail + piece)[-400:]
    assert b'value="ERROR"' not in tail, tail
    assert b"OVERFLOW" not in tail, tail
    return taken


def by_mysql(doors: Doors, _: str) -> int:
    """Bytes of an answer of the MySQL door."""
    with contextlib.closing(pymysql.connect(host="127.0.0.1", port=doors.port, user="me")) as client:
        client._execute_command(3, SQL.format(DATABASE, MANY))
        taken, tail = 0, b""
        while not (tail[-9:-6] == b"\x05\x00\x00" and tail[-5:-4] == b"\xfe" and taken > 10_000):
            got = client._sock.recv(1 << 20)
            assert got, "the door has gone"
            taken, tail = taken + len(got), (tail + got)[-9:] if len(got) < 9 else got[-9:]
    return taken


WAYS: dict[str, tuple[Callable[[Doors, str], int], str]] = {
    "binary2": (by_tap, "votable/b2"), "csv": (by_tap, "csv"), "mysql": (by_mysql, ""),
}  # fmt: skip


def watched(doors: Doors, way: str, rows: int) -> dict[str, Any]:
    """One answer, and the sizes while it came."""
    sizes, ended = [doors.resident_mb], threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_S):
            sizes.append(doors.resident_mb)

    looking = threading.Thread(target=look)
    cpu = sum(doors.process.cpu_times()[:2])
    begun = time.perf_counter()
    looking.start()
    work, form = WAYS[way]
    try:
        taken = work(doors, form)
    finally:
        ended.set()
        looking.join()
    wall_s = time.perf_counter() - begun
    own, behind = ([pair[place] for pair in sizes] for place in (0, 1))
    warm = len(own) // 10
    return {
        "way": way, "rows": rows, "bytes": taken, "wall_s": wall_s, "cpu_s": sum(doors.process.cpu_times()[:2]) - cpu,
        "before_mb": own[0], "warm_mb": own[warm], "last_mb": own[-1], "peak_mb": max(own),
        "grown_mb": max(own[warm:]) - own[warm], "behind_peak_mb": max(behind), "looks": len(own),
    }  # fmt: skip


def measure(rows: int, times: int, ways: list[str]) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="skyshard-serve-") as where:
        cluster = PrivateCluster(Path(where) / "cluster")
        cluster.start(2)
        try:
            with Testbed(cluster.folder) as testbed:
                testbed.ingest(make_catalog(Path(where) / "sky", rows), database=DATABASE, runtime="inline")
            with serving(cluster.folder) as doors:
                bring_times(doors, times)
                for way in ways:
                    yield watched(doors, way, rows * times)
        finally:
            cluster.destroy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    for found in measure(options.rows, options.times, options.ways):
        results.append(found)
        print(
            f"{found['way']:8} {found['rows']:,} rows, {found['bytes'] / 1e6:,.0f} MB in {found['wall_s']:.0f} s "
            f"({found['cpu_s']:.0f} s CPU): {found['before_mb']:.0f} MB before, {found['warm_mb']:.0f} warm, "
            f"{found['last_mb']:.0f} at the end, grown by {found['grown_mb']:.0f}; MariaDB behind "
            f"{found['behind_peak_mb']:.0f} ({found['looks']} looks)",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
