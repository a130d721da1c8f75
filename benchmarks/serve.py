"""What the doors cost: rows, first row, look-ups by id, against a native MariaDB and the Python API, in one run.

    python benchmarks/serve.py [--rows 200000] [--repeats 5] [--json FILE]

A private cluster of two nodes holds the rows, and so does the oracle, one MariaDB. `skyshard serve` is a process of its
own. Sides take turns. Processor seconds are those of the processes that answer: of the native side its server, of the
door the process of `skyshard serve` and the MariaDB behind it, and, apart, the nodes and the czar's server, which read
the rows. The client is the same on both sides: it reads the bytes and drops them, or it is PyMySQL, whose own processor
seconds are counted, too: where they are equal, what its rows a second differ by is for want of cores. TAP (BINARY2) and
Qserv's REST (JSON) are read in the same way. First rows are compared in pairs, one after the other. Look-ups by id are
asked of the native server, the door and the Python API in turn; their processor time is that of the process that asks
and, of both servers, of those that answer, without the nodes and the czar's server, which work alike for door and API.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import pymysql
from pymysql.cursors import SSCursor
from query_catalog import COLUMNS, DATABASE, FIRST_KEY, make_catalog

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

ALL = f"SELECT {COLUMNS} FROM Object"
LOOKUPS = 200
LOOKED_UP = ("native", "door", "api")
EOF = b"\xfe"


@dataclass(frozen=True)
class Side:
    """Where a client asks, and the processes that answer it; ``behind`` read the rows for them."""

    name: str
    place: dict[str, Any]
    processes: list[psutil.Process]
    behind: list[psutil.Process]

    def connect(self) -> Any:
        return pymysql.connect(database=DATABASE, autocommit=True, **self.place)


@dataclass(frozen=True)
class Drained:
    """One reading of all rows."""

    wall_s: float
    first_row_s: float
    cpu_s: float
    behind_cpu_s: float


def cpu_of(processes: list[psutil.Process]) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in processes)


def drained(side: Side) -> Drained:
    """Ask for all rows, and drop their bytes."""
    with contextlib.closing(side.connect()) as client:
        before, behind = cpu_of(side.processes), cpu_of(side.behind)
        sock: socket.socket = client._sock
        begun = time.perf_counter()
        client._execute_command(3, ALL)
        first, tail = _first_row(sock)
        while not (tail[-9:-6] == b"\x05\x00\x00" and tail[-5:-4] == EOF):
            got = sock.recv(1 << 20)
            tail = (tail + got)[-9:] if len(got) < 9 else got[-9:]
        wall = time.perf_counter() - begun
    return Drained(wall, first - begun, cpu_of(side.processes) - before, cpu_of(side.behind) - behind)


def _first_row(sock: socket.socket) -> tuple[float, bytes]:
    """When the first row was here, and the bytes so far: the second end packet, or a packet behind the first one."""
    data = b""
    while True:
        data += sock.recv(1 << 16)
        place, has_ended = 0, False
        while place + 4 <= len(data):
            length = int.from_bytes(data[place : place + 3], "little")
            if has_ended:
                return time.perf_counter(), data
            has_ended = data[place + 4 : place + 5] == EOF and length == 5
            place += 4 + length


def pymysql_s(side: Side) -> tuple[float, float]:
    """Seconds in which PyMySQL reads all rows as Python values, and those of its own processor time."""
    with contextlib.closing(side.connect()) as client, client.cursor(SSCursor) as cursor:
        begun, cpu = time.perf_counter(), time.thread_time()
        cursor.execute(ALL)
        while cursor.fetchmany(10_000):
            pass
        return time.perf_counter() - begun, time.thread_time() - cpu


@dataclass(frozen=True)
class HttpSide:
    """A door of HTTP: a request, and the bytes behind which the first row stands."""

    name: str
    port: int
    path: str
    body: bytes
    mark: bytes
    processes: list[psutil.Process]
    behind: list[psutil.Process]


def http_drained(side: HttpSide) -> Drained:
    """Ask for all rows, and drop their bytes."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", side.port)) as client:
        client.connect()
        kind = "application/json" if side.body[:1] == b"{" else "application/x-www-form-urlencoded"
        before, behind = cpu_of(side.processes), cpu_of(side.behind)
        begun, first, head = time.perf_counter(), 0.0, b""
        client.request("POST", side.path, side.body, {"Content-Type": kind})
        answer = client.getresponse()
        while piece := answer.read1(1 << 20):
            if not first:
                head += piece
                first = time.perf_counter() if head.partition(side.mark)[2].strip() else 0.0
        wall = time.perf_counter() - begun
    return Drained(wall, first - begun, cpu_of(side.processes) - before, cpu_of(side.behind) - behind)


def http_sides(port: int, processes: list[psutil.Process], behind: list[psutil.Process]) -> list[HttpSide]:
    adql = ALL.replace("FROM Object", f"FROM {DATABASE}.Object")
    asked = urllib.parse.urlencode({"LANG": "ADQL", "QUERY": adql, "MAXREC": "100000000", "FORMAT": "votable/b2"})
    query = json.dumps({"query": ALL, "database": DATABASE, "version": 55})
    return [
        HttpSide("tap", port, "/tap/sync", asked.encode(), b'<STREAM encoding="base64">', processes, behind),
        HttpSide("qserv", port, "/query", query.encode(), b'"rows":[', processes, behind),
    ]


@dataclass(frozen=True)
class LookUps:
    """Look-ups by id of one side: milliseconds of one, the median, and of processor time of what answers or asks it."""

    median_ms: float
    cpu_ms: float


def lookups(sides: list[Side], testbed: Testbed, rows: int) -> dict[str, LookUps]:
    """Of each side and of the Python API (``api``), one of each in turn, so that what else runs slows all of them."""
    times: dict[str, list[float]] = {name: [] for name in (*(side.name for side in sides), "api")}
    own_s = dict.fromkeys(times, 0.0)
    before = {side.name: cpu_of(side.processes) for side in sides}
    with contextlib.ExitStack() as stack:
        asking = {side.name: asked(stack.enter_context(contextlib.closing(side.connect()))) for side in sides}
        asking["api"] = lambda sql: testbed.query(sql, database=DATABASE).rows
        for number in range(LOOKUPS):
            sql = f"SELECT objectId, ra, decl FROM Object WHERE objectId = {FIRST_KEY + number * 977 % rows}"
            for name, ask in asking.items():
                begun, cpu = time.perf_counter(), time.thread_time()
                assert ask(sql) == 1
                times[name].append((time.perf_counter() - begun) * 1e3)
                own_s[name] += time.thread_time() - cpu
    spent = own_s | {side.name: own_s[side.name] + cpu_of(side.processes) - before[side.name] for side in sides}
    return {name: LookUps(statistics.median(ms), spent[name] / LOOKUPS * 1e3) for name, ms in times.items()}


def asked(client: Any) -> Callable[[str], int]:
    """Asks through a client of PyMySQL; how many rows came."""
    cursor = client.cursor()

    def ask(sql: str) -> int:
        cursor.execute(sql)
        return len(cursor.fetchall())

    return ask


def api_first_row_s(testbed: Testbed) -> float:
    """Until the czar has given its first batch, in this process."""
    begun = time.perf_counter()
    with testbed.czar.open(ALL, DATABASE) as answer:
        next(iter(answer.batches))
        return time.perf_counter() - begun


def paired_first_rows(testbed: Testbed, door: Side, turn: int) -> tuple[float, float]:
    """First rows of the door and of the czar in this process, one after the other."""
    if turn % 2:
        through = drained(door).first_row_s
        return through, api_first_row_s(testbed)
    direct = api_first_row_s(testbed)
    return drained(door).first_row_s, direct


@contextlib.contextmanager
def serving_all(folder: Path) -> Iterator[tuple[dict[str, int], psutil.Process]]:
    """``skyshard serve``, and the ports of its doors."""
    command = [sys.executable, "-m", "skyshard.cli.app", "serve", "--open"]
    command += ["--mysql", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    process = subprocess.Popen([*command, "--cluster", str(folder)], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        ports = {}
        for line in process.stderr:
            for door in ("mysql", "http"):
                if f"{door}://" in line:
                    ports[door] = int(line.rsplit(":", 1)[1].strip("/\n"))
            if "all doors are open" in line:
                break
        yield ports, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.communicate()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[int, psutil.Process]]:
    """The same, and the port of its MySQL door."""
    with serving_all(folder) as (ports, process):
        yield ports["mysql"], process


def servers_of(folder: Path, *names: str) -> list[psutil.Process]:
    """Processes of servers of a cluster, by what their names begin with."""
    found = []
    for one in psutil.process_iter(["cmdline"]):
        words = " ".join(one.info["cmdline"] or ())
        if any(f"--datadir={folder}/servers/{name}" in words for name in names):
            found.append(one)
    return found


def measure(rows: int, repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="skyshard-serve-") as where:
        cluster = PrivateCluster(Path(where) / "cluster")
        cluster.start(2)
        try:
            with Testbed(cluster.folder) as testbed:
                testbed.ingest(make_catalog(Path(where) / "sky", rows), database=DATABASE, runtime="inline")
                testbed.load_mono(DATABASE)
                with serving_all(cluster.folder) as (ports, process):
                    return _turns(testbed, ports, process, rows, repeats)
        finally:
            cluster.destroy()


def _turns(testbed: Testbed, ports: dict[str, int], process: psutil.Process, rows: int, repeats: int) -> dict[str, Any]:
    folder = testbed.cluster.folder
    oracle = {"unix_socket": testbed.cluster.endpoint("mono").socket, "user": "skyshard_reader"}
    door = {"host": "127.0.0.1", "port": ports["mysql"], "user": "me"}
    answering, reading = [process, *servers_of(folder, "door-")], servers_of(folder, "node", "czar")
    sides = [Side("native", oracle, servers_of(folder, "mono"), []), Side("door", door, answering, reading)]
    others = http_sides(ports["http"], [process], reading)
    found: dict[str, Any] = {name: [] for name in ("native", "door", "tap", "qserv")}
    found["pymysql_s"] = {side.name: [] for side in sides}
    first_rows, looked_up = [], []
    for turn in range(repeats + 1):
        for side in sides if turn % 2 else reversed(sides):
            one, seconds = drained(side), pymysql_s(side)
            if turn:  # the first one warms caches
                found[side.name].append(one)
                found["pymysql_s"][side.name].append(seconds)
        for other in others if turn % 2 else reversed(others):
            one = http_drained(other)
            if turn:
                found[other.name].append(one)
        first_rows.append(paired_first_rows(testbed, sides[1], turn))
        looked_up.append(lookups(sides, testbed, rows))
    return _result(found, first_rows[1:], looked_up[1:], process, rows)


def _result(
    found: dict[str, Any],
    first_rows: list[tuple[float, float]],
    looked_up: list[dict[str, LookUps]],
    process: psutil.Process,
    rows: int,
) -> dict[str, Any]:
    def median(side: str, what: str) -> float:
        return float(statistics.median(getattr(one, what) for one in found[side]))

    result: dict[str, Any] = {"rows": rows, "rss_mb": process.memory_info().rss / 1e6}
    for side in ("native", "door", "tap", "qserv"):
        result[side] = {what: median(side, what) for what in asdict(found[side][0])}
    for side, pairs in found["pymysql_s"].items():
        result[side]["pymysql_s"], result[side]["pymysql_cpu_s"] = map(statistics.median, zip(*pairs, strict=True))
    result["door_first_row_s"], result["api_first_row_s"] = map(statistics.median, zip(*first_rows, strict=True))
    result["first_row_added_s"] = statistics.median(door - api for door, api in first_rows)
    for name in looked_up[0]:
        for what in ("median_ms", "cpu_ms"):
            values = [getattr(turn[name], what) for turn in looked_up]
            result[f"lookup_{name}_{what}"] = statistics.median(values)
    return result


def show(result: dict[str, Any]) -> None:
    rows, native, door = result["rows"], result["native"], result["door"]
    print(f"{rows:,} rows x {COLUMNS.count(',') + 1} columns; process {result['rss_mb']:.0f} MB")
    print(f"{'':15} {'rows/s':>10} {'CPU us/row':>10} {'reading':>8} {'first row':>10} {'PyMySQL':>9} {'its CPU':>8}")
    for name, side in (
        ("native MariaDB", native),
        ("MySQL door", door),
        ("TAP", result["tap"]),
        ("REST", result["qserv"]),
    ):
        print(
            f"{name:15} {rows / side['wall_s']:10,.0f} {side['cpu_s'] / rows * 1e6:10.2f} "
            f"{side['behind_cpu_s'] / rows * 1e6:8.2f} {side['first_row_s'] * 1e3:7.0f} ms"
            + (f" {rows / side['pymysql_s']:9,.0f} {side['pymysql_cpu_s']:6.2f} s" if "pymysql_s" in side else "")
        )
    print(f"door / native: CPU {door['cpu_s'] / native['cpu_s']:.2f}, wall {door['wall_s'] / native['wall_s']:.2f}, "
          f"PyMySQL {door['pymysql_s'] / native['pymysql_s']:.2f}, "
          f"its CPU {door['pymysql_cpu_s'] / native['pymysql_cpu_s']:.2f}")  # fmt: skip
    print(
        f"first row: door {result['door_first_row_s'] * 1e3:.0f} ms, czar in Python "
        f"{result['api_first_row_s'] * 1e3:.0f} ms; in pairs {result['first_row_added_s'] * 1e3:+.0f} ms"
    )
    shown = [(name, result[f"lookup_{name}_median_ms"], result[f"lookup_{name}_cpu_ms"]) for name in LOOKED_UP]
    print("look-up by id: " + ", ".join(f"{name} {ms:.2f} ms ({cpu:.2f} of CPU)" for name, ms, cpu in shown))
    print(f"door / api: {shown[1][1] / shown[2][1]:.2f}, CPU {shown[1][2] / shown[2][2]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = measure(options.rows, options.repeats)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
