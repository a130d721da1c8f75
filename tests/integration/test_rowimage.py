"""Row images against a real server: what `pack` writes is what the server writes, and the server reads it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.support.data_files import read_records, write_records
from tests.support.raw_engines import require_engine_there
from tests.support.values_of_types import CASES

from skyshard.catalog.engines import TableEngine
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, Connection, connect
from skyshard.rowimage.digest import digest
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import Field, RecordLayout
from skyshard.rowimage.record_digest import digest_records
from skyshard.rowimage.sqltype import TypeClass, parse_type
from skyshard.rowimage.unpack import unpack

pytestmark = pytest.mark.integration

DATABASE = "images"
STRICT = "SET sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
TEXTS = [text for text in CASES if not text.startswith("bit") and parse_type(text).type_class is TypeClass.BYTES]


@dataclass(slots=True)
class Node:
    """A private server and a session that may do everything."""

    session: Connection
    data: Path
    texts: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def create(self, fields: list[Field], keys: str = "", engine: str = "MyISAM ROW_FORMAT=FIXED") -> str:
        name = f"t{next(self.numbers)}"
        columns = ", ".join(f"`{one.name}` {one.type.text}{'' if one.is_nullable else ' NOT NULL'}" for one in fields)
        self.session.execute(f"CREATE TABLE {name} ({columns}{keys}) ENGINE={engine}")
        return name

    def data_file(self, name: str) -> Path:
        self.session.execute(f"FLUSH TABLES {name}")
        return self.data / DATABASE / f"{name}.MYD"

    def load_text(self, name: str, batch: pa.RecordBatch) -> None:
        """LOAD DATA, strictly: the way that rows come in without an image."""
        text = self.texts / f"{name}.tsv"
        rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
        text.write_bytes(b"".join(b"\t".join(map(as_text, row)) + b"\n" for row in rows))
        self.session.execute(f"LOAD DATA INFILE '{text}' INTO TABLE {name} CHARACTER SET binary")
        assert self.session.warnings() == []

    def load_image(self, name: str, records: Any) -> None:
        write_records(self.data_file(name), records)
        self.session.rows(f"REPAIR TABLE {name} QUICK")

    def difference(self, left: str, right: str) -> list[tuple[Any, ...]]:
        """Rows that one of the two tables lacks, as the server sees them."""
        ways = ((left, right), (right, left))
        both = " UNION ALL ".join(f"(SELECT * FROM {one} EXCEPT ALL SELECT * FROM {other})" for one, other in ways)
        return self.session.rows(both)


def as_text(value: Any) -> bytes:
    """A value as LOAD DATA reads it."""
    if value is None:
        return b"\\N"
    text = (
        value if isinstance(value, bytes) else repr(value).encode() if isinstance(value, float) else str(value).encode()
    )
    for letter, escaped in ((b"\\", b"\\\\"), (b"\t", b"\\t"), (b"\n", b"\\n"), (b"\0", b"\\0")):
        text = text.replace(letter, escaped)
    return text


def as_literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"_binary x'{value.hex()}'" if value else "''"
    return f"'{value!r}'" if isinstance(value, float) else str(value)


@pytest.fixture(scope="module")
def node(private_cluster: PrivateCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with connect(private_cluster.endpoint("node1"), Account.ADMIN) as session:
        session.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET latin1")
        try:
            session.execute(f"USE {DATABASE}")
            session.execute(STRICT)
            yield Node(session, private_cluster.data_dir("node1"), tmp_path_factory.mktemp("texts"))
        finally:
            session.execute(f"DROP DATABASE {DATABASE}")


@dataclass(slots=True)
class Case:
    fields: list[Field]
    layout: RecordLayout
    batch: pa.RecordBatch
    table: str
    """The rows, loaded by LOAD DATA."""


def make_case(node: Node, fields: list[Field], columns: list[list[Any]], keys: str = "") -> Case:
    arrays = [pa.array(values, one.type.arrow) for one, values in zip(fields, columns, strict=True)]
    batch = pa.record_batch(arrays, names=[one.name for one in fields])
    table = node.create(fields, keys)
    node.load_text(table, batch)
    return Case(fields, RecordLayout.of(fields), batch, table)


@pytest.fixture(scope="module", params=CASES, ids=lambda text: text[:24])
def case(request: pytest.FixtureRequest, node: Node) -> Case:
    """One type: nullable and NOT NULL, between columns whose bytes would show a wrong width."""
    values = CASES[request.param]
    solid = [value for value in values if value is not None]
    kind, guard = parse_type(request.param), parse_type("smallint")
    not_null = parse_type(request.param.removesuffix(" null"))
    fields = [Field("a", guard), Field("b", kind), Field("c", guard, False), Field("d", not_null, False)]
    count = len(values)
    columns = [
        [*range(1, count), None],
        values,
        list(range(count)),
        list(itertools.islice(itertools.cycle(solid), count)),
    ]
    return make_case(node, fields, columns)


def test_pack_writes_the_server_s_bytes(case: Case, node: Node) -> None:
    """For every type, packed records equal the data file after LOAD DATA, byte for byte."""
    assert pack(case.batch, case.layout).tobytes() == node.data_file(case.table).read_bytes()


def test_pack_writes_the_bytes_of_inserted_rows(case: Case, node: Node) -> None:
    """One INSERT a row leaves the same bytes too."""
    table = node.create(case.fields)
    for row in zip(*(column.to_pylist() for column in case.batch.columns), strict=True):
        literals = [as_literal(value) for value in row]
        node.session.execute(f"INSERT INTO {table} VALUES ({','.join(literals)})")
    mine = pack(case.batch, case.layout).tobytes()
    assert mine == node.data_file(table).read_bytes()


def test_server_reads_an_image(case: Case, node: Node) -> None:
    """Packed records under an empty table, after REPAIR, pass CHECK and hold the rows that LOAD DATA loaded."""
    copy = node.create(case.fields)
    node.load_image(copy, pack(case.batch, case.layout))
    assert node.session.rows(f"CHECK TABLE {copy} EXTENDED")[-1][-1] == "OK"
    assert node.session.value(f"SELECT COUNT(*) FROM {copy}") == case.batch.num_rows
    assert node.difference(case.table, copy) == []


def test_unpack_gives_the_rows_back(case: Case, node: Node) -> None:
    """The server's file unpacks to rows that pack to the same file, with the batch's types and nulls."""
    back = unpack(read_records(node.data_file(case.table), case.layout), case.layout)
    assert back.schema.types == case.batch.schema.types
    assert [column.is_null().to_pylist() for column in back.columns] == [
        column.is_null().to_pylist() for column in case.batch.columns
    ]
    assert pack(back, case.layout).tobytes() == pack(case.batch, case.layout).tobytes()


@pytest.mark.parametrize("case", TEXTS, indirect=True, ids=lambda text: text[:24])
def test_unpack_prints_what_the_server_prints(case: Case, node: Node) -> None:
    """Texts come back as SELECT shows them."""
    back = unpack(read_records(node.data_file(case.table), case.layout), case.layout)
    shown = [row[0] for row in node.session.rows(f"SELECT HEX(CONCAT(b)) FROM {case.table}")]
    mine = [None if value is None else value.hex().upper() for value in back.column("b").to_pylist()]
    assert mine == [None if value is None else value for value in shown]


def test_digest_of_batch_and_file_agree(case: Case, node: Node) -> None:
    """The digest before loading equals that of the server's data file."""
    records = read_records(node.data_file(case.table), case.layout)
    assert digest(case.batch, case.fields) == digest_records(records, case.layout)


def test_all_types_in_one_record(node: Node) -> None:
    """All types side by side, BIT columns sharing null bytes, with an all-NULL row: byte-equal."""
    names = [name for name in CASES if len(name) < 80]
    fields = [Field(f"c{place}", parse_type(name)) for place, name in enumerate(names)]
    columns = [[CASES[name][0], None, CASES[name][-2], CASES[name][1]] for name in names]
    case = make_case(node, fields, columns)
    assert pack(case.batch, case.layout).tobytes() == node.data_file(case.table).read_bytes()


@pytest.mark.parametrize("engine", ["Aria", "InnoDB", "MyRocks"])
def test_engines_give_an_image_back(node: Node, private_cluster: PrivateCluster, engine: str) -> None:
    """Every value of every type, copied by the server into another engine's table and back, is what it was."""
    require_engine_there(private_cluster, engine)
    most = max(map(len, CASES.values()))
    fields = [Field(f"c{number}", parse_type(kind)) for number, kind in enumerate(CASES)]
    whole = make_case(node, fields, [list(itertools.islice(itertools.cycle(v), most)) for v in CASES.values()])
    there, back = node.create(fields, engine=TableEngine(engine).sql_name), node.create(fields)
    node.session.execute(f"INSERT INTO {there} SELECT * FROM {whole.table}")
    node.session.execute(f"INSERT INTO {back} SELECT * FROM {there}")
    records = read_records(node.data_file(back), whole.layout)
    assert digest_records(records, whole.layout) == digest(whole.batch, fields)
    assert node.difference(whole.table, back) == []


@pytest.mark.parametrize(("kinds", "is_nullable"), [(["tinyint"], False), (["tinyint"] * 2, True), (["bit(3)"], False)])
def test_records_under_seven_bytes_are_padded(kinds: list[str], is_nullable: bool, node: Node) -> None:
    """Short records take seven bytes."""
    fields = [Field(f"c{place}", parse_type(kind), is_nullable) for place, kind in enumerate(kinds)]
    values: list[Any] = [b"\1", b"\5"] if kinds[0] == "bit(3)" else [1, 2]
    case = make_case(node, fields, [values for _ in kinds])
    assert case.layout.length == 7
    assert pack(case.batch, case.layout).tobytes() == node.data_file(case.table).read_bytes()


def test_1296_columns(node: Node) -> None:
    """A table as wide as DP1's Object, NULLs in its columns: byte-equal, read by the server, digests agree."""
    kinds = ["bigint", "double", "float", "tinyint", "double", "char(1)", "int", "float", "double"] * 144
    fields = [Field(f"c{place}", parse_type(kind), place > 0) for place, kind in enumerate(kinds)]
    rng = np.random.default_rng(1296)
    columns = []
    for place, one in enumerate(fields):
        numbers = rng.integers(0, 100, 20).tolist()
        values = [b"ugrizy"[n % 6 : n % 6 + 1] for n in numbers] if one.type.base == "char" else numbers
        columns.append([None if place and rng.random() < 0.1 else value for value in values])
    case = make_case(node, fields, columns)
    records = read_records(node.data_file(case.table), case.layout)
    assert pack(case.batch, case.layout).tobytes() == records.tobytes()
    assert digest(case.batch, fields) == digest_records(records, case.layout)
    copy = node.create(fields)
    node.load_image(copy, records)
    assert node.session.value(f"SELECT SUM(c1) FROM {copy}") == node.session.value(f"SELECT SUM(c1) FROM {case.table}")


def test_keys_of_an_image_find_rows(node: Node) -> None:
    """REPAIR builds the indexes of an image, and they find its rows."""
    fields = [Field("id", parse_type("bigint"), False), Field("v", parse_type("varchar(20)"))]
    ids = list(range(5000, 0, -1))
    batch = pa.record_batch([pa.array(ids), pa.array([f"v{i % 97}".encode() for i in ids])], names=["id", "v"])
    table = node.create(fields, ", PRIMARY KEY (id), KEY (v)")
    node.load_image(table, pack(batch, RecordLayout.of(fields)))
    assert node.session.rows(f"SELECT v FROM {table} WHERE id = 4242") == [(f"v{4242 % 97}",)]
    assert node.session.rows(f"EXPLAIN SELECT id FROM {table} WHERE id = 4242")[0][5] == "PRIMARY"
    assert node.session.value(f"SELECT COUNT(*) FROM {table} WHERE v = 'v5'") == sum(i % 97 == 5 for i in ids)


def test_deleted_rows_are_left_out(node: Node) -> None:
    """Rows that the server deleted but keeps in the file are no rows."""
    fields = [Field("id", parse_type("bigint")), Field("v", parse_type("varchar(20)"))]
    case = make_case(node, fields, [[1, 2, 3, None, 5], [b"a", b"b", None, b"d", b"e"]])
    node.session.execute(f"DELETE FROM {case.table} WHERE id IN (1, 3)")
    records = read_records(node.data_file(case.table), case.layout)
    assert len(records) == 5
    assert unpack(records, case.layout).to_pydict() == {"id": [2, None, 5], "v": [b"b", b"d", b"e"]}
    assert digest_records(records, case.layout).rows == 3


def test_result_tables_unpack(node: Node) -> None:
    """A table made from a SELECT, described by the server itself, unpacks to what the SELECT answers."""
    fields = [
        Field("id", parse_type("bigint"), False),
        Field("x", parse_type("double")),
        Field("f", parse_type("char(1)")),
    ]
    case = make_case(node, fields, [[1, 2, 3], [0.5, None, 2.5], [b"r", b"i", None]])
    select = (
        "SELECT id, x * 2 AS twice, f, COUNT(*) AS n, AVG(id) AS mean, '' AS empty, NULL AS nothing, SUM(x) AS s, "
        f"CONCAT(f, id) AS name, id > 1 AS flag, id / 3 AS third FROM {case.table} GROUP BY id, x, f ORDER BY id"
    )
    node.session.execute(f"CREATE TABLE result ENGINE=MyISAM ROW_FORMAT=FIXED AS {select}")
    described = node.session.rows(
        "SELECT column_name, column_type, is_nullable FROM information_schema.columns "
        f"WHERE table_schema = '{DATABASE}' AND table_name = 'result' ORDER BY ordinal_position"
    )
    layout = RecordLayout.of(Field(name, parse_type(text), null == "YES") for name, text, null in described)
    batch = unpack(read_records(node.data_file("result"), layout), layout)
    expected = node.session.rows(select)
    mine = list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    assert mine == [tuple(value.encode() if isinstance(value, str) else value for value in row) for row in expected]


def test_stale_bytes_behind_a_varchar_do_not_count(node: Node) -> None:
    """A many-row INSERT leaves bytes of the row before behind a shorter VARCHAR: digest and unpack look past them."""
    fields = [Field("v", parse_type("varchar(20)"))]
    table = node.create(fields)
    node.session.execute(f"INSERT INTO {table} VALUES ('a long value'), ('x')")
    layout = RecordLayout.of(fields)
    records = read_records(node.data_file(table), layout)
    batch = pa.record_batch([pa.array([b"a long value", b"x"])], names=["v"])
    assert unpack(records, layout).equals(batch)
    assert digest_records(records, layout) == digest(batch, fields)
