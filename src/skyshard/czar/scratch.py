"""Scratch tables: names that tell whose they are, so that what a killed czar left behind can be swept.

A name is ``q_<process>_<start of the process>_<number>_<what>``. A table whose process is gone is nobody's.
"""

from __future__ import annotations

import itertools
import os
import re
from functools import lru_cache

import psutil

from skyshard.db.accounts import SCRATCH_DATABASE
from skyshard.db.connection import Connection, quote_name

_NAME = re.compile(r"q_(\d+)_(\d+)_\d+_\w+$")
_numbers = itertools.count(1)


def query_name() -> str:
    """A name for a query that no other process and no other query has."""
    process = os.getpid()
    return f"q_{process}_{_own_start(process)}_{next(_numbers)}"


@lru_cache(maxsize=1)
def _own_start(process: int) -> int:
    return _started(process)


def scratch_table(query: str, what: str) -> str:
    """Full name of a scratch table of a query, quoted."""
    return f"{quote_name(SCRATCH_DATABASE)}.{quote_name(f'{query}_{what}')}"


def file_name(query: str, what: str) -> str:
    """Data file of a scratch table below a server's data folder."""
    return f"{SCRATCH_DATABASE}/{query}_{what}.MYD"


def sweep(connection: Connection) -> int:
    """Drop the scratch tables of processes that are gone; returns how many there were."""
    return _drop(connection, [table for table in _tables(connection) if _is_left(table)])


def drop_query(connection: Connection, query: str) -> int:
    """Drop all scratch tables of a query; returns how many there were."""
    return _drop(connection, [table for table in _tables(connection) if table.startswith(f"{query}_")])


def _tables(connection: Connection) -> list[str]:
    return [str(row[0]) for row in connection.rows(f"SHOW TABLES FROM {quote_name(SCRATCH_DATABASE)}")]


def _drop(connection: Connection, tables: list[str]) -> int:
    for table in tables:
        connection.execute(f"DROP TABLE IF EXISTS {quote_name(SCRATCH_DATABASE)}.{quote_name(table)}")
    return len(tables)


def _is_left(table: str) -> bool:
    match = _NAME.match(table)
    return match is not None and _started(int(match.group(1))) != int(match.group(2))


def _started(process: int) -> int:
    """When a process began, in hundredths of a second; 0 if there is none."""
    try:
        return round(psutil.Process(process).create_time() * 100)
    except psutil.Error:
        return 0
