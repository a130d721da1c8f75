"""What Qserv's clients ask of tables that are published: indexes, director indexes, counters of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.routing import Route

from skyshard.basics.errors import UserError
from skyshard.serve.access import Scope
from skyshard.serve.lanes import Lanes
from skyshard.serve.qserv.envelope import Asked, Desk, Payload
from skyshard.serve.services import Ingests, TableIndex

SPECS = ("DEFAULT", "UNIQUE", "FULLTEXT", "SPATIAL")
MADE = ("DEFAULT", "UNIQUE")
OBSOLETE = ("local", "allow_for_published")
"""Keys that versions before 22 send to rebuild a director index."""


class PublishedRoutes:
    """Its routes. An index that is made, or gone, is so on all replicas of all chunks."""

    def __init__(self, ingests: Ingests, lanes: Lanes) -> None:
        self._ingests = ingests
        self._lanes = lanes

    def routes(self, desk: Desk) -> list[Route]:
        return [
            *desk.route("POST", "/replication/sql/index", self._add_index, Scope.INGEST),
            *desk.route("DELETE", "/replication/sql/index", self._drop_index, Scope.INGEST),
            *desk.route("GET", "/replication/sql/index/{database}/{table}", self._indexes, Scope.INGEST),
            *desk.route("POST", "/ingest/index/secondary", self._director_index, Scope.INGEST),
            *desk.route("POST", "/ingest/table-stats", self._count, Scope.INGEST),
            *desk.route("GET", "/ingest/table-stats/{database}/{table}", self._counted, Scope.INGEST),
            *desk.route("DELETE", "/ingest/table-stats/{database}/{table}", self._forget_counts, Scope.INGEST),
        ]

    async def _add_index(self, asked: Asked) -> Payload:
        database, table, name = asked.text("database"), asked.text("table"), asked.text("index")
        spec = asked.text("spec", "DEFAULT").upper()
        if spec not in SPECS:
            raise UserError(f"'spec' is '{spec[:40]}'", remedy=f"ask for {', '.join(SPECS)}")
        if spec not in MADE:
            what = f"no index of kind {spec} is added to a table that is published"
            raise UserError(what, remedy=f"ask for {' or '.join(MADE)}")
        columns = [_column(one, asked) for one in _listed(asked)]
        await self._lanes.call(self._ingests.require_published, database, [table])
        if asked.flag("overlap"):
            asked.warnings.append("the index is that of the chunk tables, too: both have the same")
        await self._lanes.work(self._ingests.add_index, database, table, name, columns, spec == "UNIQUE")
        return {}

    async def _drop_index(self, asked: Asked) -> Payload:
        database, table, name = asked.text("database"), asked.text("table"), asked.text("index")
        await self._lanes.call(self._ingests.require_published, database, [table])
        if asked.flag("overlap"):
            asked.warnings.append("the index is gone from the chunk tables, too: both have the same")
        await self._lanes.work(self._ingests.drop_index, database, table, name)
        return {}

    async def _indexes(self, asked: Asked) -> Payload:
        database, table, overlap = asked.of_path("database"), asked.of_path("table"), asked.flag("overlap")
        await self._lanes.call(self._ingests.require_published, database, [table])
        found = await self._lanes.call(self._ingests.indexes, database, table, overlap)
        counted = await self._lanes.call(self._ingests.counted, database, table)
        tables = sum(one.is_overlap is overlap for one in counted)
        listed = [_index_json(one, tables) for one in found]
        return {"status": {"database": database, "table": table, "overlap": int(overlap), "indexes": listed}}

    async def _director_index(self, asked: Asked) -> Payload:
        """Without ``director_table``, as clients before version 21 ask: of all directors."""
        database, director = asked.text("database"), asked.text("director_table", "")
        asked.warnings.extend(f"{key} is obsolete" for key in OBSOLETE if key in asked.body)
        await self._lanes.call(self._ingests.require_published, database, [director] if director else [])
        keys = await self._lanes.work(self._ingests.rebuild_indexes, database)
        if director and director not in keys:
            raise UserError(f"{database}.{director} is no director with a key", remedy=f"name {', '.join(keys)}")
        return {"keys": keys}

    async def _count(self, asked: Asked) -> Payload:
        """The registry has counted the rows already."""
        await self._lanes.call(self._ingests.require_published, asked.text("database"), [asked.text("table")])
        return {}

    async def _counted(self, asked: Asked) -> Payload:
        database, table = asked.of_path("database"), asked.of_path("table")
        await self._lanes.call(self._ingests.require_published, database, [table])
        entries = [
            {"transaction_id": 0, "chunk": one.chunk, "is_overlap": int(one.is_overlap), "num_rows": one.rows,
             "update_time": 0}
            for one in await self._lanes.call(self._ingests.counted, database, table)
        ]  # fmt: skip
        return {"database": database, "table": table, "entries": entries}

    async def _forget_counts(self, asked: Asked) -> Payload:
        await self._lanes.call(self._ingests.require_published, asked.of_path("database"), [asked.of_path("table")])
        asked.warnings.append("nothing is forgotten: the counters are those that the rows are checked by")
        return {}


def _listed(asked: Asked) -> list[Mapping[str, Any]]:
    found = asked.value("columns")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise UserError("'columns' is no list", remedy='send [{"column": "ra", "length": 0, "ascending": 1}]')
    return found


def _column(given: Mapping[str, Any], asked: Asked) -> str:
    """``name``, or ``name(10)`` where a length is given. Every index can be read backwards."""
    name, length, ascending = given.get("column"), given.get("length", 0), given.get("ascending", 1)
    if not isinstance(name, str) or not name or type(length) is not int or length < 0:
        raise UserError("a column of 'columns' has no name, or a wrong length", remedy="send column, length, ascending")
    if ascending in (0, False):
        asked.warnings.append(f"column {name} is indexed in ascending order, which is read backwards, too")
    return f"{name}({length})" if length else name


def _index_json(one: TableIndex, tables: int) -> Mapping[str, Any]:
    parts = [column.rstrip(")").partition("(") for column in one.columns]
    columns = [
        {"name": name, "seq": seq, "sub_part": int(length or 0), "collation": "ASC"}
        for seq, (name, _, length) in enumerate(parts, 1)
    ]
    return {
        "name": one.name, "unique": int(one.is_unique), "type": "BTREE", "comment": "", "columns": columns,
        "status": "COMPLETE", "num_replicas_total": tables, "num_replicas": tables,
    }  # fmt: skip
