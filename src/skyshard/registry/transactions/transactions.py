"""Ingest transactions: begun, taken over, moved along their lifecycle, published or taken back; and their reports."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from skyshard.catalog.layout import Layout, TableLayout
from skyshard.registry.stored import chunk_entries, generation, retired_tables, stray_rows, table_rows
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.lifecycle import ContributionState, Event, TransactionState, follow
from skyshard.registry.stored.records import (
    DROPPED_ROWS,
    DROPPED_TABLE,
    ContributionKey,
    InputFile,
    OpenTransaction,
)
from skyshard.registry.stored.store import Store, fields_of
from skyshard.registry.stored.stray_rows import Stray
from skyshard.registry.transactions import transaction_steps as steps
from skyshard.registry.transactions.input_files import replace_files
from skyshard.registry.transactions.transaction_report import DroppedTable, TransactionReport, lost_rows, read_report
from skyshard.rowimage.digest import RowDigest


class Transactions(Store):
    """Reads and writes of the table ``transactions``, and of what each step of a transaction changes with it."""

    def find_open(self, database: str) -> OpenTransaction | None:
        """The transaction of a database that was interrupted, or is under way."""
        with self._engine.connect() as connection:
            return steps.find_open(connection, database)

    def begin(
        self,
        database: str,
        layout: Layout,
        source: str,
        plan: str,
        servers: Mapping[str, float],
        *,
        shown: str = "",
    ) -> OpenTransaction:
        """Start a transaction; a database that is new is registered with it, and called ``shown``.

        ``servers``: node → when its server was started, as it says.

        Raises:
            UserError: the database is published with another striping.
        """
        with self._writer.begin() as connection:
            return steps.begin(connection, database, layout, source, plan, servers, shown=shown)

    def take_over(self, found: OpenTransaction, nodes: Collection[str] = ()) -> OpenTransaction:
        """Go on with an interrupted transaction, on these nodes too; whoever had it can do no more with it."""
        with self._writer.begin() as connection:
            return steps.take_over(connection, found, nodes)

    def move(self, mine: OpenTransaction, event: Event, **values: Any) -> None:
        with self._writer.begin() as connection:
            steps.move(connection, mine, event, **values)

    def publish(self, database: str, mine: OpenTransaction, report: TransactionReport) -> None:
        """Make a transaction and its database visible to queries: one SQL transaction."""
        with self._writer.begin() as connection:
            steps.publish(connection, database, mine, report)
            _show(connection, database, mine)

    def publish_merged(
        self,
        database: str,
        mine: OpenTransaction,
        report: TransactionReport,
        names: Mapping[str, Iterable[str]],
        layouts: Mapping[str, TableLayout],
    ) -> None:
        """Publish a transaction whose tables replace those that earlier ones made: one SQL transaction.

        Args:
            names: server → tables that nothing shows any more.
            layouts: of the tables whose keys are others now.
        """
        with self._writer.begin() as connection:
            steps.publish(connection, database, mine, report)
            retired_tables.retire(connection, database, mine.id, names)
            steps.set_layouts(connection, database, layouts)
            _show(connection, database, mine)

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
            _show(connection, database, mine)

    def publish_dropped(
        self,
        database: str,
        mine: OpenTransaction,
        report: TransactionReport,
        names: Mapping[str, Iterable[str]],
        gone: Iterable[ContributionKey],
        left: Mapping[ContributionKey, RowDigest],
    ) -> None:
        """Publish a transaction without rows that were lost: one SQL transaction.

        Args:
            names: server → tables that nothing shows any more.
            gone: contributions whose rows are there no more, or count as this transaction's.
            left: contributions some of whose rows are there no more, with those that are.
        """
        with self._writer.begin() as connection:
            steps.publish(connection, database, mine, report)
            retired_tables.retire(connection, database, mine.id, names)
            state = follow(ContributionState.LOADED, Event.DROP)
            for one in gone:
                connection.execute(sa.update(t.contributions).filter_by(**fields_of(one)).values(state=state))
            for one, digest in left.items():
                values = {"rows": digest.rows, "digest": str(digest)}
                connection.execute(sa.update(t.contributions).filter_by(**fields_of(one)).values(**values))
            _show(connection, database, mine)

    def drop_table(
        self,
        database: str,
        layout: Layout,
        table: str,
        names: Mapping[str, Iterable[str]],
        servers: Mapping[str, float],
    ) -> int:
        """Forget a table, and all that was brought to it: a transaction from its beginning to its end, in one SQL
        transaction. Returns its number.

        Args:
            names: server → tables that nothing shows any more.
            servers: node → when its server was started, as it says.

        Raises:
            UserError: a table, of any database, follows it.
        """
        with self._writer.begin() as connection:
            table_rows.require_no_followers(connection, database, table)
            mine = steps.begin(connection, database, layout, f"without {table}", DROPPED_TABLE, servers)
            steps.move(connection, mine, Event.COMMIT)
            steps.publish(connection, database, mine, TransactionReport(dropped_table=table))
            retired_tables.let_go(connection, database, names)
            table_rows.forget(connection, database, table)
            generation.advance(connection)
        return mine.id

    def dropped_tables(self, database: str) -> dict[str, int]:
        """Tables that were dropped, there again or not → the last transaction that dropped them."""
        query = sa.select(t.transactions).where(
            t.transactions.c.database == database, t.transactions.c.plan == DROPPED_TABLE,
            t.transactions.c.state == TransactionState.FINISHED,
        )  # fmt: skip
        rows = self._dicts(query.order_by(t.transactions.c.id))
        return {read_report(row).dropped_table: int(row["id"]) for row in rows}

    def dropped(self, database: str) -> list[tuple[float, DroppedTable]]:
        """What was lost of a database's tables and taken out, oldest first; with the time, in seconds since 1970."""
        query = sa.select(t.transactions).where(
            t.transactions.c.database == database, t.transactions.c.plan.in_([DROPPED_ROWS, DROPPED_TABLE]),
            t.transactions.c.state == TransactionState.FINISHED,
        )  # fmt: skip
        return lost_rows(self._dicts(query.order_by(t.transactions.c.id)))

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

    def last(self, count: int) -> list[dict[str, Any]]:
        """The rows of so many transactions, and of all that have not ended, newest first."""
        x = t.transactions
        newest = sa.select(x.c.id).order_by(x.c.id.desc()).limit(count).subquery()
        is_open = x.c.state.not_in([TransactionState.FINISHED, TransactionState.ABORTED])
        wanted = sa.or_(x.c.id.in_(sa.select(newest.c.id)), is_open)
        return self._dicts(sa.select(x).where(wanted).order_by(x.c.id.desc()))

    def recorded(self, numbers: Collection[int]) -> dict[int, tuple[int, int, int]]:
        """What transactions recorded so far: id → rows, overlap copies not counted; contributions; those on nodes."""
        c = t.contributions.c
        query = (
            sa.select(
                c.transaction_id, sa.func.sum(sa.case((c.is_overlap, 0), else_=c.rows)), sa.func.count(),
                sa.func.sum(sa.case((c.state == ContributionState.LOADED, 1), else_=0)),
            )
            .where(c.transaction_id.in_(numbers))
            .group_by(c.transaction_id)
        )  # fmt: skip
        with self._engine.connect() as connection:
            return {int(i): (int(n), int(parts), int(on)) for i, n, parts, on in connection.execute(query)}

    def truth_rows(self, database: str) -> dict[str, int]:
        """Rows that the sources of finished transactions said they have, by table; those that were dropped left out."""
        sums: dict[str, int] = {}
        for row in self.all(database):
            if row["state"] == TransactionState.FINISHED:
                report = read_report(row)
                for name, rows in report.truth.items():
                    sums[name] = sums.get(name, 0) + rows
                sums.pop(report.dropped_table, None)
        for _, one in self.dropped(database):
            if one.table in sums and not one.is_overlap:
                sums[one.table] -= one.rows
        return sums

    def retired_tables(self, database: str) -> dict[str, set[str]]:
        """Server → tables that are kept for queries which began before a merge."""
        with self._engine.connect() as connection:
            return retired_tables.read(connection, database)

    def over_retired(self, database: str, grace_s: float | None = None) -> dict[str, set[str]]:
        """Those that were retired so many seconds ago or earlier, and what jobs have left after their own time of
        grace. They are dropped first and forgotten then: what stays on a server that fails is still accounted for.

        Args:
            grace_s: None for what jobs have left alone.
        """
        with self._engine.connect() as connection:
            return retired_tables.over(connection, database, grace_s)

    def forget_retired(self, database: str, names: Mapping[str, Collection[str]]) -> None:
        """Forget retired tables that are dropped: server → their names."""
        with self._writer.begin() as connection:
            retired_tables.forget(connection, database, names)


def _show(connection: sa.Connection, database: str, mine: OpenTransaction) -> None:
    """What queries read, as it is with this transaction: the last steps of the one that publishes it."""
    chunk_entries.renew(connection, database, chunk_entries.tables_of(connection, mine.id), mine.id)
    generation.advance(connection)
