"""Threads that compare: calls in, results out in the order in which they end, progress told with rate and ETA."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import TypeVar

from skyshard.basics.progress import Progress, Watcher
from skyshard.ingest.on_nodes.bounded_futures import in_order_of_end

T = TypeVar("T")


class WorkerThreads:
    """As many threads as the process has processors; each works on one call, and as many more wait."""

    def __init__(self, watcher: Watcher) -> None:
        self.count = len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(self.count, thread_name_prefix="diff")
        self._watcher = watcher

    def __enter__(self) -> WorkerThreads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, stage: str, calls: Sequence[Callable[[], T]], rows: Sequence[int]) -> Iterator[T]:
        """Results of all calls; ``rows`` says how many rows each reads."""
        began_s, done, total = time.monotonic(), 0, 0
        submits = (partial(self._pool.submit, call) for call in calls)
        for result, count in in_order_of_end(submits, rows, limit=2 * self.count):
            yield result
            done, total = done + 1, total + count
            self._watcher(Progress(stage, done, len(calls), total, elapsed_s=time.monotonic() - began_s))
