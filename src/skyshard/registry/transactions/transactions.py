"""Ingest transactions: begun, taken over, moved along their lifecycle, published or taken back; and their reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from skyshard.catalog.layout import Layout
from skyshard.registry.stored import generation, retired_tables, stray_rows
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.lifecycle import Event, TransactionState
from skyshard.registry.stored.records import InputFile, OpenTransaction
from skyshard.registry.stored.store import Store
from skyshard.registry.stored.stray_rows import Stray
from skyshard.registry.transactions import transaction_steps as steps
from skyshard.registry.transactions.input_files import replace_files
from skyshard.registry.transactions.transaction_report import TransactionReport, read_report


class Transactions(Store):
    """Reads and writes of the table ``transactions``, and of what each step of a transaction changes with it."""

    def find_open(self, database: str) -> OpenTransaction | None:
        """The transaction of a database that was interrupted, or is under way."""
        with self._engine.connect() as connection:
            return steps.find_open(connection, database)

    def begin(self, database: str, layout: Layout, source: str, plan: str, *, shown: str = "") -> OpenTransaction:
        """Start a transaction; a database that is new is registered with it, and called ``shown``.

        Raises:
            UserError: the database is published with another striping.
        """
        with self._writer.begin() as connection:
            return steps.begin(connection, database, layout, source, plan, shown=shown)

    def take_over(self, found: OpenTransaction) -> OpenTransaction:
        """Go on with an interrupted transaction; whoever had it can do no more with it."""
        with self._writer.begin() as connection:
            return steps.take_over(connection, found)

    def move(self, mine: OpenTransaction, event: Event, **values: Any) -> None:
        with self._writer.begin() as connection:
            steps.move(connection, mine, event, **values)

    def publish(self, database: str, mine: OpenTransaction, report: TransactionReport) -> None:
        """Make a transaction and its database visible to queries: one SQL transaction."""
        with self._writer.begin() as connection:
            steps.publish(connection, database, mine, report)
            generation.advance(connection)

    def publish_merged(
        self, database: str, mine: OpenTransaction, report: TransactionReport, names: Mapping[str, Iterable[str]]
    ) -> None:
        """Publish a transaction whose tables replace those that earlier ones made: one SQL transaction.

        Args:
            names: server → tables that nothing shows any more.
        """
        with self._writer.begin() as connection:
            steps.publish(connection, database, mine, report)
            retired_tables.retire(connection, database, mine.id, names)
            generation.advance(connection)

    def publish_replaced(
        self,
        database: str,
        mine: OpenTransaction,
        report: TransactionReport,
        names: Mapping[str, Iterable[str]],
        files: Iterable[InputFile],
        looked_at: Iterable[Stray],
    ) -> None:
        """Publish a transaction whose rows take the place of those of files: one SQL transaction.

        Args:
            names: server → tables that nothing shows any more.
            looked_at: the chunks of which this transaction has noted all strays that there are.
        """
        with self._writer.begin() as connection:
            steps.publish(connection, database, mine, report)
            retired_tables.retire(connection, database, mine.id, names)
            replace_files(connection, mine.id, files)
            stray_rows.forget(connection, mine.id, looked_at)
            generation.advance(connection)

    def take_back(self, database: str, mine: OpenTransaction) -> None:
        """Forget what an aborted transaction did, and a database that was never published: one SQL transaction."""
        with self._writer.begin() as connection:
            steps.take_back(connection, database, mine)
            generation.advance(connection)

    def all(self, database: str = "") -> list[dict[str, Any]]:
        """The rows of all transactions, or of those of one database, oldest first."""
        query = sa.select(t.transactions).order_by(t.transactions.c.id)
        if database:
            query = query.where(t.transactions.c.database == database)
        return self._dicts(query)

    def get(self, number: int) -> dict[str, Any] | None:
        """One transaction by its number; None if there is none."""
        return next(iter(self._dicts(sa.select(t.transactions).where(t.transactions.c.id == number))), None)

    def sizes(self, database: str = "") -> dict[int, tuple[int, int]]:
        """What transactions brought so far: id → rows, overlap copies not counted, and stored bytes of all replicas."""
        sums = (
            sa.select(table.c.transaction_id, sa.func.sum(column).label("total"))
            .where(*where)
            .group_by(table.c.transaction_id)
            .subquery()
            for table, column, where in (
                (t.contributions, t.contributions.c.rows, [~t.contributions.c.is_overlap]),
                (t.replicas, t.replicas.c.bytes, []),
            )
        )
        rows, size = sums
        query = (
            sa.select(t.transactions.c.id, rows.c.total, size.c.total)
            .outerjoin(rows, rows.c.transaction_id == t.transactions.c.id)
            .outerjoin(size, size.c.transaction_id == t.transactions.c.id)
        )
        if database:
            query = query.where(t.transactions.c.database == database)
        with self._engine.connect() as connection:
            return {int(i): (int(n or 0), int(b or 0)) for i, n, b in connection.execute(query)}

    def truth_rows(self, database: str) -> dict[str, int]:
        """Rows that the sources of finished transactions said they have, by table."""
        sums: dict[str, int] = {}
        for row in self.all(database):
            if row["state"] == TransactionState.FINISHED:
                for name, rows in read_report(row).truth.items():
                    sums[name] = sums.get(name, 0) + rows
        return sums

    def retired_tables(self, database: str) -> dict[str, set[str]]:
        """Server → tables that are kept for queries which began before a merge."""
        with self._engine.connect() as connection:
            return retired_tables.read(connection, database)

    def forget_retired(self, database: str, grace_s: float) -> None:
        """Give up the tables that were retired so many seconds ago or earlier."""
        with self._writer.begin() as connection:
            retired_tables.forget(connection, database, grace_s)
