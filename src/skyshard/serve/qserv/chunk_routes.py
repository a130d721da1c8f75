"""Where rows go, as Qserv's clients ask for it: one place, for all chunks and all their replicas.

Rules: nothing is kept of it; the nodes that hold a chunk are chosen at publish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.routing import Route

from skyshard.basics.errors import UserError
from skyshard.chunking import Chunker
from skyshard.serve.access import Scope
from skyshard.serve.lanes import Lanes
from skyshard.serve.qserv.envelope import Asked, Desk, Payload
from skyshard.serve.qserv.ingest_json import WORKER, Place
from skyshard.serve.qserv.ingest_state import IngestState, Registered, TransState

MOST_CHUNKS = 1 << 31
"""Numbers of chunks have 32 bits."""


class ChunkRoutes:
    """One chunk or several; the forms with ``multi`` give a place for each replica, which is one here."""

    def __init__(self, state: IngestState, lanes: Lanes, place: Place) -> None:
        self._state = state
        self._lanes = lanes
        self._place = place

    def routes(self, desk: Desk) -> list[Route]:
        return [
            *desk.route("POST", "/ingest/chunk", self._chunk, Scope.INGEST),
            *desk.route("POST", "/ingest/chunk-multi", self._chunk_everywhere, Scope.INGEST),
            *desk.route("POST", "/ingest/chunks", self._chunks, Scope.INGEST),
            *desk.route("POST", "/ingest/chunks-multi", self._chunks, Scope.INGEST),
            *desk.route("GET", "/ingest/chunks", self._contributed, Scope.INGEST),
            *desk.route("POST", "/ingest/chunk/empty", self._empty, Scope.INGEST),
            *desk.route("GET", "/ingest/regular", self._regular, Scope.INGEST),
        ]

    async def _chunk(self, asked: Asked) -> Payload:
        (location,) = await self._locations(asked, [asked.whole("chunk")])
        return {"location": location}

    async def _chunk_everywhere(self, asked: Asked) -> Payload:
        return {"locations": await self._locations(asked, [asked.whole("chunk")])}

    async def _chunks(self, asked: Asked) -> Payload:
        chunks = asked.value("chunks")
        if not isinstance(chunks, list) or not all(type(one) is int for one in chunks):
            raise UserError("'chunks' has to be a list of whole numbers", remedy="send chunks")
        return {"locations": await self._locations(asked, chunks)}

    async def _locations(self, asked: Asked, chunks: Sequence[int]) -> list[Mapping[str, Any]]:
        registered = await self._lanes.call(self._named, asked)
        for chunk in chunks:
            require_chunk(registered, chunk)
        return [self._place.location(chunk=chunk) for chunk in chunks]

    def _named(self, asked: Asked) -> Registered:
        """By its name, or by one of its transactions, which has to be STARTED."""
        if asked.text("database", ""):
            return self._state.get(asked.text("database"))
        number = asked.whole("transaction_id")
        registered = self._state.with_transaction(number)
        if registered.transaction(number).state is not TransState.STARTED:
            raise UserError(f"transaction {number} is not STARTED", remedy="start another one")
        return registered

    async def _contributed(self, asked: Asked) -> Payload:
        """The chunks that have contributions, each with the rows of its tables."""
        registered = await self._lanes.call(self._state.get, asked.text("database"))
        return {"replica": [_rows_of(registered, chunk) for chunk in chunks_of(registered)]}

    async def _empty(self, asked: Asked) -> Payload:
        """How many chunks have contributions, of how many; no list is made: a chunk without rows has no tables."""
        registered = await self._lanes.call(self._state.get, asked.text("database"))
        chunker = Chunker(registered.stripes, registered.substripes, registered.overlap_deg)
        return {"num_chunks_ingested": len(chunks_of(registered)), "num_chunks_all": len(chunker.chunk_ids())}

    async def _regular(self, asked: Asked) -> Payload:
        await self._lanes.call(self._named, asked)
        return {"locations": [self._place.location()]}


def require_chunk(registered: Registered, chunk: int) -> None:
    """UserError where a chunk is none of the layout."""
    chunker = Chunker(registered.stripes, registered.substripes, registered.overlap_deg)
    if not 0 <= chunk < MOST_CHUNKS or not chunker.is_chunk([chunk])[0]:
        raise UserError("this chunk number is not valid", remedy=f"{chunk} is no chunk of {registered.family}")


def chunks_of(registered: Registered) -> list[int]:
    """Those that have contributions."""
    return sorted({one.chunk for one in registered.contributions if one.chunk >= 0})


def _rows_of(registered: Registered, chunk: int) -> Mapping[str, Any]:
    found: dict[str, Any] = {"chunk": chunk, "worker": WORKER}
    for one in registered.contributions:
        if one.chunk == chunk:
            before = found.setdefault(one.table, {"rows": 0, "data_size": 0, "overlap_rows": 0, "overlap_data_size": 0})
            kind = "overlap_" if one.is_overlap else ""
            before[f"{kind}rows"] += one.rows
            before[f"{kind}data_size"] += one.bytes
    return found
