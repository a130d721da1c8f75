"""Works on a job: a few chunks at a time, until none is left, or until somebody pauses or cancels it.

Rules: databases are held for a batch of chunks only, so that an ingest waits some seconds at most; while one is under
way the job waits for it. Killed at any instant, whoever takes the job up goes on with the steps that have not ended.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import takewhile

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.basics.progress import Progress, Watcher, announce, unwatched
from skyshard.log.events import NODE_STATE
from skyshard.node.node_loader import NodeLoader
from skyshard.node.shown_tables import dummy_tables, expected_tables
from skyshard.registry.schema.registry_lock import HeldLocks, ingest_lock
from skyshard.registry.stored.job_rows import EndedStep, JobKind, JobRow, JobStep, OpenJob, StepState
from skyshard.registry.stored.lifecycle import TAKING, DatabaseState, JobEvent, JobState, NodeState
from skyshard.registry.stored.records import WHOLE, Replica
from skyshard.replicate.copy_table import clear_way
from skyshard.replicate.job_plans import left_on
from skyshard.replicate.move_chunks import FamilyMover
from skyshard.replicate.place import ReplicaPlace
from skyshard.replicate.shared_rate import SharedRate

STAGE = "move chunks"
BATCH_STEPS = 64
BATCH_S = 3.0
"""So long copying a batch is to take at the rate: databases are held meanwhile."""
BATCH_BYTES = 256 << 20
"""Without a rate."""
LOOKED_EVERY_S = 0.5
"""So often the process looks whether the job is to pause."""


class Stopping(Exception):
    """The job is to pause or to be cancelled: what is under way is given up."""


def run_job(place: ReplicaPlace, number: int, *, watcher: Watcher = unwatched) -> JobRow:
    """Go on with a job until it ends, or is paused or cancelled; returns what it has come to.

    Raises:
        UserError: there is none of this number, or it has ended.
        ClusterError: another process works on a job (retryable), or the czar's server does not answer.
    """
    go_on = f"job {number} stays as it is: `skyshard jobs resume {number}` goes on with it"
    with place.registry.moving() as locks:
        mine = place.registry.jobs.take_over(number)
        try:
            _Run(place, mine, locks, watcher).run()
        except KeyboardInterrupt as error:
            with suppress(SkyshardError):
                place.registry.jobs.move(mine, JobEvent.PAUSE)
            error.add_note(go_on)
            raise
        except SkyshardError as error:
            error.add_note(go_on)
            raise
    return place.registry.jobs.get(number)


def _is_open(node: str, states: Mapping[str, NodeState]) -> bool:
    return states.get(node, NodeState.ACTIVE) in TAKING


class FamilyGrew(Exception):
    """A database came to a family while its chunks were moved: they are looked at again."""


class _Run:
    """One attempt at a job."""

    def __init__(self, place: ReplicaPlace, mine: OpenJob, locks: HeldLocks, watcher: Watcher) -> None:
        self._place = place
        self._mine = mine
        self._locks = locks
        self._watcher = watcher
        self._stop = threading.Event()
        self._rate = SharedRate(mine.rate_bytes_s, self._count)
        self._given: Counter[str] = Counter()
        self._bytes = 0
        self._begun_s = time.monotonic()

    def _count(self, size: int) -> None:
        self._bytes += size
        if self._stop.is_set():
            raise Stopping

    def run(self) -> None:
        jobs, number = self._place.registry.jobs, self._mine.id
        with self._looking(), suppress(Stopping):
            self._work()
        state = jobs.state(number)
        if state is JobState.CANCELLING:
            with suppress(Stopping):  # a database is in use: whoever uses it next clears it
                self._clear(set(self._place.nodes))
            jobs.move(self._mine, JobEvent.END)

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Inside, a thread looks whether the job is to pause; at the end what is under way is given up."""
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(LOOKED_EVERY_S):
                with suppress(SkyshardError):
                    if self._place.registry.jobs.state(self._mine.id) is not JobState.RUNNING:
                        self._stop.set()

        thread = threading.Thread(target=look, name="job", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            self._stop.set()
            thread.join()

    def _work(self) -> None:
        jobs = self._place.registry.jobs
        self._require_running()
        nodes = set(self._place.nodes)
        while steps := jobs.waiting(self._mine.id, most=BATCH_STEPS) or self._more():
            self._report()
            self._require_running()
            self._take(self._batch(steps))
        self._report()
        self._clear(nodes)
        self._require_running()
        left = self._end_drain() if self._mine.kind is JobKind.DRAIN else ""
        try:
            jobs.move(self._mine, JobEvent.END, left)
        except ClusterError:
            self._require_running()  # it was paused or cancelled at the last moment, which is no fault
            raise

    def _require_running(self) -> None:
        if self._stop.is_set() or self._place.registry.jobs.state(self._mine.id) is not JobState.RUNNING:
            raise Stopping

    def _report(self) -> None:
        row = self._place.registry.jobs.get(self._mine.id)
        elapsed_s = time.monotonic() - self._begun_s
        self._watcher(Progress(STAGE, row.ended_steps, row.total, bytes=self._bytes, elapsed_s=elapsed_s))

    def _batch(self, steps: Sequence[JobStep]) -> list[JobStep]:
        """The first steps of one family, as many as can be copied in a short time; at least one."""
        most = self._mine.rate_bytes_s * BATCH_S or BATCH_BYTES
        load: Counter[str] = Counter()
        batch: list[JobStep] = []
        first = (steps[0].family, steps[0].chunk == WHOLE)
        for step in takewhile(lambda step: (step.family, step.chunk == WHOLE) == first, steps):
            load.update(dict.fromkeys(step.came, step.bytes))
            if batch and max(load.values(), default=0) > most:
                break
            batch.append(step)
        return batch

    def _take(self, steps: Sequence[JobStep]) -> None:
        """Take steps of one family, while its databases are held."""
        registry, family = self._place.registry, steps[0].family
        names = registry.moved_chunks.databases_of(family)
        with ExitStack() as held:
            self._hold(names, held)
            databases = [row for row in registry.life.rows() if row.stored in names]
            if not any(row.state is DatabaseState.PUBLISHED for row in databases):
                self._end(steps, StepState.SKIPPED, "its databases were dropped")
                return
            open_ones = [(name, found) for name in names if (found := registry.transactions.find_open(name))]
            if open_ones:
                name, found = open_ones[0]
                shown = registry.published.names().shown(name)
                why = (
                    f"transaction {found.id} of {shown} has not ended; run its ingest again, or "
                    f"`skyshard transactions abort {found.id}`"
                )
                self._end(steps, StepState.FAILED, why)
                return
            answering = self._place.answering()
            current = registry.moved_chunks.placed(family, [step.chunk for step in steps])
            states = registry.nodes.states()
            left = []
            for step in steps:
                if closed := next((node for node in step.came if not _is_open(node, states)), ""):
                    self._end([step], StepState.FAILED, f"{closed} is {states[closed]}")
                elif why := self._why_not(step, current, answering):
                    self._end([step], StepState.SKIPPED, why)
                else:
                    left.append(step)
            if left:
                mover = FamilyMover(self._place, self._mine, databases, self._rate, answering, self._given)
                with suppress(FamilyGrew):
                    mover.move(left, partial(self._placing, family, names))

    def _end(self, steps: Sequence[JobStep], state: StepState, why: str) -> None:
        ended = [EndedStep(step.number, state, error=why) for step in steps]
        self._place.registry.jobs.mark_steps(self._mine, ended)

    @contextmanager
    def _placing(self, family: str, names: Collection[str]) -> Iterator[None]:
        """Inside, no ingest of a new database places chunks, and all that is held still is.

        Raises:
            FamilyGrew: a database has come, which may have placed some of the chunks.
            ClusterError: a lock is lost (retryable).
        """
        with ExitStack() as held:
            self._hold_placement(family, held)
            if set(names) != self._place.registry.moved_chunks.databases_of(family):
                raise FamilyGrew
            if not all(self._locks.is_held(ingest_lock(name)) for name in names):
                raise ClusterError("the session that held the databases has ended", retryable=True)
            yield

    def _hold_placement(self, family: str, held: ExitStack) -> None:
        """Hold the placement of a family: while an ingest places chunks the job waits, and looks whether to stop."""
        while True:
            try:
                held.enter_context(self._place.registry.exclusive(f"placement in {family}"))
            except ClusterError as error:
                if not error.retryable:
                    raise
                announce(self._watcher, f"job {self._mine.id} waits for an ingest that places chunks of {family}")
                self._require_running()
            else:
                return

    def _hold(self, names: Collection[str], held: ExitStack) -> None:
        """Hold databases, all or none: while one is in use the job waits for it, and looks whether it is to stop."""
        is_told = False
        while True:
            taken = list(takewhile(self._is_taken, sorted(names)))
            if len(taken) == len(names):
                for name in taken:
                    held.callback(self._locks.release, ingest_lock(name))
                return
            for name in taken:
                self._locks.release(ingest_lock(name))
            if not is_told:
                waited = self._place.registry.published.names().shown(sorted(names)[len(taken)])
                announce(self._watcher, f"job {self._mine.id} waits for an ingest, or other work, on {waited}")
                is_told = True
            self._require_running()

    def _is_taken(self, name: str) -> bool:
        return self._locks.take(ingest_lock(name), wait_s=1)

    def _why_not(self, step: JobStep, current: dict[int, tuple[str, ...]], answering: Collection[str]) -> str:
        """Why a step is not taken any more; empty where it is."""
        if step.chunk != WHOLE and current.get(step.chunk, step.before) not in (step.before, step.after):
            return f"it was placed on {', '.join(current[step.chunk])} meanwhile"
        back = [node for node in step.before if node not in step.after and node in answering]
        if self._mine.kind is JobKind.FILL and back and step.chunk != WHOLE and step.came:
            return f"{back[0]} is back"
        return ""

    def _more(self) -> list[JobStep]:
        """What has come to a node while it was drained."""
        if self._mine.kind is not JobKind.DRAIN:
            return []
        jobs = self._place.registry.jobs
        jobs.add_moves(self._mine, left_on(self._place, self._mine.subject).moves)
        return jobs.waiting(self._mine.id, most=BATCH_STEPS)

    def _end_drain(self) -> str:
        """Say that the node is drained; else why it is not."""
        node, registry = self._mine.subject, self._place.registry
        for family in self._placed_families():
            with ExitStack() as held:
                self._hold_placement(family, held)  # a visit that placed chunks before has placed them now
        try:
            registry.mutable_chunks.require_none_on(node)
        except UserError as error:
            return f"{node} stays draining: {error}"
        state = registry.nodes.end_drain(node)
        if state is not NodeState.DRAINING:
            self._place.events.about(node=node).tell(NODE_STATE, state=str(state))
            return ""
        return (
            f"{node} stays draining: it holds something, or a transaction that has not ended may bring it something; "
            f"run `skyshard replicas drain {node}` again"
        )

    def _placed_families(self) -> list[str]:
        """The families that have chunks, and those of mutable databases, where the first ones may be on their way."""
        registry = self._place.registry
        layouts = map(registry.databases.layout, registry.published.names().mutable_stored)
        return sorted({*registry.nodes.families(), *(one.striping.family for one in layouts if one is not None)})

    def _clear(self, nodes: Collection[str]) -> None:
        """Remove what is over: tables whose time of grace has passed, what interrupted copies have left."""
        registry = self._place.registry
        answering = self._place.answering()
        for family in registry.jobs.families(self._mine.id):
            for database in sorted(registry.moved_chunks.databases_of(family)):
                with ExitStack() as held:
                    self._hold([database], held)
                    self._sweep(database, [node for node in nodes if node in answering])

    def _sweep(self, database: str, nodes: Sequence[str]) -> None:
        """As an ingest does first: what no replica accounts for goes. No-op where a transaction is open."""
        registry = self._place.registry
        is_open = registry.transactions.find_open(database) is not None
        if is_open or registry.databases.state(database) is not DatabaseState.PUBLISHED:
            return
        if database in registry.published.names().mutable_stored:
            return
        retired = registry.transactions.retired_tables(database)
        over = registry.transactions.over_retired(database)
        definitions = registry.databases.table_definitions(database)
        known = dummy_tables((name, layout.role) for name, (_, layout) in definitions.items())
        held: dict[str, list[Replica]] = defaultdict(list)
        for replica in registry.replicas.all(database):
            held[replica.node].append(replica)
        for node in nodes:
            place = self._place.node(node)
            with suppress(ClusterError):  # the next ingest does it
                clear_way(place, database)
                if not place.loader.call(NodeLoader.tables, database).result():
                    continue
                place.loader.call(NodeLoader.hold, database).result()
                try:
                    gone = over.get(node, set())
                    there = expected_tables(held[node]) | known | retired.get(node, set()) - gone
                    place.loader.call(NodeLoader.sweep, database, there).result()
                    registry.transactions.forget_retired(database, {node: gone})
                finally:
                    place.loader.call(NodeLoader.release, database).result()
