"""What the registry says of one query, one transaction or one node: the rows behind a story. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.store import Store

StoryRow = dict[str, Any]


class StoryRows(Store):
    """Reads of several tables, by what a story is about."""

    def query(self, number: int) -> StoryRow | None:
        """A query by its number, from the history; None if there is none."""
        return next(iter(self._dicts(sa.select(t.queries).where(t.queries.c.id == number))), None)

    def query_numbers(self, names: Collection[str]) -> dict[str, int]:
        """The numbers of queries by their names, as far as the history has them."""
        wanted = sa.select(t.queries.c.name, t.queries.c.id).where(t.queries.c.name.in_(names))
        return {row["name"]: row["id"] for row in self._dicts(wanted)}

    def transaction(self, number: int) -> StoryRow | None:
        """A transaction by its number; None if there is none, or it was taken back with its database."""
        return next(iter(self._dicts(sa.select(t.transactions).where(t.transactions.c.id == number))), None)

    def tables(self, transaction: int) -> list[StoryRow]:
        """What a transaction brought to each table: input slices, rows (overlap copies not counted), orphans, chunks.

        ``elapsed_s`` is what partitioning took, summed over the slices.
        """
        c = t.contributions.c
        slices = (
            sa.select(c.table, c.part_digest, sa.func.max(c.elapsed_s).label("elapsed_s"))
            .where(c.transaction_id == transaction)
            .group_by(c.table, c.part_digest)
            .subquery()
        )
        read = (
            sa.select(
                slices.c.table, sa.func.count().label("slices"), sa.func.sum(slices.c.elapsed_s).label("elapsed_s")
            )
            .group_by(slices.c.table)
            .subquery()
        )
        is_row = c.is_overlap.is_(False)
        brought = (
            sa.select(
                c.table, sa.func.sum(sa.case((is_row, c.rows), else_=0)).label("rows"),
                sa.func.sum(c.orphans).label("orphans"), sa.func.count(c.chunk.distinct()).label("chunks"),
            )
            .where(c.transaction_id == transaction)
            .group_by(c.table)
            .subquery()
        )  # fmt: skip
        both = sa.select(brought, read.c.slices, read.c.elapsed_s).join(read, read.c.table == brought.c.table)
        return self._dicts(both.order_by(brought.c.table))

    def node(self, name: str) -> StoryRow | None:
        """A node's row; None for one that nothing was decided of, and that nobody looked at."""
        return next(iter(self._dicts(sa.select(t.nodes).where(t.nodes.c.name == name))), None)

    def outages(self, node: str) -> list[StoryRow]:
        """When a node did not answer, oldest first; ``ended_s`` is None while it lasts."""
        return self._dicts(sa.select(t.outages).where(t.outages.c.node == node).order_by(t.outages.c.began_s))

    def made_on_nodes(self, *, transaction: int = 0, node: str = "") -> list[StoryRow]:
        """Chunk tables that transactions made on nodes: of one transaction, or on one node, oldest first."""
        r, x = t.replicas.c, t.transactions.c
        query = (
            sa.select(
                x.id.label("transaction"), x.database, x.state, x.begun_s, x.ended_s, r.node,
                sa.func.count().label("tables"), sa.func.sum(r.rows).label("rows"), sa.func.sum(r.bytes).label("bytes"),
            )
            .join(t.transactions, x.id == r.transaction_id)
            .group_by(x.id, x.database, x.state, x.begun_s, x.ended_s, r.node)
            .order_by(x.id, r.node)
        )  # fmt: skip
        query = query.where(r.transaction_id == transaction) if transaction else query
        return self._dicts(query.where(r.node == node) if node else query)
