"""What queries read of the registry: published catalogs and director indexes, never kept, always as they are now."""

from __future__ import annotations

from collections.abc import Sequence

from skyshard.db.connection import Account, Endpoint, connect
from skyshard.registry.catalog import director_index, snapshot
from skyshard.registry.catalog.published_catalog import Catalog, Chunks
from skyshard.registry.stored.store import Engines, Store


class Published(Store):
    """A ``CatalogSource`` that asks the czar's server each time; ``catalog_cache`` keeps what it gives."""

    def __init__(self, engines: Engines, czar: Endpoint) -> None:
        super().__init__(engines)
        self._czar = czar

    def databases(self) -> list[str]:
        with self._plain.reading() as connection:
            return snapshot.published_names(connection)

    def catalog(self, database: str) -> Catalog:
        """The catalog of a published database, one consistent read.

        Raises:
            UserError: there is none of that name.
        """
        with self._plain.reading() as connection:
            return snapshot.read_catalog(connection, database)

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
