"""VOTables that we write are read back equal by astropy, whatever the values and however they are cut into batches."""

from __future__ import annotations

import io
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from astropy.io.votable import parse
from astropy.io.votable.tree import VOTableFile
from hypothesis import given
from hypothesis import strategies as st

from skyshard.basics.errors import UserError
from skyshard.rowimage.sqltype import parse_type
from skyshard.serve.tap.result_formats import VOTableWriter, Writer
from skyshard.serve.votable.document import Serialization, Status, error_document
from skyshard.serve.votable.fields import Field, field_of

TYPES = {"t": parse_type("datetime")}


def written(writer: Writer, *batches: pa.RecordBatch, status: Status = Status.OK) -> bytes:
    return b"".join([writer.begin("SELECT 1 < 2"), *map(writer.rows, batches), writer.end(status, "cut & gone")])


def fields_of(batch: pa.RecordBatch) -> tuple[Field, ...]:
    return tuple(field_of(one.name, one.type, TYPES.get(one.name)) for one in batch.schema)


def read(document: bytes) -> VOTableFile:
    return parse(io.BytesIO(document), verify="exception")


@pytest.mark.parametrize("serialization", Serialization)
def test_all_types_come_back(serialization: Serialization) -> None:
    """NULLs, NaN, infinities, limits of integers, entities, letters beyond 16 bits, empty texts, bytes, times."""
    batch = pa.record_batch(
        {
            "i8": pa.array([1, None, -128], pa.int8()),
            "u64": pa.array([1, 2**63 - 1, None], pa.uint64()),
            "f": pa.array([1.5, None, float("nan")], pa.float32()),
            "d": pa.array([float("inf"), -0.0, None]),
            "s": pa.array(["a<&>\u00e9\U0001d6fcb", None, ""]),
            "b": pa.array([b"\x00\xff", None, b"x"], pa.binary()),
            "dec": pa.array([Decimal("1.25"), None, Decimal("-3")], pa.decimal128(20, 2)),
            "t": pa.array(["2020-01-01 10:00:00", None, "2021-02-03 00:00:00.5"]),
            "n": pa.array([None, 5, 6], pa.int32()),
        }
    )
    writer = VOTableWriter(fields_of(batch), serialization)
    found = read(written(writer, batch, batch.slice(1, 2), batch.slice(0, 0))).get_first_table()
    rows = found.array
    assert [(one.datatype, one.xtype) for one in found.fields][-3:] == [
        ("double", None),
        ("char", "timestamp"),
        ("int", None),
    ]
    assert [bool(flag) for flag in rows["i8"].mask] == [False, True, False, True, False]
    assert list(rows["i8"].data[[0, 2, 4]]) == [1, -128, -128]
    assert int(rows["u64"].data[1]) == 2**63 - 1
    assert rows["d"].data[0] == np.inf
    assert np.signbit(rows["d"].data[1])
    assert str(rows["s"].data[0]) == "a<&>\u00e9\U0001d6fcb"
    assert list(rows["b"].data[0]) == [0, 255]
    assert list(rows["dec"].data[[0, 2]]) == [1.25, -3.0]
    assert str(rows["t"].data[0]) == "2020-01-01T10:00:00"
    assert len(rows) == 5


@given(
    st.lists(st.tuples(st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.text("ab\u00e9\U0001f600<&"))),
    st.integers(1, 9),
)
def test_binary2_is_the_same_for_every_cut(rows: list[tuple[int | None, str | None]], step: int) -> None:
    """Base64 goes on across batches: where they end does not matter."""
    schema = pa.schema([("n", pa.int64()), ("s", pa.string())])
    numbers, texts = ([row[place] for row in rows] for place in (0, 1))
    batch = pa.record_batch([pa.array(numbers, pa.int64()), pa.array(texts, pa.string())], schema=schema)
    pieces = [batch.slice(start, step) for start in range(0, len(rows), step)]
    whole, cut = (
        read(written(VOTableWriter(fields_of(batch), Serialization.BINARY2), *parts)).get_first_table().array
        for parts in ([batch], pieces)
    )
    for found in (whole, cut):
        assert list(found["n"].filled(0)) == [number or 0 for number in numbers]
        assert list(found["n"].mask) == [number is None for number in numbers]
        assert [str(value) for value in found["s"].data] == [text or "" for text in texts]  # astropy masks no texts


@pytest.mark.parametrize("serialization", Serialization)
@pytest.mark.parametrize("status", [Status.OVERFLOW, Status.ERROR])
def test_what_was_cut_or_went_wrong_stands_behind_the_rows(serialization: Serialization, status: Status) -> None:
    """OK comes first, as nothing else was known then."""
    batch = pa.record_batch({"n": [1, 2]})
    document = read(written(VOTableWriter(fields_of(batch), serialization), batch, status=status))
    said = [info.value for info in document.resources[0].infos if info.name == "QUERY_STATUS"]
    assert said == ["OK", status]
    assert "cut & gone" in str(document.resources[0].infos[-1].content)


def test_errors_are_documents() -> None:
    """Whatever the message holds."""
    info = read(error_document("a < b & \x00 c")).resources[0].infos[0]
    assert (info.value, info.content) == ("ERROR", "a < b & \ufffd c")


def test_a_value_without_a_place_is_refused() -> None:
    """A number beyond 63 bits, and a letter beyond ASCII where a column has no room for it."""
    for values, words in ((pa.array([2**64 - 1], pa.uint64()), "whole number"), (pa.array(["\u00e9"]), "letters")):
        batch = pa.record_batch({"v": values})
        with pytest.raises(UserError, match=f"column 'v' has .*{words}"):
            written(VOTableWriter((field_of("v", values.type, is_plain=True),), Serialization.BINARY2), batch)


def test_decimals_are_the_nearest_doubles() -> None:
    """Not those that Arrow's cast makes, one step off for a third of all."""
    given = [Decimal("0.3"), Decimal("79.3"), Decimal("-1574.9")]
    batch = pa.record_batch({"dec": pa.array(given, pa.decimal128(20, 1))})
    found = read(written(VOTableWriter(fields_of(batch), Serialization.BINARY2), batch)).get_first_table().array
    assert found["dec"].tolist() == [float(number) for number in given]
