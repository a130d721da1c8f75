"""Names of scratch tables that tell which process made them, so that those of a killed czar can be dropped.

A name is ``q_<process>_<start of the process>_<number>_<what>``. A table whose process is gone may be dropped.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from functools import lru_cache

from skyshard.basics.errors import ClusterError
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.db.connection import Connection, quote_name
from skyshard.db.left_statements import end_left
from skyshard.host.processes import began, is_there
from skyshard.log.event_log import ONLY_LOGGED, EventLog
from skyshard.log.events import SCRATCH_SWEPT

DROP_WAIT_S = 10
"""So long a statement that is being ended may keep its table."""
_NAME = re.compile(r"q_(\d+)_(\d+)_\d+_\w+$")
_numbers = itertools.count(1)


def query_name() -> str:
    """A name for a query that no other process and no other query has."""
    process = os.getpid()
    return f"q_{process}_{_began(process)}_{next(_numbers)}"


_began = lru_cache(maxsize=1)(began)


def scratch_table(query: str, what: str) -> str:
    """Full name of a scratch table of a query, quoted."""
    return f"{quote_name(SCRATCH_DATABASE)}.{quote_name(f'{query}_{what}')}"


def file_name(query: str, what: str) -> str:
    """Data file of a scratch table below a server's data folder."""
    return f"{SCRATCH_DATABASE}/{query}_{what}.MYD"


def sweep(connection: Connection, events: EventLog = ONLY_LOGGED) -> int:
    """End the statements of processes that are gone, and drop their scratch tables; returns how many tables."""
    end_left(connection, events)
    swept = _drop(connection, [table for table in _tables(connection) if _is_left(table)])
    if swept:
        events.tell(SCRATCH_SWEPT, node=connection.endpoint.name, tables=swept)
    return swept


def drop_query(connection: Connection, query: str) -> int:
    """Drop all scratch tables of a query; returns how many there were."""
    return _drop(connection, [table for table in _tables(connection) if table.startswith(f"{query}_")])


def _tables(connection: Connection) -> list[str]:
    return [str(row[0]) for row in connection.rows(f"SHOW TABLES FROM {quote_name(SCRATCH_DATABASE)}")]


def _drop(connection: Connection, tables: list[str]) -> int:
    for table in tables:
        with contextlib.suppress(ClusterError):  # still in use: a later sweep finds it
            connection.execute(
                f"DROP TABLE IF EXISTS {quote_name(SCRATCH_DATABASE)}.{quote_name(table)} WAIT {DROP_WAIT_S}"
            )
    return len(tables)


def _is_left(table: str) -> bool:
    match = _NAME.match(table)
    return match is not None and not is_there(int(match.group(1)), int(match.group(2)))
