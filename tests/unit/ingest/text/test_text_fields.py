"""Both ways to read text against a reader that goes byte by byte, as RFC 4180 and LOAD DATA describe a field."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.depth import drawn

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Column
from skyshard.ingest.source import InputSlice
from skyshard.ingest.text import delimited_text as text
from skyshard.ingest.text import text_file
from skyshard.ingest.text.delimited_text import Dialect, read_text
from skyshard.rowimage.sqltype import parse_type

CSV = Dialect(b",", b'"', b"", b"\\N")
EMPTY_IS_NULL = Dialect(b",", b'"', b"", b"")
LOADED = Dialect(b",", b'"', b"\\", b"\\N", null_word=True)
DUMP = Dialect(b"\t", b"", b"\\", b"\\N")
BARE = Dialect(b",", b"", b"", b"NULL")
UNESCAPED = {b"0": b"\0", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a"}

Row = list[bytes | None]


def scalar_rows(data: bytes, dialect: Dialect, width: int) -> list[Row] | None:
    """The rows of a file, byte by byte; None where it is to be refused."""
    rows: list[Row] = []
    at, line_end = 0, ""
    while at < len(data):
        row: Row = []
        start, end = at, ","
        while end == ",":
            value, at, end = scalar_field(data, at, dialect)
            if end == "refused":
                return None
            row.append(value)
        line_end = line_end or ("CR LF" if end == "CR LF" else "LF")
        is_empty = data[start:at] in (b"\n", b"\r\n", b"\r")
        if not dialect.quote and data[start:at] != b"\n" and end not in (line_end, *AT_THE_END[line_end]):
            return None
        if is_empty and width > 1:
            continue
        if len(row) != width:
            return None
        rows.append(row)
    return rows


AT_THE_END = {"LF": [""], "CR LF": ["", "CR"]}


def scalar_field(data: bytes, at: int, dialect: Dialect) -> tuple[bytes | None, int, str]:
    """One field from ``at``: its value, where the next begins, and what ended it (``,`` is the separator)."""
    quote = dialect.quote or b"no quote"
    start, value = at, b""
    is_quoted = data.startswith(quote, at)
    at += is_quoted
    while is_quoted or not end_at(data, at, dialect)[0]:
        byte = data[at : at + 1]
        if not byte:
            return None, at, "refused"
        if dialect.escape == byte:
            if at + 1 == len(data):
                return None, at, "refused"
            value += UNESCAPED.get(data[at + 1 : at + 2], data[at + 1 : at + 2])
            at += 2
        elif is_quoted and data.startswith(quote * 2, at):
            value, at = value + quote, at + 2
        elif is_quoted and byte == quote:
            at += 1
            break
        else:
            value, at = value + byte, at + 1
    raw = data[start:at]
    is_null = raw in dialect.null_texts or (is_quoted and bool(dialect.escape) and raw[1:-1] == b"\\N" == dialect.null)
    found, end, length = end_at(data, at, dialect)
    return None if is_null else value, at + length, end if found else "refused"


def end_at(data: bytes, at: int, dialect: Dialect) -> tuple[bool, str, int]:
    """Whether a field may end here, by what, and how many bytes that takes."""
    ends = {dialect.separator: ",", b"\n": "LF", b"\r\n": "CR LF"}
    for mark, name in ends.items():
        if data.startswith(mark, at):
            return True, name, len(mark)
    if data[at:] == b"\r":
        return True, "CR", 1
    return at >= len(data), "", 0


def rows_of(data: bytes, dialect: Dialect, width: int, *, block: int, careful: bool) -> list[Row] | None:
    """What the reader makes of a file in blocks of some bytes; None where it refuses it."""
    fields = tuple(Column(f"c{i}", parse_type("longblob")) for i in range(width))
    with TemporaryDirectory() as folder, patch.object(text_file, "BLOCK_BYTES", block):
        path = Path(folder) / "t"
        path.write_bytes(data)
        try:
            with patch.object(text, "read_plain", lambda *_: None) if careful else nullcontext():
                read = list(read_text(InputSlice(str(path), len(data)), fields, dialect, frozenset()))
        except UserError:
            return None
    return [list(row.values()) for batch in read for row in batch.batch.to_pylist()]


PIECES = st.sampled_from(
    [b",", b"\t", b'"', b'""', b"\n", b"\r\n", b"\r", b"\\", b"\\N", b"NULL", b"N", b"a", b" ", b"#", b"\0", b"\xff"]
)
FIELDS = st.one_of(
    st.sampled_from([b'"a,b"', b'x"y', b'5"', b'"say ""a"""', b'"1\r\n2"', b'"3\n4"', b'"\\"5"', b'""', b"", b"b",
                     b"\\N", b'"\\N"', b"NULL", b'"NULL"', b"\\\n", b"\\\\", b"a\rb", b'""""', b'"a"b', b'"c']),
    st.lists(PIECES, max_size=3).map(b"".join),
)  # fmt: skip


@st.composite
def files(draw: st.DrawFn) -> tuple[Dialect, int, bytes]:
    """A dialect, a number of fields, and a file of mostly so many, lines ended in one way or several."""
    dialect = draw(st.sampled_from([CSV, EMPTY_IS_NULL, LOADED, DUMP, BARE]))
    width = draw(st.integers(1, 3))
    rows = draw(st.lists(st.lists(FIELDS, min_size=width, max_size=width), max_size=4))
    ends = draw(st.sampled_from([[b"\n"], [b"\r\n"], [b"\n", b"\r\n", b"\n\n"]]))
    lines = [dialect.separator.join(row) + draw(st.sampled_from(ends)) for row in rows]
    data = b"".join(lines)
    return dialect, width, data[: len(data) - draw(st.integers(0, 2))] if data else b""


@pytest.mark.timeout(120)
@settings(max_examples=drawn(40))
@given(files(), st.integers(1, 40))
def test_any_bytes_are_read_as_byte_by_byte(file: tuple[Dialect, int, bytes], block: int) -> None:
    """Quotes, escapes, NULLs, line ends and block borders anywhere: the same rows, or refused, by both ways."""
    dialect, width, data = file
    expected = scalar_rows(data, dialect, width)
    assert rows_of(data, dialect, width, block=block, careful=True) == expected
    assert rows_of(data, dialect, width, block=block, careful=False) == expected


NUMBERS = st.sampled_from(
    ["0", "7", "-7", "+7", "007", " 7", "7 ", "7.0", "7.", ".5", "1e2", "1E+2", "0x1F", "0X1f", "-0", "nan", "NaN",
     "NAN", "inf", "-inf", "Infinity", "NULL", "null", "true", "FALSE", "", "\\N", "1_000", "1,5", "16777217", "0.1",
     "9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551615", "3.14159265",
     "1e39", "1e400", "1e-400", "12345.678", "2024-02-30", "10:00:00.7", "2024-02-29 10:00:00.75", "x", "\x0b7"]
)  # fmt: skip
TYPES = st.sampled_from(
    ["int", "bigint", "bigint unsigned", "mediumint", "tinyint", "float", "double", "float unsigned", "decimal(6,2)",
     "char(6)", "varchar(20)", "datetime", "datetime(1)", "time", "date", "bit(8)"]
)  # fmt: skip


@pytest.mark.timeout(120)
@settings(max_examples=drawn(40))
@given(TYPES, NUMBERS, st.sampled_from([CSV, EMPTY_IS_NULL, LOADED]))
def test_value_means_the_same_whatever_stands_beside_it(kind: str, value: str, dialect: Dialect) -> None:
    """A neighbour that is quoted, a line end more or a value by itself: one outcome, value, counts and message."""
    fields = (Column("c0", parse_type(kind)), Column("c1", parse_type("varchar(9)")))
    quoted = f'"{value}"' if "," in value else value
    files = [f"{quoted},a\n", f'{quoted},"a"\n', f"{quoted},a\r\n", f"{quoted},a", f"{quoted},a\n\n"]
    outcomes = [outcome(content.encode(), fields, dialect) for content in files]
    assert all(found == outcomes[0] for found in outcomes)


def outcome(data: bytes, fields: tuple[Column, ...], dialect: Dialect) -> object:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t"
        path.write_bytes(data)
        try:
            (read,) = read_text(InputSlice(str(path), len(data)), fields, dialect, frozenset())
        except UserError as error:
            return str(error).replace(folder, "")
    return read.batch.to_pylist(), dict(read.conversions)
