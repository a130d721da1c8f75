"""What runs beside visits at every so many of them, each in a thread of its own, one at a time of each name.

An action must not change what visits read: then their answers stay right, and its cost shows in their times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from skyshard.basics.errors import SkyshardError, UserError, words_of
from skyshard.bench.clock import Clock
from skyshard.bench.visits.visit_queue import QueuedVisit
from skyshard.bench.visits.visit_record import VisitSample
from skyshard.bench.workload.workload import Workload

Action = Callable[[float], int]
"""Does the work at a time of visits, MJD TAI; returns the rows that it read or changed."""


def require_actions(workload: Workload, known: Mapping[str, Action], store: str) -> None:
    """Raises UserError for an action that a store does not have."""
    asked = {one.action for phase in workload.phases if phase.visits for one in phase.visits.beside}
    if unknown := sorted(asked - set(known)):
        has = f"it has {', '.join(sorted(known))}" if known else "only cluster:DATABASE has such actions"
        raise UserError(f"store {store} has no action '{unknown[0]}' beside visits", remedy=has)


class BesideVisits:
    """Starts actions and collects their samples."""

    def __init__(self, actions: Mapping[str, Action], clock: Clock) -> None:
        self._actions, self._clock = actions, clock
        self._pool = ThreadPoolExecutor(max(1, len(actions)), thread_name_prefix="beside")
        self._running: dict[str, Future[VisitSample]] = {}
        self._done: list[VisitSample] = []

    def begin(self, queued: QueuedVisit, time: float) -> None:
        """Start what is due with this visit, unless the one before of its name still runs."""
        for one in queued.load.beside:
            if queued.visit < one.first or (queued.visit - one.first) % one.every:
                continue
            before = self._running.get(one.action)
            if before is not None and not before.done():
                continue
            self._take(one.action)
            now_s = self._clock.now()
            begun = VisitSample(queued.phase, queued.visit, -1, time, "", one.action, now_s, now_s, now_s)
            self._running[one.action] = self._pool.submit(self._run, self._actions[one.action], begun)

    def _run(self, action: Action, begun: VisitSample) -> VisitSample:
        try:
            rows, error = action(begun.time), None
        except SkyshardError as failed:
            rows, error = 0, words_of(failed)
        return replace(begun, done_s=self._clock.now(), rows=rows, error=error)

    def _take(self, name: str) -> None:
        future = self._running.pop(name, None)
        if future is not None:
            self._done.append(future.result())

    def ended(self) -> Sequence[VisitSample]:
        """Samples of the actions that ended since the last call."""
        for name in [name for name, future in self._running.items() if future.done()]:
            self._take(name)
        done, self._done = self._done, []
        return done

    def close(self) -> Sequence[VisitSample]:
        """Wait for what still runs; its samples."""
        self._pool.shutdown()
        return self.ended()
