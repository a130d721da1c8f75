"""A mutable database as its writers and keepers work with it: where its nodes are, and which has which chunk.

Rules: a chunk is placed once, when it is first asked for, where the family has it; one replica. Its node has the tables
before the chunk is written down, and it is written down before a row of it is stored.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skyshard.apdb.model import Operation
from skyshard.apdb.mutable.mutable_tables import node_statements
from skyshard.apdb.mutable.new_months import make_month
from skyshard.basics.errors import UserError
from skyshard.catalog.chunkers import chunker_of
from skyshard.catalog.layout import Layout, Upsert
from skyshard.catalog.placement import place
from skyshard.chunking import Chunker
from skyshard.cluster.accounts import writer_statements
from skyshard.cluster.cluster import CZAR_NAME, Cluster
from skyshard.db.connection import Account, Connection, Endpoint, connect, quote_name
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import TAKING, NodeState

PLACEMENT_WAIT_S = 60


@dataclass(slots=True, eq=False)
class MutableDatabase:
    """An open mutable database; threads may share it. ``database`` is its stored name, by which servers know it."""

    database: str
    shown: str
    layout: Layout
    cluster: Cluster
    registry: Registry
    _placed: dict[int, str] = field(default_factory=dict)
    _months: set[tuple[str, int]] = field(default_factory=set)
    """Of nodes, that are made. Clients add to it at any time; one that is lost is looked for again."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _month_lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def nodes(self) -> dict[str, Endpoint]:
        """Every node of the cluster, whether it has rows or not, in order."""
        there = self.registry.nodes.members(self.cluster.node_names)
        return {name: node.sql for name, node in self.cluster.nodes.items() if name in there}

    @property
    def ledger(self) -> Endpoint:
        """The czar's server: its table ``TileStores`` says which stores are whole."""
        return self.cluster.endpoint(CZAR_NAME)

    @property
    def chunker(self) -> Chunker:
        """Says in which chunk and sub-chunk a position is."""
        return chunker_of(self.layout.striping)

    @property
    def upsert(self) -> Upsert:
        """How a newer version takes the place of a row of DiaObjectLast."""
        return self.layout.upsert or "on-duplicate"

    def connect(self, node: str) -> Connection:
        """A session of the writing account on a node, in the database.

        Raises:
            ClusterError: it does not answer.
        """
        return connect(self.cluster.node(node).sql, Account.WRITER, self.database, is_for_bulk=True)

    def nodes_of(self, chunks: Sequence[int]) -> list[str]:
        """The node of each chunk; chunks that have none are given one.

        Raises:
            UserError: a number that is no chunk's of the layout.
            ClusterError: no node takes new chunks, or one does not answer.
        """
        missing = sorted(set(map(int, chunks)) - self._placed.keys())
        if missing:
            with self._lock:
                self._place([chunk for chunk in missing if chunk not in self._placed])
        return [self._placed[int(chunk)] for chunk in chunks]

    def _place(self, chunks: Sequence[int]) -> None:
        if not all(self.chunker.is_chunk(list(chunks)).tolist()):
            raise UserError(f"'{self.shown}' has no such chunk among {list(chunks)[:5]}", remedy="see its layout")
        self._placed.update(self.registry.mutable_chunks.placed(self.database))
        missing = [chunk for chunk in chunks if chunk not in self._placed]
        if not missing:
            return
        family = self.layout.striping.family
        with self.registry.exclusive(f"placement in {family}", wait_s=PLACEMENT_WAIT_S):
            self._placed.update(self.registry.mutable_chunks.placed(self.database))
            missing = [chunk for chunk in missing if chunk not in self._placed]
            known = self.registry.placements.of_family(family)
            new = self._chosen(missing, known)
            for node in sorted(set(new.values()) - set(self._placed.values())):
                self.prepare_node(node)
            self.registry.placements.add(family, {chunk: (new[chunk],) for chunk in new.keys() - known.keys()})
            self.registry.mutable_chunks.add(self.database, new)
            self._placed.update(new)

    def _chosen(self, missing: Sequence[int], known: Mapping[int, Sequence[str]]) -> dict[int, str]:
        """Where the family has them, else the nodes that have the fewest chunks of this database.

        Not on a node that is being drained: what the family has there moves away, these chunks would not.
        """
        nodes = list(self.nodes)
        leaving = self.registry.nodes.in_states(nodes, {NodeState.DRAINING, NodeState.DRAINED})
        family = {chunk: [node for node in known.get(chunk, ()) if node not in leaving] for chunk in missing}
        mine = {chunk: (node,) for chunk, node in self._placed.items()}
        taking = self.registry.nodes.in_states(nodes, TAKING)
        found = place(dict.fromkeys([*mine, *missing], 1), nodes, 1, {**family, **mine}, taking)
        return {chunk: found[chunk][0] for chunk in missing}

    def prepare_node(self, node: str) -> None:
        """Give a node the tables, and the writing account its rights on them; a no-op where it has them."""
        endpoint = self.cluster.node(node).sql
        with connect(endpoint, Account.ADMIN) as admin:
            admin.execute(f"CREATE DATABASE IF NOT EXISTS {quote_name(self.database)} CHARACTER SET latin1")
            admin.execute(f"USE {quote_name(self.database)}")
            for statement in node_statements(self.layout):
                admin.execute(statement)
            let_write(admin, self.database, endpoint)

    def ensure_months(self, months: Iterable[int], nodes: Collection[str] = ()) -> dict[str, list[Operation]]:
        """Give the monthly tables of some nodes, or of all that have chunks, these months, where they lack them.

        Returns:
            Node → an operation for each month that it got.
        """
        done: dict[str, list[Operation]] = {}
        for node in nodes or sorted(set(self._placed.values())):
            missing = [month for month in sorted(set(months)) if (node, month) not in self._months]
            if missing:
                with self._month_lock:  # the clients of a visit come together
                    done[node] = self._make_months(node, missing)
        return done

    def _make_months(self, node: str, months: Sequence[int]) -> list[Operation]:
        done: list[Operation] = []
        for month in months:
            if (node, month) not in self._months:
                done += make_month(self.cluster.node(node).sql, self.database, node, month, self.layout.engine)
                self._months.add((node, month))
        return done

    def forget_months(self, months: Iterable[int]) -> None:
        """After a drop: whoever stores into one of them again makes it again."""
        gone = set(months)
        self._months = {(node, month) for node, month in tuple(self._months) if month not in gone}

    def forget_months_of(self, node: str) -> None:
        """After a month was not there: another process has dropped it, and perhaps others."""
        self._months = {(other, month) for other, month in tuple(self._months) if other != node}

    def placed(self) -> Mapping[int, str]:
        """Chunk → node, as it is now."""
        self._placed.update(self.registry.mutable_chunks.placed(self.database))
        return dict(self._placed)


def let_write(admin: Connection, database: str, endpoint: Endpoint) -> None:
    """Give the writing account of a server its rights on a database; a private server is given the account, too.

    Raises:
        UserError: a server that others run has no such account.
    """
    hosts = [str(host) for (host,) in admin.rows(f"SELECT Host FROM mysql.user WHERE User = '{Account.WRITER}'")]
    if not hosts and not endpoint.secrets:
        admin.execute(f"CREATE USER IF NOT EXISTS {Account.WRITER}@localhost")
        hosts = ["localhost"]
    if not hosts:
        raise UserError(
            f"{endpoint.name} has no account {Account.WRITER}",
            remedy=f"give its password in a file '{Account.WRITER.duty}' beside the others, and start the server anew",
        )
    for statement in writer_statements(database, hosts):
        admin.execute(statement)


def open_mutable(cluster: Cluster | Path | str, name: str, registry: Registry | None = None) -> MutableDatabase:
    """Open a mutable database by the name that people give it.

    Args:
        registry: the cluster's; opened if None, and then closed with the process.

    Raises:
        UserError: there is none of that name, or it is not mutable.
    """
    there = cluster if isinstance(cluster, Cluster) else Cluster.at(cluster)
    if registry is None:
        there.require_usable()
        registry = Registry(there.endpoint(CZAR_NAME), there.folder)
        registry.prepare()
    stored = registry.published.names().stored(name)
    layout = registry.databases.layout(stored)
    if layout is None or not layout.mutable:
        raise UserError(f"'{name}' is no mutable database", remedy="`skyshard apdb create NAME` makes one")
    return MutableDatabase(stored, name, layout, there, registry)
