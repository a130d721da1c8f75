"""Column types: how SQL spells them and what they are in Arrow."""

from __future__ import annotations

import pyarrow as pa
import pytest

from skyshard.basics.errors import UserError
from skyshard.rowimage.sqltype import TypeClass, parse_type


@pytest.mark.parametrize(
    ("text", "base", "arrow"),
    [
        ("BIGINT(20) UNSIGNED", "bigint", pa.uint64()),
        ("mediumint", "mediumint", pa.int32()),
        ("bool", "tinyint", pa.int8()),
        ("double precision", "double", pa.float64()),
        ("float(53)", "double", pa.float64()),
        ("float(7,3)", "float", pa.float32()),
        ("decimal", "decimal", pa.decimal128(10, 0)),
        ("numeric(65,30)", "decimal", pa.decimal256(65, 30)),
        ("varchar(80)", "varchar", pa.binary()),
        ("mediumtext", "mediumtext", pa.large_binary()),
        ("enum('a','B')", "enum", pa.binary()),
        ("timestamp(6) NULL", "timestamp", pa.binary()),
    ],
)
def test_types_have_a_base_and_an_arrow_type(text: str, base: str, arrow: pa.DataType) -> None:
    """Aliases, arguments and signs are understood."""
    kind = parse_type(text)
    assert (kind.base, kind.arrow) == (base, arrow)


def test_members_keep_their_case() -> None:
    """Lower-casing a type spares its quoted members."""
    assert parse_type("ENUM('a','B')").text == "ENUM('a','B')"


def test_blobs_are_outside_the_record() -> None:
    """TEXT, BLOB and JSON are named so."""
    assert all(parse_type(text).is_blob for text in ("blob", "longtext", "json"))
    assert not parse_type("varbinary(10)").is_blob
    assert parse_type("bit(5)").type_class is TypeClass.BYTES


def test_integer_ranges() -> None:
    """Both ends are inclusive."""
    assert parse_type("tinyint").integer_range() == (-128, 127)
    assert parse_type("mediumint unsigned").integer_range() == (0, 2**24 - 1)


@pytest.mark.parametrize("text", ["", "geography", "int64", "point"])
def test_unknown_types_are_refused(text: str) -> None:
    """The message quotes the type."""
    with pytest.raises(UserError, match=f"unsupported column type '{text}'"):
        parse_type(text)
