"""What the ingest REST asks, of a testbed: ingests of folders, and what is published."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import skyshard
from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.basics.progress import Progress
from skyshard.ingest.sources.open_source import open_source
from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable
from skyshard.serve.services import CountedRows, TableIndex

WORKING = "rest-ingest"


class TestbedIngests:
    """``Ingests`` of a testbed."""

    __test__ = False

    def __init__(self, testbed: skyshard.Testbed) -> None:
        self._testbed = testbed

    @property
    def folder(self) -> Path:
        return self._testbed.cluster.folder_for(WORKING)

    def published(self) -> list[Mapping[str, Any]]:
        published = self._testbed.registry.published
        return [_described(name, published.catalog(name)) for name in published.databases()]

    def check(self, folder: Path) -> None:
        open_source(folder)

    def ingest(self, folder: Path, ending: threading.Event) -> None:
        source = open_source(folder)

        def watch(_: Progress) -> None:
            if ending.is_set():
                raise ClusterError(
                    f"the ingest of '{source.database}' was stopped", remedy="begin it again", retryable=True
                )

        try:
            self._testbed.ingest(source, runtime="inline", watcher=watch)
        except UserError:
            undo_ingest(self._testbed, source.database)
            raise

    def drop(self, database: str) -> None:
        self._testbed.drop(database)

    def drop_table(self, database: str, table: str) -> None:
        self._testbed.drop_table(database, table)

    def rebuild_indexes(self, database: str) -> Mapping[str, int]:
        return self._testbed.rebuild_indexes(database)

    def add_index(self, database: str, table: str, name: str, columns: Sequence[str], unique: bool) -> None:
        self._testbed.add_index(database, table, name, columns, unique=unique)

    def drop_index(self, database: str, table: str, name: str) -> None:
        self._testbed.drop_index(database, table, name)

    def indexes(self, database: str, table: str, overlap: bool) -> Sequence[TableIndex]:
        found = self._testbed.indexes(database, table, overlap=overlap)
        return [TableIndex(one.name, one.columns, one.is_unique) for one in found]

    def counted(self, database: str, table: str) -> Sequence[CountedRows]:
        registry = self._testbed.registry
        stored = registry.published.catalog(database).database
        sums: dict[tuple[int, bool], dict[int, int]] = {}
        for one in registry.replicas.all(stored):
            if one.table == table:
                sums.setdefault((one.chunk, one.is_overlap), {})[one.part] = one.rows
        return [CountedRows(*target, sum(parts.values())) for target, parts in sorted(sums.items())]

    def require_published(self, database: str, tables: Sequence[str] = ()) -> None:
        catalog = self._testbed.registry.published.catalog(database)
        for table in tables:
            if table not in catalog.tables:
                raise UserError(f"there is no table {database}.{table}", remedy="GET /replication/config lists them")


def undo_ingest(testbed: skyshard.Testbed, database: str) -> None:
    """Nothing of an ingest that failed is left: its transaction is aborted, a database that is new with it is gone."""
    with contextlib.suppress(SkyshardError):
        stored = testbed.registry.published.names().find(database) or database
        for row in testbed.registry.transactions.all():
            if row["database"] == stored and row["state"] not in ("finished", "aborted"):
                testbed.abort_transaction(int(row["id"]))
        if database not in testbed.registry.published.databases():
            testbed.drop(database)


def _described(name: str, catalog: Catalog) -> Mapping[str, Any]:
    striping = catalog.layout.striping
    return {
        "database": name, "family_name": f"layout_{striping.stripes}_{striping.substripes}", "is_published": 1,
        "create_time": 0, "publish_time": 0, "num_stripes": striping.stripes,
        "num_sub_stripes": striping.substripes, "overlap": striping.overlap_deg,
        "tables": [_table(table, entry) for table, entry in catalog.tables.items()],
    }  # fmt: skip


def _table(name: str, entry: CatalogTable) -> Mapping[str, Any]:
    return {
        "name": name, "is_partitioned": int(entry.layout.role.is_chunked), "is_published": 1,
        "director_table": entry.layout.director,
    }  # fmt: skip
