"""Sends visits to a store: on time or one after the other, every tile by a client of its own, answers compared.

One thread draws visits, hands out tiles and compares answers; clients only read and store. A visit is drawn while its
predecessors run, and compared when its last tile is back: neither is within the time of a visit, and both are the
driver's own share, which is recorded. Where tiles are other processes, the next visit is sent before one is compared.
Before a new month the visits under way are waited for; then the old month goes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from dataclasses import dataclass, field, replace

from skyshard.apdb.model import Operation, TableName, VisitId, VisitStore
from skyshard.apdb.sky.compare_reads import TileAnswer, compare_history, compare_objects
from skyshard.apdb.sky.drawn_visit import DrawnVisit
from skyshard.apdb.sky.field_truth import VisitTruth
from skyshard.apdb.sky.visit_sky import VisitSky
from skyshard.basics.errors import ClusterError
from skyshard.bench.clock import Clock
from skyshard.bench.visits.beside_visits import Action, BesideVisits
from skyshard.bench.visits.tile_client import TileOutcome, TileTask, VisitTask
from skyshard.bench.visits.tile_share import ShareOutcome, TileWorkers, sum_up
from skyshard.bench.visits.tile_threads import TileThreads
from skyshard.bench.visits.visit_queue import QueuedVisit
from skyshard.bench.visits.visit_record import VisitRecord, VisitSample

_HISTORIES: tuple[TableName, ...] = ("DiaSource", "DiaForcedSource")
MOST_WORDS = 20
"""Wrong answers that are told in words."""


@dataclass(slots=True)
class DrivenVisits:
    """What a run came to, beside its samples."""

    visits: int = 0
    """That ended in this run."""
    missing: list[VisitId] = field(default_factory=list)
    """Tiles that were given up."""
    was_there: list[VisitId] = field(default_factory=list)
    """Stores that found their tile stored, by a try whose reply was lost."""
    wrong: list[str] = field(default_factory=list)
    """The first wrong answers in words."""
    is_partial: bool = False
    """Stopped before the last visit."""


@dataclass(slots=True)
class _UnderWay:
    queued: QueuedVisit
    drawn: DrawnVisit
    truth: VisitTruth
    due_s: float
    own_s: float
    shares: Sequence[Future[ShareOutcome]]

    @property
    def is_over(self) -> bool:
        return all(share.done() for share in self.shares)


class VisitDriver:
    """Drives one trial; the store's clients are made when they are needed and kept."""

    def __init__(
        self, store: VisitStore, sky: VisitSky, record: VisitRecord, clock: Clock, *, compares: bool = True,
        beside: Mapping[str, Action] | None = None, processes: TileWorkers | None = None,
    ) -> None:  # fmt: skip
        """``processes``: process the tiles; else threads of this process do."""
        self.found, self.stop = DrivenVisits(), threading.Event()
        self._store, self._sky, self._record, self._clock, self._compares = store, sky, record, clock, compares
        self._under_way: list[_UnderWay] = []
        self._beside = BesideVisits(beside or {}, clock)
        self._processes = processes
        self._columns: dict[TableName, tuple[str, ...] | None] = {name: sky.columns[name] for name in _HISTORIES}

    def run(self, visits: Iterable[QueuedVisit], most_tiles: int) -> None:
        """Send the visits in order; stops early when ``stop`` is set, and at Ctrl-C.

        Raises:
            ClusterError: a tile could not be stored, and the store does not say whether it is.
        """
        workers = self._processes or TileThreads(self._store, self._clock, self.stop, most_tiles)
        try:
            for queued in visits:
                if self.stop.is_set():
                    break
                self._begin_month(queued, workers)
                self._wait_for_field(self._sky.field_of(queued.visit))
                if queued.todo:
                    self._send(queued, workers)
                else:
                    self._pass_over(queued)
            self._wait_until(lambda: not self._under_way)
        except KeyboardInterrupt:
            self.stop.set()
        finally:
            self._end(workers)

    def _pass_over(self, queued: QueuedVisit) -> None:
        """A visit that was over before this run."""
        drawn = self._sky.draw(queued.visit)
        if queued.load.update:
            self._sky.settle(drawn, queued.missing)

    def _end(self, workers: TileWorkers) -> None:
        """Wait for the tiles under way, keep what is whole, and close the clients."""
        interrupted = self.stop.is_set() or bool(self._under_way)
        self.found.is_partial = self.found.is_partial or interrupted
        self.stop.set()
        workers.stop()
        for one in self._under_way:
            wait(one.shares)
        try:
            for one in list(self._under_way):
                self._finish(one)
        finally:
            self._record.add(self._beside.close())
            workers.close()

    def _begin_month(self, queued: QueuedVisit, workers: TileWorkers) -> None:
        """At the first visit of a month, when no visit is under way: make it ready, and drop what is read no more."""
        begin = self._sky.month_begun(queued.visit)
        if begin is None or not queued.load.update:
            return
        self._wait_until(lambda: not self._under_way)
        if queued.todo:
            self._clean(queued, self._sky.time_of(queued.visit), self._store.prepare_month)
            workers.prepare_month(self._sky.time_of(queued.visit))
        if queued.load.drop_months:
            self._clean(queued, begin, self._store.drop_before)
        if queued.load.purge_objects:
            self._clean(queued, begin, self._store.purge_objects)
            self._sky.purge(begin)

    def _clean(self, queued: QueuedVisit, before: float, clean: Callable[[float], Sequence[Operation]]) -> None:
        sent_s = self._clock.now()
        operations = clean(before)
        if queued.todo:
            whole = VisitSample(
                queued.phase, queued.visit, -1, self._sky.time_of(queued.visit), "", "", sent_s, sent_s, sent_s
            )
            self._record.add(whole.in_turn(operations, sent_s, self._clock.now()))

    def _send(self, queued: QueuedVisit, workers: TileWorkers) -> None:
        """Draw a visit, wait for its time and for room, and hand out its tiles."""
        begun_s = time.thread_time()
        drawn = self._sky.draw(queued.visit)
        rows = [drawn.rows_of(tile) for tile in queued.todo]
        truth = self._sky.truth_of(drawn)
        own_s = time.thread_time() - begun_s
        self._wait_for_room(queued.load.overlap, workers)
        due_s = self._due(queued)
        task = VisitTask(
            queued.phase, drawn.since, queued.load.reads_history(queued.visit), queued.load.update, self._columns,
            due_s, queued.load.retry_s,
        )  # fmt: skip
        if not self.stop.is_set():
            self._beside.begin(queued, drawn.time)
            shares = workers.begin([TileTask(task, one) for one in rows])
            self._under_way.append(_UnderWay(queued, drawn, truth, due_s, own_s, shares))

    def _wait_for_room(self, overlap: int, workers: TileWorkers) -> None:
        """Wait until another visit may be under way.

        To compare takes tiles that are threads the interpreter, and commits wait for it: before the next visit, then.
        """
        if not workers.is_apart:
            self._wait_until(lambda: len(self._under_way) < overlap)
        while sum(not one.is_over for one in self._under_way) >= overlap:
            self._wait_for_a_share()

    def _due(self, queued: QueuedVisit) -> float:
        """When a visit is due: now, or at its time of an open loop, which is waited for."""
        now_s = self._clock.now()
        if queued.load.interval_s is None:
            return now_s
        if queued.is_first or self._first is None:
            self._first = (queued.visit, now_s)
        due_s = self._first[1] + (queued.visit - self._first[0]) * queued.load.interval_s
        while (left_s := due_s - self._clock.now()) > 0 and not self.stop.is_set():
            running = [share for one in self._under_way for share in one.shares if not share.done()]
            if running:
                wait(running, min(left_s, 0.5), FIRST_COMPLETED)
            else:
                self._clock.wait_until(due_s, self.stop)
            self._finish_whole()
        return due_s

    _first: tuple[int, float] | None = None
    """The first visit of this run of a phase in an open loop, and its due time."""

    def _wait_for_field(self, number: int) -> None:
        self._wait_until(lambda: all(one.drawn.field != number for one in self._under_way))

    def _wait_until(self, is_so: Callable[[], bool]) -> None:
        """Finish visits as they end until a condition holds."""
        self._finish_whole()
        while not is_so():
            self._wait_for_a_share()
            self._finish_whole()

    def _wait_for_a_share(self) -> None:
        wait([share for one in self._under_way for share in one.shares if not share.done()], 0.5, FIRST_COMPLETED)

    def _finish_whole(self) -> None:
        for one in [each for each in self._under_way if each.is_over]:
            self._finish(one)

    def _finish(self, one: _UnderWay) -> None:
        """A visit's tiles are back: compare, record, settle."""
        self._under_way.remove(one)
        begun_s = time.thread_time()
        shares = [share.result() for share in one.shares]
        outcomes = [outcome for share in shares for outcome in share.tiles]
        wrong = self._compare(one, outcomes) if self._compares else {}
        samples = [self._judged(sample, outcome, wrong) for outcome in outcomes for sample in outcome.samples]
        missing = self._given_up(one, outcomes)
        if one.queued.load.update:
            self._sky.settle(one.drawn, (*one.queued.missing, *missing))
        self.found.was_there += [VisitId(one.drawn.visit, outcome.tile) for outcome in outcomes if outcome.was_there]
        own_s = one.own_s + sum(share.own_s for share in shares) + time.thread_time() - begun_s
        last_s = max(sample.done_s for sample in samples)
        driver = VisitSample(
            one.queued.phase, one.drawn.visit, -1, one.drawn.time, "", "driver", one.due_s, one.due_s, last_s,
            client_s=own_s,
        )  # fmt: skip
        self._record.add([*samples, driver, *self._beside.ended()])
        self.found.visits += 1

    def _compare(self, one: _UnderWay, outcomes: list[TileOutcome]) -> Mapping[tuple[int, str], str]:
        """What is wrong, by tile and table; answers that are right have an empty text."""
        sum_up(outcomes, self._columns)
        found: dict[tuple[int, str], str] = {}
        names: tuple[TableName, ...] = ("DiaObjectLast", *_HISTORIES)
        for name in names:
            answers = [TileAnswer(o.tile, o.sums[name], o.tries == 1) for o in outcomes if name in o.sums]
            if not answers:
                continue
            if name == "DiaObjectLast":
                texts = compare_objects(one.truth, answers)
            else:
                texts = compare_history(name, one.truth, answers)
            for answer, text in zip(answers, texts, strict=True):
                found[(answer.tile, name)] = text
                if text and len(self.found.wrong) < MOST_WORDS:
                    self.found.wrong.append(f"visit {one.drawn.visit}, tile {answer.tile}: {text}")
        return found

    @staticmethod
    def _judged(sample: VisitSample, outcome: TileOutcome, wrong: Mapping[tuple[int, str], str]) -> VisitSample:
        if sample.kind == "tile" and sample.error is None:
            texts = [text for (tile, _), text in wrong.items() if tile == outcome.tile]
            return replace(sample, answer_ok=not any(texts)) if texts else sample
        return sample

    def _given_up(self, one: _UnderWay, outcomes: list[TileOutcome]) -> list[int]:
        """Tiles that are not stored although they should be. Raises ClusterError where nobody can tell."""
        failed = [outcome for outcome in outcomes if outcome.error is not None]
        if not failed or not one.queued.load.update:
            return []
        if self.stop.is_set():
            return [outcome.tile for outcome in failed]  # the next run finds out
        try:
            with closing(self._store.open_session()) as session:
                missing = [o.tile for o in failed if not session.holds(VisitId(one.drawn.visit, o.tile))]
        except ClusterError as error:
            raise failed[0].error or error from None
        self.found.missing += [VisitId(one.drawn.visit, tile) for tile in missing]
        return missing
