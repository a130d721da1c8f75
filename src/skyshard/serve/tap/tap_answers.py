"""Answers as HTTP: rows from the czar, encoded and sent as they come, cut where there are too many.

Rules: encoding is done in threads, in pieces of bounded size; a client that goes away has its query cancelled. The end
of a result is written when nothing of the query is left: neither its tables nor what it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.serve.access import Identity
from skyshard.serve.lanes import Lanes
from skyshard.serve.tap.parameters import TapRequest
from skyshard.serve.tap.result_formats import Format, Writer
from skyshard.serve.tap.tables_document import Limits
from skyshard.serve.tap.tap_catalog import TapCatalog, TapCatalogs
from skyshard.serve.tap.uploads import UploadedTable, read_upload
from skyshard.serve.tap_services import AskedQuery, TapServices
from skyshard.serve.told_errors import told
from skyshard.serve.user_limits import require_upload
from skyshard.serve.votable.document import MIME, Status, error_document
from skyshard.serve.votable.fields import Field, field_of, with_distinct_names

Fetch = Callable[[str], bytes]
"""The document at a URL."""
PIECE_ROWS = 20_000
"""Rows that are encoded at a time."""


@dataclass(frozen=True, slots=True)
class OpenRows:
    """Rows under way, and how their columns are declared."""

    fields: tuple[Field, ...]
    schema: pa.Schema
    batches: AsyncIterable[pa.RecordBatch]


class TapAnswers:
    """Opens queries in ADQL."""

    def __init__(
        self, services: TapServices, lanes: Lanes, catalogs: TapCatalogs, limits: Limits, fetch: Fetch
    ) -> None:
        self._services = services
        self._lanes = lanes
        self._catalogs = catalogs
        self._limits = limits
        self._fetch = fetch

    async def translate(self, request: TapRequest) -> tuple[AskedQuery, TapCatalog]:
        """The czar's statement, which gives one row more than asked for, so that more of them are seen."""
        return await self._lanes.look_up(self._catalogs.translate, request.adql, request.most_rows + 1)

    @contextlib.asynccontextmanager
    async def open(self, request: TapRequest, documents: Mapping[str, bytes], who: Identity) -> AsyncIterator[OpenRows]:
        """The rows of somebody's query; ``documents`` are the tables that came with it, by name. Errors as of the
        czar."""
        if request.uploads:
            async with self._open_with_uploads(request, documents, who) as rows:
                yield rows
            return
        asked, catalog = await self.translate(request)
        if asked.is_own:
            table = await self._lanes.look_up(self._services.own.ask, asked.sql)
            yield OpenRows(declared(asked, catalog, table.column_names, table.schema), table.schema, _given(table))
            return
        async with self._lanes.answer(asked.sql, who=who, more_rows=1) as stream:
            yield OpenRows(declared(asked, catalog, stream.columns, stream.schema), stream.schema, stream)

    @contextlib.asynccontextmanager
    async def _open_with_uploads(
        self, request: TapRequest, documents: Mapping[str, bytes], who: Identity
    ) -> AsyncIterator[OpenRows]:
        """The same of a query with tables of its own, which are on the nodes meanwhile."""
        uploads = await self._lanes.work(self._read, request, documents, who)
        tables = {one.name: (one.table, one.rows) for one in uploads}
        async with self._lanes.held(self._services.uploads.bring(tables)) as brought:
            described = [one.described(name) for one, name in zip(uploads, brought.names, strict=True)]
            asked, catalog = await self._lanes.look_up(
                self._catalogs.translate, request.adql, request.most_rows + 1, described
            )
            if asked.is_own:
                raise UserError("the query asks none of the tables that it brings", remedy="leave UPLOAD out")
            async with self._lanes.opened(lambda: brought.open(asked.sql), who=who, more_rows=1) as stream:
                yield OpenRows(declared(asked, catalog, stream.columns, stream.schema), stream.schema, stream)

    def _read(self, request: TapRequest, documents: Mapping[str, bytes], who: Identity) -> list[UploadedTable]:
        """The tables of a query, fetched where they did not come with it."""
        found, size = [], 0
        for name, uri in request.uploads.items():
            content = documents[name] if name in documents else self._fetch(uri)
            size += len(content)
            require_upload(who.name, who.quota, size)
            found.append(read_upload(name, content, self._limits.upload_rows))
        return found


async def _given(table: pa.Table) -> AsyncIterator[pa.RecordBatch]:
    for batch in table.to_batches():
        yield batch


def declared(
    asked: AskedQuery, catalog: TapCatalog, names: tuple[str, ...] | list[str], schema: pa.Schema
) -> tuple[Field, ...]:
    """The fields of an answer: as tables declare them where it shows their columns, else by the types of the rows."""
    if len(asked.columns) != len(names):
        return with_distinct_names(field_of(name, one.type) for name, one in zip(names, schema, strict=True))
    known = [catalog.field(one) for one in asked.columns]
    return with_distinct_names(
        field or field_of(one.name, kind.type) for one, field, kind in zip(asked.columns, known, schema, strict=True)
    )


async def encoded(
    writer: Writer,
    query: str,
    batches: AsyncIterable[pa.RecordBatch],
    most: int,
    close: Callable[[], Awaitable[None]],
) -> AsyncIterator[bytes]:
    """The text of a result with ``most`` rows at most; an error on the way is said in it where its format can. What
    it is read from is closed before its end."""
    yield writer.begin(query)
    given, status = 0, Status.OK
    try:
        async for batch in batches:
            for start in range(0, batch.num_rows, PIECE_ROWS):
                piece = batch.slice(start, min(PIECE_ROWS, most - given))
                given += piece.num_rows
                if piece.num_rows:
                    yield await asyncio.to_thread(writer.rows, piece)
                if start + piece.num_rows < batch.num_rows and given >= most:
                    status = Status.OVERFLOW
                    break
            if status is Status.OVERFLOW:
                break
        await close()
    except SkyshardError as error:
        yield writer.end(Status.ERROR, told(error))
        return
    yield writer.end(status, f"there are more rows than {most}" if status is Status.OVERFLOW else "")


class AnswerResponse(Response):
    """Sends a result, and closes what it is read from, also when the client goes away."""

    def __init__(self, stack: contextlib.AsyncExitStack, pieces: AsyncIterator[bytes], mime: str) -> None:
        self._stack = stack
        self._inner = StreamingResponse(pieces, media_type=mime)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack:
            await self._inner(scope, receive, send)


async def begin_answer(
    opened: contextlib.AbstractAsyncContextManager[OpenRows], form: Format, query: str, most: int
) -> AnswerResponse:
    """A result in a format; rows that cannot be written in it are closed."""
    async with contextlib.AsyncExitStack() as stack:
        rows = await stack.enter_async_context(opened)
        writer = form.make(rows.fields, rows.schema)
        kept = stack.pop_all()
        return AnswerResponse(kept, encoded(writer, query, rows.batches, most, kept.aclose), form.mime)


def error_response(error: SkyshardError) -> Response:
    """A VOTable that says what is wrong; 400 where the request is, 503 where the cluster is, 500 else."""
    status = 503 if isinstance(error, ClusterError) else 500 if error.exit_code == 1 else 400
    return Response(error_document(told(error)), status, media_type=MIME)
