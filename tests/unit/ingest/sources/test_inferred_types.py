"""Types of several files widen to one that holds every value of each, or to none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.ingest.sources.inferred_types import is_supported, plain_type, sql_type_text, widened
from skyshard.rowimage.sqltype import parse_type

NUMBERS = [
    pa.bool_(), *(pa.type_for_alias(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)),
    pa.float16(), pa.float32(), pa.float64(),
]  # fmt: skip


def extremes(kind: pa.DataType) -> list[int | float]:
    if pa.types.is_boolean(kind):
        return [0, 1]
    if pa.types.is_integer(kind):
        bounds = np.iinfo(kind.to_pandas_dtype())
        return [int(bounds.min), int(bounds.max), int(bounds.max) - 1]
    return [float(np.finfo(kind.to_pandas_dtype()).max), float(np.nextafter(kind.to_pandas_dtype()(1), 2))]


@given(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS))
def test_widened_type_holds_all_values_of_both(one: pa.DataType, other: pa.DataType) -> None:
    """The extremes of both come back unchanged; the order of the files does not matter."""
    wide = widened(one, other, is_exact=False)
    assert wide == widened(other, one, is_exact=False)
    if wide is None:
        return
    for value in (*extremes(one), *extremes(other)):
        assert wide.to_pandas_dtype()(value) == value


@pytest.mark.parametrize(
    ("one", "other", "wide"),
    [
        (pa.uint64(), pa.int8(), None), (pa.int64(), pa.float32(), None), (pa.string(), pa.int64(), None),
        (pa.string(), pa.binary(), None), (pa.int32(), pa.float32(), pa.float64()),
        (pa.null(), pa.date32(), pa.date32()),
        (pa.int16(), pa.float16(), pa.float32()), (pa.date32(), pa.timestamp("s"), pa.timestamp("us")),
        (pa.decimal128(10, 2), pa.decimal128(8, 5), pa.decimal256(13, 5)),
        (pa.decimal128(4, 1), pa.int16(), pa.decimal256(6, 1)),
        (pa.decimal128(38, 0), pa.decimal256(70, 38), None), (pa.decimal128(4, 1), pa.float64(), None),
    ],
)  # fmt: skip
def test_pair_of_types(one: pa.DataType, other: pa.DataType, wide: pa.DataType | None) -> None:
    """Pairs that no rule of numbers alone decides."""
    assert widened(one, other, is_exact=False) == wide


@pytest.mark.parametrize(
    ("kind", "longest", "text"),
    [
        (pa.bool_(), 0, "tinyint(1)"), (pa.int8(), 0, "tinyint(4)"), (pa.uint64(), 0, "bigint unsigned"),
        (pa.float16(), 0, "float"), (pa.float64(), 0, "double"), (pa.string(), 0, "varchar(16)"),
        (pa.string(), 5, "varchar(64)"), (pa.string(), 64, "longtext"), (pa.binary(), 16, "varbinary(64)"),
        (pa.binary(), 100, "longblob"), (pa.timestamp("ns"), 0, "datetime(6)"), (pa.date32(), 0, "date"),
        (pa.time64("us"), 0, "time(6)"), (pa.decimal128(12, 3), 0, "decimal(12,3)"), (pa.null(), 0, "double"),
    ],
)  # fmt: skip
def test_type_as_mariadb_spells_it(kind: pa.DataType, longest: int, text: str) -> None:
    """Every kind of column has one, which is a type that the rest of Skyshard reads."""
    assert sql_type_text(kind, longest) == text
    assert parse_type(text).text == text


def test_text_beyond_latin1_is_utf8() -> None:
    """The character set is declared where latin1 has not all characters."""
    assert sql_type_text(pa.string(), 3, is_latin1=False) == "varchar(16) character set utf8mb4"


def test_how_values_are_kept_is_no_part_of_a_type() -> None:
    """Dictionaries, views and large offsets are the type of their values."""
    kinds = (pa.dictionary(pa.int8(), pa.large_string()), pa.string_view(), pa.large_string())
    assert {plain_type(kind) for kind in kinds} == {pa.string()}
    assert plain_type(pa.binary(4)) == pa.binary()


def test_what_no_column_takes_is_not_supported() -> None:
    """Lists, structs, maps, durations, and decimals of more digits than MariaDB has."""
    kinds = (pa.list_(pa.float64()), pa.struct([("a", pa.int8())]), pa.duration("s"), pa.decimal256(66, 0))
    assert not any(is_supported(kind) for kind in kinds)
    assert is_supported(pa.null())
    assert is_supported(pa.decimal256(65, 38))
