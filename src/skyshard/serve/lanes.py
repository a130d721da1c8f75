"""The czar beside the event loop: bounded threads for look-ups, others for scans, and their rows as they come.

Rules: an answer is opened, read and closed in one thread. A reader that is slow slows its thread, which holds no more
than ``AHEAD`` batches, and a scan's lets other scans work meanwhile; a reader that goes away has its query cancelled on
all servers at once. Whoever asks has a seat while it is answered, and gets no more than their quota.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from skyshard.basics.errors import SkyshardError
from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import DOOR_FAILED
from skyshard.serve.access import Identity
from skyshard.serve.answer_stream import AnswerStream, Opened, said_at_once
from skyshard.serve.open_answer import OpenAnswer
from skyshard.serve.scan_threads import ScanThreads
from skyshard.serve.services import Queries
from skyshard.serve.user_limits import Meter, Seats

P = ParamSpec("P")
T = TypeVar("T")
INTERACTIVE_THREADS, SCAN_THREADS = 16, 8


class Lanes:
    """The threads of one process."""

    def __init__(self, queries: Queries, *, interactive: int = INTERACTIVE_THREADS, scan: int = SCAN_THREADS) -> None:
        self._queries = queries
        self._interactive = ThreadPoolExecutor(interactive, "door")
        self._scan = ScanThreads(scan, "door-scan")
        self._results = ScanThreads(interactive, "door-result")
        """For rows that are here already, however slowly somebody takes them."""
        self._short = ThreadPoolExecutor(4, "door-short")
        """For what must not wait behind answers: states, cancelling."""
        self._watching = ThreadPoolExecutor(4, "door-page")
        """For what is shown to those who look, which may wait for a node that is silent."""
        self.seats = Seats()
        self.ending = threading.Event()
        """Set when the process ends; work that may take long looks at it."""

    async def end(self) -> None:
        """As ``close``, beside the event loop."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def close() -> None:
            self.close()
            with contextlib.suppress(RuntimeError):  # the loop waited no longer
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=close, name="door-end", daemon=True).start()
        await ended.wait()

    def close(self) -> None:
        """Wait for the threads; what they read has to be cancelled before."""
        self.ending.set()
        for pool in (self._interactive, self._scan, self._results, self._short, self._watching):
            pool.shutdown(cancel_futures=True)

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A short call to a server: states, catalogs, tokens."""
        return await asyncio.get_running_loop().run_in_executor(self._short, lambda: function(*args, **kwargs))

    async def look(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A call for a page that shows the cluster; it delays neither tokens nor cancelling."""
        return await asyncio.get_running_loop().run_in_executor(self._watching, lambda: function(*args, **kwargs))

    async def look_up(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A call that plans a statement, or reads a little."""
        return await asyncio.get_running_loop().run_in_executor(self._interactive, lambda: function(*args, **kwargs))

    async def work(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A call that may take as long as a scan."""
        return await asyncio.get_running_loop().run_in_executor(self._scan, lambda: function(*args, **kwargs))

    def begin(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> None:
        """The same, which nobody waits for: what goes wrong it has to note itself, else it is in the log."""
        self._scan.submit(function, *args, **kwargs).add_done_callback(_log_failure)

    @contextlib.asynccontextmanager
    async def answer(
        self,
        sql: str,
        database: str = "",
        *,
        who: Identity,
        more_rows: int = 0,
        opened: Opened = said_at_once,
    ) -> AsyncIterator[AnswerStream]:
        """A statement's rows as they come. Leaving it before the end cancels the query.

        A look-up is planned and answered by one thread, without a hop between; a scan waits for a thread of its lane.

        Args:
            more_rows: so many may come beyond the quota; the caller cuts them off.
            opened: see ``Opened``.

        Raises:
            SkyshardError: as of the czar, here and while reading; OverQuota: too many are answered already.
        """
        stream = AnswerStream(asyncio.get_running_loop(), Meter(who.name, who.quota, more_rows), opened)

        def planned() -> None:
            try:
                lane, open_it = self._queries.prepare(sql, database)
                if lane == "scan":
                    stream.moved = self._scan.submit(stream.produce, open_it, self._scan.away)
                    return
            except BaseException as error:
                stream.fail(error)
                return
            stream.produce(open_it)

        with self.seats.taken(who.name, who.quota):
            async with self._produced(stream, self._interactive.submit(planned)):
                yield stream

    @contextlib.asynccontextmanager
    async def opened(
        self,
        open_it: Callable[[], contextlib.AbstractContextManager[OpenAnswer]],
        *,
        who: Identity,
        more_rows: int = 0,
    ) -> AsyncIterator[AnswerStream]:
        """The same of an answer that is opened otherwise; it may be a scan."""
        meter = Meter(who.name, who.quota, more_rows)
        with self.seats.taken(who.name, who.quota):
            stream = AnswerStream(asyncio.get_running_loop(), meter)
            async with self._produced(stream, self._scan.submit(stream.produce, open_it, self._scan.away)):
                yield stream

    @contextlib.asynccontextmanager
    async def held(self, context: contextlib.AbstractContextManager[T]) -> AsyncIterator[T]:
        """A context that is entered and left in threads; left, too, where the task is cancelled while it is entered."""
        entered = self._scan.submit(context.__enter__)
        try:
            value = await asyncio.wrap_future(entered)
        except asyncio.CancelledError:
            loop = asyncio.get_running_loop()
            await asyncio.shield(loop.run_in_executor(None, _leave_once_entered, context, entered))
            raise
        try:
            yield value
        finally:
            await asyncio.shield(self.work(context.__exit__, *sys.exc_info()))

    @contextlib.asynccontextmanager
    async def ready(self, open_it: Callable[[], OpenAnswer]) -> AsyncIterator[AnswerStream]:
        """The rows of an answer that was given before, within its quota, such as the result of a submitted query."""
        stream = AnswerStream(asyncio.get_running_loop())
        opened = partial(stream.produce, lambda: contextlib.nullcontext(open_it()), self._results.away)
        async with self._produced(stream, self._results.submit(opened)):
            yield stream

    @contextlib.asynccontextmanager
    async def _produced(self, stream: AnswerStream, produced: Future[None]) -> AsyncIterator[None]:
        """From an answer's beginning until its thread has done all that it does for it."""
        try:
            await stream.begun
            yield
        finally:
            if stream.stop():
                self._short.submit(self._cancel, stream.query)
            if not stream.has_ended:
                await self._left(produced)
                if stream.moved is not None:
                    await self._left(stream.moved)
            stream.let_go()

    @staticmethod
    async def _left(work: Future[None]) -> None:
        """Work is not begun any more, or has ended."""
        if not work.cancel():
            await asyncio.shield(asyncio.wrap_future(work))

    def _cancel(self, query: str) -> None:
        """In a thread, since whoever reads no more does not wait either."""
        with contextlib.suppress(SkyshardError):
            self._queries.cancel(query)


def _log_failure(done: Future[Any]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        ONLY_LOGGED.tell(DOOR_FAILED, door="all", error=f"{type(error).__name__}: {error}")


def _leave_once_entered(context: contextlib.AbstractContextManager[T], entered: Future[T]) -> None:
    """In a thread of its own, so that it needs none of those that may be taken; nothing where it was never begun."""
    if not entered.cancelled() and entered.exception() is None:
        context.__exit__(None, None, None)
