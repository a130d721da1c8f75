"""Changes of tables that visits and queries use: each waits for them a short time only, again and again.

A change that waits for a statement holds up all that come after it. So it waits for two seconds, lets everybody
through, and tries anew; after a minute it gives up, in words that say who is in the way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.db.connection import Connection

LOCK_WAIT_S = 2
PAUSE_S = 0.5
GIVES_UP_AFTER_S = 60.0
_WAITED_TOO_LONG = 1205


def bound_waits(admin: Connection) -> None:
    """From here on no statement of a session waits longer than two seconds for a table or a row."""
    admin.execute(f"SET SESSION lock_wait_timeout = {LOCK_WAIT_S}, innodb_lock_wait_timeout = {LOCK_WAIT_S}")


def change_table(
    admin: Connection, node: str, table: str, statement: str,
    meanwhile: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:  # fmt: skip
    """Carry out a statement that changes a table, as soon as nobody uses it.

    Args:
        meanwhile: what each try is made within; what it raises is raised.

    Raises:
        ClusterError: statements used it for a minute (retryable); names the longest of them.
    """

    def attempt() -> str:
        with meanwhile():
            return _fault(admin, statement)

    bound_waits(admin)
    until_free(admin, node, table, attempt)


def until_free(admin: Connection, node: str, table: str, attempt: Callable[[], str]) -> None:
    """Try until an attempt has no fault (an empty text), with pauses in which others have the table.

    Raises:
        ClusterError: as of :func:`change_table`.
    """
    ends = time.monotonic() + GIVES_UP_AFTER_S
    while fault := attempt():
        if time.monotonic() > ends:
            who = _in_the_way(admin, table)
            raise ClusterError(
                f"{node}: table {table} is in use for {GIVES_UP_AFTER_S:g} s ({fault}){who}",
                remedy="run it again when that has ended", retryable=True,
            )  # fmt: skip
        time.sleep(PAUSE_S)


def _fault(admin: Connection, statement: str) -> str:
    try:
        admin.execute(statement)
    except SkyshardError as error:
        if getattr(error.__cause__, "args", (0,))[0] != _WAITED_TOO_LONG:
            raise
        return "lock wait timeout"
    return ""


def _in_the_way(admin: Connection, table: str) -> str:
    """The statement that has used a table for the longest time, or the oldest transaction there is, in words."""
    statements = admin.rows(
        "SELECT ID, TIME, LEFT(INFO, 60) FROM information_schema.PROCESSLIST "
        "WHERE ID <> CONNECTION_ID() AND INFO LIKE %s ORDER BY TIME DESC LIMIT 1",
        [f"%{table}%"],
    )
    for number, seconds, text in statements:
        return f"; connection {number} has used it for {seconds} s: {text}"
    transactions = admin.rows(
        "SELECT trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, trx_started, NOW()) FROM information_schema.INNODB_TRX "
        "WHERE trx_mysql_thread_id <> CONNECTION_ID() ORDER BY trx_started LIMIT 1"
    )
    return "".join(f"; connection {number} has a transaction for {seconds} s" for number, seconds in transactions)
