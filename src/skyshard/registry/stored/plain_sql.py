"""What queries read of the registry, and the history, as plain SQL text: SQLAlchemy takes longer to import than that.

Rules: only text; every value of a statement is an argument (``%s``), every table has its database. The tables are those
of ``sql_tables``: a test holds each name, and each default of the history's columns, against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from skyshard.db.connection import quote_name
from skyshard.registry.stored.database_names import REGISTRY_DATABASE
from skyshard.registry.stored.lifecycle import TransactionState
from skyshard.registry.stored.records import COMPACTION


def _named(table: str) -> str:
    return f"{quote_name(REGISTRY_DATABASE)}.{quote_name(table)}"


_X = f"{_named('transactions')} x"
_FINISHED = f"x.state = '{TransactionState.FINISHED}'"

GENERATION = f"SELECT COALESCE(MAX(number), 0) FROM {_named('generation')}"
"""The generation's number; 0 before anything was published."""
NAMES = (
    f"SELECT d.shown, d.name, d.state, 0 AS is_alias FROM {_named('databases')} d UNION ALL "
    f"SELECT a.name, d.name, d.state, 1 FROM {_named('aliases')} a "
    f"JOIN {_named('databases')} d ON d.name = a.`database`"
)
"""What databases are called, their stored names and states; then the aliases, with those of their databases."""
DATABASE = f"SELECT state, layout FROM {_named('databases')} WHERE name = %s"
"""Argument: a stored name, as of all that follow."""
TABLES = (
    f"SELECT t.definition, t.layout, t.position_is_local FROM {_named('tables')} t WHERE t.`database` = %s "
    f"AND NOT EXISTS (SELECT 1 FROM {_X} WHERE x.id = t.transaction_id AND x.id <> %s AND NOT {_FINISHED}) "
    "ORDER BY t.name"
)
"""Arguments: a database, and a transaction whose own tables are read too; 0 for none."""
SPREAD_DIRECTORS = f"SELECT t.`database`, t.name FROM {_named('tables')} t WHERE t.keys_are_spread"
LAST_TRANSACTION = f"SELECT MAX(x.id) FROM {_X} WHERE x.`database` = %s AND {_FINISHED} AND x.plan <> '{COMPACTION}'"
"""The last one that brought rows; a compaction brings none."""
REPLICAS = (
    "SELECT r.`table`, r.chunk, r.is_overlap, r.node, r.`rows`, r.bytes, r.digest, r.part, r.state "
    f"FROM {_named('replicas')} r JOIN {_X} ON x.id = r.transaction_id WHERE r.`database` = %s"
)
"""As fields of ``records.Replica``; one of the three conditions follows."""
OF_FINISHED = f" AND {_FINISHED}"
OF_TRANSACTION = " AND r.transaction_id = %s"
OF_TRANSACTIONS_BETWEEN = " AND r.transaction_id > %s AND r.transaction_id <= %s"
OF_TABLE = " AND r.`table` = %s"
ORPHAN_CHUNKS = (
    f"SELECT DISTINCT c.`table`, c.chunk FROM {_named('contributions')} c JOIN {_X} ON x.id = c.transaction_id "
    f"WHERE x.`database` = %s AND {_FINISHED} AND c.orphans > 0"
)
STRAY_CHUNKS = (
    f"SELECT DISTINCT s.`table`, s.chunk FROM {_named('strays')} s JOIN {_X} ON x.id = s.transaction_id "
    f"WHERE s.`database` = %s AND {_FINISHED}"
)
INDEX_PARTS = (
    f"SELECT p.transaction_id, p.director, p.part, p.`rows` FROM {_named('index_parts')} p "
    f"JOIN {_X} ON x.id = p.transaction_id WHERE p.`database` = %s AND (%s = '' OR p.director = %s) AND {_FINISHED} "
    "ORDER BY p.transaction_id"
)
"""Arguments: a database, and twice a director; empty for all of the database."""

HISTORY: Mapping[str, Any] = {
    "id": None, "name": None, "is_async": None, "database": "", "statement": None, "state": None, "kind": "",
    "lane": "", "submitted_s": None, "begun_s": None, "ended_s": None, "chunks": 0, "chunks_done": 0, "rows": 0,
    "bytes": 0, "coverage": 1.0, "error": "", "process": 0, "process_began": 0, "is_stop_wanted": False, "result": "",
}  # fmt: skip
"""The columns of the history, in order, each with what a row has that does not say; None where it has to say."""
HISTORY_FLAGS = ("is_async", "is_stop_wanted")
_HISTORY = _named("queries")
QUERIES = f"SELECT {', '.join(map(quote_name, HISTORY))} FROM {_HISTORY}"
QUERY = f"{QUERIES} WHERE id = %s"
LAST_QUERIES = f"{QUERIES} ORDER BY id DESC LIMIT %s"
EXPIRED_QUERIES = f"{QUERIES} WHERE is_async AND state = %s AND ended_s < %s"
INSERTED_QUERY = "SELECT LAST_INSERT_ID()"


def last_queries_in(states: int) -> str:
    """The last queries that are in one of so many states."""
    return f"{QUERIES} WHERE state IN ({_marks(states)}) ORDER BY id DESC LIMIT %s"


def insert_queries(rows: int) -> str:
    """So many rows of the history, each with all columns but its number, which the server gives."""
    names = [name for name in HISTORY if name != "id"]
    row = f"({_marks(len(names))})"
    return f"INSERT INTO {_HISTORY} ({', '.join(map(quote_name, names))}) VALUES {', '.join([row] * rows)}"


def update_query(columns: Iterable[str], states: int) -> str:
    """Some columns of one query, if it is in one of so many states; arguments: values, number, states."""
    changed = ", ".join(f"{quote_name(name)} = %s" for name in columns)
    return f"UPDATE {_HISTORY} SET {changed} WHERE id = %s AND state IN ({_marks(states)})"


def forget_queries(states: int) -> str:
    """Old queries without a result, but those in so many states; arguments: the time, states."""
    return f"DELETE FROM {_HISTORY} WHERE submitted_s < %s AND result = '' AND state NOT IN ({_marks(states)})"


def _marks(count: int) -> str:
    return ", ".join(["%s"] * count)
