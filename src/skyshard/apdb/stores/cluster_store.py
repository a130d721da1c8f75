"""A store in a mutable database of a running cluster: tables spread over its nodes by chunk."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pyarrow as pa

from skyshard.apdb.model import Operation, TableName, TableSize
from skyshard.apdb.mutable.bounded_ddl import change_table
from skyshard.apdb.mutable.mutable_database import MutableDatabase
from skyshard.apdb.mutable.mutable_tables import DROPPED_TABLES, drop_months
from skyshard.apdb.mutable.sizes import status_of
from skyshard.apdb.stores.cluster_session import ClusterSession
from skyshard.apdb.stores.gone_objects import purge_objects
from skyshard.apdb.stores.mariadb_server import MARIADB, MariaDbServer
from skyshard.apdb.stores.region_reads import StoreShape
from skyshard.apdb.stores.scratch_images import ScratchImages
from skyshard.apdb.stores.sql_server import NodeServer, Spent
from skyshard.apdb.stores.store_settings import StoreSettings, Upsert
from skyshard.apdb.stores.tile_ledger import TileLedger
from skyshard.apdb.tables.apdb_tables import month_of
from skyshard.basics.errors import UserError
from skyshard.db.connection import Account, connect

MOST_THREADS = 64
"""Of all sessions of a store together, for reads of several nodes at once."""


class ClusterShards:
    """The nodes and the ledger of a mutable database (:class:`~skyshard.apdb.stores.shards.Shards`)."""

    def __init__(self, database: MutableDatabase) -> None:
        self._database = database
        self._ledger = database.ledger

    def nodes_of(self, chunks: Sequence[int]) -> list[str]:
        return self._database.nodes_of(chunks)

    def all_nodes(self) -> list[str]:
        return sorted(set(self._database.placed().values()))

    def open_server(self, node: str) -> NodeServer:
        there = self._database.cluster.node(node)
        writer, forget = self._database.connect(node), partial(self._database.forget_months_of, node)
        if not there.is_here:  # its files are on another host
            return MariaDbServer(writer, None, forget_months=forget)
        reader = connect(there.sql, Account.READER, self._database.database)
        return MariaDbServer(writer, ScratchImages(reader, there.data), reader, forget)

    def open_ledger(self) -> TileLedger:
        database = self._database
        return TileLedger(connect(self._ledger, Account.WRITER, database.database), database.database)

    def prepare_month(self, month: int, nodes: Sequence[str]) -> None:
        self._database.ensure_months([month], nodes)


class ClusterStore:
    """A backend (:class:`~skyshard.apdb.model.VisitStore`) over a database that ``skyshard apdb create`` made.

    Raises:
        UserError: settings that are the layout's to choose, and are otherwise there; pixels other than chunks.
    """

    def __init__(self, database: MutableDatabase, settings: StoreSettings | None = None) -> None:
        layout, striping = database.layout, database.layout.striping
        own = StoreSettings(
            engine=layout.engine, upsert=Upsert(database.upsert),
            stripes=striping.stripes, substripes=striping.substripes,
        )  # fmt: skip
        _require_like(settings, own, database.shown)
        self._database = database
        self._shards = ClusterShards(database)
        self._shape = StoreShape.of(own, MARIADB, has_writer=True)
        self._pool = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="visits")

    @property
    def name(self) -> str:
        nodes = len(self._database.nodes)
        return f"{self._shape.settings.engine}, {nodes} node{'s' * (nodes != 1)}"

    def open_session(self) -> ClusterSession:
        return ClusterSession(self._shards, self._shape, self._pool)

    def describe(self) -> Mapping[str, object]:
        with connect(self._database.ledger, Account.READER) as reader:
            version = str(reader.value("SELECT VERSION()"))
        return self._shape.facts("cluster", version, self._shape.settings.engine, len(self._database.nodes))

    def stored_tiles(self) -> pa.Table:
        ledger = self._shards.open_ledger()
        try:
            return ledger.whole_tiles()
        finally:
            ledger.close()

    def prepare_month(self, time: float) -> Sequence[Operation]:
        self._database.placed()  # another process may have brought a node its first chunk
        done = self._database.ensure_months([month_of(time)])
        return [operation for operations in done.values() for operation in operations]

    def drop_before(self, time: float) -> Sequence[Operation]:
        """Drop months on every node; whether somebody still needs them is for ``drop_month`` to ask."""
        sizes = [one for one in status_of(self._database).tables if one.table in DROPPED_TABLES]
        operations = []
        for one in sizes:
            gone = [month for month in one.months if month < month_of(time)]
            if gone:
                spent = self._change(one.node, one.table, drop_months(one.table, gone))
                operations.append(spent.operation(one.table, "drop"))
        self._database.forget_months({month for one in sizes for month in one.months if month < month_of(time)})
        return operations

    def purge_objects(self, time: float) -> Sequence[Operation]:
        operations = []
        for node in self._shards.all_nodes():
            server = self._shards.open_server(node)
            try:
                operations.append(purge_objects(server, time))
            finally:
                server.close()
        return operations

    def sizes(self) -> Mapping[TableName, TableSize]:
        return status_of(self._database).sizes()

    def close(self) -> None:
        self._pool.shutdown()

    def _change(self, node: str, table: TableName, sql: str) -> Spent:
        begun = time.perf_counter()
        with connect(self._database.cluster.node(node).sql, Account.ADMIN, self._database.database) as admin:
            change_table(admin, node, table, sql)
        return Spent(0, 0, time.perf_counter() - begun, 0.0)


def _require_like(settings: StoreSettings | None, own: StoreSettings, shown: str) -> None:
    """See that what was chosen is what the database was made with."""
    for name in settings.model_fields_set if settings else ():
        asked, there = getattr(settings, name), getattr(own, name)
        if asked is not None and asked != there:
            raise UserError(f"'{shown}' has {name} {there}, not {asked}", remedy="its layout says so; leave it out")
