"""What is dear to read of a registry: databases with their sizes, the replication index. Read when that has changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import skyshard
import skyshard.replicate
from skyshard.releases import DatabaseFacts

CHANGING_SHARE = 0.02
"""Of a processor, that reading may take of this process while something changes all the time: its sums are of all
replicas. The czar's server takes some times as much."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Read one after the other."""

    status: skyshard.replicate.ReplicaStatus
    databases: Sequence[DatabaseFacts]
    directors: Mapping[str, Sequence[str]]
    """By the stored names of databases."""


class KeptFacts:
    """Reads them again when the registry has changed; else one short statement tells that it has not. Safe for
    threads.

    The first change is read at once, those that follow as seldom as reading is dear.
    """

    def __init__(self, testbed: skyshard.Testbed, *, share: float = CHANGING_SHARE) -> None:
        self._testbed = testbed
        self._share = share
        self._lock = threading.Lock()
        self._facts: Facts | None = None
        self._edition = ""
        self._until_s, self._took_s = 0.0, 0.0

    def now(self) -> Facts:
        """As the registry has it; where it has just been read and changes all the time, as it was a little before."""
        with self._lock:
            if self._facts is not None and time.monotonic() < self._until_s:
                return self._facts
            edition = self._testbed.registry.published.edition()
            if self._facts is None or not edition or edition != self._edition:
                self._facts, self._edition = self._read(), edition
            return self._facts

    def last(self) -> Facts:
        """As it was read last."""
        return self._facts or self.now()

    def _read(self) -> Facts:
        begun_s = time.thread_time()
        testbed = self._testbed
        found = Facts(testbed.replicas.status(), testbed.databases(), testbed.registry.published.directors())
        took_s = time.thread_time() - begun_s
        self._until_s = time.monotonic() + min(took_s, self._took_s) / self._share
        self._took_s = took_s
        return found
