"""What TAP asks besides the services of all doors, as Protocols and values; ``skyshard.cli.serving`` makes them real.

Rules: every call is synchronous and may wait for servers: doors call them in the threads of ``lanes``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from skyshard.catalog.known_table import KnownTable
from skyshard.catalog.schema import Table
from skyshard.registry.catalog.published_catalog import CatalogSource
from skyshard.serve.open_answer import OpenAnswer

Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class AskedColumn:
    """A column of an answer; ``origin`` is schema, table and column where it shows a table's own unchanged.

    ``is_time``: the query makes a time.
    """

    name: str
    origin: tuple[str, str, str] | None
    is_time: bool = False


@dataclass(frozen=True, slots=True)
class AskedQuery:
    """An ADQL query as a statement of the czar.

    ``columns`` are empty where they are not known before the answer. ``is_own``: it asks tables of the service, no
    catalog. ``most_rows``: as many rows as it gives at most, None where the data say.
    """

    sql: str
    columns: tuple[AskedColumn, ...]
    is_own: bool
    most_rows: int | None


class Adql(Protocol):
    """The translation of ADQL."""

    @property
    def user_functions(self) -> Sequence[str]:
        """The forms of functions that are no part of ADQL."""

    def translate(self, text: str, tables: Sequence[KnownTable], limit: int | None) -> AskedQuery:
        """Translate a query; with ``limit`` it gives no more rows.

        Raises:
            UserError, Refusal: it cannot be answered as it is.
        """


class OwnTables(Protocol):
    """Small tables of the service itself, on the czar's server."""

    def put(self, tables: Mapping[Table, Rows]) -> Mapping[str, tuple[str, str]]:
        """Make tables and fill them; returns database and name by which the server knows each.

        Those of the call before the last are dropped.
        """

    def ask(self, sql: str) -> pa.Table:
        """Answer a statement over such tables; names of columns may repeat."""

    def close(self) -> None:
        """Drop them all."""


class PublishedNow(Protocol):
    """What is published at this moment."""

    def now(self) -> CatalogSource:
        """One consistent read; the same object as long as nothing changes."""


class BroughtTables(Protocol):
    """Tables of a client's own, on every node as long as they are there."""

    @property
    def names(self) -> Sequence[tuple[str, str]]:
        """Database and name by which statements call each, in the order in which they came."""

    def open(self, sql: str) -> AbstractContextManager[OpenAnswer]:
        """Begin to answer a statement that may ask them. Errors as of ``Queries.open``."""


class Uploads(Protocol):
    """Takes tables for one query."""

    def bring(self, tables: Mapping[str, tuple[Table, Rows]]) -> AbstractContextManager[BroughtTables]:
        """Put tables on every node; they are dropped at the end of the context.

        Raises:
            UserError, ClusterError: a server does not take them.
        """


@dataclass(frozen=True, slots=True)
class TapServices:
    """All that TAP asks; ``folder`` holds its jobs."""

    published: PublishedNow
    adql: Adql
    own: OwnTables
    uploads: Uploads
    folder: Path
