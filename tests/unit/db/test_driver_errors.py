"""The one place where driver errors become Skyshard errors. No servers."""

from __future__ import annotations

import pymysql
import pytest

from skyshard.basics.errors import ClusterError, NoRoom, UserError
from skyshard.db.driver_errors import is_gone, is_reached, mapped
from skyshard.db.endpoint import Endpoint

HERE = Endpoint(socket="/run/x.sock")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1021, "Disk got full writing 'v.(temporary)' (Errcode: 28 \"No space left on device\")"),
        (3, "Error writing file './ddl_recovery.log' (Errcode: 28 \"No space left on device\")"),
        (28, "No space left on device"),
    ],
)
def test_a_full_disk_is_said_in_one_way(code: int, words: str) -> None:
    """Whatever the server was about to write: the remedy is to make room, and the statement is none of it."""
    found = mapped(pymysql.err.OperationalError(code, words), HERE, "CREATE TABLE t")
    assert isinstance(found, NoRoom)
    assert "make room" in str(found)
    assert "CREATE TABLE" not in str(found)


@pytest.mark.parametrize("code", [2003, 2006, 2013, 1040, 1205, 1213, 1927])
def test_lost_connections_and_busy_servers_are_retryable(code: int) -> None:
    """What may go well the next time says so."""
    error = mapped(pymysql.OperationalError(code, "words"), HERE)
    assert isinstance(error, ClusterError)
    assert error.retryable


@pytest.mark.parametrize("code", [1021, 1030, 1034, 1194])
def test_server_trouble_is_a_cluster_error(code: int) -> None:
    """Full disks and crashed tables are for the operator, and waiting does not help."""
    error = mapped(pymysql.OperationalError(code, "words"), HERE)
    assert isinstance(error, ClusterError)
    assert not error.retryable


@pytest.mark.parametrize("code", [1064, 1146, 1142, 1366, 1062])
def test_wrong_statements_are_user_errors(code: int) -> None:
    """Syntax, names, rights and values are for the user; the line holds the server's words and the statement."""
    error = mapped(pymysql.ProgrammingError(code, "words\nof the server"), HERE, "SELECT 1")
    assert isinstance(error, UserError)
    assert "words of the server" in str(error)
    assert "SELECT 1" in str(error)


@pytest.mark.parametrize(("code", "is_table_gone"), [(1146, True), (1017, True), (1049, False), (1064, False)])
def test_a_table_that_is_not_there_is_told_apart(code: int, is_table_gone: bool) -> None:
    """Also where the driver's error is the cause of the cause."""
    error = ClusterError("outer")
    error.__cause__ = ClusterError("inner")
    error.__cause__.__cause__ = pymysql.ProgrammingError(code, "words")
    assert is_gone(error) is is_table_gone
    assert not is_gone(ClusterError("without a cause"))
    assert not is_gone(None)


@pytest.mark.parametrize(
    ("cause", "has_answered"),
    [
        (pymysql.OperationalError(1040, "Too many connections"), True), (ConnectionRefusedError("refused"), False),
        (pymysql.OperationalError(2003, "no server"), False), (pymysql.OperationalError(2013, "lost"), False),
    ],
)  # fmt: skip
def test_a_server_that_said_something_was_reached(cause: Exception, has_answered: bool) -> None:
    """Whoever asks whether a server runs has to know."""
    error = ClusterError("not opened")
    error.__cause__ = cause
    assert is_reached(error) is has_answered
