"""Replicas and placements: which node holds which chunk table, and which it should hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import insert as upsert

from skyshard.registry.catalog import snapshot
from skyshard.registry.stored import chunk_entries, generation
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.lifecycle import ReplicaState, TransactionState
from skyshard.registry.stored.records import WHOLE, Replica
from skyshard.registry.stored.server_clock import now_s
from skyshard.registry.stored.store import Store, fields_of


class Replicas(Store):
    """Reads and writes of the table ``replicas``."""

    def add(self, database: str, transaction: int, replicas: Iterable[Replica]) -> None:
        """Record replicas that were counted and digested just now."""
        rows = [{"database": database, "transaction_id": transaction, **fields_of(replica)} for replica in replicas]
        if not rows:
            return
        statement = upsert(t.replicas)
        names = ("state", "rows", "bytes", "digest", "part", "verified_s", "fault")
        changed = {name: statement.inserted[name] for name in names}
        with self._writer.begin() as connection:
            found = {"verified_s": now_s(connection), "fault": ""}
            connection.execute(statement.on_duplicate_key_update(**changed), [row | found for row in rows])
            _show(connection, database, transaction, {str(row["table"]) for row in rows})

    def forget(self, database: str, transaction: int, replicas: Iterable[Replica]) -> None:
        """Take back the record of tables that are not what it says."""
        tables = set()
        with self._writer.begin() as connection:
            for replica in replicas:
                tables.add(replica.table)
                table, chunk, is_overlap = replica.target
                key = {"table": table, "chunk": chunk, "is_overlap": is_overlap, "node": replica.node}
                key |= {"database": database, "transaction_id": transaction}
                connection.execute(sa.delete(t.replicas).filter_by(**key))
            _show(connection, database, transaction, tables)

    def with_regular_tables(self, database: str, nodes: Iterable[str]) -> tuple[str, ...]:
        """Those of some nodes that hold all regular tables of a database, good, as far as there are any published."""
        c = t.replicas.c
        finished = sa.select(t.transactions.c.id).where(t.transactions.c.state == TransactionState.FINISHED)
        query = sa.select(c.table, c.transaction_id, c.node, c.state).where(
            c.database == database, c.chunk == WHOLE, c.transaction_id.in_(finished)
        )
        wanted, held = set(), set()
        with self._engine.connect() as connection:
            for table, transaction, node, state in connection.execute(query):
                wanted.add((table, transaction))
                if state == ReplicaState.GOOD:
                    held.add((table, transaction, node))
        return tuple(node for node in nodes if all((*one, node) in held for one in wanted))

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Each database with what is shown of it: rows, copies and overlap not counted, and bytes of all replicas."""
        c, finished = t.replicas.c, t.transactions.c.state == TransactionState.FINISHED
        each = (
            sa.select(
                c.database,
                sa.case((c.is_overlap, 0), else_=sa.func.max(c.rows)).label("rows"),
                sa.func.sum(c.bytes).label("bytes"),
            )
            .join(t.transactions, t.transactions.c.id == c.transaction_id)
            .where(finished)
            .group_by(c.database, c.table, c.chunk, c.is_overlap, c.part)
            .subquery()
        )
        query = sa.select(each.c.database, sa.func.sum(each.c.rows), sa.func.sum(each.c.bytes)).group_by(
            each.c.database
        )
        with self._engine.connect() as connection:
            return {str(name): (int(rows), int(size)) for name, rows, size in connection.execute(query)}

    def all(
        self, database: str, table: str = "", *, transaction: int | None = None, after: int | None = None
    ) -> list[Replica]:
        """Replicas of finished transactions, or of one transaction whatever its state.

        Args:
            after: with it, of all transactions that came after this one, up to ``transaction``.
        """
        with self._plain.reading() as connection:
            return snapshot.read_replicas(connection, database, table=table, transaction=transaction, after=after)


def _show(connection: sa.Connection, database: str, transaction: int, tables: Collection[str]) -> None:
    """What queries read of tables, where the transaction is one that they see."""
    if generation.is_seen(connection, transaction):
        chunk_entries.renew(connection, database, tables, transaction)
        generation.advance(connection)


class Placements(Store):
    """Reads and writes of the table ``placements``."""

    def of_family(self, family: str) -> dict[int, tuple[str, ...]]:
        """Where the chunks of a family are: chunk → nodes, by rank; a database of R replicas uses the first R."""
        query = sa.select(t.placements.c.chunk, t.placements.c.node).where(t.placements.c.family == family)
        placed: dict[int, tuple[str, ...]] = {}
        with self._engine.connect() as connection:
            for chunk, node in connection.execute(query.order_by(t.placements.c.chunk, t.placements.c.rank)):
                placed[int(chunk)] = (*placed.get(int(chunk), ()), str(node))
        return placed

    def add(self, family: str, nodes_of: Mapping[int, Sequence[str]]) -> None:
        """Place chunks; those that are placed already stay where they are."""
        rows = [
            {"family": family, "chunk": chunk, "rank": rank, "node": node}
            for chunk, nodes in nodes_of.items()
            for rank, node in enumerate(nodes)
        ]
        if rows:
            with self._writer.begin() as connection:
                connection.execute(sa.insert(t.placements).prefix_with("IGNORE"), rows)
