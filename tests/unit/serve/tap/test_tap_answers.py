"""Rows under way are closed, whatever becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pyarrow as pa
import pytest
from starlette.types import Message

from skyshard.basics.errors import UserError
from skyshard.serve.tap.result_formats import FORMATS, Fields, Writer
from skyshard.serve.tap.tap_answers import OpenRows, begin_answer


async def no_batches() -> AsyncIterator[pa.RecordBatch]:
    for batch in pa.table({"n": []}).to_batches():
        yield batch


def test_a_result_ends_when_what_it_is_read_from_is_closed() -> None:
    """Whoever has the last byte finds nothing of the query on the nodes."""
    closed: list[bool] = []

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[OpenRows]:
        yield OpenRows((), pa.schema([]), no_batches())
        closed.append(True)

    async def run() -> list[tuple[bool, bool]]:
        answer = await begin_answer(opened(), FORMATS[0], "SELECT 1", 1)
        found: list[tuple[bool, bool]] = []

        async def send(message: Message) -> None:
            found.append((b"</VOTABLE>" in message.get("body", b""), bool(closed)))

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError("nobody sends more")

        await answer({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
        return found

    found = asyncio.run(run())
    assert (True, True) in found
    assert (True, False) not in found
    assert (False, False) in found


def test_rows_that_cannot_be_written_are_closed() -> None:
    """Tables that came with the query would stay on the nodes."""
    closed: list[bool] = []

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[OpenRows]:
        try:
            yield OpenRows((), pa.schema([]), no_batches())
        finally:
            closed.append(True)

    def make(fields: Fields, schema: pa.Schema) -> Writer:
        raise UserError("no such column")

    with pytest.raises(UserError, match="no such column"):
        asyncio.run(begin_answer(opened(), replace(FORMATS[0], make=make), "SELECT 1", 1))
    assert closed == [True]
