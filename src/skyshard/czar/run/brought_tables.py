"""Tables that a client brings for one query: scratch tables on every node, gone when the query is.

Rules: a node that does not take them is done without; the czar's server has them without rows, as it has prototypes of
all tables. What a server does not drop at once is dropped later. Their names tell the process, so those of one that was
killed are swept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.catalog.layout import Layout, Role, Striping, TableLayout
from skyshard.catalog.schema import Table
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.czar.run.node_workers import NodeWorkers
from skyshard.czar.run.scratch_tables import drop_query, query_name
from skyshard.czar.scan.query_worker import QueryWorker
from skyshard.db.connection import Connection, quote_name
from skyshard.db.sessions import CLEANING, Sessions
from skyshard.registry.catalog.published_catalog import Catalog, CatalogSource, CatalogTable, Chunks

INSERTED_ROWS = 500
"""Rows of one INSERT."""
_ANY = Layout(striping=Striping(stripes=1, substripes=1, overlap_deg=0.0))
Rows = Sequence[Sequence[Any]]


@contextlib.contextmanager
def bring_tables(
    czar: Sessions, workers: NodeWorkers, schema: str, tables: Mapping[str, tuple[Table, Rows]]
) -> Iterator[Catalog]:
    """A catalog called ``schema`` of the tables, under the names that servers know them by, in the order given.

    Raises:
        ClusterError: no node takes them.
        UserError: a server refuses their columns.
    """
    query = query_name()
    named = [(replace(table, name=f"{query}_u{place}"), rows) for place, (table, rows) in enumerate(tables.values())]

    def take(worker: QueryWorker) -> str | ClusterError:
        try:
            with worker.sessions.lease(query) as connection:
                for table, rows in named:
                    make_table(connection, table, rows)
        except ClusterError as error:
            return error
        return worker.name

    try:
        with czar.lease(query) as connection:
            for table, _ in named:
                make_table(connection, table, ())
        said = workers.each(take, workers.serving)
        holders = tuple(one for one in said if isinstance(one, str))
        if not holders:
            raise ClusterError("no node takes the tables that were brought", remedy="see `skyshard status`") from next(
                (one for one in said if isinstance(one, ClusterError)), None
            )
        layout = TableLayout(role=Role.REGULAR)
        entries = {table.name: CatalogTable(table, layout, len(rows), holders=holders) for table, rows in named}
        yield Catalog(SCRATCH_DATABASE, _ANY, entries, holders, shown=schema)
    finally:
        workers.each(
            lambda sessions: _drop(sessions, query, workers), [czar, *(one.sessions for one in workers.serving)]
        )


def make_table(connection: Connection, table: Table, rows: Rows) -> None:
    """Make a scratch table, and fill it."""
    name = f"{quote_name(SCRATCH_DATABASE)}.{quote_name(table.name)}"
    columns = ", ".join(f"{quote_name(column.name)} {column.type.text}" for column in table)
    connection.execute(f"CREATE TABLE {name} ({columns}) ENGINE=MyISAM DEFAULT CHARSET=latin1 COLLATE=latin1_bin")
    for start in range(0, len(rows), INSERTED_ROWS):
        connection.insert(name, [tuple(row) for row in rows[start : start + INSERTED_ROWS]])


def _drop(sessions: Sessions, query: str, workers: NodeWorkers) -> None:
    is_gone = False
    with contextlib.suppress(SkyshardError), sessions.lease(CLEANING) as connection:
        is_gone = drop_query(connection, query)
    if not is_gone:
        workers.left.add(sessions, query)


@dataclass(frozen=True, slots=True)
class WithBrought:
    """A ``CatalogSource`` with one catalog more."""

    source: CatalogSource
    brought: Catalog

    def databases(self) -> list[str]:
        return [*self.source.databases(), self.brought.called]

    def catalog(self, name: str) -> Catalog:
        return self.brought if name == self.brought.called else self.source.catalog(name)

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, Chunks]:
        return self.source.locate_keys(database, director, keys)

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        return self.source.locate_key_range(database, director, low, high)
