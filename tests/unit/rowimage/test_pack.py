"""Packed records without a server: `unpack` inverts `pack`; wrong input is refused by column and row."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.depth import drawn

from skyshard.basics.errors import UserError
from skyshard.rowimage import pack as pack_module
from skyshard.rowimage import unpack as unpack_module
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import Field, RecordLayout
from skyshard.rowimage.sqltype import parse_type
from skyshard.rowimage.unpack import as_records, unpack, unpack_blocks, unpack_columns

SECONDS = st.datetimes(datetime.datetime(1970, 1, 2), datetime.datetime(2038, 1, 18))
DATES = st.datetimes(datetime.datetime(1000, 1, 1))


def integers(bits: int, is_unsigned: bool = False) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1) if is_unsigned else st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    most = 10**precision - 1
    return st.integers(-most, most).map(lambda number: Decimal((number < 0, digits_of(number), -scale)))


def digits_of(number: int) -> tuple[int, ...]:
    return tuple(map(int, str(abs(number))))


def clock(digits: int) -> st.SearchStrategy[bytes]:
    """TIME texts as the server prints them."""
    most = 839 * 3600 * 10**digits - 1
    return st.integers(-most, most).map(lambda ticks: clock_text(ticks, digits))


def clock_text(ticks: int, digits: int) -> bytes:
    seconds, fraction = divmod(abs(ticks), 10**digits)
    tail = f".{fraction:0{digits}d}" if digits else ""
    sign = "-" if ticks < 0 else ""
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{tail}".encode()


def stamp(digits: int) -> Any:
    cut = 20 + digits if digits else 19
    return lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:cut].encode()


def trimmed(text: bytes) -> bytes:
    return text.rstrip(b" ")


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "tinyint": integers(8),
    "smallint unsigned": integers(16, True),
    "mediumint": integers(24),
    "mediumint unsigned": integers(24, True),
    "int": integers(32),
    "bigint": integers(64),
    "bigint unsigned": integers(64, True),
    "float": st.floats(width=32, allow_nan=False, allow_infinity=False).filter(bool),
    "double": st.floats(allow_nan=False, allow_infinity=False).filter(bool),
    "decimal(7,2)": decimals(7, 2),
    "decimal(18,0)": decimals(18, 0),
    "decimal(38,20)": decimals(38, 20),
    "decimal(65,30)": decimals(65, 30),
    "decimal(4,4)": decimals(4, 4),
    "char(6)": st.binary(max_size=6).map(trimmed),
    "char(4) character set utf8mb4": st.text("aé€𝄞", max_size=4).map(str.encode),
    "varchar(9)": st.binary(max_size=9),
    "varchar(300)": st.binary(max_size=40),
    "binary(3)": st.binary(min_size=3, max_size=3),
    "varbinary(5)": st.binary(max_size=5),
    "bit(1)": st.sampled_from([b"\0", b"\1"]),
    "bit(11)": st.integers(0, 2**11 - 1).map(lambda number: number.to_bytes(2, "big")),
    "bit(64)": st.binary(min_size=8, max_size=8),
    "date": st.dates(datetime.date(1000, 1, 1)).map(lambda day: day.isoformat().encode()),
    "time": clock(0),
    "time(1)": clock(1),
    "time(4)": clock(4),
    "time(6)": clock(6),
    "datetime": DATES.map(stamp(0)),
    "datetime(3)": DATES.map(stamp(3)),
    "datetime(6)": DATES.map(stamp(6)),
    "timestamp": SECONDS.map(stamp(0)),
    "timestamp(5)": SECONDS.map(stamp(5)),
    "year": st.integers(1901, 2155).map(lambda year: str(year).encode()),
    "enum('a','b')": st.sampled_from([b"a", b"b"]),
    "set('a','b')": st.sampled_from([b"", b"a", b"b", b"a,b"]),
}


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[Field], pa.RecordBatch]:
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=12))
    rows = draw(st.integers(0, 20))
    fields, arrays = [], []
    for place, text in enumerate(kinds):
        one = Field(f"c{place}", parse_type(text), draw(st.booleans()))
        cell = VALUES[text] | st.none() if one.is_nullable else VALUES[text]
        arrays.append(pa.array(draw(st.lists(cell, min_size=rows, max_size=rows)), one.type.arrow))
        fields.append(one)
    schema = pa.schema([pa.field(f.name, f.type.arrow, f.is_nullable) for f in fields])
    return fields, pa.RecordBatch.from_arrays(arrays, schema=schema)


@settings(max_examples=drawn(10))
@given(batches())
def test_unpack_inverts_pack(drawn: tuple[list[Field], pa.RecordBatch]) -> None:
    """Any batch of any types, with NULLs, comes back as it was."""
    fields, batch = drawn
    layout = RecordLayout.of(fields)
    records = pack(batch, layout)
    assert records.dtype.itemsize == layout.length >= 7
    assert unpack(records.tobytes(), layout).equals(batch)


@settings(max_examples=drawn(8))
@given(batches(), st.data())
def test_slices_pack_like_the_whole(drawn: tuple[list[Field], pa.RecordBatch], data: st.DataObject) -> None:
    """Row ranges of the records are the records of the row ranges, however the batch is cut."""
    fields, batch = drawn
    layout = RecordLayout.of(fields)
    cut = data.draw(st.integers(0, batch.num_rows))
    whole, table = pack(batch, layout), pa.Table.from_batches([batch.slice(0, cut), batch.slice(cut)])
    assert pack(batch.slice(cut), layout).tobytes() == whole[cut:].tobytes()
    assert pack(table, layout).tobytes() == whole.tobytes()


def columns_of(kinds: dict[str, list[Any]]) -> tuple[list[Field], pa.RecordBatch]:
    fields = [Field(f"c{place}", parse_type(text)) for place, text in enumerate(kinds)]
    arrays = [pa.array(values, one.type.arrow) for one, values in zip(fields, kinds.values(), strict=True)]
    return fields, pa.record_batch(arrays, names=[one.name for one in fields])


def test_blocks_join_without_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than a block: bit offsets and row ranges carry over."""
    monkeypatch.setattr(pack_module, "_MOST_BLOCK_ROWS", 7)
    monkeypatch.setattr(pack_module, "_FEWEST_BLOCK_ROWS", 1)
    rng = np.random.default_rng(5)
    numbers = [None if value % 3 == 0 else int(value) for value in rng.integers(0, 100, 50)]
    texts = [None if value is None else b"x" * (value % 9) for value in numbers]
    bits = [None if value is None else bytes([value]) for value in numbers]
    fields, batch = columns_of({"int": numbers, "varchar(9)": texts, "double": numbers, "bit(7)": bits})
    layout = RecordLayout.of(fields)
    assert unpack(pack(batch.slice(3), layout), layout).to_pydict() == batch.slice(3).to_pydict()


@pytest.mark.parametrize("run_bytes", [1, 300, 1 << 20])
def test_neighbours_of_one_type_keep_their_values_and_nulls(monkeypatch: pytest.MonkeyPatch, run_bytes: int) -> None:
    """Taken out of the records one by one, some together, and all together; in their order, and in another."""
    monkeypatch.setattr(unpack_module, "_RUN_BYTES", run_bytes)
    fields = [Field(f"c{place}", parse_type("double" if place != 9 else "bit(3)")) for place in range(20)]
    numbers = [[None if (row + place) % 5 == 0 else float(row * place) for row in range(13)] for place in range(20)]
    numbers[7] = [None] * 13
    numbers[8] = [float(row) for row in range(13)]
    columns = [pa.array(values, pa.float64()) for values in numbers]
    columns[9] = pa.array([None if row == 3 else bytes([row % 8]) for row in range(13)], pa.binary())
    batch = pa.record_batch(columns, names=[one.name for one in fields])
    layout = RecordLayout.of(fields)
    records = as_records(pack(batch, layout), layout)
    found = pa.record_batch(unpack_columns(records, layout, layout.slots), names=batch.schema.names)
    assert found.to_pydict() == batch.to_pydict()
    order = np.array([12, 0, 3, 3])
    some = [layout.slots[place] for place in (8, 7, 6, 9, 10, 11)]
    taken = pa.record_batch(unpack_columns(records, layout, some, order), names=[one.name for one in some])
    assert taken.to_pydict() == batch.select(taken.schema.names).take(order).to_pydict()


def test_out_is_filled_and_cleared() -> None:
    """Records given as room hold nothing of what was in them."""
    fields, batch = columns_of({"varchar(5)": [b"ab", None], "tinyint": [1, 2]})
    layout = RecordLayout.of(fields)
    room = np.full(2 * layout.length, 0xAB, np.uint8).view(layout.dtype)
    assert pack(batch, layout, room) is room
    assert room.tobytes() == pack(batch, layout).tobytes()


def test_records_read_by_column_name() -> None:
    """Integers and floats can be read from records as they are."""
    fields, batch = columns_of({"bigint": [7, None], "float": [0.5, 2.0], "char(2)": [b"a", b"bc"]})
    records = pack(batch, RecordLayout.of(fields))
    assert records["c0"].tolist() == [7, 0]
    assert records["c1"].tolist() == [0.5, 2.0]


def test_what_stands_under_a_null_is_not_stored() -> None:
    """A NULL stores its type's zero whatever the Arrow buffer holds there."""
    hidden = pa.Array.from_buffers(pa.float64(), 2, [pa.py_buffer(b"\x01"), pa.py_buffer(np.array([1.5, np.nan]))])
    layout = RecordLayout.of([Field("x", parse_type("double"))])
    records = pack(pa.record_batch([hidden], names=["x"]), layout)
    assert records["x"].tolist() == [1.5, 0.0]


def test_deleted_records_are_left_out() -> None:
    """A record whose first byte is not marked live is no row."""
    fields, batch = columns_of({"int": [1, 2, 3], "varchar(300)": [b"a", b"b", b"c"]})
    layout = RecordLayout.of(fields)
    raw = pack(batch, layout).view(np.uint8).reshape(3, -1)
    raw[1, :7] = [0, *b"link!!"]
    assert unpack(raw.tobytes(), layout).to_pydict() == {"c0": [1, 3], "c1": [b"a", b"c"]}
    assert [part.num_rows for part in unpack_blocks(raw.tobytes(), layout)] == [2]


BAD: list[tuple[str, Any, str]] = [
    ("double", float("nan"), "no NaN"),
    ("float", float("-inf"), "no NaN"),
    ("double unsigned", -1.0, "UNSIGNED"),
    ("mediumint", 8388608, "MEDIUMINT holds"),
    ("mediumint unsigned", 2**24, "MEDIUMINT holds"),
    ("decimal(5,2) unsigned", Decimal("-1.00"), "UNSIGNED"),
    ("char(3)", b"abcd", "longer than 3"),
    ("varchar(3) character set utf8mb4", "äöüß".encode(), "longer than 3"),
    ("binary(2)", b"abc", "longer than 2"),
    ("bit(3)", b"\x08", "too narrow"),
    ("bit(64)", b"\1" * 9, "too narrow"),
    ("date", b"2012-02-30", "YYYY-MM-DD"),
    ("date", b"2011-02-29", "YYYY-MM-DD"),
    ("date", b"2012-13-01", "YYYY-MM-DD"),
    ("date", b"20120301", "YYYY-MM-DD"),
    ("date", b"2012-03-01 00:00:01", "YYYY-MM-DD"),
    ("datetime", b"2012-03-01 24:00:00", "HH:MM:SS"),
    ("datetime", b"2012-03-01 23:60:00", "HH:MM:SS"),
    ("datetime", b"2012-03-01x23:00:00", "HH:MM:SS"),
    ("datetime(6)", b"2012-03-01 23:00:00.12x456", "HH:MM:SS"),
    ("datetime", b"", "HH:MM:SS"),
    ("datetime", b"2" * 60, "HH:MM:SS"),
    ("timestamp", b"1970-01-01 00:00:00", "1970-01-01 00:00:01"),
    ("timestamp", b"2038-01-19 03:14:08", "2038-01-19"),
    ("time", b"839:00:00", "838:59:59"),
    ("time", b"-839:00:00.5", "838:59:59"),
    ("time", b"1234:00:00", "HH:MM:SS"),
    ("time", b"12:60:00", "HH:MM:SS"),
    ("time", b"noon", "HH:MM:SS"),
    ("time", b"12:00", "HH:MM:SS"),
    ("year", b"1900", "four digits"),
    ("year", b"12", "four digits"),
    ("enum('a','b')", b"c", "declared member"),
    ("set('a','b')", b"a,c", "declared member"),
]


@pytest.mark.parametrize(("text", "value", "remedy"), BAD)
def test_bad_values_are_refused_by_column_and_row(text: str, value: Any, remedy: str) -> None:
    """A value that the server would not take names its column, type and row."""
    fields, batch = columns_of({"int": [1, 2, 3], text: [None, None, value]})
    with pytest.raises(UserError) as caught:
        pack(batch, RecordLayout.of(fields))
    assert f"column 'c1' ({fields[1].type.text}): row 2 holds" in str(caught.value)
    assert remedy in str(caught.value)


def test_decimals_wider_than_declared_are_refused() -> None:
    """Arrow does not check its decimals; the packed form has no room for more digits."""
    narrow = pa.Array.from_buffers(pa.decimal128(3, 1), 1, [None, pa.py_buffer((12345).to_bytes(16, "little"))])
    layout = RecordLayout.of([Field("x", parse_type("decimal(3,1)"))])
    with pytest.raises(UserError, match="too narrow"):
        pack(pa.record_batch([narrow], names=["x"]), layout)


@pytest.mark.parametrize(
    ("text", "loose", "canonical"),
    [
        ("datetime(2)", b"2012-03-06T05:02:47.129", b"2012-03-06 05:02:47.12"),
        ("datetime(6)", b"2012-03-06", b"2012-03-06 00:00:00.000000"),
        ("datetime", b"2012-03-06 05:02", b"2012-03-06 05:02:00"),
        ("timestamp(3)", b"0000-00-00 00:00:00", b"0000-00-00 00:00:00.000"),
        ("time(2)", b"-1:02:03", b"-01:02:03.00"),
        ("time", b"001:02:03.9", b"01:02:03"),
        ("char(5)", b"ab   ", b"ab"),
        ("binary(3)", b"a", b"a\0\0"),
        ("bit(12)", b"\1", b"\0\1"),
        ("set('a','b')", b"b,a,b", b"a,b"),
    ],
)
def test_other_spellings_become_the_server_s(text: str, loose: bytes, canonical: bytes) -> None:
    """What LOAD DATA would accept in another spelling is stored as the server stores it."""
    fields, batch = columns_of({text: [loose, None]})
    layout = RecordLayout.of(fields)
    assert unpack(pack(batch, layout), layout).column(0).to_pylist() == [canonical, None]


def test_null_in_a_not_null_column_is_refused() -> None:
    """The first such row is named, counted over the parts of a table."""
    layout = RecordLayout.of([Field("x", parse_type("int"), is_nullable=False)])
    parts = [pa.record_batch([pa.array(values, pa.int32())], names=["x"]) for values in ([1, 2], [3, None])]
    with pytest.raises(UserError, match="column 'x': row 3 is NULL"):
        pack(pa.Table.from_batches(parts), layout)


def test_wrong_arrow_type_or_column_count_is_refused() -> None:
    """Columns are matched by position and type."""
    layout = RecordLayout.of([Field("x", parse_type("int"))])
    with pytest.raises(UserError, match="Arrow type int64"):
        pack(pa.record_batch([pa.array([1])], names=["x"]), layout)
    with pytest.raises(UserError, match="2 columns for a table of 1"):
        pack(pa.record_batch([pa.array([1]), pa.array([2])], names=["x", "y"]), layout)


def test_text_types_of_arrow_serve_as_bytes() -> None:
    """Strings and large binaries pack like binary columns."""
    layout = RecordLayout.of([Field("x", parse_type("varchar(4)"))])
    images = {
        pack(pa.record_batch([pa.array(["ab", None]).cast(kind)], names=["x"]), layout).tobytes()
        for kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
    }
    assert len(images) == 1


@pytest.mark.parametrize(
    ("text", "is_packable"), [("text", False), ("json", False), ("float(7,3)", False), ("bit(3)", True)]
)
def test_is_packable_tells_the_load_data_path(text: str, is_packable: bool) -> None:
    """Columns outside the record, and those that the server rounds, take the LOAD DATA path."""
    fields = [Field("x", parse_type(text))]
    assert RecordLayout.is_packable(fields) == is_packable
    if not is_packable:
        with pytest.raises(UserError, match="takes the LOAD DATA path"):
            pack(pa.record_batch([pa.nulls(1, fields[0].type.arrow)], names=["x"]), RecordLayout.of(fields))


def test_layout_of_1296_columns() -> None:
    """The null area of a wide table counts every nullable column."""
    layout = RecordLayout.of([Field(f"c{place}", parse_type("double")) for place in range(1296)])
    assert (layout.null_bytes, layout.length) == (163, 163 + 8 * 1296)


def test_layout_refuses_twin_names_and_unknown_charsets() -> None:
    """Both say which column."""
    with pytest.raises(UserError, match="'x' is named twice"):
        RecordLayout.of([Field("x", parse_type("int")), Field("x", parse_type("int"))])
    with pytest.raises(UserError, match="column 'x': unknown character set 'ucs2'"):
        RecordLayout.of([Field("x", parse_type("char(3) character set ucs2"))])
