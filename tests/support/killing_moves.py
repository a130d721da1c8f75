"""Rounds of killing in moves: a drain or a rebalance is struck, gone on with, and looked at.

Killed with -9 is the process that works on the job, the server of a node, or the czar's. After each kill answers must
be as undisturbed; after the job was gone on with, every row must be there once, every chunk at its level, nothing left.
By turns a node is drained, and then enabled and filled again by a rebalance.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.support.kill_catalog import write_catalog
from tests.support.query_driver import STATEMENTS, digest

from skyshard.basics.errors import ClusterError
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

DATABASE = "moved"
NODES, REPLICAS = 3, 2
DRAINED = "node3"
ATTEMPTS = 8
LONGEST_S = 3.0


class MoveKind(StrEnum):
    """What is killed."""

    PROCESS = "job"
    NODE = "node"
    CZAR = "czar"


@dataclass(slots=True)
class MoveStrike:
    """One round: which job was struck how, and what was wrong."""

    kind: MoveKind
    job: str
    victim: str
    delay_s: float = 0.0
    ended: str = ""
    state: str = ""
    """Of the job after the kill."""
    retries: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    elapsed_s: float = 0.0


class MoveRange:
    """A cluster to shoot at, with a database of two transactions at level 2 on three nodes."""

    def __init__(self, folder: Path, *, rows: int, seed: int = 1) -> None:
        self.folder = folder
        self.cluster = PrivateCluster(folder / "cluster")
        self.random = random.Random(seed)
        self._rows = rows
        self._is_drained = False
        self._longest_s = LONGEST_S

    def open(self) -> None:
        """Start the cluster, ingest, and answer each statement undisturbed."""
        self.cluster.start(NODES)
        with Testbed(self.cluster.folder) as testbed:
            for seed in (1, 2):
                source = write_catalog(self.folder / str(seed), objects=self._rows, seed=seed, side_deg=4)
                testbed.ingest(source, database=DATABASE, replicas=REPLICAS)
            self.truth = self._answers(testbed)
            self.sums = self._sums(testbed)

    def close(self) -> None:
        if self.cluster.exists:
            self.cluster.destroy()

    def strike(self, kind: MoveKind) -> MoveStrike:
        """One round."""
        names = {MoveKind.NODE: self.cluster.node_names, MoveKind.CZAR: (CZAR_NAME,)}.get(kind, ("job",))
        job = "rebalance" if self._is_drained else "drain"
        strike, start = MoveStrike(kind, job, self.random.choice(names)), time.monotonic()
        self._shoot(strike)
        self.cluster.start()
        with Testbed(self.cluster.folder) as testbed:
            strike.state = next((str(one.job.state) for one in testbed.jobs.list()), "none")
            self._compare(strike, testbed, "after the kill")
        self._end_job(strike)
        self._is_drained = not self._is_drained
        with Testbed(self.cluster.folder) as testbed:
            self._compare(strike, testbed, "after the job")
            strike.wrong += [f"{one.name}: {one.found}" for one in testbed.verify(DATABASE) if not one.is_good]
            if self._sums(testbed) != self.sums:
                strike.wrong.append("the registry has other rows")
            if testbed.replicas.status(DATABASE).databases[0].under:
                strike.wrong.append("chunks are below their level")
            if self._is_drained and (held := self._held(testbed)):
                strike.wrong.append(f"{DRAINED} still has {held[0]}")
        strike.leftovers = list(self._left())
        strike.elapsed_s = time.monotonic() - start
        return strike

    def _answers(self, testbed: Testbed) -> list[str]:
        return [digest(testbed.query(sql, database=DATABASE).table) for sql in STATEMENTS]

    def _sums(self, testbed: Testbed) -> dict[object, set[str]]:
        """Part of each chunk table → its digests on all nodes, which must be one."""
        found: dict[object, set[str]] = {}
        for replica in testbed.registry.replicas.all(DATABASE):
            found.setdefault((*replica.target, replica.part), set()).add(replica.digest)
        return found

    def _compare(self, strike: MoveStrike, testbed: Testbed, when: str) -> None:
        try:
            for number, (got, want) in enumerate(zip(self._answers(testbed), self.truth, strict=True)):
                if got != want:
                    strike.wrong.append(f"{when}, statement {number}: other rows")
        except ClusterError as error:
            strike.wrong.append(f"{when}: {error}")

    def _command(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "skyshard.cli.app", *words, "--cluster", str(self.cluster.folder)]
        with (self.folder / "moves.log").open("ab") as out:
            return subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)

    def _begin(self, job: str) -> subprocess.Popen[bytes]:
        if job == "drain":
            return self._command("replicas", "drain", DRAINED, "--grace", "0")
        enabled = self._command("nodes", "enable", DRAINED)
        assert enabled.wait() == 0
        return self._command("replicas", "rebalance", "--grace", "0")

    def _shoot(self, strike: MoveStrike) -> None:
        """Kill at a random instant from when the job is in the registry."""
        with Testbed(self.cluster.folder) as testbed:
            before = len(testbed.jobs.list())
            process = self._begin(strike.job)
            while process.poll() is None and len(testbed.jobs.list()) == before:
                time.sleep(0.01)
        strike.delay_s = self.random.uniform(0, self._longest_s)
        time.sleep(strike.delay_s)
        is_over = process.poll() is not None
        self._longest_s = max(0.3, self._longest_s * (0.7 if is_over else 1.1))
        if strike.kind is MoveKind.PROCESS:
            process.kill()
        else:
            self.cluster.kill_server(strike.victim)
        code = process.wait()
        strike.ended = {0: "done", 1: "something is left", -9: "killed"}.get(code, f"exit {code}")
        if code not in (0, 1, 3, -9):
            strike.wrong.append(f"the job ended with {code}")

    def _end_job(self, strike: MoveStrike) -> None:
        """Go on with what is open, then ask for the same again until nothing is to do."""
        for _ in range(ATTEMPTS):
            with Testbed(self.cluster.folder) as testbed:
                try:
                    for one in testbed.jobs.list():
                        if str(one.job.state) in ("running", "paused", "cancelling"):
                            testbed.jobs.run(one.job.id)
                    if strike.job == "drain" and not self._held(testbed):
                        return
                    is_drain = strike.job == "drain"
                    plan = testbed.replicas.plan_drain(DRAINED) if is_drain else testbed.replicas.plan_rebalance()
                    if not (number := testbed.jobs.begin(plan, rate_bytes_s=0, grace_s=0.0)):
                        return
                    testbed.jobs.run(number)
                except ClusterError as error:
                    strike.retries.append(str(error))
                    time.sleep(0.2)
        strike.wrong.append("the job does not come to its end")

    def _held(self, testbed: Testbed) -> list[str]:
        """Chunk tables of the node that is drained."""
        every = testbed.registry.replicas.all(DATABASE)
        return [one.name for one in every if one.node == DRAINED and one.chunk >= 0]

    def _left(self) -> Iterator[str]:
        cluster = self.cluster
        yield from (f"left: {path}" for path in (cluster.folder / "staging").glob("*/**"))
        for server in (CZAR_NAME, *cluster.node_names):
            yield from (f"left: {path}" for path in cluster.data_dir(server).glob("load-*"))
            yield from (f"left: {path}" for path in cluster.data_dir(server).glob("*/*.tmp"))
