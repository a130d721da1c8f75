"""Quoting, and the one place where driver errors become Skyshard errors. No servers."""

from __future__ import annotations

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.basics.errors import ClusterError, NoRoom, UserError
from skyshard.db.connection import Account, Endpoint, connect, mapped, quote_name, quote_text

HERE = Endpoint(socket="/run/x.sock")


@pytest.mark.parametrize("name", ["", "x" * 65, "tail ", "nul\0", "a/b"])
def test_names_that_no_server_takes_are_refused(name: str) -> None:
    """A name is checked before it reaches SQL text."""
    with pytest.raises(UserError, match="is no name"):
        quote_name(name)


@given(st.text("aZ9_ `'\"\\\n\t%é€𝄞", min_size=1, max_size=64))
def test_a_quoted_name_ends_only_at_its_end(name: str) -> None:
    """Inside the quotes every backtick is doubled."""
    if name == name.rstrip():
        assert "`" not in quote_name(name)[1:-1].replace("``", "")


@given(st.text("aZ9_ `'\"\\\n\0%é€𝄞"))
def test_a_quoted_text_ends_only_at_its_end(text: str) -> None:
    """Inside the quotes every quote and backslash is escaped."""
    inside = quote_text(text)[1:-1]
    plain = inside.replace("\\\\", "").replace("\\'", "")
    assert "'" not in plain


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


def test_a_socket_without_server_is_a_retryable_cluster_error() -> None:
    """Nobody listens: the cluster's fault, said with the socket's path."""
    with pytest.raises(ClusterError, match=r"/nowhere/x\.sock: no server answers") as caught:
        connect(Endpoint(socket="/nowhere/x.sock"), Account.READER)
    assert caught.value.retryable
