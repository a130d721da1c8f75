"""Rows that are inserted in bulk, on a real server: ends of types, several packets, and where one is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from skyshard.basics.errors import UserError
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.bulk_rows import BulkRows
from skyshard.db.connection import Account, Connection, connect

pytestmark = pytest.mark.integration

DATABASE = "bulk_test"
ENDS: dict[str, tuple[str, pa.DataType, list[object]]] = {
    "b": ("TINYINT", pa.int8(), [-128, 127, None]),
    "s": ("SMALLINT", pa.int16(), [-(2**15), 2**15 - 1, None]),
    "i": ("INT", pa.int32(), [-(2**31), 2**31 - 1, None]),
    "n": ("BIGINT", pa.int64(), [-(2**63), 2**63 - 1, None]),
    "f": ("FLOAT", pa.float32(), [-3.4028234663852886e38, 1.401298464324817e-45, None]),
    "d": ("DOUBLE", pa.float64(), [-1.7976931348623157e308, 5e-324, None]),
    "t": ("VARCHAR(250)", pa.string(), ["", "x" * 250, None]),
}
"""Column → its type on the server, of Arrow, and values."""


@pytest.fixture
def loader(private_cluster: PrivateCluster) -> Iterator[Connection]:
    """Over a database of its own."""
    with connect(private_cluster.endpoint("node1"), Account.LOADER, is_for_bulk=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
        connection.execute(f"USE {DATABASE}")
        yield connection
        connection.execute(f"DROP DATABASE {DATABASE}")


def prepared(connection: Connection, table: str, form: BulkRows) -> int:
    marks = ",".join("?" * len(form.columns))
    return connection.prepare(f"INSERT INTO {table} ({','.join(form.columns)}) VALUES ({marks})")


def insert(connection: Connection, table: str, rows: pa.RecordBatch) -> int:
    form = BulkRows(rows.schema)
    content = form.content(rows)
    assert content is not None
    return connection.insert_bulk(prepared(connection, table, form), form.types, content)


def test_values_at_the_ends_of_their_types_are_kept(loader: Connection) -> None:
    """Bit by bit: also the smallest numbers, an empty text, the longest one, and NULL."""
    columns = ", ".join(f"{name} {kind}" for name, (kind, _, _) in ENDS.items())
    loader.execute(f"CREATE TABLE ends ({columns}) ENGINE=InnoDB")
    given = {name: pa.array(values, kind) for name, (_, kind, values) in ENDS.items()}
    assert insert(loader, "ends", pa.record_batch(given)) == 3
    assert loader.warned == 0
    listed = ", ".join("CAST(f AS DOUBLE)" if name == "f" else name for name in ENDS)
    wanted = zip(*(values for _, _, values in ENDS.values()), strict=True)
    assert loader.rows(f"SELECT {listed} FROM ends") == list(wanted)


def test_more_than_a_packet_holds_is_one_statement(loader: Connection) -> None:
    """The protocol cuts at 16 MiB; the server may take 1 GiB."""
    loader.execute("CREATE TABLE wide (n INT PRIMARY KEY, t VARCHAR(250)) ENGINE=InnoDB")
    count = 70_000
    rows = pa.record_batch({"n": pa.array(range(count), pa.int32()), "t": ["x" * 250] * count})
    assert insert(loader, "wide", rows) == count
    assert loader.rows("SELECT COUNT(*), SUM(n), MIN(LENGTH(t)) FROM wide") == [(count, count * (count - 1) // 2, 250)]


def test_one_wrong_row_leaves_none_of_a_statement(loader: Connection) -> None:
    """A key that is there, a number that is too large: nothing is changed, and the session goes on, as by text."""
    loader.execute("CREATE TABLE small (n TINYINT PRIMARY KEY) ENGINE=InnoDB")
    assert insert(loader, "small", numbers(5)) == 1
    for given, said in (((1, 5, 2), "Duplicate entry"), ((3, 1000, 4), "Out of range")):
        loader.execute("START TRANSACTION")
        with pytest.raises(UserError, match=said):
            insert(loader, "small", numbers(*given))
        loader.execute("COMMIT")
        assert loader.rows("SELECT n FROM small") == [(5,)]


def test_a_statement_outlives_changes_of_its_table(loader: Connection) -> None:
    """As when a month is added or dropped beside the sessions that store."""
    loader.execute("CREATE TABLE monthly (n INT) ENGINE=InnoDB PARTITION BY LIST (n) (PARTITION p1 VALUES IN (1))")
    form = BulkRows(numbers(1).schema)
    statement = prepared(loader, "monthly", form)
    for month in (1, 2):
        content = form.content(numbers(month, month))
        assert content is not None
        assert loader.insert_bulk(statement, form.types, content) == 2
        loader.execute(f"ALTER TABLE monthly ADD PARTITION (PARTITION p{month + 1} VALUES IN ({month + 1}))")
    loader.execute("ALTER TABLE monthly DROP PARTITION p1")
    with pytest.raises(UserError, match="no partition"):
        loader.insert_bulk(statement, form.types, form.content(numbers(2, 1)) or b"")
    assert loader.rows("SELECT n FROM monthly") == [(2,), (2,)]


def numbers(*values: int) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array(values, pa.int32())})
