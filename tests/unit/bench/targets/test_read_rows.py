"""What doors write is read back as it was: VOTable's BINARY2, Qserv's JSON, and how many digits they show."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa
import pytest

from skyshard.basics.errors import ClusterError
from skyshard.bench.check.compare_answers import compare_answers
from skyshard.bench.targets import json_rows
from skyshard.bench.targets.shown_digits import shown_field
from skyshard.bench.targets.votable_rows import read_votable
from skyshard.rowimage.sqltype import parse_type
from skyshard.serve.qserv.json_rows import described, row_texts
from skyshard.serve.votable.binary2 import Base64Stream, binary2_rows
from skyshard.serve.votable.document import Serialization, Status, error_document, footer, header
from skyshard.serve.votable.fields import field_of

NUMBERS = pa.table(
    {
        "a": pa.array([1, None, -(2**63)], pa.int64()),
        "b": pa.array([1.25, None, 0.1], pa.float32()),
        "c": pa.array([0.1, None, -1e300], pa.float64()),
        "d": pa.array([7, 8, None], pa.int16()),
    }
)
TEXTS = NUMBERS.append_column("t", pa.array(["", None, 'ä "b" \\c'], pa.string())).append_column(
    "x", pa.array([b"\x00\xff", b"", None], pa.binary())
)


def votable(table: pa.Table, status: Status = Status.OK, words: str = "", *, times: tuple[str, ...] = ()) -> bytes:
    """A document as the door writes it."""
    fields = tuple(
        field_of(one.name, one.type, parse_type("datetime") if one.name in times else None) for one in table.schema
    )
    stream = Base64Stream()
    parts = [stream.add(binary2_rows(batch, fields)) for batch in table.to_batches()]
    begin = header(fields, Serialization.BINARY2, {"QUERY": "SELECT <1>"})
    return b"".join([begin, *parts, stream.end(), footer(Serialization.BINARY2, status, words)])


@pytest.mark.parametrize("table", [NUMBERS, TEXTS, NUMBERS.slice(0, 0), TEXTS.slice(0, 0)])
def test_rows_of_binary2_are_read_as_they_were_written(table: pa.Table) -> None:
    """Rows of one length and of their own, NULLs, none at all."""
    found = read_votable(votable(table))
    assert [column.to_pylist() for column in found.table.columns] == [column.to_pylist() for column in table.columns]
    assert (found.status, found.words) == ("OK", "")


def test_a_time_is_read_as_servers_print_it() -> None:
    """DALI's T becomes a blank."""
    table = pa.table({"t": ["2026-11-29 10:00:00.5", None]})
    assert read_votable(votable(table, times=("t",))).table.to_pydict() == {"c0": ["2026-11-29 10:00:00.5", None]}


def test_what_stands_behind_the_rows_is_the_status() -> None:
    """Cut, gone wrong on the way, or an error in place of rows."""
    cut = read_votable(votable(NUMBERS, Status.OVERFLOW))
    assert (cut.status, cut.table.num_rows) == ("OVERFLOW", 3)
    broken = read_votable(votable(NUMBERS, Status.ERROR, "node1 is\ndown"))
    assert (broken.status, broken.words) == ("ERROR", "node1 is down")
    assert read_votable(error_document("no")).words == "no"


def test_a_document_that_breaks_off_is_no_answer() -> None:
    """Within its rows, or before them."""
    whole = votable(NUMBERS)
    for length in (len(whole) - 30, len(whole) // 2, 50):
        with pytest.raises(ClusterError, match="no whole VOTable"):
            read_votable(whole[:length])


def test_rows_of_json_are_read_with_their_types() -> None:
    """All but the text NULL, which is none there; a DECIMAL has all its digits."""
    table = TEXTS.append_column(
        "z", pa.array([Decimal("12345678901234567890.125"), None, Decimal(0)], pa.decimal128(30, 3))
    )
    rows = json.loads(b"[" + b",".join(row_texts(table.combine_chunks().to_batches()[0], "hex")) + b"]")
    found = json_rows.to_table(described(table.schema), rows)
    assert compare_answers(found, table).is_equal
    assert found["c6"].to_pylist() == table["z"].to_pylist()
    assert json_rows.to_table(described(table.schema), []).num_rows == 0


def test_no_more_digits_are_compared_than_a_protocol_shows() -> None:
    """Six of a FLOAT in text: the seventh may differ, the sixth may not; without a mark none may."""
    truth = pa.table({"f": pa.array([1.2345678, 0.1], pa.float32())})
    for shown, is_equal in ((1.23457, True), (1.23456, False)):
        values = pa.array([shown, 0.1], pa.float32())
        marked = pa.table([values], schema=pa.schema([shown_field("c0", pa.float32(), 6)]))
        assert compare_answers(marked, truth).is_equal is is_equal
        assert compare_answers(truth, marked).is_equal is is_equal
        assert not compare_answers(pa.table({"c0": values}), truth).is_equal


def test_a_decimal_that_came_as_a_double_is_compared_as_one() -> None:
    """VOTable has no DECIMAL; one that a protocol could have sent is another type."""
    truth = pa.table({"s": pa.array([Decimal("10.50")], pa.decimal128(20, 2))})
    values = pa.array([10.5])
    marked = pa.table([values], schema=pa.schema([shown_field("c0", pa.float64(), 15)]))
    assert compare_answers(marked, truth).is_equal
    assert "floating instead of decimal" in compare_answers(pa.table({"c0": values}), truth).reason
