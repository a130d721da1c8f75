"""What TAP writes is read back as it was."""

from __future__ import annotations

import pyarrow as pa
import pytest

from skyshard.basics.errors import ClusterError
from skyshard.bench.targets.votable_rows import read_votable
from skyshard.rowimage.sqltype import parse_type
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
