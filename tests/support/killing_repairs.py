"""Rounds of killing in repairs: replicas are damaged, the repair of them is struck, gone on with, and looked at.

Killed with -9 is the process that repairs, the server of the node that gets replicas, or the czar's. After each kill
answers must be as undisturbed; after another run of the repair the database must be whole, verified, and nothing left.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.support.killing import digests
from tests.support.replica_faults import FAULTS, damage
from tests.support.struck_cluster import Blow, StruckCluster
from tests.support.warm_processes import WarmProcess

from skyshard.basics.errors import ClusterError
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.db.connection import Account, connect
from skyshard.registry.stored.records import WHOLE
from skyshard.testbed import Testbed

DATABASE = "mended"
NODES = 2
RATE_MB_S = 2.0
MOST_DAMAGED = 24
ATTEMPTS = 5
WHOLE_NODE = 8
"""One round in so many loses all that a node has of the database."""


class RepairKind(StrEnum):
    """What is killed."""

    PROCESS = "repair"
    NODE = "node"
    CZAR = "czar"


@dataclass(slots=True)
class RepairStrike(Blow):
    """One round: what was damaged, what was killed when, how far the repair was, and what was wrong."""

    kind: RepairKind
    victim: str
    damaged: int = 0
    bad: int = 0
    """Replicas that ``verify`` found bad."""
    still_bad: int = 0
    """After the kill."""


class RepairRange(StruckCluster):
    """A cluster to shoot at, with a database of two transactions at level 2."""

    def __init__(self, folder: Path, *, rows: int, seed: int = 1) -> None:
        super().__init__(folder, DATABASE, NODES, rows=rows, seed=seed)
        self._one_s = 0.0

    def open(self) -> None:
        """Start the cluster, ingest, answer each statement, and see how long a repair takes."""
        self.fill()
        with Testbed(self.cluster.folder) as testbed:
            self.digests = digests(testbed.registry.replicas.all(DATABASE))
        strike = RepairStrike(RepairKind.PROCESS, "")
        self._damage(strike)
        process = self._repair()
        self._wait_until_at_work(process)
        start = time.monotonic()
        assert process.wait() == 0
        self._one_s = (time.monotonic() - start) / strike.bad

    def strike(self, kind: RepairKind) -> RepairStrike:
        """One round."""
        names = {RepairKind.NODE: self.cluster.node_names, RepairKind.CZAR: (CZAR_NAME,)}.get(kind, ("repair",))
        strike, start = RepairStrike(kind, self.random.choice(names)), time.monotonic()
        self._damage(strike)
        self._shoot(strike)
        self.cluster.start()
        with Testbed(self.cluster.folder) as testbed:
            strike.still_bad = len(testbed.registry.replication.not_good(DATABASE))
            self._aim(strike)
            self.compare(strike, testbed, "after the kill")
            self._end_repair(strike, testbed)
            self.compare(strike, testbed, "after the repair")
            self.verify(strike, testbed)
            if digests(testbed.registry.replicas.all(DATABASE)) != self.digests:
                strike.wrong.append("the registry has other digests")
            if not testbed.replicas.status(DATABASE).is_whole:
                strike.wrong.append("the level is not whole")
        strike.leftovers = list(self.left())
        strike.elapsed_s = time.monotonic() - start
        return strike

    def _damage(self, strike: RepairStrike) -> None:
        """Replicas of which the other node has the same rows; or all that a node has."""
        with Testbed(self.cluster.folder) as testbed:
            if strike.victim and self.random.randrange(WHOLE_NODE) == 0:
                node = self.random.choice(self.cluster.node_names)
                with connect(self.cluster.endpoint(node), Account.ADMIN) as connection:
                    connection.execute(f"DROP DATABASE {DATABASE}")
            else:
                rows = [r for r in testbed.registry.replicas.all(DATABASE) if r.rows >= 3 and r.table != "Cutout"]
                tables = {r.name: r.chunk for r in rows}
                nodes = {chunk: self.random.choice(self.cluster.node_names) for chunk in sorted(set(tables.values()))}
                chosen = self.random.sample(sorted(tables), self.random.randint(4, MOST_DAMAGED))
                if any(tables[name] == WHOLE for name in chosen):  # a chunk is joined with regular tables of its node
                    nodes = dict.fromkeys(nodes, nodes[WHOLE])
                for name in chosen:  # of one chunk on one node: the other has all of its tables
                    damage(testbed, nodes[tables[name]], DATABASE, name, self.random.choice(list(FAULTS)))
                strike.damaged = len(chosen)
            strike.bad = sum(len(one.faults) for one in testbed.replicas.verify(DATABASE))

    def _repair(self) -> WarmProcess:
        return self.command("replicas", "repair", DATABASE, "--rate", str(RATE_MB_S), "--json")

    def _shoot(self, strike: RepairStrike) -> None:
        """Kill at a random instant from when the registry says that the first replica is being made."""
        process = self._repair()
        strike.delay_s = self.random.uniform(0, self._one_s * strike.bad)
        self._wait_until_at_work(process)
        time.sleep(strike.delay_s)
        self.kill(strike, process, "" if strike.kind is RepairKind.PROCESS else strike.victim)

    def _aim(self, strike: RepairStrike) -> None:
        """Earlier next time where all was done before the kill, later where nothing was: in the middle is wanted."""
        if strike.still_bad in (0, strike.bad):
            self._one_s *= 1.25 if strike.still_bad else 0.6

    def _wait_until_at_work(self, process: WarmProcess) -> None:
        """Until the registry says that a replica is being made."""
        with Testbed(self.cluster.folder) as testbed:
            index = testbed.registry.replication
            while process.poll() is None and all(one.replica.state != "building" for one in index.not_good(DATABASE)):
                time.sleep(0.005)

    def _end_repair(self, strike: RepairStrike, testbed: Testbed) -> None:
        for _ in range(ATTEMPTS):
            try:
                (done,) = testbed.replicas.repair(DATABASE)
            except ClusterError as error:
                self.retry(strike, error)
                continue
            if done.is_done:
                return
            strike.retries += [f"{what}: {why}" for what, why in done.failed.items()]
            strike.retries += [f"{one.table} {one.chunk} is lost" for one in done.lost]
        strike.wrong.append("the repair does not succeed")
