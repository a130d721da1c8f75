"""What TAP asks, made of a testbed: translation, tables of its own, and what is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import skyshard
from skyshard.catalog.known_table import KnownTable
from skyshard.catalog.schema import Table
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.czar.adql.functions import USER_FUNCTIONS
from skyshard.czar.adql.known_tables import KnownTables
from skyshard.czar.adql.translate import translate
from skyshard.czar.own_tables import OwnTables
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.registry.catalog_cache import CatalogCache
from skyshard.serve.open_answer import OpenAnswer
from skyshard.serve.tap_services import AskedColumn, AskedQuery, Rows, TapServices

JOBS_FOLDER = "tap-jobs"
UPLOAD_SCHEMA = "TAP_UPLOAD"


def tap_services(testbed: skyshard.Testbed) -> TapServices:
    """The services of TAP; nothing is asked yet."""
    czar = testbed.cluster.endpoint(CZAR_NAME)
    published = CatalogCache(testbed.registry, czar)
    folder = testbed.cluster.folder_for(JOBS_FOLDER)
    return TapServices(published, CzarAdql(), OwnTables(czar), CzarUploads(testbed), folder)


@dataclass(frozen=True, slots=True)
class CzarTables:
    """Tables that the czar has brought to its nodes."""

    testbed: skyshard.Testbed
    catalog: Catalog

    @property
    def names(self) -> list[tuple[str, str]]:
        return [(self.catalog.called, name) for name in self.catalog.tables]

    def open(self, sql: str) -> AbstractContextManager[OpenAnswer]:
        return self.testbed.czar.open(sql, brought=self.catalog)


class CzarUploads:
    """``Uploads`` of a testbed's czar."""

    def __init__(self, testbed: skyshard.Testbed) -> None:
        self._testbed = testbed

    @contextmanager
    def bring(self, tables: Mapping[str, tuple[Table, Rows]]) -> Iterator[CzarTables]:
        with self._testbed.czar.bring(UPLOAD_SCHEMA, tables) as catalog:
            yield CzarTables(self._testbed, catalog)


class CzarAdql:
    """The czar's translation of ADQL."""

    user_functions = USER_FUNCTIONS

    def __init__(self) -> None:
        self._known: tuple[Sequence[KnownTable], KnownTables] = ((), KnownTables())

    def translate(self, text: str, tables: Sequence[KnownTable], limit: int | None) -> AskedQuery:
        """As of ``Adql``."""
        if self._known[0] is not tables:
            self._known = tables, KnownTables.of(tables)
        made = translate(text, self._known[1], limit)
        columns = tuple(
            AskedColumn(one.name, (one.table.schema, one.table.name, one.column) if one.table else None, one.is_time)
            for one in made.columns
        )
        return AskedQuery(made.sql, columns, made.is_own, made.most_rows)
