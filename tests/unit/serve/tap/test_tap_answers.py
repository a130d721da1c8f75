"""Rows under way are closed, whatever becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pyarrow as pa
import pytest

from skyshard.basics.errors import UserError
from skyshard.serve.tap.result_formats import FORMATS, Fields, Writer
from skyshard.serve.tap.tap_answers import OpenRows, begin_answer


async def no_batches() -> AsyncIterator[pa.RecordBatch]:
    for batch in pa.table({"n": []}).to_batches():
        yield batch


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
