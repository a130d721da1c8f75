"""The czar beside the event loop: bounded threads for look-ups, others for scans, and their rows as they come.

Rules: an answer is opened, read and closed in one thread. A reader that is slow slows its thread, which holds no more
than ``AHEAD`` batches; a reader that goes away has its query cancelled on all servers at once. Whoever asks has a seat
while it is answered, and gets no more than their quota.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import pyarrow as pa

from skyshard.basics.errors import SkyshardError, UserError
from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import DOOR_FAILED
from skyshard.serve.access import Identity
from skyshard.serve.services import OpenAnswer, Queries
from skyshard.serve.user_limits import Meter, Seats

P = ParamSpec("P")
T = TypeVar("T")
INTERACTIVE_THREADS, SCAN_THREADS = 16, 8
AHEAD = 2
"""Batches that a thread has ready at most."""
_END = None


class Lanes:
    """The threads of one process."""

    def __init__(self, queries: Queries, *, interactive: int = INTERACTIVE_THREADS, scan: int = SCAN_THREADS) -> None:
        self._queries = queries
        self._interactive = ThreadPoolExecutor(interactive, "door")
        self._scan = ThreadPoolExecutor(scan, "door-scan")
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
        for pool in (self._interactive, self._scan, self._short, self._watching):
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
        self, sql: str, database: str = "", *, who: Identity, more_rows: int = 0
    ) -> AsyncIterator[AnswerStream]:
        """A statement's rows as they come. Leaving it before the end cancels the query.

        Args:
            more_rows: so many may come beyond the quota; the caller cuts them off.

        Raises:
            SkyshardError: as of the czar, here and while reading; OverQuota: too many are answered already.
        """
        loop = asyncio.get_running_loop()
        with self.seats.taken(who.name, who.quota):
            lane, open_it = await loop.run_in_executor(self._interactive, self._queries.prepare, sql, database)
            pool = self._scan if lane == "scan" else self._interactive
            async with self._stream(pool, open_it, Meter(who.name, who.quota, more_rows)) as stream:
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
            async with self._stream(self._scan, open_it, meter) as stream:
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
        async with self._stream(self._interactive, lambda: contextlib.nullcontext(open_it())) as stream:
            yield stream

    @contextlib.asynccontextmanager
    async def _stream(
        self,
        pool: ThreadPoolExecutor,
        open_it: Callable[[], contextlib.AbstractContextManager[OpenAnswer]],
        meter: Meter | None = None,
    ) -> AsyncIterator[AnswerStream]:
        stream = AnswerStream(asyncio.get_running_loop(), meter)
        produced = pool.submit(stream.produce, open_it)
        try:
            await stream.begun
            yield stream
        finally:
            if stream.stop():
                self._short.submit(self._cancel, stream.query)
            if not produced.cancel():
                await asyncio.shield(asyncio.wrap_future(produced))

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


class ReaderGone(UserError):
    """Nobody reads on."""

    def __init__(self) -> None:
        super().__init__("the client went away before the last row")


class AnswerStream:
    """The rows of one answer: ``columns`` and ``schema``, then batches, by ``async for``, once."""

    columns: tuple[str, ...] = ()
    schema: pa.Schema
    query = ""

    def __init__(self, loop: asyncio.AbstractEventLoop, meter: Meter | None = None) -> None:
        self._loop = loop
        self._meter = meter
        self.begun: asyncio.Future[None] = loop.create_future()
        self._ready: asyncio.Queue[pa.RecordBatch | BaseException | None] = asyncio.Queue()
        self._room = threading.Semaphore(AHEAD)
        self._is_stopped = False
        self._has_ended = False

    async def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        while (found := await self._ready.get()) is not _END:
            if isinstance(found, BaseException):
                raise found
            yield found
            self._room.release()

    def stop(self) -> bool:
        """Nobody reads on; True if the thread has not ended yet, so that its query is to be cancelled."""
        self._is_stopped = True
        self._room.release()
        return not self._has_ended and bool(self.query)

    def produce(self, open_it: Callable[[], contextlib.AbstractContextManager[OpenAnswer]]) -> None:
        """Open, read and close an answer: the work of a thread."""
        ended: BaseException | None = _END
        try:
            with open_it() as answer:
                self.columns, self.schema, self.query = answer.columns, answer.schema, answer.query
                self._check()
                self._loop.call_soon_threadsafe(self._begin)
                for batch in answer.batches:
                    if self._meter is not None:
                        self._meter(batch)
                    self._put(batch)
        except BaseException as error:
            ended = error
        self._has_ended = True
        self._loop.call_soon_threadsafe(self._finish, ended)

    def _put(self, batch: pa.RecordBatch) -> None:
        self._room.acquire()
        self._check()
        self._loop.call_soon_threadsafe(self._ready.put_nowait, batch)

    def _check(self) -> None:
        if self._is_stopped:
            raise ReaderGone

    def _begin(self) -> None:
        if not self.begun.done():
            self.begun.set_result(None)

    def _finish(self, ended: BaseException | None) -> None:
        if ended is not None and not self.begun.done():
            self.begun.set_exception(ended)
        else:
            self._ready.put_nowait(ended)
