"""Text parts: what LOAD DATA reads, we read; what cannot be read is named by file, row and column."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.ingest.source import InputBatch, InputSlice
from skyshard.ingest.text import delimited_text as text
from skyshard.ingest.text import text_file
from skyshard.ingest.text.delimited_text import Dialect, TextReader
from skyshard.ingest.text.text_fields import find_marks
from skyshard.ingest.text.text_file import TextBlock
from skyshard.ingest.values.text_values import RowError, to_column
from skyshard.rowimage.sqltype import parse_type

REGULAR = TableLayout(role=Role.REGULAR)
MYSQL_ESCAPES = {"\0": "\\0", "\b": "\\b", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1a": "\\Z", "\\": "\\\\"}


def table(*types: str) -> Table:
    return Table("t", tuple(Column(f"c{i}", parse_type(name)) for i, name in enumerate(types)))


def read(path: Path, of: Table, dialect: Dialect | None = None, layout: TableLayout = REGULAR) -> list[InputBatch]:
    return list(TextReader(dialect or Dialect()).batches(InputSlice(str(path), path.stat().st_size), of, layout))


def rows(batches: Sequence[InputBatch]) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for batch in batches for row in batch.batch.to_pylist()]


def test_plain_and_marked_ways_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block without escapes gives the same values by Arrow's reader and by ours."""
    path = tmp_path / "t.tsv"
    path.write_bytes(b"1\t0.1\tabc\n\\N\t\\N\t\\N\n-3\t1e-30\t\n")
    of = table("int", "float", "varchar(5)")
    plain = rows(read(path, of))
    monkeypatch.setattr(text, "read_plain", lambda *_: None)
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
    content = b"\n".join(lines) + b"\n"
    block = TextBlock(content, Dialect(), find_marks(np.frombuffer(content, np.uint8), Dialect()))
    batch = text._parse(block, table("blob", "blob").columns, frozenset(), 1)
    assert [tuple(row.values()) for row in batch.batch.to_pylist()] == values


def test_escaped_newline_is_no_row_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newline behind a backslash belongs to the value, also where blocks are cut."""
    monkeypatch.setattr(text_file, "BLOCK_BYTES", 5)
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


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("\u22125".encode(), "'\u22125'"), (b"5\xe9", "'5\xe9'"), ("\u20ac".encode() * 99, repr("\u20ac" * 40)),
        (b"\xe9" * 300, repr("\xe9" * 40)),
    ],
)  # fmt: skip
def test_letters_of_a_wrong_value_are_shown(tmp_path: Path, value: bytes, shown: str) -> None:
    """Of UTF-8 as they are, of other bytes as latin1."""
    (tmp_path / "t.csv").write_bytes(value + b",1\n")
    with pytest.raises(UserError) as caught:
        read(tmp_path / "t.csv", table("int", "int"), CSV)
    assert f"{shown} is no whole number" in str(caught.value)


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


CSV = Dialect(b",", b'"', b"")


@pytest.mark.parametrize(
    ("content", "values"),
    [
        (b"1,5' 6\" tall\n2,6' 1\" tall\n3,end\n", [b"5' 6\" tall", b"6' 1\" tall", b"end"]),
        (b'1,"ok"\n2,a"b"c\n3,"d""e"\n4,f""g\n', [b"ok", b'a"b"c', b'd"e', b'f""g']),
        (b'1,""""\n2,""\n3,""""""\n', [b'"', b"", b'""']),
        (b'1,"a\r\nb"\r\n2,c\r\n3,"d\r"\n', [b"a\r\nb", b"c", b"d\r"]),
        (b'1,"x"\r\n2,y\n3,z\r', [b"x", b"y", b"z"]),
        (b'1, "q"\n', [b' "q"']),
        (b"1,\xff\n2,\xc3\xa9\n", [b"\xff", b"\xc3\xa9"]),
        (b'1,a\n\n2,"b"\n\r\n\n3,c\n\n\n', [b"a", b"b", b"c"]),
    ],
)
def test_quote_counts_where_a_field_begins_with_it(tmp_path: Path, content: bytes, values: list[bytes]) -> None:
    """Elsewhere it is a letter; line ends belong to quoted fields only; empty lines are no rows."""
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    assert rows(read(path, table("int", "varchar(20)"), CSV)) == list(enumerate(values, 1))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'1,a\n2,"b"c\n3,d\n', "row 2: text behind a closing quote; double the quotes"),
        (b'1,a\n\n2,"b" \n', "row 2: text behind a closing quote"),
        (b'1,a\n2,"b\n3,c\n', "row 2: a quote that is never closed"),
        (b'1,"a\n2,"b"\n', "row 1: text behind a closing quote"),
        (b"1,a\n# made by hand\n2,b\n", "row 2: 1 columns where the table has 2; take lines of comment out"),
        (b"1,a\r2,b\r", "row 1: 3 columns where the table has 2"),
    ],
)
def test_quote_that_ends_no_field_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    """File and row of what RFC 4180 and LOAD DATA do not agree on."""
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(path, table("int", "varchar(20)"), CSV)
    assert f"t.csv', {words}" in str(caught.value)


def test_dump_reads_null_and_quotes_as_load_data_does(tmp_path: Path) -> None:
    r"""With quotes and escapes ``"\N"`` and a bare NULL are NULL, ``"NULL"``, null and N are texts."""
    path = tmp_path / "t.csv"
    path.write_bytes(b'"\\N",\\N,NULL\n"NULL",null,N\n\\"a,"b\\"c","d\\\ne"\n')
    found = rows(read(path, table(*["varchar(9)"] * 3), Dialect(b",", b'"', b"\\", null_word=True)))
    assert found == [(None, None, None), (b"NULL", b"null", b"N"), (b'"a', b'b"c', b"d\ne")]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"1\ta\r\n2\tb\r\n", [(1, b"a"), (2, b"b")]),
        (b"1\ta\r\n2\t\\N\r\n3\tc\\\r\r\n4\td", [(1, b"a"), (2, None), (3, b"c\r"), (4, b"d")]),
        (b"1\ta\\\r\n2\tb\n", [(1, b"a\r"), (2, b"b")]),
        (b"1\ta\n2\tb\r\n", "row 2: the line ends otherwise than the first one of the file"),
        (b"1\ta\r\n2\tb\n", "row 2: the line ends otherwise"),
    ],
)
def test_dump_ends_all_its_lines_alike(tmp_path: Path, content: bytes, found: object) -> None:
    """Without quotes nobody can say whose a CR is, where lines end in both ways."""
    path = tmp_path / "t.tsv"
    path.write_bytes(content)
    if isinstance(found, str):
        with pytest.raises(UserError, match=found):
            read(path, table("int", "varchar(9)"))
    else:
        assert rows(read(path, table("int", "varchar(9)"))) == found


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "two gzip members": lambda raw: b"".join(
        gzip.compress(raw[part : part + 7]) for part in range(0, len(raw), 7)
    ),
    "UTF-8 with its mark": lambda raw: codecs.BOM_UTF8 + raw,
    "UTF-16": lambda raw: raw.decode().encode("utf-16"),
    "UTF-16, the other way round": lambda raw: codecs.BOM_UTF16_BE + raw.decode().encode("utf-16-be"),
    "UTF-32": lambda raw: raw.decode().encode("utf-32"),
    "UTF-16 in gzip": lambda raw: gzip.compress(raw.decode().encode("utf-16")),
}  # fmt: skip


@pytest.mark.parametrize("charset", ["utf8", "latin1"])
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t"])
@pytest.mark.parametrize("packing", list(PACKED))
def test_what_a_file_is_packed_by_is_seen_by_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packing: str, name: str, charset: Literal["utf8", "latin1"]
) -> None:
    """Not by its name; a byte-order mark is no part of a value, and says more than the mapping."""
    monkeypatch.setattr(text_file, "BLOCK_BYTES", 3)
    path = tmp_path / name
    raw = "1,\xe9t\xe9\n2,plain\n" if packing not in ("gzip", "bzip2", "xz", "two gzip members") else "1,ete\n2,plain\n"
    path.write_bytes(PACKED[packing](raw.encode()))
    first = b"\xe9t\xe9" if "\xe9" in raw else b"ete"
    assert rows(read(path, table("int", "varchar(9)"), Dialect(b",", b'"', b"", charset=charset))) == [
        (1, first), (2, b"plain"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04....", "is a zip archive, no text; unpack it"),
        (b"\x28\xb5\x2f\xfd....", "is packed by zstd"),
        (b"PAR1\x15\x04", "is a Parquet file"),
        (b"SIMPLE  =                    T", "is a FITS file"),
        (gzip.compress(b"1,a\n" * 99, mtime=0)[:-9], "is a broken gzip file"),
        (bz2.compress(b"1,a\n" * 99)[:-9], "is a broken packed file"),
        ("1,a\n".encode("utf-16")[:-1], "is not what its byte-order mark says"),
    ],
)
def test_what_is_no_text_is_called_by_its_name(tmp_path: Path, content: bytes, words: str) -> None:
    """Nobody looks for columns in it."""
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(path, table("int", "varchar(9)"), CSV)
    assert f"t.csv' {words}" in str(caught.value)


LOST = {
    ("int", "NaN"): "NaN or infinity → NULL", ("bigint unsigned", "-Infinity"): "NaN or infinity → NULL",
    ("decimal(5,2)", "NAN"): "NaN or infinity → NULL", ("float", "inf"): "NaN or infinity → NULL",
    ("smallint", "null"): "the word NULL → NULL", ("decimal(5,2)", "NULL"): "the word NULL → NULL",
    ("double", "Null"): "the word NULL → NULL",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), list(LOST))
def test_word_for_no_number_becomes_null_and_is_counted(tmp_path: Path, kind: str, value: str) -> None:
    """In columns of all kinds of numbers; in NOT NULL columns it is refused."""
    path = tmp_path / "t.csv"
    path.write_bytes(f"1\n{value}\n".encode())
    (batch,) = read(path, table(kind), CSV)
    assert batch.batch.column(0).is_null().to_pylist() == [False, True]
    assert batch.conversions == {f"c0: {LOST[kind, value]}": 1}
    with pytest.raises(UserError, match="row 2, column 'c0': NULL in a NOT NULL column"):
        read(path, Table("t", (Column("c0", parse_type(kind), is_nullable=False),)), CSV)


@pytest.mark.parametrize(
    ("kind", "given", "stored", "lost"),
    [
        ("datetime", "2023-05-06 07:08:09.25", b"2023-05-06 07:08:09", "c0: digits past 0 of the second dropped"),
        ("datetime", "2023-05-06 07:08:09.000", b"2023-05-06 07:08:09", ""),
        ("datetime(2)", "2023-05-06T07:08:09.256", b"2023-05-06T07:08:09.25",
         "c0: digits past 2 of the second dropped"),
        ("timestamp(6)", "2023-05-06 07:08:09.1234567", b"2023-05-06 07:08:09.123456",
         "c0: digits past 6 of the second dropped"),
        ("time", "-7:08:09.5", b"-7:08:09", "c0: digits past 0 of the second dropped"),
        ("time(1)", "07:08:09.5", b"07:08:09.5", ""),
        ("float", "0.1", float(np.float32(0.1)), ""),
        ("float", "16777217", 16777216.0, "c0: rounded to FLOAT"),
        ("float", "1.23456789", float(np.float32(1.23456789)), "c0: rounded to FLOAT"),
        ("decimal(4,2)", "-1.125", Decimal("-1.13"), "c0: rounded to decimal(4,2)"),
        ("decimal(20,1) unsigned", "1234567890123456789.05", Decimal("1234567890123456789.1"),
         "c0: rounded to decimal(20,1) unsigned"),
        ("decimal(4,2)", "1.1200", Decimal("1.12"), ""),
        ("double(8,3)", "5.12345", 5.123, "c0: rounded to 3 decimals"),
        ("float(7,2)", "0.125", float(np.float32(0.12)), "c0: rounded to 2 decimals"),
        ("float(7,2)", "0.25", 0.25, ""),
        ("float", "-1e-400", 0.0, "c0: rounded to FLOAT"),
        ("float", "0.000e-400", 0.0, ""),
        ("double", "1e-400", 0.0, "c0: rounded to DOUBLE"),
        ("double", "0." + "0" * 330 + "7", 0.0, "c0: rounded to DOUBLE"),
        ("double", "0.0000000000000000000", 0.0, ""),
        ("double", "5e-324", 5e-324, ""),
        ("double", "1.2345e-320", 1.2345e-320, "c0: rounded to DOUBLE"),
        ("double", "9007199254740993", 9007199254740992.0, "c0: rounded to DOUBLE"),
        ("double", "-9007199254740993", -9007199254740992.0, "c0: rounded to DOUBLE"),
        ("double", "9007199254740994", 9007199254740994.0, ""),
        ("double", "9.007199254740993e-5", 9.007199254740993e-5, ""),
        ("double", "100000000000000000000000", 1e23, ""),
        ("double", "0.1000000000000000000000", 0.1, ""),
        ("double", "0.10000000000000001", 0.1, ""),
        ("double", "0.10000000000000002", 0.10000000000000002, ""),
        ("double", "0.10000000000000003", 0.10000000000000003, ""),
        ("double", "0.10000000000000000001", 0.1, "c0: rounded to DOUBLE"),
        ("double", "0.1000000000000000055511151231257827", 0.1, ""),
        ("double", "359.99999999999999", 360.0, "c0: rounded to DOUBLE"),
        ("double", "12345678901234567890", 12345678901234567168.0, "c0: rounded to DOUBLE"),
        ("double", " 12345678.1234567891 ", 12345678.1234567891, "c0: rounded to DOUBLE"),
        ("double(8,3)", "1e-400", 0.0, "c0: rounded to DOUBLE"),
    ],
)  # fmt: skip
def test_digits_that_are_dropped_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, given: str, stored: object, lost: str
) -> None:
    """Those of the second are cut as the server does, those of a FLOAT rounded; by both ways of reading."""
    path = tmp_path / "t.tsv"
    path.write_bytes(given.encode() + b"\n\\N\n")
    for _ in range(2):
        (batch,) = read(path, table(kind))
        assert rows([batch]) == [(stored,), (None,)]
        assert batch.conversions == ({lost: 1} if lost else {})
        monkeypatch.setattr(text, "read_plain", lambda *_: None)


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("bigint", "-9223372036854775809", "'-9223372036854775809' is outside"),
        ("bigint unsigned", "18446744073709551616", "'18446744073709551616' is outside"),
        ("float unsigned", "-0.5", "-0.5 is out of range for float unsigned"),
        ("double unsigned", "-1e300", "-1e+300 is out of range"),
        ("decimal(4,2)", "100.125", "'100.125' does not fit decimal(4,2)"),
        ("decimal(4,2)", "99.995", "'99.995' does not fit decimal(4,2)"),
        ("int", "0x1F", "'0x1F' is no whole number"),
        ("int", "1_000", "'1_000' is no whole number"),
        ("double", "0x1p3", "'0x1p3' is no number"),
        ("float(5,2)", "1234.5", "1234.5 does not fit float(5,2)"),
        ("json", "{1: 2}", "'{1: 2}' is no JSON"),
        ("json", "NaN", "'NaN' is no JSON"),
        ("json", "[" * 32 + "]" * 32, "'" + "[" * 32 + "]" * 8 + "' is no JSON"),
    ],
)
def test_number_that_is_none_is_named_by_its_own_row(tmp_path: Path, kind: str, value: str, words: str) -> None:
    """Behind the largest values that do fit."""
    fits = {"bigint": "9223372036854775807", "bigint unsigned": "18446744073709551615"}.get(kind, "1")
    path = tmp_path / "t.tsv"
    path.write_bytes(f"{fits}\n-0\n{value}\n".encode())
    with pytest.raises(UserError) as caught:
        read(path, table(kind))
    assert f"row 3, column 'c0': {words}" in str(caught.value)


@pytest.mark.parametrize(
    ("number", "kind", "found"),
    [
        ("2e-324", "decimal(10,3)", "0.000"),
        ("-1e-400", "decimal(10,3)", "0.000"),
        ("1e-99999999999", "decimal(10,3)", "0.000"),
        ("0." + "0" * 90 + "1", "decimal(20,0)", "0"),
        ("1" + "0" * 50 + "e-50", "decimal(10,3)", "1.000"),
        ("0.0005" + "0" * 80, "decimal(10,3)", "0.001"),
        ("0.0004" + "9" * 80, "decimal(10,3)", "0.000"),
        ("12345678901234567890123456789012345.0" + "1" * 40, "decimal(65,30)",
         "12345678901234567890123456789012345.011111111111111111111111111111"),
        ("910.5e5", "decimal(38,38)", None),
        ("19550000199995159955", "decimal(38,38)", None),
        ("-" + "9" * 59, "decimal(20,0)", None),
    ],
)  # fmt: skip
def test_decimal_text_of_any_length_is_rounded_or_refused(number: str, kind: str, found: str | None) -> None:
    """Never another number: Arrow alone takes some of these for others."""
    counted: Counter[str] = Counter()
    texts, column = pa.array([number.encode()]), Column("d", parse_type(kind))
    if found is None:
        with pytest.raises(RowError, match="does not fit"):
            to_column(texts, column, counted)
        return
    assert to_column(texts, column, counted).to_pylist() == [Decimal(found)]
    assert sum(counted.values()) == (found != "1.000")


def test_line_of_blanks_is_called_one(tmp_path: Path) -> None:
    """As it is no empty line, it is no row either."""
    (tmp_path / "a").write_text("1\t2\n \n")
    with pytest.raises(UserError, match="row 2: 1 columns where the table has 2; take lines of blanks out"):
        read(tmp_path / "a", table("int", "int"))
