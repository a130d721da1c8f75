"""Small tables of this process on the czar's server, and statements over them; they are gone when the process is.

Rules: they are scratch tables of names that tell the process, so the czar sweeps those of one that was killed. The
tables before the present ones stay until the next change, for statements that were made for them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from skyshard.basics.errors import SkyshardError
from skyshard.catalog.schema import Table
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.czar.bind.set_operations import refuse_chains
from skyshard.czar.result.typed_results import read_types
from skyshard.czar.run.brought_tables import make_table
from skyshard.czar.run.scratch_tables import drop_query, query_name, scratch_table
from skyshard.czar.run.stored_result import in_words, store_result
from skyshard.db.connection import Account, Connection, Endpoint, connect
from skyshard.db.sessions import CLEANING, Sessions


class OwnTables:
    """The tables of one process; serves many threads."""

    def __init__(self, czar: Endpoint) -> None:
        self._czar = czar
        self._sessions = Sessions(czar)
        self._lock = threading.Lock()
        self._made: list[str] = []

    def put(self, tables: Mapping[Table, Sequence[Sequence[Any]]]) -> dict[str, tuple[str, str]]:
        """Make tables and fill them; returns database and name by which the server knows each.

        Those of the call before the last are dropped.
        """
        query = query_name()
        with self._lock, connect(self._czar, Account.READER) as connection:
            self._made.append(query)
            for table, rows in tables.items():
                make_table(connection, replace(table, name=f"{query}_{table.name}"), rows)
            while len(self._made) > 2:
                drop_query(connection, self._made.pop(0))
        return {table.name: (SCRATCH_DATABASE, f"{query}_{table.name}") for table in tables}

    def ask(self, sql: str) -> pa.Table:
        """Answer a statement over these tables; names of columns may repeat.

        Raises:
            UserError: the server refuses it, or might never end it.
        """
        refuse_chains(sql)
        query = query_name()
        try:
            with self._sessions.lease(query) as connection:
                connection.speak_utf8()
                names = _names(connection, sql)
                inner = [f"c{place}" for place in range(len(names))]
                types = read_types(connection, sql, scratch_table(query, "t"), inner)
                found = store_result(connection, query, sql, types)
        except SkyshardError as error:
            with contextlib.suppress(SkyshardError), self._sessions.lease(CLEANING) as connection:
                drop_query(connection, query)
            raise in_words(error, query) from error.__cause__
        return found.rename_columns(names)

    def close(self) -> None:
        """Drop them all."""
        with self._lock, contextlib.suppress(SkyshardError), connect(self._czar, Account.READER) as connection:
            while self._made:
                drop_query(connection, self._made.pop())
        self._sessions.close()


def _names(connection: Connection, sql: str) -> list[str]:
    """The names that the server gives the columns of a statement."""
    connection.rows(f"({sql}) LIMIT 0")
    return [column.name for column in connection.columns]
