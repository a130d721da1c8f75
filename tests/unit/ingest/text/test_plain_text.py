"""Text that Arrow reads: as the careful way would, or not at all."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from skyshard.catalog.schema import Column
from skyshard.ingest.text.plain_text import read_plain
from skyshard.ingest.text.text_fields import Dialect
from skyshard.rowimage.sqltype import parse_type

COMMA = Dialect(separator=b",")


def column(name: str, kind: str, *, is_nullable: bool = True) -> Column:
    return Column(name, parse_type(kind), is_nullable=is_nullable)


def read(data: bytes, *fields: Column | None, dialect: Dialect = COMMA) -> dict[str, list[object]] | None:
    found = read_plain(data, fields, dialect, frozenset(), Counter())
    return None if found is None else {name: array.to_pylist() for name, array in found[0].items()}


def test_wanted_fields_are_read_as_their_types() -> None:
    r"""A field that nothing wants is passed over; \N is NULL."""
    data = b"1,skipped,2.5,abc\n\\N,x,\\N,\\N\n"
    found = read(data, column("a", "int"), None, column("b", "double"), column("c", "varchar(9)"))
    assert found == {"a": [1, None], "b": [2.5, None], "c": [b"abc", None]}


def test_exact_columns_come_as_64_bit_floats_too() -> None:
    """Before a FLOAT is rounded to what it holds: positions decide chunks as the file has them."""
    counted: Counter[str] = Counter()
    found = read_plain(b"0.1\n", (column("ra", "float"),), COMMA, frozenset({"ra"}), counted)
    assert found is not None
    assert found[1]["ra"].tolist() == [0.1]
    assert found[0]["ra"].equals(pa.array([np.float32(0.1)], pa.float32()))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"1.5\n", "decimal(5,2)"),
        (b"0x1F\n", "int"),
        (b"300\n", "tinyint"),
        (b"-1\n", "int unsigned"),
        (b"x\n", "int"),
        (b"x\n", "double"),
        (b"nan\n", "double"),
        (b"1e39\n", "float"),
        (b"-1\n", "double unsigned"),
        (b"1.234\n", "double(5,2)"),
        (b"1\n", "mediumint"),
        (b"abcd\n", "varchar(3)"),
        (b"a\\tb\n", "varchar(9)"),
        (b"{}\n", "json"),
        (b"a\rb\n", "varchar(9)"),
    ],
)
def test_what_arrow_reads_otherwise_is_left_to_the_careful_way(data: bytes, kind: str) -> None:
    """To be converted there, or named."""
    assert read(data, column("a", kind)) is None


@pytest.mark.parametrize("data", [b"1\n2,3\n", b"1,2,3\n"])
def test_rows_of_another_width_are_left_to_the_careful_way(data: bytes) -> None:
    """Which says the line."""
    assert read(data, column("a", "int"), column("b", "int")) is None


def test_a_null_where_none_may_be_is_left_to_the_careful_way() -> None:
    """NOT NULL is checked before anything is stored."""
    assert read(b"\\N\n", column("a", "int", is_nullable=False)) is None


@pytest.mark.parametrize(
    ("data", "line_end", "is_read"),
    [
        (b"1\r\n2\r\n", b"", True),
        (b"1\n2\n", b"", True),
        (b"1\r\n2\r\n", b"\r\n", True),
        (b"1\n2\n", b"\r\n", False),
        (b"1\r\n2\n", b"\r\n", False),
        (b"1\r\n2\r\n", b"\n", False),
    ],
)
def test_lines_end_as_the_dialect_says(data: bytes, line_end: bytes, is_read: bool) -> None:
    """Where it says nothing each line may end in its own way."""
    found = read(data, column("a", "int"), dialect=Dialect(separator=b",", line_end=line_end))
    assert found == ({"a": [1, 2]} if is_read else None)
