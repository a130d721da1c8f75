"""What Qserv's replication controller answers and this server does not: refused, with what is there for it.

Rules: a client reads the reason in the envelope; only a path that Qserv does not have is 404.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.routing import Route

from skyshard.basics.errors import UserError
from skyshard.serve.access import Scope
from skyshard.serve.qserv.envelope import Answering, Asked, Desk, Payload

_REPLICAS = "skyshard replicas status says what nodes hold"
_JOBS = "skyshard jobs lists what is under way"
_NODES = "the cluster's file, or skyshard cluster start, says which nodes there are"
_QUERIES = "the page, skyshard queries and /query-async/status say it"
_SQL = "POST /query of the HTTP door answers statements"
_EXPORT = "skyshard query writes rows of any table as Parquet or CSV"
_CATALOG = "POST /ingest/database and /ingest/table register them, and DELETE drops them"
REFUSED: Mapping[str, str] = {
    "GET /replication/catalogs": _REPLICAS,
    "GET /replication/level": _REPLICAS,
    "PUT /replication/level": "skyshard replicas level changes how many there are",
    "GET /replication/worker": "skyshard cluster status says how nodes are",
    "GET /replication/controller": _JOBS,
    "GET /replication/controller/{id}": _JOBS,
    "GET /replication/controller/{id}/dict": _JOBS,
    "GET /replication/request": _JOBS,
    "GET /replication/request/{id}": _JOBS,
    "GET /replication/job": _JOBS,
    "GET /replication/job/{id}": _JOBS,
    "PUT /replication/config/general": "skyshard cluster set changes settings",
    "PUT /replication/config/worker/{worker}": _NODES,
    "DELETE /replication/config/worker/{worker}": _NODES,
    "POST /replication/config/worker": _NODES,
    "DELETE /replication/config/family/{family}": "a family is gone with its last database",
    "POST /replication/config/family": "a family comes with its first database",
    "DELETE /replication/config/database/{database}": _CATALOG,
    "POST /replication/config/database": _CATALOG,
    "DELETE /replication/config/table/{database}/{table}": _CATALOG,
    "POST /replication/config/table": _CATALOG,
    "GET /replication/qserv/worker/status": _QUERIES,
    "GET /replication/qserv/worker/status/{worker}": _QUERIES,
    "GET /replication/qserv/worker/config/{worker}": _QUERIES,
    "GET /replication/qserv/worker/db/{worker}": _QUERIES,
    "GET /replication/qserv/worker/files/{worker}": _QUERIES,
    "GET /replication/qserv/master/status/{czar}": _QUERIES,
    "GET /replication/qserv/master/config/{czar}": _QUERIES,
    "GET /replication/qserv/master/db": _QUERIES,
    "GET /replication/qserv/master/queries/active": _QUERIES,
    "GET /replication/qserv/master/queries/active/progress/{czar}": _QUERIES,
    "GET /replication/qserv/master/queries/past": _QUERIES,
    "GET /replication/qserv/master/query/{id}": _QUERIES,
    "GET /replication/qserv/master/ingest-requests": _QUERIES,
    "GET /replication/qserv/css/shared-scan": "scans share nothing here",
    "PUT /replication/qserv/css/shared-scan/{database}/{table}": "scans share nothing here",
    "GET /replication/sql/table/schema/{database}/{table}": "SHOW CREATE TABLE at the MySQL door says it",
    "PUT /replication/sql/table/schema/{database}/{table}": "columns of a published table stay as they are",
    "POST /replication/sql/query": _SQL,
    "GET /export/config/{database}": _EXPORT,
    "GET /export/config/{database}/{table}": _EXPORT,
    "GET /export/locations/{database}/{table}": _EXPORT,
}
"""Method and path → what to do instead."""


def refused_routes(desk: Desk) -> list[Route]:
    """After all others: what is refused, and not merely unknown."""
    return [
        route
        for asked, remedy in REFUSED.items()
        for route in desk.route(*_method_and_path(asked), _refusal(asked, remedy), Scope.INGEST)
    ]


def _method_and_path(asked: str) -> tuple[str, str]:
    method, _, path = asked.partition(" ")
    return method, path


def _refusal(asked: str, remedy: str) -> Answering:
    async def refuse(_: Asked) -> Payload:
        raise UserError(f"{asked} is of Qserv's own workings, and not answered here", remedy=remedy)

    return refuse
