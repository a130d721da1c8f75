"""Errors of the MariaDB driver, and what they mean: the one place where they are mapped."""

from __future__ import annotations

import socket

import pymysql

from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.db import server_errors as known
from skyshard.db.endpoint import Endpoint


def mapped(error: Exception, endpoint: Endpoint, sql: str = "") -> SkyshardError:
    """The Skyshard error for a driver error: who can fix it, in one line, with the server's own words."""
    if isinstance(error, UnicodeError):
        return known.unwritable(error, str(endpoint))
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    words = str(error.args[-1]) if error.args else type(error).__name__
    kind = known.Kind.SYSTEM if isinstance(error, OSError) else known.Kind.SERVER
    kind = known.Kind.INTERNAL if isinstance(error, pymysql.InternalError) else kind
    when_lost = endpoint.when_lost
    if isinstance(error, socket.gaierror):
        when_lost = "correct `host` in the cluster file, or have the name known"
    return known.error_of(kind, code, words, str(endpoint), sql, when_lost=when_lost)


def is_gone(error: BaseException | None) -> bool:
    """True when an error, or what it comes from, is a server's word that a table is not there."""
    while error is not None:
        if isinstance(error, pymysql.MySQLError) and error.args and error.args[0] in known.TABLE_GONE:
            return True
        error = error.__cause__
    return False


def is_reached(error: ClusterError) -> bool:
    """True when an error of :func:`connect` is what the server said, not that it said nothing."""
    cause = error.__cause__
    code = cause.args[0] if isinstance(cause, pymysql.MySQLError) and cause.args else 0
    return code not in known.CONNECTION_LOST and not isinstance(cause, OSError)
