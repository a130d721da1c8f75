"""Tiles as threads of this process, each with a session of its own, which it keeps for the next visit."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from skyshard.apdb.model import VisitStore
from skyshard.bench.clock import Clock
from skyshard.bench.visits.tile_client import TileClient, TileOutcome, TileTask
from skyshard.bench.visits.tile_share import ShareOutcome


class TileThreads:
    """Clients are made when they are needed, and kept (:class:`~skyshard.bench.visits.tile_share.TileWorkers`)."""

    is_apart = False

    def __init__(self, store: VisitStore, clock: Clock, stop: threading.Event, most_tiles: int) -> None:
        """``stop``: when it is set, no tile is tried again."""
        self._store, self._clock, self._stop = store, clock, stop
        self._pool = ThreadPoolExecutor(most_tiles, thread_name_prefix="tile")
        self._clients: list[TileClient] = []
        self._idle: list[TileClient] = []
        self._lock = threading.Lock()

    def begin(self, tasks: Sequence[TileTask]) -> list[Future[ShareOutcome]]:
        """Each tile is a share."""
        return [self._pool.submit(self._share, task) for task in tasks]

    def _share(self, task: TileTask) -> ShareOutcome:
        return ShareOutcome([self.process(task)])

    def process_all(self, tasks: Sequence[TileTask]) -> list[TileOutcome]:
        """Process tiles at once; the call ends with the last one."""
        return [one.result() for one in [self._pool.submit(self.process, task) for task in tasks]]

    def process(self, task: TileTask) -> TileOutcome:
        """Process one tile by a client that is idle."""
        with self._lock:
            client = self._idle.pop() if self._idle else None
            if client is None:
                client = TileClient(self._store, self._clock, self._stop)
                self._clients.append(client)
        try:
            return client.process(task)
        finally:
            with self._lock:
                self._idle.append(client)

    def prepare_month(self, moment: float) -> None:
        """The driver asked the same store."""

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self._pool.shutdown()
        for client in self._clients:
            client.close()
