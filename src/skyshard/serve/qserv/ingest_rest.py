"""The REST interface of Qserv's ingest system: databases, tables, transactions, where chunks go, publish.

Rules: what old clients (version 12 on) leave out has the meaning that it had for them. Committing checks that every
contribution has arrived; rows go to the nodes at publish, all of a database's finished transactions in one ingest of
ours, so that each row comes in once and its chunk is checked.
"""

from __future__ import annotations

import functools
import math
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from skyshard.basics.errors import UserError
from skyshard.serve.access import Scope
from skyshard.serve.http.who_asks import Doorkeeper
from skyshard.serve.lanes import Lanes
from skyshard.serve.qserv.contributions import ContributionRoutes, Contributions
from skyshard.serve.qserv.envelope import Asked, Desk, Payload
from skyshard.serve.qserv.ingest_json import (
    Place,
    configuration,
    registered_json,
    transactions_json,
)
from skyshard.serve.qserv.ingest_state import (
    IngestState,
    Registered,
    Transaction,
    TransState,
    now_ms,
    regular_tables,
    require_name,
)
from skyshard.serve.qserv.metadata_writer import TAKEN, write_metadata
from skyshard.serve.services import Ingests

NOT_STORED = ("auth_key", "admin_auth_key", "version", "database", "table")
SECRETS = ("auth_key", "admin_auth_key")


class IngestRest:
    """Its routes; controller and worker are one here."""

    def __init__(
        self,
        ingests: Ingests,
        state: IngestState,
        contributions: Contributions,
        lanes: Lanes,
        place: Place,
        version: int,
    ) -> None:
        self._ingests = ingests
        self._state = state
        self._contributions = contributions
        self._lanes = lanes
        self._place = place
        self._version = version

    def routes(self, keeper: Doorkeeper) -> list[Route]:
        desk = Desk(keeper)

        def route(method: str, path: str, answer: Any, scope: Scope | None = Scope.INGEST) -> list[Route]:
            return desk.route(method, path, answer, scope)

        return [
            Route("/", self._is_there),
            *route("GET", "/meta/version", self._say_version, None),
            *route("GET", "/replication/config", self._config),
            *route("POST", "/replication/sql/index", self._index),
            *route("POST", "/ingest/database", self._register_database),
            *route("PUT", "/ingest/database/{database}", self._publish),
            *route("DELETE", "/ingest/database/{database}", functools.partial(self._drop_database, desk)),
            *route("POST", "/ingest/table", self._register_table),
            *route("DELETE", "/ingest/table/{database}/{table}", self._drop_table),
            *route("PUT", "/ingest/config", self._set_config),
            *route("GET", "/ingest/config", self._get_config),
            *route("POST", "/ingest/trans", self._begin),
            *route("GET", "/ingest/trans", self._transactions),
            *route("GET", "/ingest/trans/{transaction}", self._transaction),
            *route("PUT", "/ingest/trans/{transaction}", self._end),
            *route("POST", "/ingest/chunk", self._chunk),
            *route("POST", "/ingest/chunks", self._chunks),
            *route("GET", "/ingest/regular", self._regular),
            *route("POST", "/ingest/index/secondary", self._secondary_index),
            *route("POST", "/ingest/table-stats", self._statistics),
            *ContributionRoutes(self._contributions, self._lanes, self._state).routes(desk),
        ]

    async def _is_there(self, request: Request) -> PlainTextResponse:
        """What clients ask to see whether a location answers."""
        return PlainTextResponse("skyshard ingest\n")

    async def _say_version(self, asked: Asked) -> Payload:
        return {"kind": "replication-controller", "id": "skyshard", "instance_id": "skyshard", "version": self._version}

    async def _config(self, asked: Asked) -> Payload:
        return {"config": await self._lanes.call(self._configuration)}

    def _configuration(self) -> Any:
        published = self._ingests.published()
        registered = self._state.databases()
        families: dict[str, Mapping[str, Any]] = {
            str(one["family_name"]): {key: one[key] for key in ("num_stripes", "num_sub_stripes", "overlap")}
            for one in published
        }
        families |= {one.family: _family(one) for one in registered}
        return configuration([*published, *map(registered_json, registered)], families, self._place)

    async def _register_database(self, asked: Asked) -> Payload:
        made = Registered(
            database=asked.text("database"), stripes=asked.whole("num_stripes"), made_ms=now_ms(),
            substripes=asked.whole("num_sub_stripes"), overlap_deg=_number(asked, "overlap"),
            auto_index=asked.flag("auto_build_secondary_index", True),
        )  # fmt: skip
        await self._lanes.call(self._add_database, made)
        if "local_load_secondary_index" in asked.body:
            asked.warnings.append("local_load_secondary_index is obsolete")
        return {"database": registered_json(made)}

    def _add_database(self, made: Registered) -> None:
        with self._state.lock:
            if self._is_published(made.database) or self._state.find(made.database) is not None:
                raise UserError(f"there is a database '{made.database}'", remedy="drop it, or choose another name")
            self._state.put(made)

    async def _register_table(self, asked: Asked) -> Payload:
        database, table = asked.text("database"), require_name("table", asked.text("table"), taken=TAKEN)
        content = {key: _plain(value) for key, value in asked.body.items() if key not in NOT_STORED}
        return {"database": await self._lanes.call(self._add_table, database, table, content)}

    def _add_table(self, database: str, table: str, content: dict[str, Any]) -> Mapping[str, Any]:
        with self._state.lock:
            registered = self._state.changeable(database)
            if table.lower() in {name.lower() for name in registered.tables}:
                raise UserError(f"there is a table {database}.{table}", remedy="delete it, or choose another name")
            registered.tables[table] = {"table": table, **content}
            self._check(registered)
            self._state.put(registered)
            return registered_json(registered)

    def _check(self, registered: Registered) -> None:
        """UserError where the tables that are registered cannot be made."""
        with tempfile.TemporaryDirectory(prefix="check-", dir=self._ingests.folder) as folder:
            self._ingests.check(write_metadata(Path(folder), registered))

    async def _set_config(self, asked: Asked) -> Payload:
        database = asked.text("database")
        given = {
            key: _plain(value) for key, value in asked.body.items() if key not in (*SECRETS, "version", "database")
        }
        await self._lanes.call(self._put_settings, database, given)
        asked.warnings.append("settings of libcurl are kept, not used: certificates are those of the server's host")
        return {"database": database, **given}

    def _put_settings(self, database: str, given: dict[str, Any]) -> None:
        with self._state.lock:
            registered = self._state.changeable(database)
            registered.settings.update(given)
            self._state.put(registered)

    async def _get_config(self, asked: Asked) -> Payload:
        registered = await self._lanes.call(self._state.get, asked.text("database"))
        return {"database": registered.database, **registered.settings}

    async def _begin(self, asked: Asked) -> Payload:
        context = asked.body.get("context") or {}
        if not isinstance(context, dict):
            raise UserError("'context' has to be an object", remedy="leave it out")
        return await self._lanes.call(self._add_transaction, asked.text("database"), _plain(context))

    def _add_transaction(self, database: str, context: dict[str, Any]) -> Payload:
        with self._state.lock:
            registered = self._state.changeable(database)
            number = self._state.next_number("transaction")
            made = Transaction(id=number, context=context, begun_ms=now_ms())
            registered.transactions.append(made)
            self._state.put(registered)
            return {"databases": transactions_json(registered, [made])}

    async def _transactions(self, asked: Asked) -> Payload:
        return {"databases": await self._lanes.call(self._listed, asked.text("database", ""))}

    def _listed(self, database: str) -> Mapping[str, Any]:
        """Of one database, or of all that are not published; those of a published one are forgotten."""
        if database and self._is_published(database):
            return {database: {"is_published": 1, "num_chunks": 0, "transactions": []}}
        found = [self._state.get(database)] if database else self._state.databases()
        shown = [transactions_json(one, one.transactions) for one in found]
        return {name: content for one in shown for name, content in one.items()}

    async def _transaction(self, asked: Asked) -> Payload:
        number = asked.whole("transaction")
        registered = await self._lanes.call(self._state.with_transaction, number)
        return {"databases": transactions_json(registered, [registered.transaction(number)])}

    async def _end(self, asked: Asked) -> Payload:
        return await self._lanes.call(self._end_now, asked.whole("transaction"), asked.flag("abort"))

    def _end_now(self, number: int, abort: bool) -> Payload:
        with self._state.lock:
            registered = self._state.changeable(self._state.with_transaction(number).database)
            ended = registered.end(number, abort=abort, now_ms=now_ms())
            if abort:
                self._contributions.forget(registered, registered.of(number))
            self._state.put(registered)
            return {"databases": transactions_json(registered, [ended]), "secondary-index-build-success": 1}

    async def _chunk(self, asked: Asked) -> Payload:
        await self._lanes.call(self._require_chunks, asked, [asked.whole("chunk")])
        return {"location": self._place.location(chunk=asked.whole("chunk"))}

    async def _chunks(self, asked: Asked) -> Payload:
        chunks = asked.body.get("chunks")
        if not isinstance(chunks, list) or not all(isinstance(one, int) for one in chunks):
            raise UserError("'chunks' has to be a list of whole numbers", remedy="send chunks")
        await self._lanes.call(self._require_chunks, asked, chunks)
        return {"locations": [self._place.location(chunk=chunk) for chunk in chunks]}

    def _require_chunks(self, asked: Asked, chunks: list[int]) -> None:
        registered = self._named(asked)
        for chunk in chunks:
            self._contributions.require_chunk(registered, chunk)

    def _named(self, asked: Asked) -> Registered:
        """By its name, or by one of its transactions, which has to be STARTED."""
        if asked.text("database", ""):
            return self._state.get(asked.text("database"))
        number = asked.whole("transaction_id")
        registered = self._state.with_transaction(number)
        if registered.transaction(number).state is not TransState.STARTED:
            raise UserError(f"transaction {number} is not STARTED", remedy="start another one")
        return registered

    async def _regular(self, asked: Asked) -> Payload:
        await self._lanes.call(self._named, asked)
        return {"locations": [self._place.location()]}

    async def _publish(self, asked: Asked) -> Payload:
        database = asked.of_path("database")
        await self._lanes.work(self._publish_now, database)
        return {"database": {"database": database, "is_published": 1}}

    def _publish_now(self, database: str) -> None:
        with self._state.publishing(database) as registered:
            if not self._is_published(database):
                self._ingest(registered)
            elif not registered.is_publishing:  # else a process was killed between its last two steps
                raise UserError(f"a database '{database}' was published meanwhile", remedy="drop what is registered")
            self._forget_database(registered)

    def _ingest(self, registered: Registered) -> None:
        finished = {one.id for one in registered.in_state(TransState.FINISHED)}
        contributed = [one for one in registered.contributions if one.transaction in finished and one.path]
        if not any(one.chunk >= 0 for one in contributed) and len(regular_tables(registered)) < len(registered.tables):
            raise UserError("the database doesn't have any chunks", remedy="contribute rows, and commit")
        for one in contributed:
            self._contributions.require_same(one)
        folder = self._ingests.folder / f"{registered.database}.publish"
        shutil.rmtree(folder, ignore_errors=True)  # made anew, of the same paths: an ingest that was killed goes on
        folder.mkdir(parents=True)
        self._state.note_publishing(registered, True)
        try:
            self._ingests.ingest(write_metadata(folder, registered, contributed), self._lanes.ending)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _is_published(self, database: str) -> bool:
        return database in {one["database"] for one in self._ingests.published()}

    async def _drop_database(self, desk: Desk, asked: Asked) -> Payload:
        """One that is not published is forgotten; a published one needs a token of scope admin."""
        database = asked.of_path("database")
        if await self._lanes.call(self._state.find, database) is not None:
            await self._lanes.call(self._drop_registered, database)
            return {}
        if not await self._lanes.call(self._is_published, database):
            raise UserError(f"no such database: {database}", remedy="GET /replication/config lists them")
        await desk.require(asked, Scope.ADMIN)
        await self._lanes.work(self._ingests.drop, database)
        return {}

    def _drop_registered(self, database: str) -> None:
        with self._state.lock:
            self._state.require_no_publish(database)
            self._forget_database(self._state.get(database))

    def _forget_database(self, registered: Registered) -> None:
        with self._state.lock:
            self._contributions.forget(registered, registered.contributions)
            self._state.forget(registered.database)

    async def _drop_table(self, asked: Asked) -> Payload:
        await self._lanes.call(self._forget_table, asked.of_path("database"), asked.of_path("table"))
        return {}

    def _forget_table(self, database: str, table: str) -> None:
        with self._state.lock:
            registered = self._state.changeable(database)
            if table not in registered.tables:
                raise UserError(f"there is no table {database}.{table}", remedy="GET /replication/config lists them")
            gone = [one for one in registered.contributions if one.table == table]
            self._contributions.forget(registered, gone)
            del registered.tables[table]
            self._state.put(registered)

    async def _index(self, asked: Asked) -> Payload:
        """Indexes of published tables are not made; those of a table's JSON are, at publish."""
        database, table = asked.text("database"), asked.text("table")
        await self._lanes.call(self._ingests.require_published, database, [table])
        what = f"no index is added to {database}.{table}, which is published"
        raise UserError(what, remedy="queries find rows by chunk and by director index; give indexes in a layout")

    async def _secondary_index(self, asked: Asked) -> Payload:
        """Without ``director_table``, as clients before version 21 ask: of all directors."""
        keys = await self._lanes.work(self._ingests.rebuild_indexes, asked.text("database"))
        return {"keys": keys}

    async def _statistics(self, asked: Asked) -> Payload:
        """The registry has counted the rows already."""
        await self._lanes.call(self._ingests.require_published, asked.text("database"), [asked.text("table")])
        return {}


def _family(registered: Registered) -> Mapping[str, Any]:
    return {
        "num_stripes": registered.stripes, "num_sub_stripes": registered.substripes, "overlap": registered.overlap_deg,
    }  # fmt: skip


def _number(asked: Asked, name: str) -> float:
    try:
        found = float(str(asked.value(name)))
    except ValueError:
        found = math.nan
    if not 0 <= found < 180:
        raise UserError(f"'{name}' has to be a number from 0 on", remedy=f"send {name} in degrees")
    return found


def _plain(value: Any) -> Any:
    """JSON with fractions as floats."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | bool | None) else float(value)
