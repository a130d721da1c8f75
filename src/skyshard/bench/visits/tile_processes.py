"""Tiles in other processes, which live for the whole run: as many as there are cores, tiles dealt among them.

Each process opens the store anew and has a thread and a session a tile, so that the tiles of one process have no part
in another's interpreter; all have the driver's clock. It gets tiles with their rows, and gives back samples and sums
of answers; what is asked of the store is the same as by threads. A process ends when the driver has, however that
ended.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from skyshard.apdb.model import VisitStore
from skyshard.basics.errors import Bug, ClusterError, SkyshardError, words_of
from skyshard.bench.clock import WallClock
from skyshard.bench.visits.tile_client import TileTask
from skyshard.bench.visits.tile_share import PackedTasks, ShareOutcome, sum_up
from skyshard.bench.visits.tile_threads import TileThreads
from skyshard.host.child_process import follow_parent
from skyshard.host.interrupts import uninterrupted
from skyshard.host.process_tuning import allow_tuning, freeze_loaded
from skyshard.log.line_output import write_logs_of_environment

StoreOpener = Callable[[], VisitStore]
"""Opens the store; it is sent to other processes, so it must be importable there."""
_END_S = 30.0
"""How long a process may take to close its store."""


class TileProcesses:
    """The processes of a run (:class:`~skyshard.bench.visits.tile_share.TileWorkers`).

    Raises:
        SkyshardError: a process could not open the store.
    """

    is_apart = True

    def __init__(self, opener: StoreOpener, count: int, clock: WallClock, most_tiles: int, *, sums: bool) -> None:
        """``sums``: answers are summed up to be compared; else they are dropped."""
        context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        try:
            for _ in range(count):
                here, there = context.Pipe()
                asked = (there, opener, clock, most_tiles, sums, sys.getswitchinterval())
                process = context.Process(target=_serve, args=asked, daemon=True, name="tiles")
                with uninterrupted():  # it inherits that; by default Ctrl-C would end it while it is loaded
                    process.start()
                there.close()  # else its end would not be seen here
                self._workers.append(_Worker(process, here))
            for opened in [worker.ask("open") for worker in self._workers]:
                opened.result()
        except BaseException:
            for worker in self._workers:
                worker.kill()  # it has stored nothing, and may be opening its store for long
            self.close()
            raise

    def begin(self, tasks: Sequence[TileTask]) -> list[Future[ShareOutcome]]:
        """Tiles side by side go to one process; the first of them has the most."""
        shares = deal(tasks, len(self._workers))
        return [w.ask("tiles", PackedTasks.of(share)) for w, share in zip(self._workers, shares, strict=True) if share]

    def prepare_month(self, moment: float) -> None:
        for done in [worker.ask("month", moment) for worker in self._workers]:
            done.result()

    def stop(self) -> None:
        for worker in self._workers:
            worker.ask("stop")

    def close(self) -> None:
        """End the processes; nothing is left to do the second time."""
        for worker in self._workers:
            worker.ask("end")
        for worker in self._workers:
            worker.join()
        self._workers.clear()


def deal(tasks: Sequence[TileTask], count: int) -> list[Sequence[TileTask]]:
    """Tasks in so many parts, as even as can be, in order.

    >>> [len(part) for part in deal(list(range(9)), 2)]
    [5, 4]
    """
    ends = [len(tasks) * place // count for place in range(count, -1, -1)]
    return [tasks[len(tasks) - high : len(tasks) - low] for high, low in itertools.pairwise(ends)]


class _Worker:
    """One process as the driver sees it: what is asked of it is answered by a future."""

    def __init__(self, process: Any, connection: Connection) -> None:
        self._process, self._connection = process, connection
        self._asked: dict[int, Future[Any]] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._is_open = True
        # Ctrl-C comes to the main thread: it would cut a message that this thread sends
        self._messages: SimpleQueue[tuple[int, str, object] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._listen, self._send)]
        for thread in self._threads:
            thread.start()

    def ask(self, what: str, given: object = None) -> Future[Any]:
        """Send a message; the future has what is answered, or a ClusterError where the process has died."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            number = next(self._numbers)
            is_open = self._is_open
            if is_open:
                self._asked[number] = future
        if is_open:
            self._messages.put((number, what, given))
        else:
            future.set_exception(_died())
        return future

    def _send(self) -> None:
        with contextlib.suppress(OSError):  # its end is seen by the listener
            while (message := self._messages.get()) is not None:
                self._connection.send(message)

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                number, is_well, answer = self._connection.recv()
                with self._lock:
                    future = self._asked.pop(number)
                if is_well:
                    future.set_result(answer)
                else:
                    future.set_exception(answer)
        with self._lock:
            self._is_open = False
            left, self._asked = self._asked, {}
        self._messages.put(None)
        for future in left.values():
            future.set_exception(_died())

    def kill(self) -> None:
        self._process.kill()

    def join(self) -> None:
        self._process.join(_END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        for thread in self._threads:
            thread.join()
        self._connection.close()


def _died() -> ClusterError:
    return ClusterError("a process of tiles died", remedy="see its output above; go on with --resume")


def _serve(
    connection: Connection, opener: StoreOpener, clock: WallClock, most_tiles: int, sums: bool, switch_s: float
) -> None:
    """What a process of tiles does until it is told to end; ``switch_s``: of its threads, as of the driver's."""
    follow_parent()
    write_logs_of_environment()
    allow_tuning()
    sys.setswitchinterval(switch_s)
    with contextlib.suppress(EOFError, OSError):
        _Served(connection, clock, sums=sums).run(opener, most_tiles)


class _Served:
    """One process as it sees itself."""

    def __init__(self, connection: Connection, clock: WallClock, *, sums: bool) -> None:
        self._connection, self._clock, self._sums = connection, clock, sums
        self._stop, self._lock = threading.Event(), threading.Lock()

    def run(self, opener: StoreOpener, most_tiles: int) -> None:
        number, _, _ = self._connection.recv()
        try:
            store = opener()
        except Exception as error:
            self._answer(number, error)
            return
        self._answer(number, None)
        tiles = TileThreads(store, self._clock, self._stop, most_tiles)
        freeze_loaded()
        try:
            self._obey(store, tiles)
        finally:
            tiles.close()
            store.close()

    def _obey(self, store: VisitStore, tiles: TileThreads) -> None:
        while True:
            number, what, given = self._connection.recv()
            if what == "end":
                return
            if what == "tiles":
                threading.Thread(target=self._process, args=(number, tiles, given), daemon=True).start()
            elif what == "stop":
                self._stop.set()
                self._answer(number, None)
            else:
                self._do(number, partial(store.prepare_month, given))

    def _process(self, number: int, tiles: TileThreads, packed: PackedTasks) -> None:
        def share() -> ShareOutcome:
            outcomes = tiles.process_all(packed.unpacked())
            if self._sums:
                return ShareOutcome(outcomes, sum_up(outcomes, packed.visit.columns))
            for one in outcomes:
                one.read.clear()
            return ShareOutcome(outcomes)

        self._do(number, share)

    def _do(self, number: int, work: Callable[[], object]) -> None:
        try:
            answer = work()
        except Exception as error:
            answer = error
        self._answer(number, answer)

    def _answer(self, number: int, answer: object) -> None:
        is_well = not isinstance(answer, Exception)
        if not is_well and not isinstance(answer, SkyshardError):
            answer = Bug(f"in a process of tiles: {words_of(answer)}")  # type: ignore[arg-type]
        with self._lock, contextlib.suppress(OSError):  # the driver has gone
            self._connection.send((number, is_well, answer))
