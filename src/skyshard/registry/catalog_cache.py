"""Catalogs and director indexes as a czar reads them: cached in memory while the registry's generation is unchanged.

The generation is a number (``generation``); what was read under one number is a ``CatalogSnapshot``.

Rules: a catalog is one consistent read; the number is read before it and the director index's name after it, so that
a snapshot is never older than its number. One ``CatalogCache`` serves many threads.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from skyshard.db.connection import Endpoint, Row
from skyshard.db.sessions import Sessions
from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import PLANS_OUTDATED
from skyshard.registry.catalog import director_index
from skyshard.registry.catalog.database_names import DatabaseNames
from skyshard.registry.catalog.published_catalog import Catalog, Chunks
from skyshard.registry.registry import Registry
from skyshard.registry.stored.plain_sql import GENERATION


@dataclass(slots=True, eq=False)
class CatalogSnapshot:
    """What was read under one generation number; a ``CatalogSource`` for one query."""

    number: int
    kept: CatalogCache
    names: DatabaseNames | None = None
    catalogs: dict[str, Catalog] = field(default_factory=dict)
    indexes: dict[tuple[str, str], str] = field(default_factory=dict)

    def known_names(self) -> DatabaseNames:
        """Read once, so that an alias means one database throughout."""
        if self.names is None:
            self.names = self.kept.registry.published.names()
        return self.names

    def databases(self) -> list[str]:
        return self.known_names().published

    def catalog(self, name: str) -> Catalog:
        return self.stored_catalog(self.known_names().stored(name))

    def stored_catalog(self, database: str) -> Catalog:
        """A catalog by the stored name of its database."""
        found = self.catalogs.get(database)
        if found is None:
            published = self.kept.registry.published
            found = self.catalogs[database] = published.stored_catalog(database, self.known_names())
        return found

    def index_table(self, database: str, director: str) -> str:
        """Quoted name of the table that shows a director's index; empty when it has none."""
        found = self.indexes.get((database, director))
        if found is None:
            found = self.indexes[database, director] = self.kept.registry.published.index_table(database, director)
        return found

    def key_range(self, database: str, director: str) -> range:
        """The keys that a director's column can hold."""
        entry = self.stored_catalog(database).tables[director]
        return director_index.key_range(entry.table, entry.layout)

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, Chunks]:
        held = self.key_range(database, director)
        with self.kept.sessions.lease("registry") as connection:
            return director_index.find_keys(connection, self.index_table(database, director), keys, held)

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        held = self.key_range(database, director)
        with self.kept.sessions.lease("registry") as connection:
            return director_index.find_range(connection, self.index_table(database, director), low, high, held)


class CatalogCache:
    """The catalogs of a czar: ``now()`` gives the snapshot of what is published at this moment."""

    def __init__(self, registry: Registry, czar: Endpoint) -> None:
        self.registry = registry
        self.sessions = Sessions(czar)
        self._lock = threading.Lock()
        self._newest = CatalogSnapshot(-1, self)

    def close(self) -> None:
        self.sessions.close()

    def now(self) -> CatalogSnapshot:
        """The present snapshot: one short round trip when nothing has changed."""
        with self.sessions.lease("registry") as connection:
            return self._of(int(connection.value(GENERATION)))

    @property
    def held(self) -> CatalogSnapshot | None:
        """The newest snapshot, which may be out of date; None before the first."""
        return self._newest if self._newest.number >= 0 else None

    def now_with_keys(self, index_table: str, keys: Sequence[int]) -> tuple[CatalogSnapshot, list[Row]]:
        """The present snapshot, and the rows (key, chunk) of an index table, in one round trip.

        The table's column can hold the keys. The rows mean nothing when the snapshot is another one than that which
        named the table.
        """
        wanted = ",".join(map(str, keys)) or "NULL"
        number = GENERATION.replace(" FROM ", ", NULL FROM ", 1)
        found = f"SELECT DISTINCT `key`, chunkId FROM {index_table} WHERE `key` IN ({wanted})"
        with self.sessions.lease("registry") as connection:
            rows = connection.rows(f"{number} UNION ALL {found}")
        (current,) = (int(row[0]) for row in rows if row[1] is None)
        return self._of(current), [row for row in rows if row[1] is not None]

    def _of(self, number: int) -> CatalogSnapshot:
        with self._lock:
            if number != self._newest.number:
                if self._newest.number >= 0:
                    ONLY_LOGGED.tell(PLANS_OUTDATED, generation=number, before=self._newest.number)
                self._newest = CatalogSnapshot(number, self)
            return self._newest


class UncheckedSnapshot:
    """A ``CatalogSource`` over a snapshot that may be out of date: checked with the first keys that are looked up.

    Its answers count only if :meth:`is_present` is True afterwards.
    """

    def __init__(self, kept: CatalogCache, held: CatalogSnapshot) -> None:
        self._kept = kept
        self._held = held
        self._present: CatalogSnapshot | None = None

    def databases(self) -> list[str]:
        return self._held.databases()

    def catalog(self, name: str) -> Catalog:
        return self._held.catalog(name)

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, Chunks]:
        table, held = self._held.index_table(database, director), self._held.key_range(database, director)
        if self._present is not None or not table:
            return self._held.locate_keys(database, director, keys)
        self._present, rows = self._kept.now_with_keys(table, [key for key in keys if key in held])
        return director_index.chunks_of(rows)

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        return self._held.locate_key_range(database, director, low, high)

    def is_present(self) -> bool:
        """True when the snapshot was the present one at some moment since this was made."""
        if self._present is None:
            self._present = self._kept.now()
        return self._present is self._held
