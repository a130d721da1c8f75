"""The director index as queries read it: SQL tables on the czar's server, one part a transaction.

Names follow the chunk tables' rule: the first part has the plain name, later ones ``_p<transaction>``, and a MERGE
table ``_g<transaction>`` shows them as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from skyshard.db.connection import Connection, Row, quote_name
from skyshard.ddl import generation_suffix
from skyshard.registry import tables as t
from skyshard.registry.lifecycle import TransactionState
from skyshard.registry.values import IndexPart

LARGEST_KEY = 2**63 - 1


def index_table_name(database: str, director: str) -> str:
    """Name of a director's index, without suffix."""
    return f"{database}__{director}"


def read_parts(connection: sa.Connection, database: str, director: str = "") -> list[IndexPart]:
    """The parts that finished transactions brought, oldest first."""
    return [part for _, part in read_transactions(connection, database, director)]


def read_transactions(connection: sa.Connection, database: str, director: str = "") -> list[tuple[int, IndexPart]]:
    """The same with the transactions that brought them."""
    query = (
        sa.select(t.index_parts)
        .join(t.transactions, t.transactions.c.id == t.index_parts.c.transaction_id)
        .where(t.index_parts.c.database == database, t.transactions.c.state == TransactionState.FINISHED)
        .order_by(t.index_parts.c.transaction_id)
    )
    if director:
        query = query.where(t.index_parts.c.director == director)
    return [
        (int(row["transaction_id"]), IndexPart(row["director"], int(row["part"]), int(row["rows"])))
        for row in connection.execute(query).mappings()
    ]


def visible_table(database: str, director: str, parts: Sequence[IndexPart]) -> str:
    """Quoted name of the table that shows the given parts; empty when there is none."""
    if not parts:
        return ""
    name = index_table_name(database, director) + generation_suffix([part.part for part in parts])
    return f"{quote_name(t.INDEX_DATABASE)}.{quote_name(name)}"


def possible(keys: Sequence[int]) -> list[int]:
    """The keys that fit the index's column."""
    return [int(key) for key in keys if -LARGEST_KEY - 1 <= int(key) <= LARGEST_KEY]


def places(rows: Iterable[Row]) -> dict[int, tuple[int, int]]:
    """Rows of the index: key → (chunk, sub-chunk)."""
    return {int(key): (int(chunk), int(sub)) for key, chunk, sub in rows}


def find_keys(connection: Connection, table: str, keys: Sequence[int]) -> dict[int, tuple[int, int]]:
    """key → (chunk, sub-chunk) for the keys that the index knows."""
    wanted = possible(keys)
    if not wanted or not table:
        return {}
    marks = ",".join(["%s"] * len(wanted))
    sql = f"SELECT `key`, chunkId, subChunkId FROM {table} WHERE `key` IN ({marks})"
    return places(connection.rows(sql, wanted))


def find_range(connection: Connection, table: str, low: int | None, high: int | None) -> set[int]:
    """Chunks with a key in [low, high]; None is unbounded."""
    if not table:
        return set()
    bounds = [("`key` >= %s", low), ("`key` <= %s", high)]
    where = " AND ".join(text for text, value in bounds if value is not None) or "TRUE"
    sql = f"SELECT DISTINCT chunkId FROM {table} WHERE {where}"
    return {int(chunk) for (chunk,) in connection.rows(sql, [value for _, value in bounds if value is not None])}
