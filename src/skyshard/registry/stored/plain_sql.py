"""What queries read of the registry, and the history, as plain SQL text: SQLAlchemy takes longer to import than that.

Rules: only text; every value of a statement is an argument (``%s``), every table has its database. The tables are those
of ``sql_tables``: a test holds each name, and each default of the history's columns, against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from skyshard.catalog.layout import Role
from skyshard.db.connection import quote_name
from skyshard.registry.stored.database_names import REGISTRY_DATABASE
from skyshard.registry.stored.lifecycle import TransactionState
from skyshard.registry.stored.records import COMPACTION


def named(table: str) -> str:
    """The full name of one of the registry's tables, quoted.

    >>> named("replicas")
    '`skyshard_registry`.`replicas`'
    """
    return f"{quote_name(REGISTRY_DATABASE)}.{quote_name(table)}"


_X = f"{named('transactions')} x"
_FINISHED = f"x.state = '{TransactionState.FINISHED}'"

GENERATION = f"SELECT COALESCE(MAX(number), 0) FROM {named('generation')}"
"""The generation's number; 0 before anything was published."""
_IS_MUTABLE = "COALESCE(JSON_VALUE(d.layout, '$.mutable'), 0) = 1"
NAMES = (
    f"SELECT d.shown, d.name, d.state, 0 AS is_alias, {_IS_MUTABLE} FROM {named('databases')} d UNION ALL "
    f"SELECT a.name, d.name, d.state, 1, {_IS_MUTABLE} FROM {named('aliases')} a "
    f"JOIN {named('databases')} d ON d.name = a.`database`"
)
"""What databases are called, their stored names, states, whether visits change their tables; then the aliases, with
those of their databases."""
DATABASE = f"SELECT state, layout FROM {named('databases')} WHERE name = %s"
"""Argument: a stored name, as of all that follow."""
TABLES = (
    f"SELECT t.definition, t.layout, t.position_is_local FROM {named('tables')} t WHERE t.`database` = %s "
    f"AND NOT EXISTS (SELECT 1 FROM {_X} WHERE x.id = t.transaction_id AND x.id <> %s AND NOT {_FINISHED}) "
    "ORDER BY t.name"
)
"""Arguments: a database, and a transaction whose own tables are read too; 0 for none."""
DIRECTORS = (
    f"SELECT t.`database`, t.name FROM {named('tables')} t JOIN {_X} ON x.id = t.transaction_id "
    f"WHERE {_FINISHED} AND JSON_VALUE(t.layout, '$.role') = '{Role.DIRECTOR}' ORDER BY t.`database`, t.name"
)
SPREAD_DIRECTORS = f"SELECT t.`database`, t.name FROM {named('tables')} t WHERE t.keys_are_spread"
LAST_TRANSACTION = f"SELECT MAX(x.id) FROM {_X} WHERE x.`database` = %s AND {_FINISHED} AND x.plan <> '{COMPACTION}'"
"""The last one that brought rows; a compaction brings none."""
OF_TRANSACTION = " AND r.transaction_id = %s"
OF_TRANSACTIONS_BETWEEN = " AND r.transaction_id > %s AND r.transaction_id <= %s"
OF_TABLE = " AND r.`table` = %s"
LONG_TEXTS = "SET STATEMENT group_concat_max_len = 1073741824 FOR "
"""Before a statement whose GROUP_CONCAT may be as long as an answer may be."""
_LISTS = (
    "r.`table`, COUNT(*), GROUP_CONCAT(r.chunk, ',', r.is_overlap, ',', r.part, ',', r.`rows`, ',', r.bytes), "
    "GROUP_CONCAT(r.node), GROUP_CONCAT(r.state)"
)
REPLICA_COLUMNS = (
    f"SELECT {_LISTS} FROM {named('replicas')} r FORCE INDEX (PRIMARY) JOIN {_X} ON x.id = r.transaction_id "
    f"WHERE r.`database` = %s AND {_FINISHED}"
)
"""Replicas of finished transactions, a row a table: how many, their numbers, their nodes, their states, in one order.
``of_tables`` and ``BY_TABLE`` follow."""
BY_TABLE = " GROUP BY r.`table`"
_REPLICAS = f"SELECT {_LISTS}, GROUP_CONCAT(r.digest) FROM {named('replicas')} r "
REPLICAS = (
    f"{_REPLICAS} FORCE INDEX (PRIMARY) JOIN {_X} ON x.id = r.transaction_id WHERE r.`database` = %s AND {_FINISHED}"
)
"""The same with their digests; ``OF_TABLE`` may follow, ``BY_TABLE`` does."""
REPLICAS_OF = f"{_REPLICAS} WHERE r.`database` = %s"
"""The same of one transaction, or of several, whatever their state; a condition follows."""
_ENTRIES = named("chunk_entries")
_FRESH = "e.`database` = t.`database` AND e.`table` = t.name AND e.generation = t.generation"
TABLES_WITH_ENTRIES = (
    f"SELECT t.definition, t.layout, t.position_is_local, t.generation, e.entries FROM {named('tables')} t "
    f"LEFT JOIN {_ENTRIES} e ON {_FRESH} WHERE t.`database` = %s "
    f"AND NOT EXISTS (SELECT 1 FROM {_X} WHERE x.id = t.transaction_id AND NOT {_FINISHED}) ORDER BY t.name"
)
"""The published tables with the entries of their chunks; NULL where there are none of the table's generation."""
ENTRIES = f"SELECT t.name, e.entries FROM {named('tables')} t JOIN {_ENTRIES} e ON {_FRESH} WHERE t.`database` = %s"
"""Tables with entries of their generation; ``of_tables`` may follow."""
LOCK_TABLES = f"SELECT t.name FROM {named('tables')} t WHERE t.`database` = %s"
"""``of_tables`` and ``FOR_UPDATE`` follow."""
FOR_UPDATE = " ORDER BY t.name FOR UPDATE"
RAISE_TABLES = f"UPDATE {named('tables')} t SET t.generation = t.generation + 1 WHERE t.`database` = %s"
"""``of_tables`` follows."""
KEEP_ENTRIES = (
    f"REPLACE INTO {_ENTRIES} SELECT t.`database`, t.name, t.generation, %s FROM {named('tables')} t "
    "WHERE t.`database` = %s AND t.name = %s"
)
"""Keep the entries of one table as those of its present generation: MariaDB cuts long values of a UNION, silently."""
KEEP_READ_ENTRIES = f"{KEEP_ENTRIES} AND t.generation = %s LOCK IN SHARE MODE"
"""Keep the entries of a table if it is still of a generation."""
TABLES_OF_TRANSACTION = f"SELECT DISTINCT r.`table` FROM {named('replicas')} r WHERE r.transaction_id = %s"
ORPHANS_OF_TRANSACTION = (
    f"SELECT DISTINCT c.`table`, c.chunk FROM {named('contributions')} c WHERE c.transaction_id = %s AND c.orphans > 0"
)
ORPHAN_CHUNKS = (
    f"SELECT DISTINCT c.`table`, c.chunk FROM {named('contributions')} c JOIN {_X} ON x.id = c.transaction_id "
    f"WHERE x.`database` = %s AND {_FINISHED} AND c.orphans > 0"
)
STRAY_CHUNKS = (
    f"SELECT DISTINCT s.`table`, s.chunk FROM {named('strays')} s JOIN {_X} ON x.id = s.transaction_id "
    f"WHERE s.`database` = %s AND {_FINISHED}"
)
INDEX_PARTS = (
    f"SELECT p.transaction_id, p.director, p.part, p.`rows` FROM {named('index_parts')} p "
    f"JOIN {_X} ON x.id = p.transaction_id WHERE p.`database` = %s AND (%s = '' OR p.director = %s) AND {_FINISHED} "
    "ORDER BY p.transaction_id"
)
"""Arguments: a database, and twice a director; empty for all of the database."""

_BEATS = named("heartbeats")
_NOW_S = "@@timestamp"
NOW_S = f"SELECT {_NOW_S}"
"""The server's time, in seconds since 1970."""
BEAT = f"REPLACE INTO {_BEATS} (process, beat_s) VALUES (%s, {_NOW_S})"
"""Argument: the name of a process."""
LIVING = f"SELECT process FROM {_BEATS} WHERE beat_s > {_NOW_S} - %s"
"""Argument: seconds, as the last one of the next."""
FORGET_BEATS = f"DELETE FROM {_BEATS} WHERE process = %s OR beat_s < {_NOW_S} - %s"

HISTORY: Mapping[str, Any] = {
    "id": None, "name": None, "is_async": None, "database": "", "statement": None, "state": None, "kind": "",
    "lane": "", "submitted_s": None, "begun_s": None, "ended_s": None, "chunks": 0, "chunks_done": 0, "rows": 0,
    "bytes": 0, "coverage": 1.0, "error": "", "process": 0, "process_began": 0, "is_stop_wanted": False, "result": "",
    "host": "", "owner": "", "column_bytes": 0, "limit_s": 0.0,
}  # fmt: skip
"""The columns of the history, in order, each with what a row has that does not say; None where it has to say."""
HISTORY_FLAGS = ("is_async", "is_stop_wanted")
_HISTORY = named("queries")
QUERIES = f"SELECT {', '.join(map(quote_name, HISTORY))} FROM {_HISTORY}"
QUERY = f"{QUERIES} WHERE id = %s"
LAST_QUERIES = f"{QUERIES} ORDER BY id DESC LIMIT %s"
WAITING = f"SELECT id FROM {_HISTORY} WHERE state = %s AND submitted_s < %s ORDER BY id DESC"
"""Arguments: a state, a time."""
EXPIRED_QUERIES = f"{QUERIES} WHERE is_async AND state = %s AND ended_s < %s"
INSERTED_QUERY = "SELECT LAST_INSERT_ID()"


GONE_ELSEWHERE = (
    f"SELECT COUNT(*) FROM {_HISTORY} q WHERE q.id = %s AND q.begun_s < {_NOW_S} - %s "
    f"AND NOT EXISTS (SELECT 1 FROM {_BEATS} b WHERE b.beat_s > {_NOW_S} - %s "
    "AND b.process = CONCAT_WS(' ', q.host, q.process, q.process_began))"
)
"""Whether the process that began a query gives no sign of life; arguments: its number, and twice seconds."""


def last_queries_in(states: int) -> str:
    """The last queries that are in one of so many states."""
    return f"{QUERIES} WHERE {in_states(states)} ORDER BY id DESC LIMIT %s"


def in_states(states: int) -> str:
    """A condition of the history: one of so many states."""
    return f"state IN ({_marks(states)})"


def found_queries(conditions: Iterable[str]) -> str:
    """The last queries of which all conditions hold; arguments: those of the conditions, how many."""
    return f"{QUERIES} {_found(conditions)}"


def sizes_of_queries(conditions: Iterable[str]) -> str:
    """The numbers of the same, and how long the texts are of which each has one."""
    return f"SELECT id, LENGTH(statement) + LENGTH(error) FROM {_HISTORY} {_found(conditions)}"


def _found(conditions: Iterable[str]) -> str:
    return f"WHERE {' AND '.join(['TRUE', *conditions])} ORDER BY id DESC LIMIT %s"


def count_queries_of(states: int) -> str:
    """How many queries of somebody are in one of so many states; arguments: who, the states."""
    return f"SELECT COUNT(*) FROM {_HISTORY} WHERE owner = %s AND {in_states(states)}"


def states_of_queries(count: int) -> str:
    """Number and state of so many queries."""
    return f"SELECT id, state FROM {_HISTORY} WHERE id IN ({_marks(count)})"


def insert_queries(rows: int) -> str:
    """So many rows of the history, each with all columns but its number, which the server gives."""
    names = [name for name in HISTORY if name != "id"]
    row = f"({_marks(len(names))})"
    return f"INSERT INTO {_HISTORY} ({', '.join(map(quote_name, names))}) VALUES {', '.join([row] * rows)}"


def update_query(columns: Iterable[str], states: int, *, timed: str = "") -> str:
    """Some columns of one query, if it is in one of so many states; arguments: values, number, states.

    ``timed``: a column that gets the server's time.
    """
    changed = ", ".join(f"{quote_name(name)} = %s" for name in columns)
    if timed:
        changed = f"{changed}, {quote_name(timed)} = {_NOW_S}"
    return f"UPDATE {_HISTORY} SET {changed} WHERE id = %s AND state IN ({_marks(states)})"


def forget_queries(states: int) -> str:
    """Old queries without a result, but those in so many states; arguments: the time, states."""
    return f"DELETE FROM {_HISTORY} WHERE submitted_s < %s AND result = '' AND state NOT IN ({_marks(states)})"


def _marks(count: int) -> str:
    return ", ".join(["%s"] * count)


def of_tables(column: str, tables: int) -> str:
    """A condition: one of so many tables."""
    return f" AND {column} IN ({_marks(tables)})"
