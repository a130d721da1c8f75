"""Index files against a real server: what `IndexImage` writes is what REPAIR TABLE writes, and look-ups use it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.support.data_files import write_records

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, Connection, connect
from skyshard.rowimage.index_image import DuplicateKey, IndexImage
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import Field, RecordLayout, Records
from skyshard.rowimage.sqltype import parse_type

pytestmark = pytest.mark.integration

DATABASE = "indexes"
COLUMNS = {
    "id": "bigint", "x": "double", "sub": "int", "tiny": "tinyint", "small": "smallint unsigned",
    "big": "bigint unsigned", "word": "int unsigned",
}  # fmt: skip
KEYS = "PRIMARY KEY (id), KEY (sub), KEY (small, tiny), UNIQUE KEY (big, sub), KEY (word)"


@dataclass
class Indexes:
    """A node, and a table that is made anew for each test."""

    connection: Connection
    data: Path
    layout: RecordLayout

    def create(self, keys: str = KEYS) -> Path:
        """An empty table; returns its data file."""
        self.connection.execute("DROP TABLE IF EXISTS t")
        columns = ", ".join(f"{name} {kind}{'' if name == 'x' else ' NOT NULL'}" for name, kind in COLUMNS.items())
        indexed = f", {keys}" if keys else ""
        self.connection.execute(f"CREATE TABLE t ({columns}{indexed}) ENGINE=MyISAM ROW_FORMAT=FIXED")
        self.connection.execute("FLUSH TABLES t")
        return self.data / DATABASE / "t.MYD"

    def records(self, count: int, seed: int = 1) -> Records:
        random = np.random.default_rng(seed)
        values = {
            "id": random.permutation(count) * 7 - 3 * count, "x": random.normal(size=count),
            "sub": np.sort(random.integers(0, max(count // 40, 1), count)), "tiny": random.integers(-128, 128, count),
            "small": random.integers(0, 5, count) * 13107,
            "big": random.permutation(count).astype(np.uint64) + np.uint64(2**64 - count),
            "word": random.integers(0, 2**32, count),
        }  # fmt: skip
        slots = self.layout.slots
        arrays = [pa.array(values[slot.name]).cast(slot.arrow) for slot in slots]
        records: Records = pack(pa.RecordBatch.from_arrays(arrays, names=[slot.name for slot in slots]), self.layout)
        return records

    def answers(self, sql: str) -> list[tuple[object, ...]]:
        return list(self.connection.rows(sql))


@pytest.fixture(scope="module")
def indexes(private_cluster: PrivateCluster) -> Iterator[Indexes]:
    with connect(private_cluster.endpoint("node1"), Account.LOADER) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
        connection.execute(f"USE {DATABASE}")
        layout = RecordLayout.of([Field(name, parse_type(kind), name == "x") for name, kind in COLUMNS.items()])
        yield Indexes(connection, private_cluster.data_dir("node1"), layout)
        connection.execute(f"DROP DATABASE {DATABASE}")


@pytest.mark.parametrize("count", [1, 2, 72, 73, 74, 146, 147, 1000, 3797, 40_000, 250_000])
def test_an_index_file_is_what_repair_makes(indexes: Indexes, count: int) -> None:
    """Byte for byte, but for who wrote it and when: one page and many, pages that are just full, three levels."""
    file = indexes.create()
    empty = IndexImage.of(file.with_suffix(".MYI").read_bytes())
    assert empty is not None
    records = indexes.records(count)
    write_records(file, records)
    said = indexes.answers("REPAIR TABLE t QUICK")
    assert said[-1][-1] == "OK"
    indexes.connection.execute("FLUSH TABLES t")
    repaired = np.frombuffer(file.with_suffix(".MYI").read_bytes(), np.uint8)
    ours = np.frombuffer(b"".join(empty.fill(records)), np.uint8)
    assert len(ours) == len(repaired)
    state, parts = struct.unpack_from(">HH", repaired.tobytes(), 12)
    who, when = range(100, 124), range(state - 4 * parts - 16, state - 4 * parts - 8)
    assert set(np.flatnonzero(ours != repaired).tolist()) <= {*who, *when}


@pytest.mark.parametrize("keys", [KEYS, "KEY (tiny)", "KEY (big)", "PRIMARY KEY (sub, id)", ""])
def test_the_server_finds_rows_through_an_index_file_of_ours(indexes: Indexes, keys: str) -> None:
    """CHECK TABLE EXTENDED finds nothing, and every look-up, range and count is that of a table filled by SQL."""
    file = indexes.create(keys)
    records = indexes.records(5000, seed=3)
    write_records(file, records)
    empty = IndexImage.of(file.with_suffix(".MYI").read_bytes())
    assert empty is not None
    file.with_suffix(".MYI").write_bytes(b"".join(empty.fill(records)))
    assert indexes.answers("CHECK TABLE t EXTENDED")[-1][-1] == "OK"
    indexes.connection.execute("CREATE OR REPLACE TABLE plain ENGINE=MEMORY AS SELECT * FROM t")
    conditions = [
        "id = -14993", "id < -14000", "sub = 7", "small = 65535 AND tiny < -100", "big >= 18446744073709551000",
        "sub BETWEEN 3 AND 5 AND big > 0", "word > 4294900000",
    ]  # fmt: skip
    for condition in conditions:
        sql = f"SELECT COUNT(*), SUM(id), BIT_XOR(big) FROM %s WHERE {condition}"
        assert indexes.answers(sql % "t") == indexes.answers(sql % "plain")


def test_a_record_shorter_than_the_shortest_is_counted_as_stored(indexes: Indexes) -> None:
    """A row of two bytes takes seven in the data file, and that is what the index file says of its length."""
    indexes.connection.execute("CREATE OR REPLACE TABLE t (a TINYINT NOT NULL, KEY (a)) ENGINE=MyISAM ROW_FORMAT=FIXED")
    indexes.connection.execute("FLUSH TABLES t")
    file = indexes.data / DATABASE / "t.MYD"
    layout = RecordLayout.of([Field("a", parse_type("tinyint"), False)])
    records = pack(pa.record_batch({"a": pa.array([3, -1, 2], pa.int8())}), layout)
    write_records(file, records)
    empty = IndexImage.of(file.with_suffix(".MYI").read_bytes())
    assert empty is not None
    assert empty.length == records.itemsize == 7
    file.with_suffix(".MYI").write_bytes(b"".join(empty.fill(records)))
    assert indexes.answers("SELECT a FROM t ORDER BY a") == [(-1,), (2,), (3,)]
    assert indexes.answers("SELECT a FROM t WHERE a = 2") == [(2,)]
    assert indexes.answers("CHECK TABLE t EXTENDED")[-1][-1] == "OK"


def test_rows_may_be_added_to_a_table_with_an_index_file_of_ours(indexes: Indexes) -> None:
    """The server goes on where we ended: pages split, and the unique key is still unique."""
    file = indexes.create()
    records = indexes.records(1000, seed=5)
    write_records(file, records)
    empty = IndexImage.of(file.with_suffix(".MYI").read_bytes())
    assert empty is not None
    file.with_suffix(".MYI").write_bytes(b"".join(empty.fill(records)))
    indexes.connection.execute("INSERT INTO t SELECT id + 1, x, sub, tiny, small, big - 2000, word FROM t")
    assert indexes.answers("CHECK TABLE t EXTENDED")[-1][-1] == "OK"
    assert indexes.answers("SELECT COUNT(*), COUNT(DISTINCT id) FROM t WHERE id > -9000000") == [(2000, 2000)]


def test_a_key_that_stands_twice_is_named_with_its_rows(indexes: Indexes) -> None:
    """Only in a unique index: its value, and two rows that have it."""
    file = indexes.create("KEY (sub), UNIQUE KEY (tiny, small)")
    empty = IndexImage.of(file.with_suffix(".MYI").read_bytes())
    assert empty is not None
    records = indexes.records(3, seed=1)
    for name, values in {"tiny": [-5, 4, -5], "small": [65535, 65535, 65535]}.items():
        records[name] = values
    with pytest.raises(DuplicateKey) as caught:
        empty.fill(records)
    assert (list(caught.value.values.values()), caught.value.rows) == ([-5, 65535], (0, 2))
    records["small"][2] = 1
    empty.fill(records)


@pytest.mark.parametrize("keys", ["KEY (x)", "KEY (id), KEY (x, id)", "UNIQUE KEY (id), KEY (id) COMMENT 'two'"])
def test_an_index_that_is_not_over_integers_is_the_servers(indexes: Indexes, keys: str) -> None:
    """NULL or a fraction in a key makes the whole file the server's; nothing but plain integers is ours."""
    file = indexes.create(keys)
    found = IndexImage.of(file.with_suffix(".MYI").read_bytes())
    assert (found is None) == ("x" in keys)


def test_an_index_file_that_is_not_understood_is_the_servers(indexes: Indexes) -> None:
    """A header cut off anywhere, of another version, or of a table with rows is refused, never guessed at."""
    whole = indexes.create().with_suffix(".MYI").read_bytes()
    assert all(IndexImage.of(whole[:length]) is None for length in range(len(whole)))
    assert IndexImage.of(b"\xfe\xfe\x07\x02" + whole[4:]) is None
    indexes.connection.execute("INSERT INTO t VALUES (1, 1, 1, 1, 1, 1, 1)")
    indexes.connection.execute("FLUSH TABLES t")
    assert IndexImage.of((indexes.data / DATABASE / "t.MYI").read_bytes()) is None
