"""The REST interface of Qserv's ingest system: databases, tables, transactions, where chunks go, publish.

Rules: what old clients (version 12 on) leave out has the meaning that it had for them. Committing checks that every
contribution has arrived; rows go to the nodes at publish, all of a database's finished transactions in one ingest of
ours, so that each row comes in once and its chunk is checked.
"""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from skyshard.basics.errors import UserError
from skyshard.basics.plain_numbers import plain_number
from skyshard.chunking import Chunker
from skyshard.serve.access import Scope
from skyshard.serve.http.who_asks import Doorkeeper
from skyshard.serve.lanes import Lanes
from skyshard.serve.qserv.chunk_routes import ChunkRoutes
from skyshard.serve.qserv.contribution_routes import ContributionRoutes
from skyshard.serve.qserv.contributions import Contributions
from skyshard.serve.qserv.envelope import Asked, Desk, NotThere, Payload, plain
from skyshard.serve.qserv.ingest_json import (
    Place,
    configuration,
    registered_json,
)
from skyshard.serve.qserv.ingest_state import (
    CHECK,
    IngestState,
    Registered,
    now_ms,
    require_name,
)
from skyshard.serve.qserv.metadata_writer import TAKEN, write_metadata
from skyshard.serve.qserv.published_routes import PublishedRoutes
from skyshard.serve.qserv.publishing import Publishing
from skyshard.serve.qserv.refused_routes import refused_routes
from skyshard.serve.qserv.transaction_routes import TransactionRoutes
from skyshard.serve.services import Ingests

NOT_STORED = ("auth_key", "admin_auth_key", "version", "database", "table")
FLAGS = {"is_partitioned", "is_director", "unique_primary_key"}
TEXTS = {
    "director_table", "director_key", "director_table2", "director_key2", "longitude_key", "latitude_key", "flag",
}  # fmt: skip
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
        self._publishing = Publishing(ingests, state, contributions, lanes)

    def routes(self, keeper: Doorkeeper) -> list[Route]:
        desk = Desk(keeper)

        def route(method: str, path: str, answer: Any, scope: Scope | None = Scope.INGEST) -> list[Route]:
            return desk.route(method, path, answer, scope)

        return [
            Route("/", self._is_there),
            *route("GET", "/meta/version", self._say_version, None),
            *route("GET", "/replication/config", self._config),
            *route("PUT", "/replication/config/database/{database}", self._reopen, Scope.ADMIN),
            *route("GET", "/ingest/database", self._databases),
            *route("POST", "/ingest/database", self._register_database),
            *route("PUT", "/ingest/database/{database}", self._publish),
            *route("DELETE", "/ingest/database/{database}", functools.partial(self._drop_database, desk)),
            *route("POST", "/ingest/table", self._register_table),
            *route("GET", "/ingest/table/{database}", self._tables),
            *route("DELETE", "/ingest/table/{database}/{table}", functools.partial(self._drop_table, desk)),
            *route("PUT", "/ingest/config", self._set_config),
            *route("GET", "/ingest/config", self._get_config),
            *TransactionRoutes(self._state, self._contributions, self._publishing, self._lanes).routes(desk),
            *ChunkRoutes(self._state, self._lanes, self._place).routes(desk),
            *ContributionRoutes(self._contributions, self._lanes, self._state).routes(desk),
            *PublishedRoutes(self._ingests, self._lanes).routes(desk),
            *refused_routes(desk),
        ]

    async def _is_there(self, request: Request) -> PlainTextResponse:
        """What clients ask to see whether a location answers."""
        return PlainTextResponse("skyshard ingest\n")

    async def _say_version(self, asked: Asked) -> Payload:
        return {"kind": "replication-controller", "id": "skyshard", "instance_id": "skyshard", "version": self._version}

    async def _config(self, asked: Asked) -> Payload:
        return {"config": await self._lanes.call(self._configuration)}

    def _configuration(self) -> Any:
        shown = self._publishing.shown()
        families = {
            str(one["family_name"]): {key: one[key] for key in ("num_stripes", "num_sub_stripes", "overlap")}
            for one in shown
        }
        return configuration(shown, families, self._place)

    async def _databases(self, asked: Asked) -> Payload:
        """All, or those of a family; without ``all`` only those that are ``published``, or those that are not."""
        family, wanted = asked.text("family", ""), None
        if not asked.flag("all", True):
            wanted = int(asked.flag("published"))
        found = [
            {"name": one["database"], "family": one["family_name"], "is_published": one["is_published"]}
            for one in await self._lanes.call(self._publishing.shown)
            if family in ("", one["family_name"]) and wanted in (None, one["is_published"])
        ]
        return {"databases": found}

    async def _tables(self, asked: Asked) -> Payload:
        """Partitioned ones first, as there."""
        database = asked.of_path("database")
        for one in await self._lanes.call(self._publishing.shown):
            if one["database"] == database:
                found = [
                    {"name": str(table["name"]), "is_partitioned": table["is_partitioned"]} for table in one["tables"]
                ]
                return {"tables": sorted(found, key=lambda table: (-table["is_partitioned"], table["name"]))}
        raise _no_database(database)

    async def _register_database(self, asked: Asked) -> Payload:
        striping = asked.whole("num_stripes"), asked.whole("num_sub_stripes"), _number(asked, "overlap")
        Chunker(*striping)
        made = Registered(
            database=require_name("database", asked.text("database")), stripes=striping[0], substripes=striping[1],
            overlap_deg=striping[2], made_ms=now_ms(),
            auto_index=asked.flag("auto_build_secondary_index", True),
        )  # fmt: skip
        await self._lanes.call(self._add_database, made)
        if "local_load_secondary_index" in asked.body:
            asked.warnings.append("local_load_secondary_index is obsolete")
        return {"database": registered_json(made)}

    def _add_database(self, made: Registered) -> None:
        with self._state.lock:
            if self._state.find(made.database) is not None:
                raise UserError(f"there is a database '{made.database}'", remedy="drop it, or choose another name")
            if self._publishing.published(made.database) is not None:
                what = f"there is a database '{made.database}', which is published"
                raise UserError(what, remedy="PUT /replication/config/database/NAME opens it for more tables")
            self._state.put(made)

    async def _register_table(self, asked: Asked) -> Payload:
        database, table = asked.text("database"), require_name("table", asked.text("table"), taken=TAKEN)
        return {"database": await self._lanes.call(self._add_table, database, table, _table_content(asked))}

    def _add_table(self, database: str, table: str, content: dict[str, Any]) -> Mapping[str, Any]:
        with self._state.lock:
            registered = self._state.changeable(database)
            known = [str(one["name"]) for one in self._published_tables(registered)]
            if table.lower() in {name.lower() for name in (*registered.tables, *known)}:
                raise UserError(f"there is a table {database}.{table}", remedy="delete it, or choose another name")
            registered.tables[table] = {"table": table, **content}
            self._check(registered)
            self._state.put(registered)
            return registered_json(registered)

    def _published_tables(self, registered: Registered) -> Sequence[Mapping[str, Any]]:
        """Those of a database that is open for more."""
        shown = self._publishing.published(registered.database) if registered.is_reopened else None
        return shown["tables"] if shown is not None else ()

    def _check(self, registered: Registered) -> None:
        """UserError where the tables that are registered cannot be made."""
        with tempfile.TemporaryDirectory(prefix=CHECK, dir=self._ingests.folder) as folder:
            self._ingests.check(write_metadata(Path(folder), registered))

    async def _set_config(self, asked: Asked) -> Payload:
        database = asked.text("database")
        given = {key: plain(value) for key, value in asked.body.items() if key not in (*SECRETS, "version", "database")}
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

    async def _publish(self, asked: Asked) -> Payload:
        database = asked.of_path("database")
        await self._lanes.work(self._publishing.publish, database)
        return {"database": {"database": database, "is_published": 1}}

    async def _reopen(self, asked: Asked) -> Payload:
        """Un-publish, in Qserv's word: more tables may be registered; those that are there stay visible."""
        database = asked.of_path("database")
        if asked.flag("publish"):
            await self._lanes.work(self._publishing.publish, database)
        else:
            await self._lanes.call(self._publishing.reopen, database)
        shown = await self._lanes.call(self._publishing.shown)
        return {"config": {"databases": {database: next(one for one in shown if one["database"] == database)}}}

    async def _drop_database(self, desk: Desk, asked: Asked) -> Payload:
        """One that is not published is forgotten; a published one needs a token of scope admin."""
        database = asked.of_path("database")
        registered = await self._lanes.call(self._state.find, database)
        is_published = await self._lanes.call(self._publishing.published, database) is not None
        if registered is None and not is_published:
            raise _no_database(database)
        if registered is None or registered.is_reopened:
            await desk.require(asked, Scope.ADMIN)
        if registered is not None:
            await self._lanes.call(self._publishing.drop_registered, database)
        if is_published and (registered is None or registered.is_reopened):
            await self._lanes.work(self._ingests.drop, database)
        return {}

    async def _drop_table(self, desk: Desk, asked: Asked) -> Payload:
        """One that is not published is forgotten; a published one needs a token of scope admin."""
        database, table = asked.of_path("database"), asked.of_path("table")
        registered = await self._lanes.call(self._state.find, database)
        is_published = await self._lanes.call(self._publishing.published, database) is not None
        if registered is None and not is_published:
            raise _no_database(database)
        if is_published and (registered is None or table not in registered.tables):
            await desk.require(asked, Scope.ADMIN)
            await self._lanes.work(self._publishing.drop_table, database, table)
        else:
            await self._lanes.call(self._forget_table, database, table)
        return {}

    def _forget_table(self, database: str, table: str) -> None:
        with self._state.lock:
            registered = self._state.changeable(database)
            if table not in registered.tables:
                raise NotThere(f"there is no table {database}.{table}", remedy="GET /replication/config lists them")
            gone = [one for one in registered.contributions if one.table == table]
            self._contributions.forget(registered, gone)
            del registered.tables[table]
            self._state.put(registered)


def _no_database(database: str) -> NotThere:
    return NotThere(f"no such database: {database}", remedy="GET /replication/config lists them")


def _table_content(asked: Asked) -> dict[str, Any]:
    """What registers a table, as it is kept: flags are 0 and 1, and what is null is not there.

    Raises:
        UserError: a key that has a value of another type.
    """
    given = {key: value for key, value in asked.body.items() if key not in NOT_STORED and value is not None}
    for name in given.keys() & TEXTS:
        asked.text(name)
    if given.get("ang_sep"):
        _number(asked, "ang_sep")
    columns = given.get("schema")
    if not isinstance(columns, list) or not all(isinstance(one, dict) for one in columns):
        raise UserError("'schema' has to name columns", remedy='send [{"name": "ra", "type": "DOUBLE"}, ...]')
    flags = {name: int(asked.flag(name)) for name in given.keys() & FLAGS}
    return {key: plain(value) for key, value in (given | flags).items()}


def _number(asked: Asked, name: str) -> float:
    try:
        found = plain_number(str(asked.value(name)))
    except ValueError:
        found = math.nan
    if not 0 <= found < 180:
        raise UserError(f"'{name}' has to be a number from 0 on", remedy=f"send {name} in degrees")
    return found
