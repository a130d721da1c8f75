"""Databases and their tables as ingest registers them: published, or on the way to it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Layout, TableLayout
from skyshard.catalog.schema import Table
from skyshard.registry.catalog import snapshot
from skyshard.registry.stored import generation
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.chunk_entries import first_generation
from skyshard.registry.stored.lifecycle import DatabaseState
from skyshard.registry.stored.naming import require_free, stored_name
from skyshard.registry.stored.records import dump_table
from skyshard.registry.stored.store import Store


class Databases(Store):
    """Reads and writes of the tables ``databases`` and ``tables``."""

    def state(self, database: str) -> DatabaseState | None:
        with self._engine.connect() as connection:
            state = connection.scalar(sa.select(t.databases.c.state).where(t.databases.c.name == database))
        return DatabaseState(state) if state else None

    def free_stored_name(self, shown: str) -> str:
        """The stored name of a new database: its own, or, where a database had that already, one like it."""
        with self._engine.connect() as connection:
            taken = set(connection.scalars(sa.union_all(sa.select(t.databases.c.name), sa.select(t.dropped.c.name))))
        return stored_name(shown, taken)

    def require_free_name(self, name: str) -> None:
        """Refuse a name that a database or an alias has.

        Raises:
            UserError: says which.
        """
        with self._engine.connect() as connection:
            require_free(connection, name)

    def layout(self, database: str) -> Layout | None:
        with self._engine.connect() as connection:
            found = connection.scalar(sa.select(t.databases.c.layout).where(t.databases.c.name == database))
        return Layout.model_validate(found) if found else None

    def set_replicas(self, database: str, replicas: int) -> None:
        """Have a published database ask for so many replicas of each chunk."""
        self._set(database, "replicas", replicas)

    def set_columns(self, database: str, columns: str | Sequence[str]) -> None:
        """Have a published database keep column images of what comes: ``all``, ``none``, or of columns by name."""
        self._set(database, "columns", columns if isinstance(columns, str) else list(columns))

    def _set(self, database: str, key: str, value: object) -> None:
        """Change one key of a database's layout."""
        where = t.databases.c.name == database
        with self._writer.begin() as connection:
            layout = connection.scalar(sa.select(t.databases.c.layout).where(where).with_for_update())
            changed = {**(layout or {}), key: value}
            connection.execute(sa.update(t.databases).where(where).values(layout=changed))
            generation.advance(connection)

    def add_table(self, database: str, table: Table, layout: TableLayout, loader: str, transaction: int) -> None:
        """Register a table, or check that it is the same one.

        Raises:
            UserError: it exists with other columns, keys or another role.
        """
        values = {"definition": dump_table(table), "layout": layout.model_dump(mode="json")}
        where = (t.tables.c.database == database) & (t.tables.c.name == table.name)
        with self._writer.begin() as connection:
            row = connection.execute(sa.select(t.tables).where(where).with_for_update()).mappings().first()
            if row is None:
                made = sa.insert(t.tables).values(
                    database=database, name=table.name, loader=loader, transaction_id=transaction,
                    generation=first_generation(transaction), **values,
                )  # fmt: skip
                connection.execute(made)
            elif row["definition"] != values["definition"] or not layout.is_same_table(
                TableLayout.model_validate(row["layout"])
            ):
                raise UserError(
                    f"table '{database}.{table.name}' has other columns, keys or another role than the source",
                    remedy="ingest under another --database",
                )

    def table_definitions(self, database: str, *, transaction: int = 0) -> dict[str, tuple[Table, TableLayout]]:
        """Tables and their layouts: those that are published, and those that one transaction brings."""
        with self._plain.reading() as connection:
            return snapshot.table_definitions(connection, database, transaction=transaction)

    def loaders(self, database: str) -> dict[str, str]:
        """How each table of a database was loaded at first."""
        query = sa.select(t.tables.c.name, t.tables.c.loader).where(t.tables.c.database == database)
        with self._engine.connect() as connection:
            return {str(name): str(loader) for name, loader in connection.execute(query)}

    def mark_scattered(self, database: str, table: str) -> None:
        """Note that a dependent's copied positions do not tell its chunk."""
        self._mark(database, table, position_is_local=False)

    def mark_spread(self, database: str, director: str) -> None:
        """Note that rows of one key of a director are in several chunks."""
        self._mark(database, director, keys_are_spread=True)

    def _mark(self, database: str, table: str, **values: bool) -> None:
        where = (t.tables.c.database == database) & (t.tables.c.name == table)
        with self._writer.begin() as connection:
            connection.execute(sa.update(t.tables).where(where).values(**values))
            generation.advance(connection)
