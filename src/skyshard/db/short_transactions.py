"""Short transactions of plain SQL text on one server, over sessions that are kept.

Rules: a reading transaction sees one state throughout; a writing one locks rows, not the gaps between them; an error
rolls back. Statements and results are utf8mb4, whatever a text holds. Safe for threads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from skyshard.db.connection import Account, Connection, Endpoint
from skyshard.db.sessions import Sessions

_NAME = "short"


class ShortTransactions:
    """Transactions of one account on one server: close it."""

    def __init__(self, endpoint: Endpoint, account: Account = Account.ADMIN) -> None:
        self._sessions = Sessions(endpoint, account, opened=_prepared)

    def close(self) -> None:
        self._sessions.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A session on which every statement sees the state that the first one saw."""
        with self._transaction("START TRANSACTION READ ONLY") as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A session whose changes are seen by others all at once, at its end."""
        with self._transaction("START TRANSACTION", isolation="READ COMMITTED") as connection:
            yield connection

    @contextlib.contextmanager
    def single(self) -> Iterator[Connection]:
        """A session on which each statement is a transaction."""
        with self._sessions.lease(_NAME) as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, begin: str, *, isolation: str = "") -> Iterator[Connection]:
        """A session that an error comes out of is closed, and so rolled back by its server."""
        with self._sessions.lease(_NAME) as connection:
            if isolation:
                connection.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
            connection.execute(begin)
            yield connection
            connection.execute("COMMIT")


def _prepared(connection: Connection) -> None:
    connection.speak_utf8()
    connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
