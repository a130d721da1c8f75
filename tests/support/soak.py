"""Endurance: random faults over hosts while two databases are ingested, compacted, scrubbed, drained and queried.

Four things go on at once, each drawn from a seed: what users change and what operators move (one command after another,
each run again until it succeeds), what breaks (one fault after another, undone after a while), and threads that ask for
counts and sums whose right values are known at each moment. Each kind of change and of fault comes once before any
comes again. What ends wrong is in ``Soaked.wrong``; an honest error is counted.

    with running_site(lab, nodes=3) as site:
        found = soak(site, seconds=1800, seed=1)
        assert found.wrong == []
"""

from __future__ import annotations

import json
import random
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TypeVar

import psutil
from tests.support.hosts import Host
from tests.support.kill_catalog import write_catalog
from tests.support.replica_faults import FAULTS
from tests.support.running_site import CZAR, RunningSite, is_ray_up

from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.db.connection import Account, connect, quote_name
from skyshard.testbed import Testbed

OBJECTS = 300
MAX_PARTS = 6
"""Transactions of a database, until it is dropped and begun anew."""
TRIES = 40
RAY_IS_BACK_S = 20.0
PAUSE_S = (8.0, 24.0)
"""Between two faults."""
CORRUPT = ("no table", "no data", "no index", "no definition", "empty index")
"""Faults that a query meets itself, and leaves: those that only a scrub sees may be in an answer until then."""
INTERRUPTED = re.compile(r"jobs resume (\d+)")
REPAIR = ("replicas", "repair", "--rate", "50")
INGEST = "testbed.ingest(argv[0], database=argv[1], replicas=2); testbed.ingest(argv[2], database=argv[3], replicas=2)"
TIDY = """
testbed.replicas.verify()
testbed.replicas.repair(rate_bytes_s=50e6)
for name in argv:
    testbed.compact(name, grace_s=0)
    require_good(name)
print(testbed.replicas.status().is_whole)
"""
DROP = "for name in argv: testbed.drop(name)"
QUESTIONS = {
    "Object": "SELECT COUNT(*), SUM(objectId) FROM Object",
    "Source": "SELECT COUNT(*), SUM(objectId) FROM Source",
    "joined": "SELECT COUNT(*), SUM(o.objectId) FROM Object o JOIN Source s ON o.objectId = s.objectId",
}
Answer = tuple[int, int]
T = TypeVar("T")


@dataclass
class Soaked:
    """What a soak saw."""

    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)
    """Answers that were not right at any moment of their query, faults without a remedy, what was left over."""
    right: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Statements that ended with an error of the cluster, by the error's first words."""
    done: Counter[str] = field(default_factory=Counter)
    """Commands that succeeded."""
    again: Counter[str] = field(default_factory=Counter)
    """Times that a command was run again after an error of the cluster."""
    faults: Counter[str] = field(default_factory=Counter)
    samples: list[dict[str, float]] = field(default_factory=list)
    """Every few seconds: memory and open files of this czar, of supervisors, of servers; files of all data folders."""
    longest_s: float = 0.0
    """The longest time of a statement."""


@dataclass
class Known:
    """What a database answers: after each of its transactions, and with the one on its way."""

    name: str
    states: list[int]
    """The seeds whose objects are in it, one more each time."""
    committed: int = 0
    is_gone: bool = False

    def answers(self, question: str, since: int) -> Iterator[Answer]:
        """Right ones from a moment on, when ``since`` transactions were committed."""
        for count in range(since, len(self.states) + 1):
            each = 1 if question == "Object" else 3
            keys = sum(seed * 10**12 * OBJECTS + 7 * OBJECTS * (OBJECTS - 1) // 2 for seed in self.states[:count])
            yield count * OBJECTS * each, keys * each


class _Soak:
    def __init__(
        self,
        site: RunningSite,
        seconds: float,
        seed: int,
        log: Callable[[str], None],
        pause_s: tuple[float, float],
        asks_after_s: float,
        most_kinds: int,
    ) -> None:
        self._site = site
        self._most_kinds = most_kinds
        self._pause_s = pause_s
        self._asks_after_s = asks_after_s
        self._random = random.Random(seed)
        self._unseen: set[str] = set()
        """Kinds of changes, of moves and of faults that have not come yet."""
        self._begun_s = time.monotonic()
        self._ends_s = self._begun_s + seconds
        self._log = log
        self._known: list[Known] = []
        self._whole = threading.Event()
        """No table was damaged since the last repair: so a second replica of it is not damaged, too."""
        self._whole.set()
        self._is_broken = False
        self._folder = site.czar.folder / "skies"
        self._seeds = iter(range(1, 10_000))
        self.found = Soaked()

    @property
    def _is_on(self) -> bool:
        return time.monotonic() < self._ends_s or (bool(self._unseen) and not self._is_broken)

    def _turns(self, *kinds: Callable[[T], None]) -> Iterator[Callable[[T], None]]:
        """Each kind once, or ``most_kinds`` of them that the seed draws, in its order, then any of these.

        It goes on while there is time, or one has not come. So in a short soak no fault comes after the first of each
        kind: commands that wait for peace get it.
        """
        chosen = self._random.sample(kinds, min(len(kinds), self._most_kinds or len(kinds)))
        self._unseen |= {kind.__name__ for kind in chosen}
        waiting = list(chosen)
        while (waiting or time.monotonic() < self._ends_s) and not self._is_broken:
            kind = waiting.pop() if waiting else self._random.choice(chosen)
            yield kind
            self._unseen.discard(kind.__name__)

    def tell(self, text: str) -> None:
        self._log(f"{time.monotonic() - self._begun_s:7.1f} s  {text}")

    def run(self) -> None:
        """Until the end of the time, then all is switched on, repaired, verified and dropped."""
        self._known = [Known(f"soak{letter}0", [next(self._seeds)], committed=1) for letter in "ab"]
        self._at_once(INGEST, *chain(*((self._sky(one.states[0]), one.name) for one in self._known)))
        work = [self._change, self._move, self._break, self._watch, self._ask, self._ask]
        threads = [threading.Thread(target=self._guarded, args=(one,)) for one in work]
        with self._site.czar.network():  # of the threads that are started here, too
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self._end()
        self.found.seconds = time.monotonic() - self._begun_s

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self.found.wrong.append(f"{work.__name__}: {error!r}")
            self._is_broken, self._ends_s = True, 0.0
            raise

    # what users change

    def _change(self) -> None:
        for change in self._turns(self._ingest, self._compact, self._mend, self._anew):
            known = self._random.choice(self._known)
            (self._anew if known.committed >= MAX_PARTS else change)(known)

    def _ingest(self, known: Known) -> None:
        seed = next(self._seeds)
        sky = self._sky(seed)
        known.states.append(seed)
        self._command("ingest", sky, "--database", known.name, "--replicas", "2")
        known.committed += 1
        shutil.rmtree(sky)

    def _sky(self, seed: int) -> str:
        return str(write_catalog(self._folder / str(seed), objects=OBJECTS, seed=seed, side_deg=4))

    def _compact(self, known: Known) -> None:
        self._command("compact", known.name)

    def _mend(self, known: Known) -> None:
        """A scrub, and a repair of all that it and the queries have marked."""
        self._command("replicas", "verify", known.name, good=(0, 1))
        self._command(*REPAIR)
        self._whole.set()

    def _move(self) -> None:
        """A node is drained, comes back, and gets its share again, and then another one."""
        for move in self._turns(self._drain):
            move(self._random.choice(self._site.nodes).name)

    def _drain(self, node: str) -> None:
        while self._is_on:  # one that an ingest is bringing something stays draining
            self._command("replicas", "drain", node, good=(0, 1))
            if self._state(node) == "drained":
                self.found.done["drained"] += 1
                break
        self._command("nodes", "enable", node)
        self._command("replicas", "rebalance", good=(0, 1))

    def _state(self, node: str) -> str:
        ran = self._site.skyshard("nodes", "list", "--json", check=False)
        listed = json.loads(ran.stdout) if ran.returncode in (0, 1) else []
        return next((str(one["state"]) for one in listed if one["name"] == node), "")

    def _anew(self, known: Known) -> None:
        """A new database in its place; the old one is dropped."""
        letters, number = known.name[:5], int(known.name[5:])
        new = Known(f"{letters}{number + 1}", [])
        self._ingest(new)
        self._known[self._known.index(known)] = new
        known.is_gone = True
        self._command("drop", known.name, "--yes")

    def _command(self, *words: str, good: tuple[int, ...] = (0,)) -> None:
        """Run it until it succeeds; errors of the cluster are what faults do, any other is wrong.

        A job that was interrupted is gone on with, as the error says.
        """
        name = " ".join(words[:2] if words[0] in ("replicas", "nodes", "jobs") else words[:1])
        for _ in range(TRIES):
            ran = self._site.skyshard(*words, check=False)
            if ran.returncode in good:
                self.found.done[name] += 1
                said = ran.stdout.strip().splitlines()[-1:] if ran.returncode else []
                self.tell(f"{' '.join(words)}: done {' '.join(map(str, [ran.returncode or '', *said]))}".rstrip())
                return
            said = ran.stderr.strip().splitlines() or ran.stdout.strip().splitlines() or [""]
            self.tell(f"{' '.join(words)}: {ran.returncode} {said[-1]}")
            job = INTERRUPTED.search(ran.stderr)
            if "Traceback" in ran.stderr or not (ran.returncode in (1, 3) or job):
                break
            if job:
                self._command("jobs", "resume", job[1], good=(0, 1, 2))
            self.found.again[name] += 1
            time.sleep(2.0)
            self._await_ray()
        raise AssertionError(f"{words}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}")

    def _at_once(self, code: str, *arguments: str) -> str:
        """Run code with a testbed while nothing breaks; errors of the cluster may be left of what was broken before."""
        for _ in range(TRIES):
            ran = self._site.czar.at_once(self._site.folder, code, *arguments, check=False)
            if not ran.returncode:
                return ran.stdout
            if "ClusterError" not in ran.stderr:
                break
            self.tell(f"at once: {ran.stderr.strip().splitlines()[-1]}")
            self._await_ray()
            time.sleep(2.0)
        raise AssertionError(f"{code}: {ran.stdout}\n{ran.stderr}")

    def _await_ray(self) -> None:
        """Until Ray is up on every host, but not for long: before that a command fails as the last one did."""
        until = time.monotonic() + RAY_IS_BACK_S
        while not is_ray_up(self._site.supervisors.values()) and time.monotonic() < until:
            time.sleep(0.1)

    # what breaks

    def _break(self) -> None:
        faults = [
            self._kill_server,
            self._pull,
            self._freeze,
            self._power,
            self._corrupt,
            self._kill_czar,
            self._kill_ray,
        ]
        for fault in self._turns(*faults):
            time.sleep(self._random.uniform(*self._pause_s))
            host = self._random.choice(self._site.nodes)
            self.found.faults[fault.__name__.strip("_")] += 1
            self.tell(f"{fault.__name__.strip('_')} {host.name}")
            fault(host)

    def _kill_server(self, host: Host) -> None:
        host.run("pkill", "-9", "mariadbd", check=False)

    def _kill_czar(self, _: Host) -> None:
        self._kill_server(self._site.czar)

    def _kill_ray(self, _: Host) -> None:
        self._site.czar.run("pkill", "-9", "gcs_server", check=False)

    def _pull(self, host: Host) -> None:
        host.pull_cable()
        time.sleep(self._random.uniform(2, 8))
        host.plug()

    def _freeze(self, host: Host) -> None:
        host.freeze()
        time.sleep(self._random.uniform(2, 8))
        host.thaw()

    def _power(self, host: Host) -> None:
        host.kill()
        time.sleep(self._random.uniform(1, 5))
        host.boot()
        self._site.launch(host.name)

    def _corrupt(self, host: Host) -> None:
        """Damage one table; not another one before all was repaired."""
        known, kind = self._random.choice(self._known), self._random.choice(CORRUPT)
        tables = sorted((host.folder / "mysql" / known.name).glob("Object_[0-9]*.MYD"))
        tables = [one for one in tables if one.stat().st_size and "1234567890" not in one.name]
        if not (self._whole.is_set() and tables):
            return
        data = self._random.choice(tables)
        try:
            with Testbed(self._site.folder) as testbed:
                if not testbed.replicas.status().is_whole:
                    return
                self._whole.clear()
                with connect(testbed.cluster.endpoint(host.name), Account.ADMIN, known.name) as connection:
                    connection.execute(f"FLUSH TABLES {quote_name(data.stem)}")
                    FAULTS[kind](data)
                    connection.execute("FLUSH TABLES")
        except (SkyshardError, OSError) as error:  # an operator's other command was faster, or the server is away
            self.tell(f"corrupt: {error}")

    # what users ask

    def _ask(self) -> None:
        numbers = random.Random(threading.get_ident())
        with Testbed(self._site.folder) as testbed:
            while self._is_on:
                time.sleep(self._asks_after_s)
                known, question = numbers.choice(self._known), numbers.choice(sorted(QUESTIONS))
                since, begun_s = known.committed, time.monotonic()
                try:
                    (row,) = testbed.query(QUESTIONS[question], database=known.name).table.to_pylist()
                except SkyshardError as error:
                    if not (isinstance(error, ClusterError) or known.is_gone):
                        self.found.wrong.append(f"{known.name}: {error}")
                    self.found.refused[str(error)[:60]] += 1
                    time.sleep(0.2)
                    continue
                self.found.longest_s = max(self.found.longest_s, time.monotonic() - begun_s)
                answer = tuple(int(value or 0) for value in row.values())
                right = list(known.answers(question, since))
                if answer in right:
                    self.found.right += 1
                elif not known.is_gone:
                    self.found.wrong.append(f"{known.name} {question}: {answer}, right: {right}")

    # what it costs

    def _watch(self) -> None:
        while self._is_on:
            sample: Counter[str] = Counter(at_s=int(time.monotonic() - self._begun_s))
            me = psutil.Process()
            sample["czar_mib"], sample["czar_files"] = me.memory_info().rss >> 20, me.num_fds()
            for one in me.children(recursive=True):
                try:
                    kind = one.name()
                    if kind in ("mariadbd", "raylet", "gcs_server"):
                        sample[f"{kind}_mib"] += one.memory_info().rss >> 20
                        sample[f"{kind}_files"] += one.num_fds()
                        sample[f"{kind}_count"] += 1
                except psutil.Error:
                    continue
            sample["data_files"] = sum(
                1 for host in self._site.lab.hosts.values() for _ in (host.folder / "mysql").rglob("*")
            )
            self.found.samples.append(dict(sample))
            self._rest(5.0)

    def _rest(self, seconds: float) -> None:
        """So long, but not beyond the end of the soak."""
        until = time.monotonic() + seconds
        while self._is_on and time.monotonic() < until:
            time.sleep(0.1)

    # how it ends

    def _end(self) -> None:
        """All is as it should be, and nothing is left when the databases are gone."""
        self.tell("the end: wait until all is up")
        self._site.wait_good()
        names = [known.name for known in self._known]
        if self._at_once(TIDY, *names).strip() != "True":
            self.found.wrong.append("not whole at the end")
        with self._site.czar.network(), Testbed(self._site.folder) as testbed:
            for known in self._known:
                for question, sql in QUESTIONS.items():
                    (row,) = testbed.query(sql, database=known.name).table.to_pylist()
                    if tuple(map(int, row.values())) not in list(known.answers(question, known.committed)):
                        self.found.wrong.append(f"at the end: {known.name} {question}: {row}")
        self.found.wrong += [f"left: {path}" for path in self._left_over()]
        self._at_once(DROP, *names)
        folders = [folder for host in self._site.lab.hosts.values() for folder in (host.folder / "mysql").iterdir()]
        self.found.wrong += [f"left: {folder}" for folder in folders if folder.name.startswith(("soaka", "soakb"))]

    def _left_over(self) -> Iterator[Path]:
        """What is on its way when nothing is: bundles, copies, half-written tables."""
        for host in self._site.lab.hosts.values():
            yield from (host.folder / "staging").glob("*/*")
            yield from (host.folder / "mysql").glob("*/*.tmp")
            yield from (host.folder / "mysql").glob("*/load-*")
        yield from (self._site.folder / "staging").glob("*/*")


def soak(
    site: RunningSite,
    *,
    seconds: float,
    seed: int,
    log: Callable[[str], None] = lambda _: None,
    pause_s: tuple[float, float] = PAUSE_S,
    asks_after_s: float = 0.0,
    most_kinds: int = 0,
) -> Soaked:
    """Have a time of it; everything that was made is dropped at the end.

    Args:
        seconds: at least so long, and until each kind of change and of fault has come.
        log: is told each command and fault, with its second.
        pause_s: between two faults, from and to.
        asks_after_s: between two questions of a client, of which there are two.
        most_kinds: so many kinds of changes and of faults come, which the seed draws; 0: all.
    """
    run = _Soak(site, seconds, seed, log, pause_s, asks_after_s, most_kinds)
    run.run()
    assert CZAR in site.lab.hosts
    return run.found
