"""The rows of one answer on their way from the thread that reads them to the event loop.

Rules: the thread is no more than ``AHEAD`` batches before the reader. What it tells the event loop costs a wake-up each
time, so what comes together may be told together.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext

import pyarrow as pa

from skyshard.basics.errors import UserError
from skyshard.serve.open_answer import NO_GENERATION, OpenAnswer
from skyshard.serve.user_limits import Meter

AHEAD = 2
"""Batches that a thread has ready at most."""
SLOW_S = 0.2
"""A reader that has taken nothing for so long is a slow one."""
FEW_ROWS = 500
"""A batch of more rows is told of at once."""
_END = None
Opened = Callable[["AnswerStream"], bool]
"""Called in the thread that has opened an answer, before its rows are read: whether its beginning, its first few rows
and its end are told together, so that whoever knows its columns already is woken once."""

Away = Callable[[], AbstractContextManager[None]]
"""What a thread enters while it waits for its reader."""


class ReaderGone(UserError):
    """Nobody reads on."""

    def __init__(self) -> None:
        super().__init__("the client went away before the last row")


def said_at_once(_: AnswerStream) -> bool:
    """``Opened`` of a reader who wants to know that the answer has begun before there are rows."""
    return False


class AnswerStream:
    """The rows of one answer: ``columns`` and ``schema``, then batches, by ``async for``, once.

    ``generation`` and ``form``: as of ``OpenAnswer``. ``moved``: what another thread goes on with. ``has_ended``: the
    event loop knows that the thread does nothing more for it.
    """

    columns: tuple[str, ...] = ()
    schema: pa.Schema
    query = ""
    generation, form, chunks = NO_GENERATION, "", 0

    def __init__(
        self, loop: asyncio.AbstractEventLoop, meter: Meter | None = None, opened: Opened = said_at_once
    ) -> None:
        self._loop = loop
        self._meter = meter
        self._opened = opened
        self.begun: asyncio.Future[None] = loop.create_future()
        self.moved: Future[None] | None = None
        self._ready: asyncio.Queue[pa.RecordBatch | BaseException | None] = asyncio.Queue()
        self._room = threading.Semaphore(AHEAD)
        self._untold: list[Callable[[], None]] | None = None
        self._is_stopped = False
        self._has_produced = self.has_ended = False

    async def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        while (found := await self._ready.get()) is not _END:
            if isinstance(found, BaseException):
                try:
                    raise found
                finally:
                    del found  # else it holds itself
            yield found
            self._room.release()

    @property
    def is_ready(self) -> bool:
        """Whether more of it, or its end, is here already."""
        return not self._ready.empty()

    def stop(self) -> bool:
        """Nobody reads on; True if the thread has not ended yet, so that its query is to be cancelled."""
        self._is_stopped = True
        self._room.release()
        return not self._has_produced and bool(self.query)

    def let_go(self) -> None:
        """Hold no error any more, which holds this stream and its statement in turn, by its traceback."""
        self.begun = self._loop.create_future()

    def produce(self, open_it: Callable[[], AbstractContextManager[OpenAnswer]], away: Away = nullcontext) -> None:
        """Open, read and close an answer: the work of a thread, which is ``away`` while a slow reader has it wait."""
        ended: BaseException | None = _END
        try:
            with open_it() as answer:
                self._begin(answer)
                for batch in answer.batches:
                    if self._meter is not None:
                        self._meter(batch)
                    self._wait_for_room(away)
                    self._put(batch)
        except BaseException as error:
            ended = error
        self.fail(ended)
        del ended  # else it holds itself

    def fail(self, ended: BaseException | None) -> None:
        """Nothing more comes, for this reason."""
        self._has_produced = True
        self._tell(functools.partial(self._finish, ended), is_last=True)

    def _begin(self, answer: OpenAnswer) -> None:
        self.columns, self.schema, self.query = answer.columns, answer.schema, answer.query
        self.generation, self.form, self.chunks = answer.generation, answer.form, answer.chunks
        self._check()
        if self._opened(self):
            self._untold = []
        self._tell(self._begun)

    def _wait_for_room(self, away: Away) -> None:
        if not self._room.acquire(timeout=SLOW_S):
            with away():
                self._room.acquire()
        self._check()

    def _put(self, batch: pa.RecordBatch) -> None:
        is_second = self._untold is not None and len(self._untold) > 1
        put = functools.partial(self._ready.put_nowait, batch)
        self._tell(put, is_last=is_second or batch.num_rows > FEW_ROWS)

    def _tell(self, what: Callable[[], None], *, is_last: bool = False) -> None:
        """Have the event loop do something: at once, or together with what comes next, until the ``last`` of it."""
        if self._untold is None:
            self._loop.call_soon_threadsafe(what)
            return
        self._untold.append(what)
        if is_last:
            together, self._untold = self._untold, None
            self._loop.call_soon_threadsafe(_do_all, together)

    def _check(self) -> None:
        if self._is_stopped:
            raise ReaderGone

    def _begun(self) -> None:
        if not self.begun.done():
            self.begun.set_result(None)

    def _finish(self, ended: BaseException | None) -> None:
        self.has_ended = True
        if ended is not None and not self.begun.done():
            self.begun.set_exception(ended)
        else:
            self._ready.put_nowait(ended)


def _do_all(steps: Sequence[Callable[[], None]]) -> None:
    for step in steps:
        step()
