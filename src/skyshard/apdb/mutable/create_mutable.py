"""Makes a mutable database: registered like an ingest, made on czar and nodes, then published in one step.

Each step is a no-op where it is done, so that a run that was killed is gone on with by the next; until the last one no
query sees the database.
"""

from __future__ import annotations

from skyshard.apdb.mutable.mutable_database import MutableDatabase, let_write
from skyshard.apdb.mutable.mutable_tables import shown_layout, shown_table
from skyshard.apdb.tables.apdb_tables import TABLE_NAMES
from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import create_table, stored_table
from skyshard.catalog.layout import Layout
from skyshard.cluster.cluster import CZAR_NAME, Cluster
from skyshard.db.connection import Account, connect, quote_name
from skyshard.registry.catalog.mutable_chunks import own_tables
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import HOLDING, Event
from skyshard.registry.stored.records import OpenTransaction
from skyshard.registry.transactions.transaction_report import TransactionReport

SOURCE = "skyshard apdb create"
PLAN = "mutable"
"""What the registry has as the plan of the transaction that made the tables."""


def create_mutable(cluster: Cluster, registry: Registry, name: str, layout: Layout) -> MutableDatabase:
    """Make a mutable database, or go on with making it.

    Raises:
        UserError: the name is taken, the layout is no mutable one, or a node lacks the engine or the writing account.
        ClusterError: a node does not answer; run it again to go on.
    """
    if not layout.mutable:
        raise UserError("the layout is not of mutable tables", remedy="say `mutable: true` in it")
    stored = registry.published.names().find(name)
    mine = registry.transactions.find_open(stored) if stored else None
    if mine is None or mine.plan != PLAN:
        registry.databases.require_free_name(name)
        stored = registry.databases.free_stored_name(name)
        mine = None
    with registry.ingesting(stored):
        mine = _begun(cluster, registry, stored, name, layout, mine)
        made = MutableDatabase(stored, name, layout, cluster, registry)
        for table in TABLE_NAMES:
            registry.databases.add_table(stored, shown_table(table), shown_layout(), PLAN, mine.id)
        _prepare_czar(made)
        for node in registry.nodes.in_states(cluster.node_names, HOLDING):
            made.prepare_node(node)
        registry.transactions.move(mine, Event.COMMIT)
        registry.transactions.publish(stored, mine, TransactionReport())
    return made


def _begun(
    cluster: Cluster, registry: Registry, stored: str, name: str, layout: Layout, found: OpenTransaction | None
) -> OpenTransaction:
    nodes = registry.nodes.in_states(cluster.node_names, HOLDING)
    if found is None:
        servers = dict.fromkeys(nodes, 0.0)
        return registry.transactions.begin(stored, layout, SOURCE, PLAN, servers, shown=name)
    known = registry.databases.layout(stored)
    if known != layout:
        raise UserError(
            f"'{name}' was begun with another layout",
            remedy=f"give that one, or `skyshard transactions abort {found.id}`",
        )
    return registry.transactions.take_over(found, nodes)


def _prepare_czar(made: MutableDatabase) -> None:
    """The ledger, the list of chunks, and empty tables by which queries learn types."""
    endpoint = made.cluster.endpoint(CZAR_NAME)
    with connect(endpoint, Account.ADMIN) as admin:
        admin.execute(f"CREATE DATABASE IF NOT EXISTS {quote_name(made.database)} CHARACTER SET latin1")
        admin.execute(f"USE {quote_name(made.database)}")
        for statement in own_tables(made.database):
            admin.execute(statement)
        for name in TABLE_NAMES:
            table = stored_table(shown_table(name), shown_layout())
            text = create_table(table, name).replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1)
            admin.execute(text)
        let_write(admin, made.database, endpoint)
