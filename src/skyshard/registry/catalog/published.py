"""What queries read of the registry: published catalogs and director indexes, never kept, always as they are now."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from skyshard.basics.errors import SkyshardError
from skyshard.db.connection import Account, Endpoint, connect
from skyshard.registry.catalog import director_index, snapshot
from skyshard.registry.catalog.database_names import DatabaseNames, read_names
from skyshard.registry.catalog.published_catalog import Catalog, Chunks
from skyshard.registry.stored import chunk_entries
from skyshard.registry.stored.edition_sql import EDITION
from skyshard.registry.stored.plain_sql import DIRECTORS, GENERATION
from skyshard.registry.stored.store import Engines, Store


class Published(Store):
    """A ``CatalogSource`` that asks the czar's server each time; ``catalog_cache`` keeps what it gives."""

    def __init__(self, engines: Engines, czar: Endpoint) -> None:
        super().__init__(engines)
        self._czar = czar

    def generation(self) -> int:
        """The number that goes up with every change of what queries see."""
        with self._plain.reading() as connection:
            return int(connection.value(GENERATION))

    def edition(self) -> str:
        """A text that is another one after any change of databases, tables, transactions or replicas, also such that
        queries do not see; empty where something changed a moment ago, so that it cannot tell yet."""
        with self._plain.reading() as connection:
            [(times, is_fresh)] = connection.rows(EDITION)
        return "" if is_fresh else str(times)

    def names(self) -> DatabaseNames:
        """What databases are called at this moment."""
        with self._plain.reading() as connection:
            return read_names(connection)

    def directors(self) -> dict[str, list[str]]:
        """The directors that finished transactions brought, by the stored names of their databases."""
        found: dict[str, list[str]] = {}
        with self._plain.reading() as connection:
            for database, name in connection.rows(DIRECTORS):
                found.setdefault(str(database), []).append(str(name))
        return found

    def databases(self) -> list[str]:
        return self.names().published

    def catalog(self, name: str) -> Catalog:
        """The catalog of a published database, one consistent read.

        Raises:
            UserError: there is none of that name.
        """
        with self._plain.reading() as connection:
            names = read_names(connection)
            database = names.stored(name)
            catalog, made = snapshot.read_catalog(connection, database, names)
        self._keep(database, made)
        return catalog

    def stored_catalog(self, database: str, names: DatabaseNames | None = None) -> Catalog:
        """The same by its stored name; ``names`` as they were read before."""
        with self._plain.reading() as connection:
            catalog, made = snapshot.read_catalog(connection, database, names or read_names(connection))
        self._keep(database, made)
        return catalog

    def _keep(self, database: str, made: snapshot.Made) -> None:
        """Spare the next process what this one had to make; a registry that cannot be written to is no error here."""
        if made:
            with contextlib.suppress(SkyshardError), self._plain.writing() as connection:
                chunk_entries.keep(connection.execute, database, made)

    def index_table(self, database: str, director: str) -> str:
        """Quoted name of the table that shows a director's index; empty when it has none."""
        with self._plain.reading() as connection:
            parts = director_index.read_parts(connection, database, director)
        return director_index.visible_table(database, director, parts)

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, Chunks]:
        index, held = self._index(database, director)
        with connect(self._czar, Account.READER) as connection:
            return director_index.find_keys(connection, index, keys, held)

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        index, held = self._index(database, director)
        with connect(self._czar, Account.READER) as connection:
            return director_index.find_range(connection, index, low, high, held)

    def _index(self, database: str, director: str) -> tuple[str, range]:
        """The table that shows a director's index, and the keys that the director's column can hold."""
        with self._plain.reading() as connection:
            table, layout = snapshot.table_definitions(connection, database)[director]
        return self.index_table(database, director), director_index.key_range(table, layout)
