"""Answers that threads read for the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pyarrow as pa
import pytest
from tests.support.played_services import PlayedAnswer, PlayedQueries

from skyshard.basics.errors import ClusterError, UserError
from skyshard.serve.access import EVERYONE
from skyshard.serve.answer_stream import AHEAD, AnswerStream
from skyshard.serve.lanes import Lanes
from skyshard.serve.services import LaneName, Open

T = TypeVar("T")
NUMBERS = pa.table({"n": pa.array(range(10_000))})


@pytest.fixture
def queries() -> PlayedQueries:
    return PlayedQueries({"numbers": NUMBERS, "wrong": UserError("no")}, {"numbers": "scan"}, batch_rows=100)


def with_lanes(queries: PlayedQueries, work: Callable[[Lanes], Awaitable[T]]) -> T:
    lanes = Lanes(queries, interactive=2, scan=2)

    async def run() -> T:
        return await work(lanes)

    try:
        return asyncio.run(run())
    finally:
        lanes.close()


def test_all_rows_come_in_order(queries: PlayedQueries) -> None:
    """Whatever the number of batches; nothing is cancelled at the end."""

    async def work(lanes: Lanes) -> pa.Table:
        async with lanes.answer("numbers", who=EVERYONE) as stream:
            assert stream.columns == ("n",)
            return pa.Table.from_batches([batch async for batch in stream], stream.schema)

    assert with_lanes(queries, work).equals(NUMBERS)
    assert (queries.cancelled, queries.threads[0].rpartition("_")[0]) == ([], "door-scan")


def test_a_slow_reader_slows_the_thread(queries: PlayedQueries) -> None:
    """Batches that nobody has taken are few."""

    async def work(lanes: Lanes) -> None:
        async with lanes.answer("numbers", who=EVERYONE) as stream:
            taken = 0
            async for _ in stream:
                taken += 1
                assert len(queries.read) <= taken + AHEAD + 1

    with_lanes(queries, work)


@pytest.mark.parametrize("leaves", [False, True])
def test_slow_readers_do_not_hold_the_turns_of_other_scans(queries: PlayedQueries, leaves: bool) -> None:
    """As many as there are turns; they get all of their rows once they read on, or leave."""

    async def work(lanes: Lanes) -> list[int]:
        async with lanes.answer("numbers", who=EVERYONE) as one, lanes.answer("numbers", who=EVERYONE) as other:
            async with lanes.answer("numbers", who=EVERYONE) as third:
                counts = [sum([batch.num_rows async for batch in third])]
            slow = [] if leaves else [one, other]
            return counts + [sum([batch.num_rows async for batch in stream]) for stream in slow]

    assert with_lanes(queries, work) == [NUMBERS.num_rows] * (1 if leaves else 3)


def test_a_slow_reader_reads_on_while_others_have_all_turns(queries: PlayedQueries) -> None:
    """Its rows are here: with each batch it waited until somebody else's scan had ended."""
    is_over = threading.Event()

    def long(begun: threading.Event) -> bool:
        begun.set()
        return is_over.wait(20)

    async def work(lanes: Lanes) -> list[int]:
        async with lanes.answer("numbers", who=EVERYONE) as stream:
            begun = [threading.Event(), threading.Event()]
            others = [asyncio.create_task(lanes.work(long, one)) for one in begun]
            for one in begun:
                await asyncio.to_thread(one.wait, 20)
            counts = [batch.num_rows async for batch in stream]
            assert not any(one.done() for one in others)
            is_over.set()
            assert await asyncio.gather(*others) == [True, True]
            return counts

    assert with_lanes(queries, work) == [100] * 100


def test_slow_readers_of_results_hold_up_no_look_up(queries: PlayedQueries) -> None:
    """As many as there are threads for look-ups; another result comes, too."""

    async def rows_of(answer: contextlib.AbstractAsyncContextManager[AnswerStream]) -> int:
        async with answer as stream:
            return sum([batch.num_rows async for batch in stream])

    async def work(lanes: Lanes) -> list[int]:
        def kept() -> PlayedAnswer:
            return PlayedAnswer(("n",), NUMBERS.schema, iter(NUMBERS.to_batches(100)))

        async with lanes.ready(kept), lanes.ready(kept):
            return [await rows_of(lanes.answer("few", who=EVERYONE)), await rows_of(lanes.ready(kept))]

    assert with_lanes(replace(queries, tables={"few": NUMBERS.slice(0, 7)}), work) == [7, NUMBERS.num_rows]


def test_a_reader_that_leaves_has_its_query_cancelled(queries: PlayedQueries) -> None:
    """The answer is closed when the reader is gone, its rows are not read to the end."""

    async def work(lanes: Lanes) -> None:
        async with lanes.answer("numbers", who=EVERYONE) as stream:
            async for _ in stream:
                break
        assert queries.closed.is_set()

    with_lanes(queries, work)
    assert queries.cancelled == ["of numbers"]
    assert len(queries.read) < 100


def test_an_error_of_the_plan_comes_at_once(queries: PlayedQueries) -> None:
    """It is the czar's own, to be said in words."""

    async def work(lanes: Lanes) -> None:
        async with lanes.answer("wrong", who=EVERYONE):
            raise AssertionError("it began")

    with pytest.raises(UserError, match="no"):
        with_lanes(queries, work)


def test_an_error_between_rows_ends_the_rows() -> None:
    """The rows before it have come; what is missing is never taken for the end."""

    class Torn(PlayedQueries):
        def _batches(self, table: pa.Table) -> Iterator[pa.RecordBatch]:
            yield from table.to_batches(100)[:3]
            raise ClusterError("node1 is gone")

    came: list[int] = []

    async def work(lanes: Lanes) -> None:
        async with lanes.answer("numbers", who=EVERYONE) as stream:
            async for batch in stream:
                came[:] = [*came, batch.num_rows]

    with pytest.raises(ClusterError, match="node1 is gone"):
        with_lanes(Torn({"numbers": NUMBERS}), work)
    assert came == [100, 100, 100]


def test_a_cancelled_task_leaves_no_thread_at_work(queries: PlayedQueries) -> None:
    """As where a client's connection is cut while its answer is read."""

    async def work(lanes: Lanes) -> None:
        begun = asyncio.Event()

        async def read() -> None:
            async with lanes.answer("numbers", who=EVERYONE) as stream:
                async for _ in stream:
                    begun.set()
                    await asyncio.Event().wait()

        task = asyncio.ensure_future(read())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert queries.closed.is_set()

    with_lanes(queries, work)
    assert queries.cancelled == ["of numbers"]


@dataclass
class Brought:
    """Tables of a client, which take a while to be brought; no generator, whose end would come with its last name."""

    fails: bool = False
    there: int = 0
    left: int = 0
    begun: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> None:
        self.begun.set()
        self.may_end.wait()
        if self.fails:
            raise UserError("no")
        self.there += 1

    def __exit__(self, *error: object) -> None:
        self.there -= 1
        self.left += 1


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("cancels", [1, 2])
def test_what_was_being_brought_when_a_task_was_cancelled_is_taken_away(
    queries: PlayedQueries, cancels: int, fails: bool
) -> None:
    """A thread cannot be stopped: what it brings is left once it is there, also where the task is cancelled twice."""
    brought = Brought(fails=fails)

    async def work(lanes: Lanes) -> None:
        async def hold() -> None:
            async with lanes.held(brought):
                raise AssertionError("it was held")

        task = asyncio.ensure_future(hold())
        await asyncio.to_thread(brought.begun.wait)
        for _ in range(cancels):
            task.cancel()
            await asyncio.sleep(0)
        brought.may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    with_lanes(queries, work)
    assert (brought.left, brought.there) == (0 if fails else 1, 0)


def test_what_was_not_begun_when_a_task_was_cancelled_never_is(queries: PlayedQueries) -> None:
    """It waited for a thread."""
    first, second = Brought(), Brought()

    async def work(lanes: Lanes) -> None:
        async def hold(one: Brought) -> None:
            async with lanes.held(one):
                pass

        busy = [asyncio.ensure_future(hold(first)) for _ in range(2)]
        await asyncio.to_thread(first.begun.wait)
        waiting = asyncio.ensure_future(hold(second))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        first.may_end.set()
        await asyncio.gather(*busy)

    with_lanes(queries, work)
    assert (first.there, second.begun.is_set()) == (0, False)


class Statement(str):
    """One that can be watched."""


class Failing(PlayedQueries):
    """Fails when it is planned, opened, or amid its rows: what the statement says."""

    def prepare(self, sql: str, database: str) -> tuple[LaneName, Open]:
        if sql == "plan":
            raise UserError("out of order")
        return ("scan" if sql == "scan" else "interactive"), lambda: self.open(sql, database)

    @contextlib.contextmanager
    def open(self, sql: str, database: str) -> Iterator[PlayedAnswer]:
        if sql in ("open", "scan"):
            raise UserError("out of order")
        yield PlayedAnswer(("n",), pa.schema([("n", pa.int64())]), self._rows(), "failing")

    def _rows(self) -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"n": [1]})
        raise UserError("out of order")


@pytest.mark.parametrize("where", ["plan", "open", "scan", "rows"])
def test_a_statement_that_failed_is_held_by_nothing(where: str) -> None:
    """Not by its own error, until garbage is looked for: it may be of 16 MB."""

    async def failed(lanes: Lanes) -> weakref.ref[Statement]:
        statement = Statement(where)
        with contextlib.suppress(UserError):
            async with lanes.answer(statement, who=EVERYONE) as stream:
                async for _ in stream:
                    pass
        return weakref.ref(statement)

    async def run() -> bool:
        lanes = Lanes(Failing({}))
        held = await failed(lanes)
        await lanes.end()
        return held() is not None

    gc.disable()
    try:
        assert not asyncio.run(run())
    finally:
        gc.enable()
