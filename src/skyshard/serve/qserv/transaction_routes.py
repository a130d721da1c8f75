"""Transactions of databases that are registered: begun, listed with what they brought, committed or aborted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.routing import Route

from skyshard.basics.errors import UserError
from skyshard.serve.access import Scope
from skyshard.serve.lanes import Lanes
from skyshard.serve.qserv.contributions import Contributions
from skyshard.serve.qserv.envelope import Asked, Desk, Payload, plain
from skyshard.serve.qserv.ingest_json import ASKED_FOR, summary_json, transactions_json
from skyshard.serve.qserv.ingest_state import IngestState, Registered, Transaction, now_ms
from skyshard.serve.qserv.publishing import Publishing


class TransactionRoutes:
    """Its routes; what was committed goes to the nodes when its database is published."""

    def __init__(self, state: IngestState, contributions: Contributions, publishing: Publishing, lanes: Lanes) -> None:
        self._state = state
        self._contributions = contributions
        self._publishing = publishing
        self._lanes = lanes

    def routes(self, desk: Desk) -> list[Route]:
        return [
            *desk.route("POST", "/ingest/trans", self._begin, Scope.INGEST),
            *desk.route("GET", "/ingest/trans", self._transactions, Scope.INGEST),
            *desk.route("GET", "/ingest/trans/{transaction}", self._transaction, Scope.INGEST),
            *desk.route("PUT", "/ingest/trans/{transaction}", self._end, Scope.INGEST),
        ]

    async def _begin(self, asked: Asked) -> Payload:
        context = asked.body.get("context") or {}
        if not isinstance(context, dict):
            raise UserError("'context' has to be an object", remedy="leave it out")
        return await self._lanes.call(self._add_transaction, asked.text("database"), plain(context))

    def _add_transaction(self, database: str, context: dict[str, Any]) -> Payload:
        with self._state.lock:
            registered = self._state.changeable(database)
            number = self._state.next_number("transaction")
            made = Transaction(id=number, context=context, begun_ms=now_ms())
            registered.transactions.append(made)
            self._state.put(registered)
            return {"databases": transactions_json(registered, [made])}

    async def _transactions(self, asked: Asked) -> Payload:
        return {"databases": await self._lanes.call(self._listed, asked, asked.text("database", ""))}

    def _listed(self, asked: Asked, database: str) -> Mapping[str, Any]:
        """Of one database, or of all of a family, or at all, that are not published; those of a published one are
        forgotten."""
        if database and self._state.find(database) is None and self._publishing.published(database) is not None:
            return {database: {"is_published": 1, "num_chunks": 0, "transactions": []}}
        family = asked.text("family", "")
        found = [self._state.get(database)] if database else self._state.databases()
        found = found if database or not family else [one for one in found if one.family == family]
        return {one.database: _shown(asked, one, one.transactions) for one in found}

    async def _transaction(self, asked: Asked) -> Payload:
        number = asked.whole("transaction")
        registered = await self._lanes.call(self._contributions.of, number)
        return {"databases": {registered.database: _shown(asked, registered, [registered.transaction(number)])}}

    async def _end(self, asked: Asked) -> Payload:
        return await self._lanes.call(self._end_now, asked.whole("transaction"), asked.flag("abort"))

    def _end_now(self, number: int, abort: bool) -> Payload:
        with self._state.lock:
            registered = self._state.changeable(self._contributions.of(number).database)
            ended = registered.end(number, abort=abort, now_ms=now_ms())
            if abort:
                self._contributions.forget(registered, registered.of(number))
            self._state.put(registered)
            return {"databases": transactions_json(registered, [ended]), "secondary-index-build-success": 1}


def _shown(asked: Asked, registered: Registered, transactions: list[Transaction]) -> Mapping[str, Any]:
    """A database's transactions, with as much as a client wants of each."""
    always = asked.version < ASKED_FOR
    found: dict[str, Any] = dict(transactions_json(registered, transactions)[registered.database])
    shown = []
    for one in found["transactions"]:
        left_out = {key for key in ("context", "log") if not (always or asked.flag(f"include_{key}"))}
        mine = {key: value for key, value in one.items() if key not in left_out}
        if asked.flag("contrib"):
            mine["contrib"] = summary_json(
                registered, one["id"], with_files=asked.flag("contrib_long"),
                with_retries=always or asked.flag("include_retries"),
            )  # fmt: skip
        shown.append(mine)
    return found | {"transactions": shown}
