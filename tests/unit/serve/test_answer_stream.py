"""Rows between a thread and the event loop: what is told together, and what is told at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from tests.support.played_services import PlayedQueries

from skyshard.basics.errors import ClusterError
from skyshard.serve.access import EVERYONE
from skyshard.serve.answer_stream import FEW_ROWS, AnswerStream
from skyshard.serve.lanes import Lanes

NUMBERS = pa.table({"n": pa.array(range(3 * FEW_ROWS))})


@dataclass
class Waiting(PlayedQueries):
    """Gives batches of ``sizes`` rows; before the last one it waits until the reader has rows."""

    sizes: tuple[int, ...] = (1, 1, 1)
    error: ClusterError | None = None
    has_rows: threading.Event = field(default_factory=threading.Event)

    def _batches(self, table: pa.Table) -> Iterator[pa.RecordBatch]:
        for number, size in enumerate(self.sizes):
            if number == len(self.sizes) - 1:
                assert self.has_rows.wait(60)
            yield table.slice(0, size).to_batches()[0]
        if self.error is not None:
            raise self.error


def rows_of(queries: Waiting | PlayedQueries) -> tuple[list[int], list[bool]]:
    """Rows of each batch of an answer whose beginning waits for more, and whether the end was known by then."""
    lanes = Lanes(queries)
    came: list[int] = []
    known: list[bool] = []

    async def run() -> None:
        async with lanes.answer("numbers", who=EVERYONE, opened=lambda _: True) as stream:
            known.append(stream.has_ended)
            async for batch in stream:
                came.append(batch.num_rows)
                known.append(stream.has_ended)
                if isinstance(queries, Waiting):
                    queries.has_rows.set()

    try:
        asyncio.run(run())
    finally:
        lanes.close()
    return came, known


def test_few_rows_and_their_end_are_told_together() -> None:
    """Whoever reads them is woken once."""
    assert rows_of(PlayedQueries({"numbers": NUMBERS.slice(0, 3)})) == ([3], [True, True])
    assert rows_of(PlayedQueries({"numbers": NUMBERS.slice(0, 0)})) == ([], [True])


@pytest.mark.parametrize("sizes", [(1, 1, 1), (FEW_ROWS + 1, 1)])
def test_rows_do_not_wait_for_those_that_come_late(sizes: tuple[int, ...]) -> None:
    """A second batch, or one of many rows, is told of at once: the thread goes on when the reader has it."""
    queries = Waiting({"numbers": NUMBERS}, sizes=sizes)
    came, known = rows_of(queries)
    assert came == list(sizes)
    assert not known[0]


def test_an_error_behind_few_rows_comes_behind_them() -> None:
    """What is missing is never taken for the end."""
    queries = Waiting({"numbers": NUMBERS}, sizes=(2,), error=ClusterError("node1 is gone"))
    queries.has_rows.set()
    with pytest.raises(ClusterError, match="node1 is gone"):
        rows_of(queries)


def test_the_reader_s_choice_is_asked_where_the_answer_is_known() -> None:
    """In the thread that has opened it, which knows its name, columns and generation."""
    seen: list[tuple[str, tuple[str, ...], int, bool]] = []

    def opened(stream: AnswerStream) -> bool:
        is_loop = threading.current_thread() is threading.main_thread()
        seen.append((stream.query, stream.columns, stream.generation, is_loop))
        return False

    lanes = Lanes(PlayedQueries({"numbers": NUMBERS}, {"numbers": "scan"}))

    async def run() -> int:
        async with lanes.answer("numbers", who=EVERYONE, opened=opened) as stream:
            return sum([batch.num_rows async for batch in stream])

    try:
        assert asyncio.run(run()) == NUMBERS.num_rows
    finally:
        lanes.close()
    assert seen == [("of numbers", ("n",), 0, False)]
