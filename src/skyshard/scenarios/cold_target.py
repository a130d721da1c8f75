"""A target that is cold at every query: caches are emptied first, on a clock that stands still meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from skyshard.bench.clock import Clock
from skyshard.bench.model.observations import CACHE, COLD
from skyshard.bench.target import TargetAnswer
from skyshard.cluster.cold import Way, make_cold
from skyshard.scenarios.testbed_target import TestbedTarget


class StoppableClock:
    """A clock that can stand still, so that what happens meanwhile takes no time. For one client."""

    def __init__(self, inner: Clock) -> None:
        self._inner, self._lost_s, self._stopped_at = inner, 0.0, -1.0

    def now(self) -> float:
        return (self._inner.now() if self._stopped_at < 0 else self._stopped_at) - self._lost_s

    def wait_until(self, moment_s: float, stop: threading.Event) -> None:
        self._inner.wait_until(moment_s + self._lost_s, stop)

    def stop(self) -> None:
        self._stopped_at = self._inner.now()

    def go_on(self) -> None:
        self._lost_s += self._inner.now() - self._stopped_at
        self._stopped_at = -1.0


@dataclass(frozen=True, slots=True)
class ColdTarget:
    """The czar of a testbed, its nodes' caches emptied before every query."""

    inner: TestbedTarget
    clock: StoppableClock
    way: Way = "flush"

    @property
    def name(self) -> str:
        return self.inner.name

    def run(self, sql: str, database: str) -> TargetAnswer:
        self.clock.stop()
        try:
            stored = self.inner.testbed.registry.published.names().stored(database) if database else ""
            make_cold(self.inner.testbed.cluster, way=self.way, database=stored)
        finally:
            self.clock.go_on()
        return self.inner.run(sql, database)

    def describe(self) -> Mapping[str, object]:
        return {**self.inner.describe(), CACHE: COLD, "made_cold_by": self.way}

    def close(self) -> None:
        """The testbed is closed by its owner."""
