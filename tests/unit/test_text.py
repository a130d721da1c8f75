"""Text parts: what LOAD DATA reads, we read; what cannot be read is named by file, row and column."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.errors import UserError
from skyshard.ingest import text
from skyshard.ingest.source import InputBatch, Part
from skyshard.ingest.text import Dialect, TextReader
from skyshard.layout import Role, TableLayout
from skyshard.rowimage.sqltype import parse_type
from skyshard.schema import Column, Table

REGULAR = TableLayout(role=Role.REGULAR)
MYSQL_ESCAPES = {"\0": "\\0", "\b": "\\b", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1a": "\\Z", "\\": "\\\\"}


def table(*types: str) -> Table:
    return Table("t", tuple(Column(f"c{i}", parse_type(name)) for i, name in enumerate(types)))


def read(path: Path, of: Table, dialect: Dialect | None = None, layout: TableLayout = REGULAR) -> list[InputBatch]:
    return list(TextReader(dialect or Dialect()).batches(Part(str(path), path.stat().st_size), of, layout))


def rows(batches: Sequence[InputBatch]) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for batch in batches for row in batch.batch.to_pylist()]


def test_plain_and_marked_ways_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block without escapes gives the same values by Arrow's reader and by ours."""
    path = tmp_path / "t.tsv"
    path.write_bytes(b"1\t0.1\tabc\n\\N\t\\N\t\\N\n-3\t1e-30\t\n")
    of = table("int", "float", "varchar(5)")
    plain = rows(read(path, of))
    monkeypatch.setattr(text, "_parse_plain", lambda *_: None)
    assert rows(read(path, of)) == plain
    assert plain == [(1, float(np.float32(0.1)), b"abc"), (None, None, None), (-3, float(np.float32(1e-30)), b"")]


def test_float_position_keeps_the_decimal_text(tmp_path: Path) -> None:
    """Positions come at the precision of the file even where the column is FLOAT."""
    path = tmp_path / "t.tsv"
    path.write_bytes(b"12.123456789012\t-3.5\n")
    layout = TableLayout(role=Role.DIRECTOR, key="", position=("c0", "c1"))
    (batch,) = read(path, table("float", "double"), layout=layout)
    assert batch.positions is not None
    assert batch.positions[0][0] == 12.123456789012
    assert batch.batch.column(0)[0].as_py() == float(np.float32(12.123456789012))


@given(st.lists(st.tuples(st.binary(max_size=20), st.none() | st.binary(max_size=6)), min_size=1, max_size=20))
def test_escaped_text_comes_back(values: list[tuple[bytes, bytes | None]]) -> None:
    """Any bytes, escaped as mysqldump does, are read back as they were."""
    marks = {ord(k): v.encode() for k, v in MYSQL_ESCAPES.items()}
    lines = [
        b"\t".join(
            b"\\N" if value is None else b"".join(marks.get(byte, bytes([byte])) for byte in value) for value in row
        )
        for row in values
    ]
    batch = text._parse(b"\n".join(lines) + b"\n", table("blob", "blob").columns, Dialect(), frozenset(), 1)
    assert [tuple(row.values()) for row in batch.batch.to_pylist()] == values


def test_escaped_newline_is_no_row_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newline behind a backslash belongs to the value, also where blocks are cut."""
    monkeypatch.setattr(text, "BLOCK_BYTES", 5)
    path = tmp_path / "t.tsv"
    path.write_bytes(b"1\ta\\\nb\\\\\n2\tc\\\\\\\nd\n3\te\n")
    assert rows(read(path, table("int", "varchar(9)"))) == [(1, b"a\nb\\"), (2, b"c\\\nd"), (3, b"e")]


def test_quotes_protect_separators(tmp_path: Path) -> None:
    """Quoted fields may hold separators, newlines and doubled quotes."""
    path = tmp_path / "t.csv"
    path.write_bytes(b'1,"a,b"\n2,"say ""hi""\nthere"\n3,plain\n')
    found = rows(read(path, table("int", "varchar(20)"), Dialect(b",", b'"', b"")))
    assert found == [(1, b"a,b"), (2, b'say "hi"\nthere'), (3, b"plain")]


def test_header_lines_are_passed_over(tmp_path: Path) -> None:
    """As many lines as the dialect says."""
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,2\n")
    assert rows(read(path, table("int", "int"), Dialect(b",", header_lines=1))) == [(1, 2)]


def test_last_row_without_newline_counts(tmp_path: Path) -> None:
    """A file may end without a newline."""
    path = tmp_path / "t.tsv"
    path.write_bytes(b"1\n2")
    assert rows(read(path, table("int"))) == [(1,), (2,)]


def test_nan_and_booleans_are_converted_and_counted(tmp_path: Path) -> None:
    """NaN and infinities become NULL, booleans 1 and 0, and the batch says how many."""
    path = tmp_path / "t.tsv"
    path.write_bytes(b"nan\tTrue\n-inf\tfalse\n1.5\t1\n")
    (batch,) = read(path, table("double", "tinyint"))
    assert rows([batch]) == [(None, 1), (None, 0), (1.5, 1)]
    assert batch.conversions == {"c0: NaN or infinity → NULL": 2, "c1: true, false → 1, 0": 2}


@pytest.mark.parametrize(
    ("types", "content", "words"),
    [
        (("int", "int"), b"1\t2\n3\n", "row 2: 1 columns where the table has 2"),
        (("int",), b"1\nabc\n", "row 2, column 'c0': 'abc' is no whole number"),
        (("tinyint",), b"1\n200\n", "row 2, column 'c0': '200' is outside -128 to 127"),
        (("bigint",), b"9223372036854775808\n", "row 1, column 'c0'"),
        (("int unsigned",), b"-1\n", "row 1, column 'c0'"),
        (("double",), b"1\n\n", "row 2, column 'c0': '' is no number"),
        (("float",), b"1e39\n", "row 1, column 'c0': '1e39' is out of range"),
        (("char(3)",), b"abc\nabcd\n", "row 2, column 'c0': value of 4 bytes in char(3)"),
        (("decimal(4,1)",), b"12.5\n123456\n", "row 2, column 'c0'"),
    ],
)
def test_wrong_value_is_named(tmp_path: Path, types: tuple[str, ...], content: bytes, words: str) -> None:
    """A value that has no place in its column is an error with file, row and column."""
    path = tmp_path / "t.tsv"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(path, table(*types))
    assert words in str(caught.value)
    assert "t.tsv" in str(caught.value)


def test_null_in_not_null_column_is_refused(tmp_path: Path) -> None:
    r"""``\N`` in a NOT NULL column is an error, not a zero."""
    path = tmp_path / "t.tsv"
    path.write_bytes(b"1\n\\N\n")
    of = Table("t", (Column("c0", parse_type("int"), is_nullable=False),))
    with pytest.raises(UserError, match="row 2, column 'c0': NULL in a NOT NULL column"):
        read(path, of)


def test_truncated_gzip_is_named(tmp_path: Path) -> None:
    """A gzip file that ends early is one clear error."""
    path = tmp_path / "t.tsv.gz"
    path.write_bytes(gzip.compress(b"1\n" * 10_000)[:-20])
    with pytest.raises(UserError, match=r"t.tsv.gz' is a broken gzip file"):
        read(path, table("int"))


def test_empty_file_has_no_rows(tmp_path: Path) -> None:
    """An empty file is a table without rows, not an error."""
    path = tmp_path / "t.tsv"
    path.write_bytes(b"")
    assert read(path, table("int")) == []


def test_batch_types_are_those_of_the_columns(tmp_path: Path) -> None:
    """Every column arrives in the Arrow type of its SQL type."""
    path = tmp_path / "t.tsv"
    path.write_bytes(b"1\t2\t3\t4.5\t2012-03-06 05:02:47\ta\n")
    of = table("tinyint", "mediumint", "bigint unsigned", "decimal(5,2)", "datetime", "longblob")
    (batch,) = read(path, of)
    assert [field.type for field in batch.batch.schema] == [
        pa.int8(), pa.int32(), pa.uint64(), pa.decimal128(5, 2), pa.binary(), pa.large_binary(),
    ]  # fmt: skip
