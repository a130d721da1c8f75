"""The REST interface of Qserv's czar, version 55: statements, submitted ones, and tables that clients bring."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from skyshard.basics.errors import UserError
from skyshard.serve import user_limits
from skyshard.serve.answer_stream import AnswerStream
from skyshard.serve.http.who_asks import Doorkeeper
from skyshard.serve.lanes import Lanes
from skyshard.serve.qserv.envelope import Asked, Desk, NotThere, Payload, envelope
from skyshard.serve.qserv.json_rows import answered, encoding_of
from skyshard.serve.qserv.user_tables import UserTableRoutes
from skyshard.serve.services import PastQuery, Services
from skyshard.serve.submitted_runs import SubmittedRuns

INSTANCE = "skyshard"
CZAR_ID = 1
STATUS: Mapping[str, str] = {
    "queued": "EXECUTING", "executing": "EXECUTING", "completed": "COMPLETED", "expired": "COMPLETED",
    "failed": "FAILED", "cancelled": "ABORTED",
}  # fmt: skip
"""States of the history → those of Qserv."""
TOO_LARGE = f"[{user_limits.TOO_LARGE}]"
"""How an error of the czar begins that Qserv has a state of its own for."""


class CzarRest:
    """Its routes; ``version`` is what clients are told that the interface has."""

    def __init__(self, services: Services, lanes: Lanes, runs: SubmittedRuns, *, version: int) -> None:
        self._services = services
        self._lanes = lanes
        self._runs = runs
        self._version = version

    def routes(self, keeper: Doorkeeper) -> list[Route]:
        desk = Desk(keeper)
        return [
            *desk.route("GET", "/meta/version", self._say_version, None),
            *desk.route("POST", "/query", self._query),
            *desk.route("POST", "/query-async", self._submit),
            *desk.route("GET", "/query-async/status/{query}", self._status),
            *desk.route("GET", "/query-async/result/{query}", self._result),
            *desk.route("DELETE", "/query-async/result/{query}", self._delete_result),
            *desk.route("DELETE", "/query-async/{query}", self._cancel),
            *UserTableRoutes(self._services.user_tables, self._lanes).routes(desk),
        ]

    async def _say_version(self, asked: Asked) -> Payload:
        return {"kind": "qserv-czar-query", "id": INSTANCE, "instance_id": INSTANCE, "version": self._version}

    async def _query(self, asked: Asked) -> Response:
        statement, database = asked.text("query"), asked.text("database", "")
        return self._rows(asked, self._lanes.answer(statement, database, who=asked.who))

    def _rows(self, asked: Asked, opened: AbstractAsyncContextManager[AnswerStream]) -> Response:
        encoding = encoding_of(asked.text("binary_encoding", "hex"))
        ended = functools.partial(envelope, warnings=asked.warnings)
        return StreamingResponse(answered(opened, encoding, ended), media_type="application/json")

    async def _submit(self, asked: Asked) -> Payload:
        statement, database = asked.text("query"), asked.text("database", "")
        limit_s = asked.seconds("max_statement_time")
        await self._lanes.look_up(self._services.queries.lane, statement, database)
        return {"queryId": await self._runs.submit(statement, database, asked.who.name, limit_s=limit_s)}

    async def _status(self, asked: Asked) -> Payload:
        return {"status": status_of(await self._known(asked))}

    async def _known(self, asked: Asked) -> PastQuery:
        number = asked.whole("query")
        try:
            return await self._runs.known(number, asked.who)
        except UserError as error:
            raise NotThere(f"failed to obtain info for queryId={number}: {error.what}", remedy=error.remedy) from None

    async def _result(self, asked: Asked) -> Response:
        number = await self._completed(asked)
        return self._rows(asked, self._lanes.ready(lambda: self._services.submissions.result(number)))

    async def _completed(self, asked: Asked) -> int:
        found = await self._known(asked)
        if found.state != "completed":
            what = f"the result of queryId={found.number} is not there: the query is {found.state}"
            why = f": {found.told_error}" if found.error else ""
            raise UserError(f"{what}{why}", remedy="results are those of completed queries, until they expire")
        return found.number

    async def _delete_result(self, asked: Asked) -> Payload:
        await self._lanes.call(self._services.submissions.delete_result, await self._completed(asked))
        return {}

    async def _cancel(self, asked: Asked) -> Payload:
        await self._lanes.call(self._services.submissions.cancel, (await self._known(asked)).number)
        return {}


def status_of(query: PastQuery) -> Mapping[str, Any]:
    """A query as Qserv's clients read it; times are whole seconds, 0 for none."""
    status = STATUS[query.state]
    if status == "FAILED" and query.error.startswith(TOO_LARGE):
        status = "FAILED_LR"
    begun_s, is_open = query.begun_s or query.submitted_s, status == "EXECUTING"
    return {
        "queryId": query.number, "query": query.statement, "status": status, "error": query.told_error,
        "czarId": CZAR_ID, "czarType": "ASYNC" if query.is_submitted else "SYNC",
        "totalChunks": query.chunks, "completedChunks": query.chunks_done,
        "collectedBytes": query.bytes, "collectedRows": query.rows, "finalRows": 0 if is_open else query.rows,
        "queryBeginEpoch": int(begun_s), "lastUpdateEpoch": int(time.time() if is_open else query.ended_s or begun_s),
    }  # fmt: skip
