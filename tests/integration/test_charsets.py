"""Texts in every character set that tables may have: the server stores what MariaDB itself makes of the same text.

The oracle is MariaDB, asked directly: the literal's bytes after CONVERT, what compares equal, how texts sort.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tests.support.raw_engines import require_engine_there
from tests.support.same_answer import rows_in
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.catalog.engines import EngineName
from skyshard.catalog.layout import Layout, Striping
from skyshard.cli.app import app
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, Connection, connect
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration

STRIPING = {"stripes": 18, "substripes": 4, "overlap_deg": 0.5}
LATIN = [
    "caf\xe9",
    "na\xefve",
    "\u20ac 5",
    "\u201cso\u201d",
    "\x81\x8d\x8f\x90\x9d",
    "\xff",
    "plain",
    "",
    None,
    "Straße",
]
WIDE = ["\u03b1\u03b2", "\u65e5\u672c", *LATIN]
FOUR = ["\U0001f52d", *WIDE]
COLUMNS = {
    "l": ("varchar(8)", LATIN), "lc": ("char(9) character set latin1 collate latin1_bin", LATIN),
    "lt": ("text", LATIN), "u3": ("varchar(8) character set utf8", WIDE), "n": ("nchar(9)", WIDE),
    "u4": ("char(8) character set utf8mb4", FOUR), "v4": ("national varchar(9)", WIDE),
    "t4": ("mediumtext collate utf8mb4_bin", FOUR), "a": ("varchar(9) character set ascii", ["plain", "", None]),
    "e": ("enum('caf\xe9','\u20ac') character set utf8mb4", ["caf\xe9", "\u20ac", None]),
    "el": ("enum('caf\xe9','\u20ac')", ["\u20ac", "caf\xe9", None]),
    "s": ("set('\xe9','\u20ac')", ["\xe9", "\xe9,\u20ac", "", None]),
}  # fmt: skip
ROWS = len(FOUR)


def values(name: str) -> list[str | None]:
    own = COLUMNS[name][1]
    return [own[i % len(own)] for i in range(ROWS)]


def first(name: str) -> str:
    return str(values(name)[0])


def write(folder: Path, kind: str, *, role: str = "director", without: tuple[str, ...] = ()) -> Path:
    """The rows as Parquet, or as delimited text in utf8 or latin1 (then of the columns that latin1 can write)."""
    folder.mkdir()
    names = [name for name in COLUMNS if name not in without]
    table = {"id": list(range(ROWS)), "ra": [10.0 + i for i in range(ROWS)], "dec": [1.0] * ROWS}
    content = {**table, **{name: values(name) for name in names}}
    text: dict[str, object] = {}
    if kind == "parquet":
        pq.write_table(pa.table(content), folder / "t.parquet")
    else:
        lines = ["\t".join("\\N" if v is None else str(v) for v in row) for row in zip(*content.values(), strict=True)]
        raw = "\n".join(["\t".join(content), *lines, ""]).encode("mariadb_latin1" if kind == "latin1" else "utf-8")
        (folder / "t.tsv").write_bytes(raw)
        text = {"separator": "\t", "quote": "", "charset": kind}
    declare = [{"name": "id", "type": "bigint"}, {"name": "ra", "type": "double"}, {"name": "dec", "type": "double"}]
    declare += [{"name": name, "type": COLUMNS[name][0]} for name in names]
    entry = {"files": ["t.*"], "role": role, "text": text, "declare": declare}
    entry |= {"key": "id", "position": ["ra", "dec"]} if role == "director" else {}
    mapping = {"version": 1, "database": "x", "striping": STRIPING, "tables": {"T": entry}}
    (folder / "mapping.yaml").write_text(yaml.safe_dump(mapping))
    return folder


@pytest.fixture(scope="module")
def server(private_cluster: PrivateCluster) -> Iterator[Connection]:
    with connect(private_cluster.endpoint("node1"), Account.ADMIN) as connection:
        yield connection


def stored_hex(server: Connection, text: str | None, charset: str) -> str | None:
    """What MariaDB makes of a text that it is given in utf8mb4."""
    if text is None:
        return None
    sql = f"SELECT HEX(CONVERT(_utf8mb4 X'{text.encode().hex()}' USING {charset}))"
    return str(server.value(sql))


CHARSET = {
    "l": "latin1", "lc": "latin1", "lt": "latin1", "u3": "utf8mb3", "n": "utf8mb3", "u4": "utf8mb4", "v4": "utf8mb3",
    "t4": "utf8mb4", "a": "ascii", "e": "utf8mb4", "el": "latin1", "s": "latin1",
}  # fmt: skip
BEYOND_LATIN = tuple(name for name in COLUMNS if COLUMNS[name][1] in (WIDE, FOUR))


USUAL = {
    ("load-data", "parquet", "director"), ("image", "parquet", "regular"), ("image", "utf8", "director"),
    ("load-data", "utf8", "regular"), ("load-data", "latin1", "director"), ("image", "latin1", "regular"),
}  # fmt: skip
"""Each pair of a loader, a kind of file and a role once; the other six combinations are deep."""


@pytest.mark.parametrize(
    ("without", "kind", "role"),
    [
        pytest.param(
            () if loader == "load-data" else ("lt", "t4"), kind, role,
            id=f"{loader}-{kind}-{role}", marks=() if (loader, kind, role) in USUAL else pytest.mark.deep,
        )
        for loader in ("load-data", "image")
        for kind in ("parquet", "utf8", "latin1")
        for role in ("director", "regular")
    ],
)  # fmt: skip
def test_each_charset_stores_what_mariadb_stores(
    testbed: Testbed, server: Connection, tmp_path: Path, kind: str, role: str, without: tuple[str, ...]
) -> None:
    """Bytes and letters are the server's own, by row image and by LOAD DATA."""
    left_out = (*without, *BEYOND_LATIN) if kind == "latin1" else without
    database = f"c{uuid.uuid4().hex[:10]}"
    testbed.ingest(write(tmp_path / "t", kind, role=role, without=left_out), database=database)
    assert [check for check in testbed.verify(database) if not check.is_good] == []
    names = [name for name in COLUMNS if name not in left_out]
    columns = ", ".join(f"HEX({name}), {name}" for name in names)
    found = testbed.query(f"SELECT {columns} FROM T ORDER BY id", database=database)
    for place, name in enumerate(names):
        wanted = values(name)
        assert found.table.column(2 * place).to_pylist() == [stored_hex(server, v, CHARSET[name]) for v in wanted], name
        assert found.table.column(2 * place + 1).to_pylist() == wanted, name


@pytest.mark.parametrize("engine", ["MyISAM", "Aria", "InnoDB", "MyRocks"])
def test_texts_compare_and_sort_as_on_one_server(
    testbed: Testbed, private_cluster: PrivateCluster, tmp_path: Path, engine: EngineName
) -> None:
    """Groups, joins, order and equality over every column, as the oracle with all rows has them, in any engine."""
    require_engine_there(private_cluster, engine)
    database = f"c{uuid.uuid4().hex[:10]}"
    layout = Layout(striping=Striping.model_validate(STRIPING), engine=engine)
    testbed.ingest(write(tmp_path / "t", "parquet"), database=database, layout=layout)
    assert [check for check in testbed.verify(database) if not check.is_good] == []
    testbed.load_mono(database)
    for name in COLUMNS:
        some, other = ("'p'", "'plain'") if name == "a" else ("'\u20ac 5'", f"_utf8mb4 X'{first(name).encode().hex()}'")
        for sql in (
            f"SELECT {name}, COUNT(*) FROM T GROUP BY {name}", f"SELECT DISTINCT UPPER({name}), LENGTH({name}) FROM T",
            f"SELECT a.id, b.id FROM T a, T b WHERE a.id = b.id AND a.{name} <= {some}",
            f"SELECT MAX({name}) FROM T",
            f"SELECT id FROM T WHERE {name} = {other}",
            f"SELECT id FROM T ORDER BY {name}, id LIMIT 5",
        ):  # fmt: skip
            answers = [testbed.query(sql, database=database, target=t).table for t in ("czar", "mono")]
            found_rows = [sorted(map(repr, rows_in(answer))) for answer in answers]
            assert found_rows[0] == found_rows[1], sql


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "table", "parquet"])
def test_every_byte_of_latin1_can_be_read_in_every_format(testbed: Testbed, tmp_path: Path, form: str) -> None:
    """A column with all 256 bytes but the marks of the file, and the statement that finds one of them."""
    letters = [bytes([byte]) for byte in range(0x20, 0x100)]
    lines = [b"id\tra\tdec\tc"] + [b"%d\t%d\t1\t<%s>" % (i, i, letter) for i, letter in enumerate(letters)]
    (tmp_path / "t.tsv").write_bytes(b"\n".join(lines) + b"\n")
    declare = [
        {"name": n, "type": t} for n, t in (("id", "int"), ("ra", "double"), ("dec", "double"), ("c", "char(3)"))
    ]
    entry = {
        "files": ["t.tsv"], "role": "director", "key": "id", "position": ["ra", "dec"], "declare": declare,
        "text": {"separator": "\t", "quote": "", "charset": "latin1"},
    }  # fmt: skip
    mapping = {"version": 1, "database": "x", "striping": STRIPING, "tables": {"T": entry}}
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(mapping))
    database = f"c{uuid.uuid4().hex[:10]}"
    testbed.ingest(tmp_path, database=database)
    out = tmp_path / f"out.{'json' if form == 'table' else form}"
    for sql in ("SELECT id, c FROM T ORDER BY id", "SELECT id, c FROM T WHERE id >= 0"):
        run = CliRunner().invoke(
            app, ["query", sql, "-d", database, "--cluster", str(testbed.cluster.folder), "--format", form]
            + ([] if form == "table" else ["--out", str(out)])
        )  # fmt: skip
        assert run.exit_code == 0, run.output
    assert testbed.query("SELECT id FROM T WHERE c = '<\x81>'", database=database).table.to_pylist() == [{"id": 97}]
    if form == "parquet":
        found = dict(zip(*(column.to_pylist() for column in pq.read_table(out).columns), strict=True))
        assert found == {i: f"<{letter.decode('mariadb_latin1')}>" for i, letter in enumerate(letters)}
    if form == "json":
        assert [row[1][1:-1] for row in sorted(json.loads(out.read_text())["rows"])] == [
            letter.decode("mariadb_latin1") for letter in letters
        ]


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("char(3) character set ucs2", "x", "character set 'ucs2'"),
        ("varchar(9) collate greek_bin", "x", "character set 'greek'"),
        ("text character set koi8r", "x", "character set 'koi8r'"),
        ("char(3) unicode", "x", "character set 'ucs2'"),
        ("char(3) collate latin1_klingon_ci", "x", "latin1_klingon_ci"),
        ("char(3)", "\u03b1", "'\u03b1' has a character outside latin1"),
        ("char(3)", "\x80", "has a character outside latin1"),
        ("varchar(3) character set utf8", "\U0001f52d", "has a character outside utf8"),
        ("char(3) ascii", "\u03b1", "has a character outside latin1"),
        ("char(9) character set ascii", "caf\xe9", "has a character outside ascii"),
        ("varchar(2) character set utf8mb4", "\u03b1\u03b2\u03b3", "value of 3 characters"),
        ("tinytext character set utf8mb4", "\u03b1" * 128, "value of 256 bytes"),
    ],
)
def test_what_a_column_cannot_hold_is_refused_by_name(
    testbed: Testbed, tmp_path: Path, kind: str, text: str, words: str
) -> None:
    """By column where the type cannot be, by file, row and column where the text cannot; nothing is left."""
    pq.write_table(pa.table({"id": [1], "ra": [1.0], "dec": [1.0], "c": [text]}), tmp_path / "t.parquet")
    declare = [{"name": n, "type": t} for n, t in (("id", "int"), ("ra", "double"), ("dec", "double"), ("c", kind))]
    entry = {"files": ["t.parquet"], "role": "director", "key": "id", "position": ["ra", "dec"], "declare": declare}
    mapping = {"version": 1, "database": "x", "striping": STRIPING, "tables": {"T": entry}}
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(mapping))
    database = f"c{uuid.uuid4().hex[:10]}"
    with pytest.raises(UserError) as caught:
        testbed.ingest(tmp_path, database=database)
    assert words in str(caught.value)
    assert "'c'" in str(caught.value)
    assert testbed.registry.databases.state(database) is None


def test_texts_that_rules_change_keep_their_letters(testbed: Testbed, tmp_path: Path) -> None:
    """A sentinel is looked for, and one input column feeds two of different character sets, in utf8 and in latin1."""
    for kind, raw in (("utf8", "utf-8"), ("latin1", "mariadb_latin1")):
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "t.tsv").write_bytes("id\tra\tdec\tw\n1\t1\t1\tcaf\xe9 \u20ac\n2\t2\t1\tsans n\xf4m\n".encode(raw))
        types = {"id": "int", "ra": "double", "dec": "double", "l": "char(9)", "u": "varchar(9) character set utf8mb4"}
        rule = {"from": "w", "null_at": ["sans n\xf4m"]}
        entry = {
            "files": ["t.tsv"], "role": "director", "key": "id", "position": ["ra", "dec"],
            "declare": [{"name": n, "type": t} for n, t in types.items()], "columns": {"l": rule, "u": {"from": "w"}},
            "text": {"separator": "\t", "quote": "", "charset": kind},
        }  # fmt: skip
        mapping = {"version": 1, "database": "x", "striping": STRIPING, "tables": {"T": entry}}
        (folder / "mapping.yaml").write_text(yaml.safe_dump(mapping, allow_unicode=True), encoding="utf-8")
        database = f"c{uuid.uuid4().hex[:10]}"
        testbed.ingest(folder, database=database)
        found = testbed.query("SELECT HEX(l), u FROM T ORDER BY id", database=database).table
        assert rows_in(found) == [("636166E92080", "caf\xe9 \u20ac"), (None, "sans n\xf4m")]
