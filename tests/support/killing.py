"""Rounds of killing: an ingest is struck at a random instant, gone on with, and compared with an undisturbed one.

One process is killed with -9: the driver (inline or on Ray), a Ray worker, a Ray actor, a node's server or the czar's.
Servers are started again, the ingest is run again until it succeeds. Compared are verification, the digest of every
chunk table, and what is left that belongs to nobody: tables, files, bundles, keys. A round may strike the second
transaction of a database that is published; what it shows before the ingest goes on must then be the first.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import psutil
from tests.support.kill_catalog import write_catalog
from tests.support.kill_driver import COLUMNS, HOLD, drive
from tests.support.warm_processes import WarmProcess

from skyshard.basics.errors import ClusterError, UserError
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.node.kept_records import RECORDS_DATABASE
from skyshard.node.mariadb_loader import MariaDBLoader
from skyshard.registry.stored.records import Replica
from skyshard.registry.stored.sql_tables import INDEX_DATABASE, REGISTRY_DATABASE
from skyshard.runtime import RuntimeKind
from skyshard.testbed import Testbed

FIRST, SECOND = "first", "second"
BEGINS, WORKS = "begins", "prepare"
NODES = 2
END_TIMEOUT_S = 200.0
ATTEMPTS = 5
RUNTIMES: tuple[RuntimeKind, ...] = ("inline", "ray")


class Driver:
    """A driver process, the stages that it went through, and how it ended."""

    def __init__(
        self,
        cluster: Path,
        source: Path,
        database: str,
        runtime: RuntimeKind,
        log: Path,
        *,
        replaced: str = "",
        hold: str = "",
        columns: str = "",
    ) -> None:
        """``hold``: the stage that it stays in once it has said so, until it is killed; ``columns``: with images."""
        self._log = log
        log.write_bytes(b"")
        environment = {**os.environ, HOLD: hold, COLUMNS: columns}
        again = [replaced] if replaced else []
        self.process = WarmProcess(log, environment, drive, cluster, source, database, runtime, again)

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

    def children(self, title: str) -> list[psutil.Process]:
        """Its processes, at any depth, whose title begins like this."""
        try:
            found = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [process for process in found if _title(process).startswith(title)]

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


class Kind(StrEnum):
    """What is killed."""

    DRIVER = "driver"
    RAY_DRIVER = "driver on Ray"
    WORKER = "Ray worker"
    ACTOR = "Ray actor"
    NODE = "node"
    CZAR = "czar"

    @property
    def runtime(self) -> RuntimeKind:
        """Of the ingest that it strikes."""
        return "ray" if self in (Kind.RAY_DRIVER, Kind.WORKER, Kind.ACTOR) else "inline"


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
        self.cluster = PrivateCluster(folder / "cluster")
        self.random = random.Random(seed)
        self.sources = {
            FIRST: write_catalog(folder / FIRST, objects=rows, seed=1),
            SECOND: write_catalog(folder / SECOND, objects=max(10, rows // 2), seed=2),
        }
        self.truth: dict[str, Digests] = {}
        self.span_s: dict[tuple[str, str, str], float] = {}
        self._count = 0

    def open(self, runtimes: Sequence[RuntimeKind] = RUNTIMES) -> None:
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
                    found = digests(testbed.registry.replicas.all(f"undisturbed_{runtime}"))
                assert self.truth.setdefault(name, found) == found

    def _instant(self, kind: Kind, runtime: RuntimeKind, transaction: str) -> tuple[str, float]:
        """A random line of the driver and a random time after it; one in four is before the ingest works at all."""
        begin = self.random.choice((BEGINS, WORKS, WORKS, WORKS))
        measured = runtime if (runtime, transaction, begin) in self.span_s else "inline"
        share = 0.5 if kind is Kind.WORKER else 1.0  # workers partition, which comes first
        return begin, self.random.uniform(0, share * self.span_s[measured, transaction, begin])

    def _drive(self, source: Path, database: str, runtime: RuntimeKind) -> Driver:
        self._count += 1
        log = self.folder / f"driver{self._count}.log"
        return Driver(self.cluster.folder, source, database, runtime, log)

    def strike(self, kind: Kind, transaction: str) -> Strike:
        """One round, from a database of its own to its removal."""
        strike = Strike(kind, kind.runtime, transaction, *self._instant(kind, kind.runtime, transaction))
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
        if kind in (Kind.DRIVER, Kind.RAY_DRIVER):
            driver.process.kill()
            return True
        victims = driver.children("ray::_Host" if kind is Kind.ACTOR else "ray::_run")
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
        states = Counter(row["state"] for row in testbed.registry.transactions.all(database))
        finished = ["", FIRST, SECOND][states["finished"]]
        if finished:
            yield from self._differences(testbed, database, finished)
        elif database in testbed.registry.published.databases():
            yield "an unpublished database is listed"

    def _differences(self, testbed: Testbed, database: str, transaction: str) -> Iterator[str]:
        """Failed checks, and chunk tables with other digests than undisturbed."""
        yield from (f"{check.name}: {check.found}" for check in testbed.verify(database) if not check.is_good)
        found, truth = digests(testbed.registry.replicas.all(database)), self.truth[transaction]
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
    found = testbed.registry.transactions.all(database)
    return str(found[-1]["state"]) if found else "none"


def leftovers(testbed: Testbed, database: str) -> Iterator[str]:
    """Bundles, keys, half-written files and Ray folders that nobody needs any more."""
    cluster = testbed.cluster
    yield from (f"left: {path}" for path in (cluster.folder / "staging").glob(f"{database}*/**"))
    finished = {str(row["id"]) for row in testbed.registry.transactions.all(database) if row["state"] == "finished"}
    for path in (cluster.folder / "director-keys" / database).glob("*/*"):
        names = sorted(file.name for file in path.iterdir())
        kinds = (["keys.npy", "places.npy", "record.json"], ["orphans.npy", "orphans.xxh3"])
        if path.name not in finished or names not in kinds:
            yield f"left: {path} {names}"
    for server in (CZAR_NAME, *cluster.node_names):
        yield from (f"left: {path}" for path in cluster.data_dir(server).glob("**/load-*"))
        yield from (f"left: {path}" for path in cluster.data_dir(server).glob("*/*.tmp"))


def forget(testbed: Testbed, database: str) -> None:
    """Remove a database; there is no command for it yet."""
    for node in testbed.nodes:
        with connect(testbed.cluster.endpoint(node), Account.ADMIN) as connection, suppress(UserError):  # none kept
            connection.execute(f"DELETE FROM {RECORDS_DATABASE}.records WHERE `database` = %s", [database])
    for server in (CZAR_NAME, *testbed.nodes):
        loader = MariaDBLoader(server, testbed.cluster.endpoint(server), str(testbed.cluster.data_dir(server)))
        loader.drop_database(database)
        if server == CZAR_NAME:
            names = [name for name in loader.tables(INDEX_DATABASE) if name.startswith(f"{database}__")]
            loader.drop_tables(INDEX_DATABASE, names)
    with connect(testbed.cluster.endpoint(CZAR_NAME), Account.ADMIN) as connection:
        connection.execute(f"DELETE FROM {REGISTRY_DATABASE}.`databases` WHERE name = %s", [database])
    shutil.rmtree(testbed.cluster.folder / "director-keys" / database, ignore_errors=True)
