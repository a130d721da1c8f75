"""Arrow batches as rows of the text protocol."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.letters import LETTERS

from skyshard.serve.mysql.definitions import ColumnType, Definition, Flag, definitions_of
from skyshard.serve.mysql.packets import MOST, Reader, framed, lenenc, payloads_of, row_values
from skyshard.serve.mysql.text_rows import FEW_CELLS, as_stored, as_they_are, encoded_rows, encoding

Values = list[list[bytes | None]]


def sent(
    table: pa.Table, definitions: Sequence[Definition] | None = None, sequence: int = 1
) -> tuple[Values, list[int]]:
    """The values that a client reads, and the sequence numbers of the rows' last packets."""
    wanted = definitions or definitions_of(table.schema, table.column_names)
    pieces: list[bytes] = []
    for batch in table.to_batches():
        for piece, behind in encoded_rows(batch, wanted, sequence):
            pieces.append(bytes(piece))
            sequence = behind
    found = list(payloads_of(b"".join(pieces)))
    return [row_values(payload) for _, payload in found], [number for number, _ in found]


def test_every_type_is_sent_as_its_text() -> None:
    """Numbers, texts, bytes, DECIMALs, and NULL of each."""
    table = pa.table(
        {
            "i": pa.array([-5, None], pa.int16()),
            "u": pa.array([2**64 - 1, None], pa.uint64()),
            "d": pa.array([1e20, None]),
            "f": pa.array([1 / 3, None], pa.float32()),
            "n": pa.array([Decimal("1.50"), None], pa.decimal128(5, 2)),
            "t": pa.array(["zweï", None]),
            "b": pa.array([b"\x00\xff", None]),
            "e": pa.array(["", None], pa.large_string()),
            "0": pa.nulls(2),
        }
    )
    rows, numbers = sent(table)
    assert rows == [
        [b"-5", b"18446744073709551615", b"1e20", b"0.333333", b"1.50", "zweï".encode(), b"\x00\xff", b"", None],
        [None] * 9,
    ]
    assert numbers == [1, 2]


@given(st.lists(st.tuples(st.none() | st.binary(max_size=400), st.none() | st.text(LETTERS, max_size=90))))
def test_lengths_of_every_size_are_read_back(rows: list[tuple[bytes | None, str | None]]) -> None:
    """Short and long values beside each other, in any order."""
    table = pa.table(
        {"b": pa.array([b for b, _ in rows], pa.binary()), "t": pa.array([t for _, t in rows], pa.string())}
    )
    assert sent(table)[0] == [[b, None if t is None else t.encode()] for b, t in rows]


@pytest.mark.parametrize("size", [250, 251, 65535, 65536, MOST - 5, MOST - 4, MOST, 2 * MOST + 7])
def test_a_long_value_takes_the_packets_that_it_needs(size: int) -> None:
    """At each border of the length's form, and of the packet's."""
    table = pa.table({"a": pa.array([b"x", b"y" * size, None], pa.binary())})
    rows, numbers = sent(table, sequence=254)
    assert rows == [[b"x"], [b"y" * size], [None]]
    packets = (size + len(lenenc(size))) // MOST + 1
    assert numbers == [254, (254 + packets) & 0xFF, (255 + packets) & 0xFF]


def test_rows_are_sent_in_pieces_that_go_on_counting() -> None:
    """Sequence numbers run through all pieces and wrap at 256."""
    rows, numbers = sent(pa.table({"a": pa.array(range(20_000))}))
    assert [int(row[0] or b"") for row in rows] == list(range(20_000))
    assert numbers == [(1 + place) & 0xFF for place in range(20_000)]


def test_slices_of_a_batch_are_sent_as_they_are_cut() -> None:
    """An offset into Arrow's buffers is no row of its own."""
    table = pa.table({"t": pa.array(["a", "bb", None, "dddd"]), "b": pa.array([b"1", None, b"3", b"4"])}).slice(1, 2)
    assert sent(table)[0] == [[b"bb", None], [None, b"3"]]


def test_definitions_decide_how_a_number_is_printed() -> None:
    """Decimals of ROUND, ZEROFILL, BIT as a whole number, FLOAT against DOUBLE."""
    table = pa.table({"r": [1.5], "z": [42], "b": [b"\x01\x00"], "f": [1 / 3]})
    wanted = [
        Definition(b"r", ColumnType.DOUBLE, 20, decimals=3),
        Definition(b"z", ColumnType.LONG, 5, flags=Flag.ZEROFILL),
        Definition(b"b", ColumnType.LONGLONG, 20),
        Definition(b"f", ColumnType.FLOAT, 12, decimals=31),
    ]
    assert sent(table, wanted)[0] == [[b"1.500", b"00042", b"256", b"0.333333"]]


def test_few_rows_are_written_as_many_are() -> None:
    """Each row by itself, and all of them at once: the same bytes, of all types and definitions."""
    numbers = [0.0, -0.0, 1e20, 1e-7, 0.1, -123456789012345.6, 1e15, 1 / 3, None, 2.5]
    table = pa.table(
        {
            "d": numbers, "f": pa.array(numbers, pa.float32()), "r": numbers, "i": pa.array(range(10), pa.int8()),
            "z": pa.array(range(10), pa.int32()), "u": pa.array([2**64 - 1, None] * 5, pa.uint64()),
            "n": pa.array([Decimal("-1.50"), None] * 5, pa.decimal128(5, 2)),
            "t": ["zweï", None, "", "x" * 300, "∂"] * 2,
            "b": [b"\x00\x01", None] * 5, "k": [b"\x00\x01", None] * 5, "0": pa.nulls(10),
        }
    )  # fmt: skip
    wanted = definitions_of(table.schema, table.column_names)
    wanted[2] = Definition(b"r", ColumnType.DOUBLE, 20, decimals=3)
    wanted[4] = Definition(b"z", ColumnType.LONG, 5, flags=Flag.ZEROFILL)
    wanted[9] = Definition(b"k", ColumnType.LONGLONG, 20)
    many = pa.concat_tables([table] * 30).combine_chunks()
    assert many.num_rows * many.num_columns > 10 * FEW_CELLS
    assert sent(many, wanted)[0] == [sent(table.slice(row, 1), wanted)[0][0] for row in range(10)] * 30


def test_texts_come_in_the_character_set_that_is_asked_for() -> None:
    """A letter that it lacks becomes a question mark; without one, texts are as their column stores them."""
    texts = pa.array(["é€", "∂", None])
    latin1, utf8 = (Definition(b"t", ColumnType.VAR_STRING, 10, charset) for charset in (8, 45))
    assert encoding("mariadb_latin1")(texts, utf8).to_pylist() == [b"\xe9\x80", b"?", None]
    assert as_stored(texts, latin1).to_pylist() == [b"\xe9\x80", b"?", None]
    assert as_stored(texts, utf8) is texts
    assert as_they_are(texts, latin1) is texts


@given(st.integers(0, 2**64 - 1))
def test_a_length_is_read_back(number: int) -> None:
    """Whatever its size."""
    assert Reader(lenenc(number)).lenenc() == number


@given(st.binary(max_size=50), st.integers(0, 255))
def test_a_packet_is_read_back(payload: bytes, sequence: int) -> None:
    """Also an empty one."""
    assert list(payloads_of(framed(payload, sequence))) == [(sequence, payload)]


@given(
    st.binary(max_size=300), st.sampled_from(ColumnType), st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1),
    st.integers(0, 255),
)  # fmt: skip
def test_a_definition_is_read_back(name: bytes, kind: int, length: int, flags: int, decimals: int) -> None:
    """Every field of it."""
    made = Definition(name, kind, length, 45, flags, decimals, b"db", b"t", b"Object", b"ra")
    assert Definition.read(made.payload()) == made
