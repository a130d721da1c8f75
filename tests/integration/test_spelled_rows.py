"""Rows that the server writes as text for Arrow, against the same rows through the driver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from skyshard.catalog.schema import Column, Table
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, Connection, connect
from skyshard.node.read import spelled_rows
from skyshard.node.read.read_table import select_batches
from skyshard.node.read.spelled_rows import FIRST_ROWS, LONG_BYTES, MOST_SKIPPED, spelled_batches, spelled_digest
from skyshard.node.server.server_files import ServerFiles
from skyshard.rowimage.digest import digest
from skyshard.rowimage.sqltype import parse_type

pytestmark = pytest.mark.integration

DATABASE = "spelled_rows"
KINDS = {
    "i": "int", "u": "bigint unsigned", "z": "smallint(5) zerofill", "f": "float", "d": "double",
    "n": "decimal(10,3)", "m": "decimal(60,20)", "s": "varchar(40) character set utf8mb4", "l": "varchar(30)",
    "b": "blob", "x": "longtext", "bits": "bit(11)", "dt": "datetime(6)", "da": "date", "ti": "time(3)", "y": "year",
    "e": "enum('a','b''c')", "g": "geometry", "bin": "binary(5)",
}  # fmt: skip
TABLE = Table("T", tuple(Column(name, parse_type(kind)) for name, kind in KINDS.items()))
ROWS = (
    "(-1, 18446744073709551615, 7, 0.1, 5e-324, -1.5, 12345678901234567890123456789012345678.12345, "
    "_utf8mb4 X'C3A9F09F9880', X'E9', 'a\\tb\\n\\0\\\\', 'NULL', b'10000000001', '2020-01-02 03:04:05.000001', "
    "'2000-02-29', '-838:59:58.5', 1999, 'b''c', POINT(1, -2), 'a')",
    "(NULL, 0, 0, 3.4e38, 1e-300, 0, 0, '', '', '', '', b'0', '1000-01-01', '9999-12-31', '00:00:00', 1901, 'a', "
    "NULL, '')",
    "(2, 1, 1, 16777217, 1.7976931348623157e308, 0.001, -0.00000000000000000001, 'NULL', '\\N', '\\N', ' ', b'1', "
    "'2038-01-19 03:14:07', '1970-01-01', '12:00:00', 2155, 'a', POINT(0, 0), '\\0')",
    f"({', '.join(['NULL'] * len(KINDS))})",
)


@pytest.fixture
def session(private_cluster: PrivateCluster) -> Iterator[Connection]:
    endpoint = private_cluster.endpoint("node1")
    declared = ", ".join(f"{name} {kind}" for name, kind in KINDS.items())
    with connect(endpoint, Account.ADMIN) as admin:
        admin.execute(f"CREATE DATABASE {DATABASE} CHARSET latin1")
        admin.execute(f"CREATE TABLE {DATABASE}.T ({declared}) ENGINE=MyISAM")
        admin.execute(f"CREATE TABLE {DATABASE}.Empty LIKE {DATABASE}.T")
        admin.execute(f"INSERT INTO {DATABASE}.T VALUES {', '.join(ROWS)}")
    with connect(endpoint, Account.LOADER, DATABASE) as loader:
        yield loader
    with connect(endpoint, Account.ADMIN) as admin:
        admin.execute(f"DROP DATABASE {DATABASE}")


@pytest.fixture
def data(private_cluster: PrivateCluster) -> Iterator[ServerFiles]:
    files = ServerFiles(private_cluster.data_dir("node1"))
    yield files
    assert not list(files.load_file(DATABASE, "T").parent.glob(f"load-{DATABASE}-*"))


def driven(session: Connection) -> pa.Table:
    return pa.Table.from_batches(list(select_batches(session, TABLE, "T"))).combine_chunks()


def spelled(session: Connection, data: ServerFiles) -> pa.Table:
    return pa.Table.from_batches(list(spelled_batches(session, data, DATABASE, TABLE, "T"))).combine_chunks()


def test_values_are_those_of_the_driver(session: Connection, data: ServerFiles) -> None:
    """Values at the ends of every type, NULL, empty texts, and the words that stand for NULL elsewhere."""
    found = spelled(session, data)
    assert found.equals(driven(session))
    assert found["x"].to_pylist() == [b"NULL", b"", b" ", None]


def test_many_rows_come_in_several_files_and_the_same_order(session: Connection, data: ServerFiles) -> None:
    for step in range(9):
        session.execute(f"INSERT INTO T (i, u, f, b) SELECT i + {step}, u, f, CONCAT(b, REPEAT('x', {step})) FROM T")
    found = spelled(session, data)
    assert found.num_rows == len(ROWS) << 9 > 3 * FIRST_ROWS
    assert found.equals(driven(session))
    total = digest(found, TABLE.columns)
    assert spelled_digest(session, data, DATABASE, TABLE, "T") == total


def test_rows_of_long_values_are_read_by_the_driver(
    session: Connection, data: ServerFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as some of them are known, wherever that is: each row once, in the same order."""
    files, named = list[Path](), ServerFiles.text_file

    def noted(self: ServerFiles, database: str, table: str) -> Path:
        files.append(named(self, database, table))
        return files[-1]

    monkeypatch.setattr(ServerFiles, "text_file", noted)
    for step in range(6):
        session.execute(f"INSERT INTO T (i, b) SELECT i + {step}, b FROM T")
    session.execute(f"INSERT INTO T (i, b) SELECT i, REPEAT('x', {LONG_BYTES * len(KINDS)}) FROM T")
    session.execute("INSERT INTO T (i, b) SELECT i, b FROM T")
    found = spelled(session, data)
    assert found.num_rows == len(ROWS) << 8 > 3 * len(files) * FIRST_ROWS
    assert len(files) == 2
    assert found.equals(driven(session))


def test_what_is_before_a_file_is_not_passed_over_without_end(
    session: Connection, data: ServerFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a table that is many files long, the driver reads the rest: each row once, in the same order."""
    written, write = list[tuple[int, int]](), spelled_rows._write

    def noted(*given: Any) -> int:
        written.append(given[4])
        return write(*given)

    monkeypatch.setattr(spelled_rows, "_write", noted)
    monkeypatch.setattr(spelled_rows, "TEXT_BYTES", 16 << 10)
    for step in range(13):
        session.execute(f"INSERT INTO T (i, u, f, b) SELECT i + {step}, u, f, CONCAT(b, '{step}') FROM T")
    found = spelled(session, data)
    assert found.num_rows == len(ROWS) << 13
    assert len(written) > MOST_SKIPPED / 2
    assert max(start / step for start, step in written) <= MOST_SKIPPED
    assert sum(step for _, step in written) < found.num_rows / 2
    assert found.equals(driven(session))


def test_a_table_without_rows_has_a_digest(session: Connection, data: ServerFiles) -> None:
    assert spelled_digest(session, data, DATABASE, TABLE, "Empty").rows == 0


def test_values_whose_digits_are_longer_than_a_packet_are_there(
    private_cluster: PrivateCluster, session: Connection, data: ServerFiles
) -> None:
    """The server gives NULL and a warning for a text that its largest packet cannot hold."""
    most = int(session.value("SELECT @@max_allowed_packet"))
    with connect(private_cluster.endpoint("node1"), Account.ADMIN, DATABASE) as admin:
        admin.execute("UPDATE T SET x = REPEAT('y', 700000) WHERE i = 2")
        admin.execute("SET GLOBAL max_allowed_packet = 1048576")
        try:
            with connect(private_cluster.endpoint("node1"), Account.LOADER, DATABASE) as narrow:
                found = spelled(narrow, data)
        finally:
            admin.execute(f"SET GLOBAL max_allowed_packet = {most}")
    assert found["x"].to_pylist()[2] == b"y" * 700_000
    assert found.equals(driven(session))
