"""Rounds of killing under queries: a node, the czar's server or a czar's process is struck while statements run.

A driver (``query_driver``) answers statements in threads; at a random instant one process is killed with -9. Servers
are started again, statements go on, and then nothing is under way. Compared are all answers with undisturbed ones, and
what is left: scratch tables that neither a sweep nor their living czar takes, statements of processes that are gone.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.support.kill_catalog import write_catalog
from tests.support.query_driver import STATEMENTS, THREADS, digest

from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.testbed import Testbed

SCRIPT = Path(__file__).with_name("query_driver.py")
DATABASE = "asked"
NODES, REPLICAS = 3, 2
LONGEST_S = 1.5
"""Of the time from the first statement to the kill."""
FURTHER = 2 * THREADS
"""Statements that are answered after a server is killed, before it is started again."""
ANSWER_TIMEOUT_S = 300.0
LEFT_TIMEOUT_S = 120.0
"""So long statements of killed processes may take to end, and a living czar to drop what a dead server kept."""


class QueryKind(StrEnum):
    """What is killed."""

    NODE = "node"
    PROCESS = "czar process"
    CZAR = "czar"


@dataclass(slots=True)
class QueryStrike:
    """One round: what was killed when, how many statements were answered or failed, and what was wrong."""

    kind: QueryKind
    victim: str
    delay_s: float
    answered: int = 0
    failed: list[str] = field(default_factory=list)
    """Errors of statements: none is due to a node of which all replicas are elsewhere."""
    wrong: list[str] = field(default_factory=list)
    lost: int = 0
    """Answers with fewer rows than undisturbed, or other ones; they are among ``wrong``."""
    leftovers: list[str] = field(default_factory=list)
    swept: int = 0
    """Scratch tables of a killed process that the next one dropped."""
    elapsed_s: float = 0.0


class Asker:
    """A driver process: told to run and to pause; its lines as they come."""

    def __init__(self, cluster: Path, seed: int, log: Path) -> None:
        self._log, self._read = log, 0
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(cluster), DATABASE, str(seed)],
                stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
        self.wait_for("begins")

    def say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    @property
    def answered(self) -> int:
        return self._log.read_bytes().count(b"\n")

    def wait_for(self, state: str) -> None:
        before = self.answered if state != "begins" else 0
        self.wait(lambda: any(f'"state": "{state}"' in line for line in self._lines()[max(0, before - 1) :]))

    def wait(self, is_so: Any) -> None:
        until = time.monotonic() + ANSWER_TIMEOUT_S
        while not is_so():
            if (code := self.process.poll()) is not None or time.monotonic() > until:
                what = "does not answer" if code is None else f"ended with {code}"
                raise RuntimeError(f"the driver {what}: {self._lines()[-30:]}")
            time.sleep(0.01)

    def pause(self) -> None:
        seen = self._paused()
        self.say("pause")
        self.wait(lambda: self._paused() > seen)

    def _paused(self) -> int:
        return self._log.read_text(errors="replace").count('"state": "paused"')

    def _lines(self) -> list[str]:
        return self._log.read_text(errors="replace").splitlines()

    def news(self) -> list[Mapping[str, Any]]:
        """Answers since it was asked last; a torn last line of a killed process is none."""
        lines = self._lines()[self._read :]
        found = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                found += [{"broken": line}] if line is not lines[-1] else []
        self._read += len(lines)
        return [one for one in found if "state" not in one]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class QueryRange:
    """A cluster to shoot at, with a database on it at level 2, and the undisturbed answers."""

    def __init__(self, folder: Path, *, rows: int, seed: int = 1) -> None:
        self.folder = folder
        self.cluster = PrivateCluster(folder / "cluster")
        self.random = random.Random(seed)
        self._rows, self._count = rows, 0
        self.truth: dict[int, str] = {}
        self._asker: Asker | None = None

    def open(self) -> None:
        """Start the cluster, ingest, and answer each statement undisturbed."""
        self.cluster.start(NODES)
        source = write_catalog(self.folder / "sky", objects=self._rows, seed=1, side_deg=6)
        with Testbed(self.cluster.folder) as testbed:
            testbed.ingest(source, database=DATABASE, replicas=REPLICAS)
            for number, sql in enumerate(STATEMENTS):
                self.truth[number] = digest(testbed.query(sql, database=DATABASE).table)

    def close(self) -> None:
        if self._asker is not None:
            self._asker.end()
        if self.cluster.exists:
            self.cluster.destroy()

    def strike(self, kind: QueryKind) -> QueryStrike:
        """One round."""
        names = {QueryKind.NODE: self.cluster.node_names, QueryKind.CZAR: (CZAR_NAME,)}.get(kind, ("driver",))
        strike = QueryStrike(kind, self.random.choice(names), self.random.uniform(0, LONGEST_S))
        start, asker = time.monotonic(), self._driver()
        asker.say("run")
        time.sleep(strike.delay_s)
        if kind is QueryKind.PROCESS:
            asker.end()
            self._asker = None
        else:
            self.cluster.kill_server(strike.victim)
            answered = asker.answered
            asker.wait(lambda: asker.answered >= answered + FURTHER)
            self.cluster.start()
            asker.pause()
        for one in asker.news():
            self._judge(strike, one)
        strike.swept, strike.leftovers = self._left()
        self._ask_again(strike)
        strike.elapsed_s = time.monotonic() - start
        return strike

    def _driver(self) -> Asker:
        if self._asker is None:
            self._count += 1
            self._asker = Asker(
                self.cluster.folder, self.random.randrange(10**6), self.folder / f"asker{self._count}.log"
            )
        return self._asker

    def _judge(self, strike: QueryStrike, one: Mapping[str, Any]) -> None:
        if "broken" in one:
            strike.wrong.append(f"no line of the driver: {one['broken']}")
        elif "error" in one:
            strike.failed.append(one["error"])
            if one["exit"] != "3":  # a dead server is no error of who asks
                strike.wrong.append(f"statement {one['statement']}: exit {one['exit']}: {one['error']}")
        else:
            strike.answered += 1
            if one["digest"] != self.truth[one["statement"]]:
                strike.lost += 1
                strike.wrong.append(f"statement {one['statement']}: other rows")

    def _ask_again(self, strike: QueryStrike) -> None:
        """Some statements of a czar that begins now."""
        with Testbed(self.cluster.folder) as testbed:
            for number in self.random.sample(range(len(STATEMENTS)), 3):
                if digest(testbed.query(STATEMENTS[number], database=DATABASE).table) != self.truth[number]:
                    strike.wrong.append(f"afterwards, statement {number}: other rows")

    def _left(self) -> tuple[int, list[str]]:
        """Scratch tables that a sweep drops; and what it leaves: tables, and statements that run on."""
        with Testbed(self.cluster.folder) as testbed:
            swept = testbed.czar.sweep()
        return swept, [*_at_last_nothing(self._tables), *_at_last_nothing(self._running)]

    def _tables(self) -> Iterator[str]:
        for server in (CZAR_NAME, *self.cluster.node_names):
            with connect(self.cluster.endpoint(server), Account.ADMIN) as connection:
                for (name,) in connection.rows(f"SHOW TABLES FROM {SCRATCH_DATABASE}"):
                    yield f"{server}: scratch table {name}"

    def _running(self) -> Iterator[str]:
        for server in (CZAR_NAME, *self.cluster.node_names):
            with connect(self.cluster.endpoint(server), Account.ADMIN) as connection:
                for row in connection.rows("SHOW FULL PROCESSLIST"):
                    if str(row[1]).startswith(Account.READER) and str(row[4]) == "Query":
                        yield f"{server}: {row[7]}"


def _at_last_nothing(find: Callable[[], Iterator[str]]) -> list[str]:
    """What there is still after a time to end in."""
    until = time.monotonic() + LEFT_TIMEOUT_S
    while (found := list(find())) and time.monotonic() < until:
        time.sleep(0.1)
    return found
