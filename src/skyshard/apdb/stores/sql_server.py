"""What a store asks of one session on one server, whichever engine it is; the times that it is given back.

``server_s`` is what passes from sending a statement to its first byte, ``client_s`` the rest: making statements,
receiving and decoding rows.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

import pyarrow as pa

from skyshard.apdb.model import Operation, OperationKind, TableName
from skyshard.apdb.stores.sql_dialect import Dialect
from skyshard.apdb.stores.stored_tables import StoredTable
from skyshard.basics.array_types import Flags, Floats
from skyshard.basics.errors import ClusterError, UserError

Keep = Callable[[Floats, Floats], Flags]
"""Which rows of an answer are kept, by their right ascensions and declinations, degrees."""
T = TypeVar("T")

_TRIES = 20
_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Spent:
    """Bytes and seconds of one statement."""

    rows: int
    bytes: int
    server_s: float
    client_s: float

    def operation(self, table: TableName | Literal[""], kind: OperationKind, more_client_s: float = 0.0) -> Operation:
        return Operation(table, kind, self.rows, self.bytes, self.server_s, self.client_s + more_client_s)


class SqlServer(Protocol):
    """One session; used by one thread at a time. All methods raise ``ClusterError`` when the server fails."""

    @property
    def dialect(self) -> Dialect: ...

    def begin(self) -> None:
        """Begin a transaction that writes."""
        ...

    def commit(self) -> None: ...

    def rollback(self) -> None:
        """End the transaction; nothing is raised when the server is gone."""
        ...

    def run(self, sql: str) -> Spent:
        """A statement without a result; ``rows`` are those that it changed."""
        ...

    def fetch(self, sql: str, schema: pa.Schema, keep: Keep | None = None) -> tuple[pa.Table, Spent]:
        """A result whose columns are those of the schema, in its order; of its rows those that are kept. What is spent
        is told of all."""
        ...

    def insert(self, table: StoredTable, rows: pa.Table, verb: str, tail: str = "") -> Spent:
        """Write rows, whose columns are the table's, in its order. ``verb`` begins, ``tail`` ends the statement."""
        ...

    def close(self) -> None: ...


class NodeServer(SqlServer, Protocol):
    """A session on a node of a cluster."""

    def fetch_text(self, sql: str, schema: pa.Schema) -> tuple[pa.Table, Spent]:
        """As ``fetch``, in the quickest way for few values."""
        ...


def kept(rows: pa.Table, keep: Keep | None) -> pa.Table:
    """The rows of an answer that are kept; None: all."""
    if keep is None:
        return rows
    is_kept = keep(rows["ra"].to_numpy(), rows["dec"].to_numpy())
    return rows if is_kept.all() else rows.filter(pa.array(is_kept))


class Deadlock(ClusterError):
    """Two transactions waited for each other, and this one was ended; the same one may succeed when begun anew."""


class NoMonth(Deadlock):
    """The month of a row is not there: another process has dropped it. The same transaction, begun anew, makes it."""


class Duplicate(UserError):
    """A row with this key is there already."""


def until_through(attempt: Callable[[], T]) -> T:
    """What an attempt gives, which is begun anew, after a short pause, when it waited for another one in a circle.

    Raises:
        Deadlock: it was ended so in every one of twenty tries.
    """
    for _ in range(_TRIES - 1):
        try:
            return attempt()
        except Deadlock:
            time.sleep(_PAUSE_S * random.random())
    return attempt()
