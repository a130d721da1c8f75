"""Engines of SQLAlchemy over the driver's sessions, for the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pymysql

from skyshard.db.driver_errors import mapped
from skyshard.db.driver_session import open_driver_session
from skyshard.db.endpoint import Account, Endpoint

if TYPE_CHECKING:
    import sqlalchemy

ENGINE_ANSWER_TIMEOUT_S = 120.0
"""Statements on the registry take milliseconds; waiting for one's lock ends after 50 s by the server's own limit."""


def sqlalchemy_engine(
    endpoint: Endpoint, account: Account = Account.ADMIN, database: str = "", *, isolation: str = "REPEATABLE READ"
) -> sqlalchemy.Engine:
    """An engine whose sessions speak utf8mb4 and whose transactions are transactions (no autocommit); dispose of it.

    A server that says nothing for ``ENGINE_ANSWER_TIMEOUT_S`` is taken for dead.

    Driver errors come out as ClusterError and UserError, as from :func:`connect`, except a violated key, which stays
    ``sqlalchemy.exc.IntegrityError`` so that callers can decide what it means.
    """
    import sqlalchemy  # takes longer to import than a query takes

    def opened() -> Any:
        raw = open_driver_session(endpoint, account, database, charset="utf8mb4", isolation=isolation)
        raw._read_timeout = ENGINE_ANSWER_TIMEOUT_S
        return raw

    engine = sqlalchemy.create_engine(
        "mysql+pymysql://",
        creator=opened,
        pool_size=4,
        max_overflow=12,
        pool_pre_ping=True,  # the czar's server may have been restarted since
    )

    @sqlalchemy.event.listens_for(engine, "handle_error")
    def map_error(context: Any) -> None:
        error = context.original_exception
        is_foreign = isinstance(error, (pymysql.MySQLError, OSError))
        if is_foreign and not isinstance(error, pymysql.IntegrityError) and not context.is_pre_ping:
            raise mapped(error, endpoint, context.statement or "") from error

    return engine
