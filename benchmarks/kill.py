"""Kills processes of an ingest at random instants, goes on with the ingest, and looks whether every row is there once.

    python benchmarks/kill.py [--times 200] [--seed 1] [--rows 20000] [--json FILE]

A driver process ingests a catalog; at a random instant one process is killed with -9: the driver (inline or on Ray),
a Ray worker, a Ray actor, a node's server or the czar's. Servers are started again, the ingest is run again until it
succeeds, and then everything is compared with an undisturbed ingest of the same catalog: verification, the digest of
every chunk table, tables and files that belong to nobody, bundles and keys left behind. Every second round strikes a
second transaction of a database that is published already; what it shows before the ingest goes on must be the first.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from skyshard.cluster import CZAR_NAME, Cluster
from skyshard.db.connection import Account, connect
from skyshard.errors import ClusterError, SkyshardError
from skyshard.registry.tables import INDEX_DATABASE, REGISTRY_DATABASE
from skyshard.registry.values import Replica
from skyshard.runtime import RuntimeKind
from skyshard.testbed import Testbed
from skyshard.worker.load import NodeLoader

STRIPING = {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}
FIRST, SECOND = "first", "second"
BEGINS, WORKS = "begins", "prepare"
NODES = 2
END_TIMEOUT_S = 90.0
ATTEMPTS = 5


# a catalog with every kind of table and loader


def write_catalog(folder: Path, *, objects: int, seed: int = 1) -> Path:
    """A synth folder: two-part director, dependent by key, dependent with BLOBs (LOAD DATA), regular table."""
    random_numbers = np.random.default_rng(seed)
    keys = seed * 10**12 + np.arange(objects, dtype=np.int64) * 7
    ra, dec = random_numbers.uniform(10, 22, objects), random_numbers.uniform(-6, 6, objects)
    owner = np.repeat(np.arange(objects), 3)
    blobbed = owner[:: max(1, len(owner) // 2_000)]
    tables = {
        "Object": {"objectId": keys, "ra": ra, "decl": dec, "flux": random_numbers.normal(size=objects),
                   "flag": (keys % 3).astype(np.int8)},
        "Source": {"sourceId": keys[0] + np.arange(len(owner)), "objectId": keys[owner],
                   "raObject": ra[owner], "declObject": dec[owner], "psfFlux": random_numbers.normal(size=len(owner))},
        "Cutout": {"cutoutId": keys[0] + np.arange(len(blobbed)), "objectId": keys[blobbed],
                   "raObject": ra[blobbed], "declObject": dec[blobbed],
                   "image": pa.array([bytes([i % 256]) * (i % 40) for i in range(len(blobbed))], pa.binary())},
        "Visit": {"visitId": keys[0] + np.arange(50, dtype=np.int64), "night": np.arange(50, dtype=np.int32)},
    }  # fmt: skip
    manifest = {name: _write_table(folder, name, pa.table(columns)) for name, columns in tables.items()}
    content = {"recipe": {"name": "kill"}, "striping": STRIPING, "tables": manifest}
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder


def _write_table(folder: Path, name: str, content: pa.Table) -> dict[str, object]:
    (folder / name).mkdir(parents=True)
    parts = 2 if name in ("Object", "Source") else 1
    size = -(-content.num_rows // parts)
    files = []
    for number in range(parts):
        path = folder / name / f"part{number}.parquet"
        part = content.slice(number * size, size)
        pq.write_table(part, path)
        files.append({"path": f"{name}/{path.name}", "chunk": None, "rows": len(part), "bytes": path.stat().st_size})
    types = {"int64": "bigint", "int32": "int", "int8": "tinyint", "double": "double", "binary": "blob"}
    columns = [
        {"name": entry.name, "type": types[str(entry.type)], "nullable": entry.name in ("flux", "psfFlux", "image")}
        for entry in content.schema
    ]
    role, key, director, position = _ROLES[name]
    return {
        "role": role, "key": key, "director": director, "position": position, "columns": columns,
        "primary_key": [content.schema.names[0]], "indexes": [], "rows": content.num_rows, "files": files,
    }  # fmt: skip


_ROLES = {
    "Object": ("director", "objectId", "", ["ra", "decl"]),
    "Source": ("dependent", "objectId", "Object", ["raObject", "declObject"]),
    "Cutout": ("dependent", "objectId", "Object", ["raObject", "declObject"]),
    "Visit": ("regular", "", "", None),
}


# the driver: a process of its own, so that it can be killed


def drive(cluster: Path, source: Path, database: str, runtime: RuntimeKind) -> int:
    """Ingest, and say on stdout what is under way; the exit code is the command line's."""
    try:
        with Testbed(cluster, runtime=runtime) as testbed:
            print(BEGINS, flush=True)
            testbed.ingest(source, database=database, watcher=lambda progress: print(progress.stage, flush=True))
            print("ends", flush=True)
    except SkyshardError as error:
        print(f"error: {error}", flush=True)
        return error.exit_code
    return 0


class Driver:
    """A driver process, the stages that it went through, and how it ended."""

    def __init__(self, cluster: Path, source: Path, database: str, runtime: RuntimeKind, log: Path) -> None:
        self._log = log
        command = [sys.executable, __file__, "--drive", str(cluster), str(source), database, runtime]
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)

    @property
    def lines(self) -> list[str]:
        return self._log.read_text(errors="replace").splitlines()

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def wait_for(self, is_so: Callable[[list[str]], bool]) -> None:
        """Until a line is there, or the driver has ended."""
        while self.is_running and not is_so(self.lines):
            time.sleep(0.002)

    def children(self, *titles: str) -> list[psutil.Process]:
        """Its processes, at any depth, whose title begins like one of these."""
        try:
            return [
                p for p in psutil.Process(self.process.pid).children(recursive=True) if _title(p).startswith(titles)
            ]
        except psutil.NoSuchProcess:
            return []

    def end(self) -> str:
        """Wait for the end; how it ended, in a word."""
        try:
            code = self.process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "hangs"
        return {0: "done", -9: "killed"}.get(code, f"exit {code}")


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


# strikes


class Kind(StrEnum):
    """What is killed."""

    DRIVER = "driver"
    RAY_DRIVER = "driver on Ray"
    WORKER = "Ray worker"
    ACTOR = "Ray actor"
    NODE = "node"
    CZAR = "czar"


@dataclass(slots=True)
class Strike:
    """One round: what was killed when, what was under way, what became of it.

    ``wrong`` lists everything that differs from an undisturbed ingest; ``retries`` are the errors of ingests that had
    to be run again after the servers were there.
    """

    kind: Kind
    runtime: RuntimeKind
    transaction: str
    after: str
    delay_s: float
    stage: str = ""
    state: str = ""
    driver: str = ""
    message: str = ""
    retries: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    elapsed_s: float = 0.0


Digests = dict[tuple[str, int, bool, bool], tuple[str, ...]]
"""Table, chunk, overlap or not, first part or later one → digests of the replicas."""


class Range:
    """A cluster to shoot at: catalogs, the undisturbed answer, and the time that an undisturbed ingest takes."""

    def __init__(self, folder: Path, *, rows: int, seed: int = 1) -> None:
        self.folder = folder
        self.cluster = Cluster.at(folder / "cluster")
        self.random = random.Random(seed)
        self.sources = {
            FIRST: write_catalog(folder / FIRST, objects=rows, seed=1),
            SECOND: write_catalog(folder / SECOND, objects=max(10, rows // 2), seed=2),
        }
        self.truth: dict[str, Digests] = {}
        self.span_s: dict[tuple[str, str, str], float] = {}
        self._count = 0

    def open(self, runtimes: Sequence[RuntimeKind] = ("inline", "ray")) -> None:
        """Start the cluster; ingest both catalogs undisturbed, once with each runtime."""
        self.cluster.start(NODES)
        for runtime in runtimes:
            for name, source in self.sources.items():
                driver = self._drive(source, f"undisturbed_{runtime}", runtime)
                for begin in (BEGINS, WORKS):
                    driver.wait_for(lambda lines, begin=begin: begin in lines)  # type: ignore[misc]
                    self.span_s[runtime, name, begin] = -time.monotonic()
                assert driver.end() == "done", driver.lines
                for begin in (BEGINS, WORKS):
                    self.span_s[runtime, name, begin] += time.monotonic()
                with Testbed(self.cluster.folder) as testbed:
                    found = digests(testbed.registry.replicas(f"undisturbed_{runtime}"))
                assert self.truth.setdefault(name, found) == found

    def _instant(self, runtime: RuntimeKind, transaction: str) -> tuple[str, float]:
        """A random line of the driver and a random time after it; one in four is before the ingest works at all."""
        begin = self.random.choice((BEGINS, WORKS, WORKS, WORKS))
        measured = runtime if (runtime, transaction, begin) in self.span_s else "inline"
        return begin, self.random.uniform(0, self.span_s[measured, transaction, begin])

    def _drive(self, source: Path, database: str, runtime: RuntimeKind) -> Driver:
        self._count += 1
        log = self.folder / f"driver{self._count}.log"
        return Driver(self.cluster.folder, source, database, runtime, log)

    def strike(self, kind: Kind, transaction: str) -> Strike:
        """One round, from a database of its own to its removal."""
        is_ray = kind in (Kind.RAY_DRIVER, Kind.WORKER, Kind.ACTOR)
        runtime: RuntimeKind = "ray" if is_ray else "inline"
        strike = Strike(kind, runtime, transaction, *self._instant(runtime, transaction))
        database, start = f"struck{self._count}", time.monotonic()
        if transaction == SECOND:
            self._ingest(database, FIRST, strike)
        self._shoot(database, strike)
        self.cluster.start()
        with Testbed(self.cluster.folder) as testbed:
            strike.state = state_of(testbed, database)
            strike.wrong += [f"before: {text}" for text in self._half_seen(testbed, database)]
        self._ingest(database, transaction, strike)
        with Testbed(self.cluster.folder) as testbed:
            strike.wrong += [*self._differences(testbed, database, transaction), *leftovers(testbed, database)]
            forget(testbed, database)
        strike.elapsed_s = time.monotonic() - start
        return strike

    def _shoot(self, database: str, strike: Strike) -> None:
        driver = self._drive(self.sources[strike.transaction], database, strike.runtime)
        driver.wait_for(lambda lines: strike.after in lines)
        time.sleep(strike.delay_s)
        while driver.is_running and not self._kill(driver, strike.kind):
            time.sleep(0.01)
        strike.stage = next((line for line in reversed(driver.lines) if not line.startswith("error")), "")
        strike.driver = driver.end()
        strike.message = next((line for line in driver.lines if line.startswith("error")), "")
        is_down = strike.driver == "exit 2" and "is not running" in strike.message
        if strike.driver not in ("done", "killed", "exit 3") and not is_down:
            strike.wrong.append(f"driver: {strike.driver}: {driver.lines[-3:]}")

    def _kill(self, driver: Driver, kind: Kind) -> bool:
        """Kill one process of a kind; False when there is none yet."""
        if kind in (Kind.NODE, Kind.CZAR):
            names = (CZAR_NAME,) if kind is Kind.CZAR else self.cluster.node_names
            self.cluster.kill_server(self.random.choice(names))
            return True
        titles = {Kind.ACTOR: ("ray::_Host",), Kind.WORKER: ("ray::_run", "ray::IDLE")}.get(kind)
        victims = driver.children(*titles) if titles else [psutil.Process(driver.process.pid)]
        for victim in self.random.sample(victims, min(1, len(victims))):
            victim.kill()
        return bool(victims)

    def _ingest(self, database: str, transaction: str, strike: Strike) -> None:
        """Run the ingest until it succeeds, as somebody at the command line would."""
        for _ in range(ATTEMPTS):
            try:
                with Testbed(self.cluster.folder) as testbed:
                    testbed.ingest(self.sources[transaction], database=database)
                return
            except ClusterError as error:
                strike.retries.append(str(error))
        strike.wrong.append("the ingest does not succeed")

    def _half_seen(self, testbed: Testbed, database: str) -> Iterator[str]:
        """What queries must not see after the kill: they see all of a transaction or nothing of it."""
        states = Counter(row["state"] for row in testbed.registry.transactions(database))
        finished = ["", FIRST, SECOND][states["finished"]]
        if finished:
            yield from self._differences(testbed, database, finished)
        elif database in testbed.registry.databases():
            yield "an unpublished database is listed"

    def _differences(self, testbed: Testbed, database: str, transaction: str) -> Iterator[str]:
        """Failed checks, and chunk tables with other digests than undisturbed."""
        yield from (f"{check.name}: {check.found}" for check in testbed.verify(database) if not check.is_good)
        found, truth = digests(testbed.registry.replicas(database)), self.truth[transaction]
        for key in found | truth:
            if found.get(key) != truth.get(key):
                yield f"{key}: {found.get(key)} for {truth.get(key)}"


def digests(replicas: Sequence[Replica]) -> Digests:
    found: dict[tuple[str, int, bool, bool], list[str]] = {}
    for replica in replicas:
        found.setdefault((*replica.target, replica.part == 0), []).append(replica.digest)
    return {key: tuple(sorted(values)) for key, values in found.items()}


def state_of(testbed: Testbed, database: str) -> str:
    """State of the last transaction."""
    found = testbed.registry.transactions(database)
    return str(found[-1]["state"]) if found else "none"


def leftovers(testbed: Testbed, database: str) -> Iterator[str]:
    """Bundles, keys, half-written files and Ray folders that nobody needs any more."""
    cluster = testbed.cluster
    yield from (f"left: {path}" for path in (cluster.folder / "staging").glob("*/**"))
    finished = {str(row["id"]) for row in testbed.registry.transactions(database) if row["state"] == "finished"}
    for path in (cluster.folder / "director-keys" / database).glob("*/*"):
        names = sorted(file.name for file in path.iterdir())
        if path.name not in finished or names != ["keys.npy", "places.npy"]:
            yield f"left: {path} {names}"
    for server in (CZAR_NAME, *cluster.node_names):
        yield from (f"left: {path}" for path in cluster.data_dir(server).glob("load-*"))
        yield from (f"left: {path}" for path in cluster.data_dir(server).glob("*/*.tmp"))


def forget(testbed: Testbed, database: str) -> None:
    """Remove a database; there is no command for it yet."""
    for server in (CZAR_NAME, *testbed.nodes):
        loader = NodeLoader(server, testbed.cluster.endpoint(server), str(testbed.cluster.data_dir(server)))
        loader.drop_database(database)
        if server == CZAR_NAME:
            names = [name for name in loader.tables(INDEX_DATABASE) if name.startswith(f"{database}__")]
            loader.drop_tables(INDEX_DATABASE, names)
    with connect(testbed.cluster.endpoint(CZAR_NAME), Account.ADMIN) as connection:
        connection.execute(f"DELETE FROM {REGISTRY_DATABASE}.`databases` WHERE name = %s", [database])
    shutil.rmtree(testbed.cluster.folder / "director-keys" / database, ignore_errors=True)


# the command


def run(times: int, rows: int, seed: int, tell: Callable[[int, Strike], None]) -> list[Strike]:
    """So many rounds on a private cluster, which is removed."""
    kinds = list(Kind)
    with tempfile.TemporaryDirectory(prefix="skyshard-kill-", dir="/tmp") as name:
        place = Range(Path(name), rows=rows, seed=seed)
        try:
            place.open()
            strikes = []
            for number in range(times):
                strike = place.strike(kinds[number % len(kinds)], (FIRST, SECOND)[number // len(kinds) % 2])
                strikes.append(strike)
                tell(number, strike)
        finally:
            if place.cluster.exists:
                place.cluster.destroy()
    return strikes


def summary(strikes: Sequence[Strike]) -> Mapping[str, object]:
    return {
        "strikes": len(strikes),
        "wrong": sum(bool(strike.wrong) for strike in strikes),
        "by_kind": Counter(strike.kind for strike in strikes),
        "by_stage": Counter(strike.stage for strike in strikes),
        "by_state": Counter(strike.state for strike in strikes),
        "driver_ends": Counter(strike.driver for strike in strikes),
        "elapsed_s": sum(strike.elapsed_s for strike in strikes),
    }


def tell(number: int, strike: Strike) -> None:
    outcome = "WRONG " + "; ".join(strike.wrong[:3]) if strike.wrong else "right"
    when = f"{strike.after} + {strike.delay_s:.2f} s"
    words = [f"{number + 1:4d}", f"{strike.kind:<14}", f"{strike.transaction:<6}", f"{when:<17}", f"{strike.stage:<17}"]
    words += [
        f"{strike.state:<10}",
        f"{strike.driver:<7}",
        f"{len(strike.retries)} retries",
        f"{strike.elapsed_s:5.1f} s",
    ]
    print("  ".join([*words, outcome]), flush=True)


def main() -> int:
    if sys.argv[1:2] == ["--drive"]:
        cluster, source, database, runtime = sys.argv[2:]
        return drive(Path(cluster), Path(source), database, "ray" if runtime == "ray" else "inline")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--rows", type=int, default=20_000, help="objects of the first catalog")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write all rounds as JSON")
    options = parser.parse_args()
    strikes = run(options.times, options.rows, options.seed, tell)
    found = summary(strikes)
    print(json.dumps(found, indent=1))
    if options.json:
        rounds = [asdict(strike) for strike in strikes]
        Path(options.json).write_text(json.dumps({**found, "rounds": rounds}, indent=1))
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
