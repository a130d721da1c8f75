"""All that TAP can be asked at one moment: schemas described, tables by name, and TAP_SCHEMA filled with them.

Rules: made again when what is published has changed, once, whoever asks first; called in threads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from skyshard.catalog.known_table import KnownTable
from skyshard.registry.catalog.published_catalog import CatalogSource
from skyshard.serve.tap.described_tables import OBSCORE_UTYPE, DescribedSchema, DescribedTable, describe_catalog
from skyshard.serve.tap.own_schema import SchemaRows, own_schema, own_tables
from skyshard.serve.tap_services import AskedColumn, AskedQuery, TapServices
from skyshard.serve.text_charsets import with_charset
from skyshard.serve.votable.fields import Field


@dataclass(frozen=True)
class TapCatalog:
    """What there is."""

    schemas: tuple[DescribedSchema, ...]
    names: tuple[KnownTable, ...]
    tables: dict[tuple[str, str], DescribedTable]

    @staticmethod
    def of(schemas: tuple[DescribedSchema, ...]) -> TapCatalog:
        called = [(name, table) for one in schemas for name in (one.name, *one.aliases) for table in one.tables]
        names = tuple(table.named(schema) for schema, table in called)
        return TapCatalog(schemas, names, {(schema, table.name): table for schema, table in called})

    @property
    def has_obscore(self) -> bool:
        """True where there is a table of observations of the standard's name."""
        return any(table.utype == OBSCORE_UTYPE for table in self.tables.values())

    def with_tables(self, tables: Sequence[DescribedTable]) -> TapCatalog:
        """The same with tables that only one query knows."""
        if not tables:
            return self
        names = (*self.names, *(replace(table.named(), is_own=False) for table in tables))
        return TapCatalog(self.schemas, names, {**self.tables, **{(one.schema, one.name): one for one in tables}})

    def field(self, asked: AskedColumn) -> Field | None:
        """How a table declares the column that an answer shows, or a time is declared; None where neither is known."""
        if asked.origin is None:
            return Field(asked.name, "char", "*", "timestamp") if asked.is_time else None
        schema, name, column = asked.origin
        table = self.tables.get((schema, name))
        found = table.column(column) if table is not None else None
        return replace(found.field, name=asked.name) if found is not None else None


class TapCatalogs:
    """Gives the present :class:`TapCatalog`."""

    def __init__(self, services: TapServices) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._source: CatalogSource | None = None
        self._made = TapCatalog.of(())
        self._kept: dict[str, tuple[object, DescribedSchema]] = {}
        """What each database was described by, and how."""

    def now(self) -> TapCatalog:
        """What there is at this moment."""
        with self._lock:
            source = self._services.published.now()
            if source is not self._source:
                self._made = self._make(source)
                self._source = source
            return self._made

    def _make(self, source: CatalogSource) -> TapCatalog:
        catalogs = tuple(self._described(source))
        rows = SchemaRows((own_schema(), *catalogs)).by_table()
        places = self._services.own.put({table: rows[name] for name, table in own_tables().items()})
        return TapCatalog.of((own_schema(places), *catalogs))

    def _described(self, source: CatalogSource) -> Iterator[DescribedSchema]:
        """The published databases, each once; those that have not changed as they were described before."""
        kept: dict[str, tuple[object, DescribedSchema]] = {}
        for name in source.databases():
            catalog = source.catalog(name)
            if catalog.called != name:
                continue
            tables = [(entry.table, entry.layout, entry.rows) for entry in catalog.tables.values()]
            known, found = catalog.database, (catalog.called, catalog.aliases, tables)
            before = self._kept.get(known)
            is_same = before is not None and before[0] == found
            kept[known] = before if before is not None and is_same else (found, describe_catalog(catalog))
            yield kept[known][1]
        self._kept = kept

    def translate(
        self, adql: str, limit: int | None, uploads: Sequence[DescribedTable] = ()
    ) -> tuple[AskedQuery, TapCatalog]:
        """A query as a statement of the czar, whose texts are in Unicode. Errors as of ``Adql.translate``."""
        catalog = self.now().with_tables(uploads)
        asked = self._services.adql.translate(adql, catalog.names, limit)
        return asked if asked.is_own else replace(asked, sql=with_charset(asked.sql, "utf8mb4")), catalog
