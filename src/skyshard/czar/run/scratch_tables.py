"""Scratch tables of queries: their names, and dropping them when the query, or its czar, has ended.

A table whose process is gone may be dropped: one of this host as ``/proc`` tells, one of another host when it is old
and its process gives no sign of life (``cluster.left_scratch`` says how names tell).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.cluster.left_scratch import drop_queries, drop_tables, process_of, scratch_tables, tell_swept
from skyshard.db.connection import Connection, quote_name
from skyshard.db.left_statements import end_left
from skyshard.host.processes import host_id, is_left, own_name
from skyshard.log.event_log import ONLY_LOGGED, EventLog

FOREIGN_S = 120
"""A table of another host is dropped when it was made so long ago: by then its czar has given a sign of life."""
_MADE_BEFORE = (
    "SELECT TABLE_NAME FROM information_schema.TABLES "
    "WHERE TABLE_SCHEMA = %s AND CREATE_TIME < NOW() - INTERVAL %s SECOND"
)
_numbers = itertools.count(1)


def query_name() -> str:
    """A name for a query that no other process and no other query has."""
    return f"q_{own_name().replace(' ', '_')}_{next(_numbers)}"


def scratch_table(query: str, what: str) -> str:
    """Full name of a scratch table of a query, quoted."""
    return f"{quote_name(SCRATCH_DATABASE)}.{quote_name(f'{query}_{what}')}"


def file_name(query: str, what: str) -> str:
    """Data file of a scratch table below a server's data folder."""
    return f"{SCRATCH_DATABASE}/{query}_{what}.MYD"


def sweep(
    connection: Connection, events: EventLog = ONLY_LOGGED, living: Callable[[], frozenset[str] | None] = lambda: None
) -> int:
    """End the statements of processes that are gone, and drop their scratch tables; returns how many tables.

    ``living``: the processes of all hosts that give signs of life, asked where there are tables of another host; None
    where that is not known, and such tables stay.
    """
    end_left(connection, events)
    by_table = {table: process_of(table) for table in scratch_tables(connection)}
    left = [table for table, process in by_table.items() if is_left(process)]
    foreign = {table: process for table, process in by_table.items() if process.split()[0] != host_id()}
    if foreign and (alive := living()) is not None:
        old = {str(row[0]) for row in connection.rows(_MADE_BEFORE, [SCRATCH_DATABASE, FOREIGN_S])}
        left += [table for table, process in foreign.items() if table in old and process not in alive]
    swept = len(left) - len(drop_tables(connection, left))
    tell_swept(connection, events, swept)
    return swept


def drop_query(connection: Connection, query: str) -> bool:
    """Drop all scratch tables of a query; False where one stays, as somebody still uses it."""
    return not drop_queries(connection, {query})
