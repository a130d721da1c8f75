"""Finds tables that queries would read wrongly: by their indexes, or by the lists of parts behind them.

Digests say that the rows of a data file are right; a query comes to them by an index and by a list. Each index is held
against its rows by the server (CHECK TABLE ... MEDIUM), each list against the parts that it must have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from skyshard.basics.errors import SkyshardError
from skyshard.db.connection import Connection, Row, quote_name
from skyshard.db.server_errors import is_passing, is_passing_trouble, out_of_resources
from skyshard.node.messages import RepairOrder, ShownTable
from skyshard.node.server.server_sessions import OpenSession

CHECKED_AT_ONCE = 32
_UNION = re.compile(r"\bUNION=\(([^)]*)\)")
_SOUND = ("OK", "Table is already up to date")
_REPAIRS = {"index": "QUICK", "definition": "USE_FRM"}


def repair_tables(connection: Connection, order: RepairOrder) -> None:
    """Have the server make indexes again, through a session that is in the tables' database."""
    for name in order.names:
        connection.execute(f"REPAIR TABLE {quote_name(name)} {_REPAIRS[order.source]}")


def find_faults(opened: OpenSession, tables: Sequence[ShownTable]) -> dict[str, str]:
    """What is wrong: name of a part or of a list → why. Files are read as they are now.

    Raises:
        ClusterError, UserError: no session can be opened, or the server is in trouble: that says nothing of a table.
    """
    parts = list(dict.fromkeys(part for table in tables for part in table.parts))
    found: dict[str, str] = {}
    for first in range(0, len(parts), CHECKED_AT_ONCE):
        found |= _checked(opened, parts[first : first + CHECKED_AT_ONCE])
    for table in tables:
        if len(table.parts) > 1 and not found.keys() & set(table.parts):
            reason = _list_fault(opened, table)
            found |= {table.name: reason} if reason else {}
    return found


def _checked(opened: OpenSession, names: Sequence[str]) -> dict[str, str]:
    """The tables whose index is not that of their rows; one that ends the session does not hide the others."""
    listed = ", ".join(map(quote_name, names))
    with opened() as connection:
        try:
            connection.execute(f"FLUSH TABLES {listed}")
            return _said_of(str(connection.endpoint), connection.rows(f"CHECK TABLE {listed} MEDIUM"))
        except SkyshardError as error:
            if is_passing(error):
                raise
            if len(names) == 1:
                return {names[0]: error.what}
    return {name: reason for one in names for name, reason in _checked(opened, [one]).items()}


def _said_of(where: str, rows: Sequence[Row]) -> dict[str, str]:
    """The tables that messages of CHECK TABLE find at fault, and the first fault of each.

    Raises:
        ClusterError: the server lacked memory or files, or was interrupted (retryable).
    """
    found: dict[str, str] = {}
    for table, _, kind, text in rows:
        is_fault = kind.lower() == "error" or (kind == "status" and text not in _SOUND)
        if is_fault and is_passing_trouble(text):
            raise out_of_resources(f"{where}: {text}")
        if is_fault:
            found.setdefault(str(table).partition(".")[2], f"index: {text}")
    return found


def _list_fault(opened: OpenSession, table: ShownTable) -> str:
    """Why a table over several parts does not show them all, each once; empty if it does."""
    name = quote_name(table.name)
    with opened() as connection:
        try:
            connection.execute(f"FLUSH TABLES {name}")
            created = str(connection.rows(f"SHOW CREATE TABLE {name}")[0][1])
            count = int(connection.value(f"SELECT COUNT(*) FROM {name}"))
        except SkyshardError as error:
            if is_passing(error):
                raise
            return error.what
    union = _UNION.search(created)
    listed = [part.strip("` ") for part in union.group(1).split(",")] if union else list(table.parts)
    if sorted(listed) != sorted(table.parts):
        return f"it shows {', '.join(listed)} where it must show {', '.join(table.parts)}"
    return "" if count == table.rows else f"it shows {count} rows where its parts have {table.rows}"
