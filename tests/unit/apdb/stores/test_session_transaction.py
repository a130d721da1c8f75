"""A transaction of a session is whole or nothing, and is ended once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from skyshard.apdb.stores.sqlite_server import SqliteServer
from skyshard.basics.errors import ClusterError

COUNT = pa.schema([("n", pa.int64())])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SqliteServer]:
    with closing(SqliteServer(tmp_path / "a.db")) as opened:
        opened.run("CREATE TABLE t (n INTEGER PRIMARY KEY)")
        yield opened


def rows_of(server: SqliteServer) -> int:
    return int(server.fetch("SELECT COUNT(*) AS n FROM t", COUNT)[0]["n"][0].as_py())


def test_what_is_rolled_back_was_never_there(server: SqliteServer) -> None:
    """What is committed stays, also when a rollback follows."""
    server.begin()
    server.run("INSERT INTO t VALUES (1)")
    server.rollback()
    assert rows_of(server) == 0
    server.begin()
    server.run("INSERT INTO t VALUES (2), (3)")
    server.commit()
    server.rollback()
    assert rows_of(server) == 2


def test_a_rollback_without_a_transaction_asks_nothing(server: SqliteServer) -> None:
    """So it can stand in every clean-up: SQLite would refuse it."""
    with pytest.raises(ClusterError, match="no transaction is active"):
        server.run("ROLLBACK")
    server.rollback()


def test_a_transaction_that_cannot_begin_is_not_open(server: SqliteServer) -> None:
    """A second one within the first is refused; the first goes on, and is rolled back once."""
    server.begin()
    server.run("INSERT INTO t VALUES (1)")
    with pytest.raises(ClusterError, match="within a transaction"):
        server.begin()
    server.rollback()
    assert rows_of(server) == 0
    with pytest.raises(ClusterError, match="no transaction is active"):
        server.commit()
