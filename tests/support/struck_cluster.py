"""What rounds of killing in moves and in repairs have in common: a database of two transactions, struck and compared.

A round kills with -9 the command that works, the server of a node, or the czar's. Answers must be as undisturbed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.kill_catalog import write_catalog
from tests.support.query_driver import STATEMENTS, digest
from tests.support.warm_processes import WarmProcess, start_warm

from skyshard.basics.errors import ClusterError
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

REPLICAS = 2
_ENDED = {0: "done", 1: "something is left", -9: "killed"}
_ENDS = (0, 1, 3, -9)
"""Exit codes of a command that was struck, or whose server was: 3 is an error of the cluster."""


@dataclass(slots=True, kw_only=True)
class Blow:
    """Of one round: how the command ended that was struck, what was tried again, what was wrong, what is left."""

    delay_s: float = 0.0
    ended: str = ""
    retries: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    elapsed_s: float = 0.0


class StruckCluster:
    """A cluster to shoot at, with a database of two transactions, each chunk on two nodes."""

    def __init__(self, folder: Path, database: str, nodes: int, *, rows: int, seed: int) -> None:
        self.folder = folder
        self.database = database
        self.cluster = PrivateCluster(folder / "cluster")
        self.random = random.Random(seed)
        self.truth: list[str] = []
        self._nodes = nodes
        self._rows = rows

    def fill(self) -> None:
        """Start the cluster, ingest, and answer each statement undisturbed."""
        self.cluster.start(self._nodes)
        with Testbed(self.cluster.folder) as testbed:
            for seed in (1, 2):
                source = write_catalog(self.folder / str(seed), objects=self._rows, seed=seed, side_deg=4)
                testbed.ingest(source, database=self.database, replicas=REPLICAS)
            self.truth = self._answers(testbed)

    def close(self) -> None:
        if self.cluster.exists:
            self.cluster.destroy()

    def command(self, *words: str) -> WarmProcess:
        """A command of skyshard's in a process of its own; what it prints is in ``commands.log``."""
        return start_warm([*words, "--cluster", str(self.cluster.folder)], self.folder / "commands.log")

    def kill(self, blow: Blow, process: WarmProcess, server: str = "") -> None:
        """Kill a server, or the process itself, and see how that ends."""
        if server:
            self.cluster.kill_server(server)
        else:
            process.kill()
        code = process.wait()
        blow.ended = _ENDED.get(code, f"exit {code}")
        if code not in _ENDS:
            blow.wrong.append(f"the command ended with {code}")

    def compare(self, blow: Blow, testbed: Testbed, when: str) -> None:
        """One node at least has all of each chunk: every statement has the rows that it had undisturbed."""
        try:
            for number, (got, want) in enumerate(zip(self._answers(testbed), self.truth, strict=True)):
                if got != want:
                    blow.wrong.append(f"{when}, statement {number}: other rows")
        except ClusterError as error:
            blow.wrong.append(f"{when}: {error}")
            for one in testbed.registry.replication.faulty(self.database, most=200):
                blow.wrong.append(f"{one.node}: {one.table} {one.chunk} {one.part} {one.state}: {one.fault}")

    def verify(self, blow: Blow, testbed: Testbed) -> None:
        """Read all back from the nodes."""
        blow.wrong += [f"{one.name}: {one.found}" for one in testbed.verify(self.database) if not one.is_good]

    def retry(self, blow: Blow, error: ClusterError) -> None:
        """Note why something is tried again, a little later."""
        blow.retries.append(str(error))
        time.sleep(0.2)

    def left(self) -> Iterator[str]:
        """Files that belong to nobody."""
        cluster = self.cluster
        yield from (f"left: {path}" for path in (cluster.folder / "staging").glob("*/**"))
        for server in (CZAR_NAME, *cluster.node_names):
            for pattern in ("load-*", "*/*.tmp", "*/*.TMD"):
                yield from (f"left: {path}" for path in cluster.data_dir(server).glob(pattern))

    def _answers(self, testbed: Testbed) -> list[str]:
        return [digest(testbed.query(sql, database=self.database).table) for sql in STATEMENTS]
