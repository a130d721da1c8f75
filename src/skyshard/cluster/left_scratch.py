"""Scratch tables of queries tell by their names which process made them, so that those of a killed one can be dropped.

A name is ``q_<host>_<process>_<start of the process>_<number>_<what>``; all up to the number is the query's.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable

from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.db.connection import Account, Connection, Endpoint, connect, quote_name
from skyshard.host.processes import host_id, is_left
from skyshard.log.event_log import ONLY_LOGGED, EventLog
from skyshard.log.events import SCRATCH_SWEPT

DROP_WAIT_S = 10
"""So long a statement that is being ended may keep its table."""
ANSWER_TIMEOUT_S = 30.0
"""So long a server that has just begun may be without a word while it drops what is left."""
_NAME = re.compile(r"(?P<query>q_(?:(?P<host>[0-9a-z]{7,8})_)?(?P<process>\d+)_(?P<start>\d+)_\d+)_[a-z]\w*$")
"""Releases before 0.3.0 left the host out."""


def process_of(table: str) -> str:
    """The name of the process that made a table; empty where the table is no query's.

    >>> process_of("q_0c6f12ab_77_5_1_p0"), process_of("rows-0c6f12ab-77-5-1")
    ('0c6f12ab 77 5', '')
    """
    found = _NAME.match(table)
    return f"{found['host'] or host_id()} {found['process']} {found['start']}" if found else ""


def query_of(table: str) -> str:
    """The name of the query that made a table; empty where it is no query's.

    >>> query_of("q_0c6f12ab_77_5_1_p0_2")
    'q_0c6f12ab_77_5_1'
    """
    found = _NAME.match(table)
    return found["query"] if found else ""


def scratch_tables(connection: Connection) -> list[str]:
    """The names of all tables that queries have on a server."""
    rows = connection.rows(f"SHOW TABLES FROM {quote_name(SCRATCH_DATABASE)}")
    return [name for name in (str(row[0]) for row in rows) if process_of(name)]


def drop_tables(connection: Connection, tables: Iterable[str]) -> list[str]:
    """Drop scratch tables; returns those that stay, as somebody still uses them."""
    kept = []
    for table in tables:
        name = f"{quote_name(SCRATCH_DATABASE)}.{quote_name(table)}"
        try:
            connection.execute(f"DROP TABLE IF EXISTS {name} WAIT {DROP_WAIT_S}")
        except ClusterError:
            kept.append(table)
    return kept


def drop_queries(connection: Connection, queries: Collection[str]) -> set[str]:
    """Drop all scratch tables of some queries; returns the queries of which a table stays."""
    mine = [table for table in scratch_tables(connection) if query_of(table) in queries]
    return {query_of(table) for table in drop_tables(connection, mine)}


def clear_scratch(endpoint: Endpoint, events: EventLog = ONLY_LOGGED) -> None:
    """Drop, on a server that has just begun, what processes of this host have left there that are gone.

    What a living process has left it drops itself; what one of another host has left, the next scan. An error is none
    of the server's start.
    """
    with (
        contextlib.suppress(SkyshardError),
        connect(endpoint, Account.ADMIN, answer_timeout_s=ANSWER_TIMEOUT_S) as connection,
    ):
        left = [table for table in scratch_tables(connection) if is_left(process_of(table))]
        tell_swept(connection, events, len(left) - len(drop_tables(connection, left)))


def tell_swept(connection: Connection, events: EventLog, count: int) -> None:
    if count:
        events.tell(SCRATCH_SWEPT, node=connection.endpoint.name, tables=count)
