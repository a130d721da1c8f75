"""Row digests: equal for equal rows in any order, different for anything else."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.support.depth import drawn

from skyshard.basics.errors import UserError
from skyshard.rowimage.arrays import ByteStrings
from skyshard.rowimage.digest import RowDigest, digest
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import Field, RecordLayout
from skyshard.rowimage.record_digest import digest_records
from skyshard.rowimage.rowhash import hash_bytes, hash_strings
from skyshard.rowimage.sqltype import parse_type

KINDS = ["bigint", "double", "float", "tinyint", "varchar(30)", "decimal(20,3)", "datetime(6)", "bit(9)"]
FIELDS = [Field(f"c{place}", parse_type(text)) for place, text in enumerate(KINDS)]
CELLS: list[st.SearchStrategy[Any]] = [
    st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.integers(-128, 127),
    st.binary(max_size=30),
    st.decimals(-(10**16), 10**16, places=3, allow_nan=False),
    st.datetimes().map(lambda moment: f"{moment:%m-%d %H:%M:%S.%f}".encode()).map(lambda text: b"2012-" + text),
    st.integers(0, 511).map(lambda number: number.to_bytes(2, "big")),
]
ROW = st.tuples(*(cell | st.none() for cell in CELLS)).filter(lambda row: row[6] is None or b"-02-29" not in row[6])
ROWS = st.lists(ROW, max_size=8)
FEW = settings(max_examples=drawn(10))


def batch_of(rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(FIELDS)
    arrays = [pa.array(values, one.type.arrow) for one, values in zip(FIELDS, columns, strict=True)]
    return pa.record_batch(arrays, names=[one.name for one in FIELDS])


def digest_of(rows: list[tuple[Any, ...]]) -> RowDigest:
    return digest(batch_of(rows), FIELDS)


def column_digest(text: str, values: list[Any]) -> RowDigest:
    one = Field("x", parse_type(text))
    return digest(pa.record_batch([pa.array(values, one.type.arrow)], names=["x"]), [one])


@FEW
@given(ROWS, ROWS)
def test_digests_add_up(left: list[Any], right: list[Any]) -> None:
    """The digest of two sets of rows is the sum of theirs, and can be taken apart again."""
    whole = digest_of(left + right)
    assert whole == digest_of(left) + digest_of(right)
    assert whole - digest_of(right) == digest_of(left)
    assert digest_of([]) == RowDigest()


@FEW
@given(ROWS, st.randoms(use_true_random=False))
def test_order_does_not_count(rows: list[Any], rng: random.Random) -> None:
    """Any permutation of the rows has the same digest."""
    mixed = rng.sample(rows, len(rows))
    assert digest_of(mixed) == digest_of(rows)


@FEW
@given(st.lists(ROW, min_size=1, max_size=8), st.data())
def test_any_change_of_one_value_counts(rows: list[Any], data: st.DataObject) -> None:
    """One value changed in one row changes the digest."""
    row, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, len(FIELDS) - 1))
    other = data.draw(CELLS[column] | st.none())
    assume(other != rows[row][column])
    changed = list(rows)
    changed[row] = (*rows[row][:column], other, *rows[row][column + 1 :])
    assert digest_of(changed) != digest_of(rows)


@FEW
@given(ROW, ROW, st.integers(0, len(FIELDS) - 1))
def test_values_swapped_between_rows_count(one: Any, other: Any, column: int) -> None:
    """Two rows that trade a value are not the rows they were."""
    assume(one[column] != other[column])
    rest = [place for place in range(len(FIELDS)) if place != column]
    assume(any(one[place] != other[place] for place in rest))
    traded = [(*left[:column], right[column], *left[column + 1 :]) for left, right in ((one, other), (other, one))]
    assert digest_of(traded) != digest_of([one, other])


@FEW
@given(ROWS)
def test_digest_of_records_equals_that_of_the_batch(rows: list[Any]) -> None:
    """Packing loses nothing that counts."""
    layout = RecordLayout.of(FIELDS)
    assert digest_records(pack(batch_of(rows), layout), layout) == digest_of(rows)


@FEW
@given(ROWS)
def test_digests_survive_text(rows: list[Any]) -> None:
    """The text form keeps every bit."""
    value = digest_of(rows)
    assert RowDigest.parse(str(value)) == value


@pytest.mark.parametrize("text", ["double", "float", "bigint"])
def test_two_changed_signs_in_a_row_do_not_cancel(text: str) -> None:
    """A row (a, b) is not (-a, -b), though both changes are of the highest bit only."""
    fields = [Field(name, parse_type(text)) for name in "ab"]

    def pair(sign: int) -> RowDigest:
        values = [np.array([sign * 2**62 if text == "bigint" else sign * 1.5]) for _ in fields]
        arrays = [pa.array(value.astype(fields[0].type.arrow.to_pandas_dtype())) for value in values]
        return digest(pa.record_batch(arrays, names=["a", "b"]), fields)

    assert pair(1) != pair(-1)


def test_values_traded_between_columns_count() -> None:
    """Columns are known by their position."""
    fields = [Field(name, parse_type("int")) for name in "ab"]
    one = pa.record_batch([pa.array([1], pa.int32()), pa.array([2], pa.int32())], names=["a", "b"])
    assert digest(one, fields) != digest(one.select(["b", "a"]), fields)


@pytest.mark.parametrize(
    ("text", "empty"),
    [("int", 0), ("double", 0.0), ("varchar(3)", b""), ("char(3)", b""), ("bit(3)", b"\0"), ("set('a')", b"")],
)
def test_null_is_no_value(text: str, empty: Any) -> None:
    """NULL differs from zero and from the empty string."""
    assert column_digest(text, [None]) != column_digest(text, [empty])


@pytest.mark.parametrize(
    ("text", "one", "other", "is_equal"),
    [
        ("char(5)", b"ab", b"ab  ", True),
        ("varchar(5)", b"ab", b"ab  ", False),
        ("binary(4)", b"ab", b"ab\0\0", True),
        ("varbinary(4)", b"ab", b"ab\0\0", False),
        ("varbinary(20)", b"\0" * 8, b"\0" * 16, False),
        ("bit(12)", b"\1", b"\0\1", True),
        ("datetime(6)", b"2012-03-06 05:02:47", b"2012-03-06T05:02:47.000000", True),
        ("datetime(6)", b"2012-03-06 05:02:47", b"2012-03-06 05:02:47.000001", False),
        ("set('a','b')", b"a,b", b"b,a", True),
        ("double", 0.0, -0.0, True),
        ("double", 1.0, 1.0000000000000002, False),
        ("text", b"x" * 100_000, b"x" * 99_999 + b"y", False),
        ("blob", b"x" * 100_000, b"x" * 99_992 + b"y" + b"x" * 7, False),
    ],
)
def test_values_count_as_the_server_stores_them(text: str, one: Any, other: Any, is_equal: bool) -> None:
    """Two spellings of one stored value are equal, two values are not."""
    assert (column_digest(text, [one]) == column_digest(text, [other])) == is_equal


def test_digest_is_a_frozen_format() -> None:
    """Digests are kept in registries: a change of this number is a change of format."""
    rows = [(1, 0.5, -2.5, -1, b"long enough for words", None, b"2012-03-06 05:02:47.5", b"\1\1"), (None,) * 8]
    assert str(digest_of(rows)) == "2:1cf2353780d59e5e26fd9d2e8196ef7a"


def test_string_hashes_do_not_depend_on_neighbours() -> None:
    """A string hashes alike alone, between others, and across the slabs that long data is cut into."""
    texts = [b"", b"a", b"x" * 8, b"y" * 9, b"", b"z" * 3_000_000, b"tail"]
    strings = ByteStrings.of(pa.array(texts))
    assert hash_strings(strings, strings.lengths).tolist() == [hash_bytes(text) for text in texts]


def test_slices_and_parts_do_not_count() -> None:
    """A table cut into batches at any bit offset has the digest of the whole."""
    numbers = [None if value % 5 == 0 else value for value in range(100)]
    fields = [Field("x", parse_type("int")), Field("s", parse_type("varchar(9)"))]
    arrays = [pa.array(numbers, pa.int32()), pa.array([None if n is None else str(n).encode() for n in numbers])]
    batch = pa.record_batch(arrays, names=["x", "s"])
    cut = pa.Table.from_batches([batch.slice(0, 3), batch.slice(3, 50), batch.slice(53)])
    assert digest(cut, fields) == digest(batch, fields)


def test_wrong_columns_are_refused() -> None:
    """Count and Arrow type must be the table's."""
    one = pa.record_batch([pa.array([1])], names=["x"])
    with pytest.raises(UserError, match="1 columns for a table of 2"):
        digest(one, FIELDS[:2])
    with pytest.raises(UserError, match="Arrow type int64"):
        digest(one, [Field("x", parse_type("int"))])
