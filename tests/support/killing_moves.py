"""Rounds of killing in moves: a drain or a rebalance is struck, gone on with, and looked at.

Killed with -9 is the process that works on the job, the server of a node, or the czar's. After each kill answers must
be as undisturbed; after the job was gone on with, every row must be there once, every chunk at its level, nothing left.
By turns a node is drained, and then enabled and filled again by a rebalance.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.support.struck_cluster import Blow, StruckCluster
from tests.support.warm_processes import WarmProcess

from skyshard.basics.errors import ClusterError
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.testbed import Testbed

DATABASE = "moved"
NODES = 3
DRAINED = "node3"
ATTEMPTS = 8
LONGEST_S = 3.0


class MoveKind(StrEnum):
    """What is killed."""

    PROCESS = "job"
    NODE = "node"
    CZAR = "czar"


@dataclass(slots=True)
class MoveStrike(Blow):
    """One round: which job was struck how, and what was wrong."""

    kind: MoveKind
    job: str
    victim: str
    state: str = ""
    """Of the job after the kill."""


class MoveRange(StruckCluster):
    """A cluster to shoot at, with a database of two transactions at level 2 on three nodes."""

    def __init__(self, folder: Path, *, rows: int, seed: int = 1) -> None:
        super().__init__(folder, DATABASE, NODES, rows=rows, seed=seed)
        self._is_drained = False
        self._longest_s = LONGEST_S

    def open(self) -> None:
        """Start the cluster, ingest, and answer each statement undisturbed."""
        self.fill()
        with Testbed(self.cluster.folder) as testbed:
            self.sums = self._sums(testbed)

    def strike(self, kind: MoveKind) -> MoveStrike:
        """One round."""
        names = {MoveKind.NODE: self.cluster.node_names, MoveKind.CZAR: (CZAR_NAME,)}.get(kind, ("job",))
        job = "rebalance" if self._is_drained else "drain"
        strike, start = MoveStrike(kind, job, self.random.choice(names)), time.monotonic()
        self._shoot(strike)
        self.cluster.start()
        with Testbed(self.cluster.folder) as testbed:
            strike.state = next((str(one.job.state) for one in testbed.jobs.list()), "none")
            self.compare(strike, testbed, "after the kill")
        self._end_job(strike)
        self._is_drained = not self._is_drained
        with Testbed(self.cluster.folder) as testbed:
            self.compare(strike, testbed, "after the job")
            self.verify(strike, testbed)
            if self._sums(testbed) != self.sums:
                strike.wrong.append("the registry has other rows")
            if testbed.replicas.status(DATABASE).databases[0].under:
                strike.wrong.append("chunks are below their level")
            if self._is_drained and (held := self._held(testbed)):
                strike.wrong.append(f"{DRAINED} still has {held[0]}")
        strike.leftovers = list(self.left())
        strike.elapsed_s = time.monotonic() - start
        return strike

    def _sums(self, testbed: Testbed) -> dict[object, set[str]]:
        """Part of each chunk table → its digests on all nodes, which must be one."""
        found: dict[object, set[str]] = {}
        for replica in testbed.registry.replicas.all(DATABASE):
            found.setdefault((*replica.target, replica.part), set()).add(replica.digest)
        return found

    def _begin(self, job: str) -> WarmProcess:
        if job == "drain":
            return self.command("replicas", "drain", DRAINED, "--grace", "0")
        enabled = self.command("nodes", "enable", DRAINED)
        assert enabled.wait() == 0
        return self.command("replicas", "rebalance", "--grace", "0")

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
        self.kill(strike, process, "" if strike.kind is MoveKind.PROCESS else strike.victim)

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
                    self.retry(strike, error)
        strike.wrong.append("the job does not come to its end")

    def _held(self, testbed: Testbed) -> list[str]:
        """Chunk tables of the node that is drained."""
        every = testbed.registry.replicas.all(DATABASE)
        return [one.name for one in every if one.node == DRAINED and one.chunk >= 0]
