"""Overlap files against the copies that own rows give: the same rows, chunk by chunk, whatever slices they came in."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Column, Table
from skyshard.ingest.partition.bundle import OverlapRows, Segment, SliceReport
from skyshard.ingest.partition.given_chunks import FOREIGN, check_overlap, with_chunk_columns
from skyshard.rowimage.digest import RowDigest
from skyshard.rowimage.sqltype import parse_type

OWN, OTHER, FAR = 1, 2, 9


def digest(rows: int, value: int) -> str:
    return str(RowDigest(rows, value))


def stored(chunk: int, *, rows: int = 3, value: int = 7, is_overlap: bool = False) -> Segment:
    return Segment(chunk, is_overlap, 0, rows, digest(rows, value))


def given(chunk: int, own: int = OWN, *, rows: int = 3, value: int = 7) -> OverlapRows:
    return OverlapRows(chunk, own, rows, digest(rows, value))


def report(*segments: Segment, files: tuple[OverlapRows, ...] = (), due: tuple[OverlapRows, ...] = ()) -> SliceReport:
    return SliceReport("a.csv", "", segments=list(segments), overlap_given=list(files), overlap_due=list(due))


def test_a_source_without_overlap_files_is_not_asked_for_any() -> None:
    """Copies are computed then, and nothing is compared."""
    check_overlap("T", [report(stored(OWN), stored(OTHER, is_overlap=True))])


def test_slices_add_up_on_both_sides() -> None:
    """What one slice has of a chunk's copies, and another one of its overlap files, counts together."""
    reports = [
        report(stored(OWN), stored(OTHER, rows=1, value=3, is_overlap=True)),
        report(stored(OTHER, rows=2, value=4, is_overlap=True)),
        report(files=(given(OTHER, rows=1, value=5),)),
        report(files=(given(OTHER, rows=2, value=2),)),
    ]
    check_overlap("T", reports)
    assert not any(one.conversions for one in reports)


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ((given(OTHER, rows=2),), "the overlap of chunk 2 has 2 rows where 3 are due"),
        ((given(OTHER, value=8),), "the overlap of chunk 2 has other rows than due"),
        ((given(OTHER), given(FAR)), "the overlap of chunk 9 has 3 rows where 0 are due"),
        ((given(FAR),), "the overlap of chunk 2 has 0 rows where 3 are due"),
    ],
)
def test_other_rows_than_those_of_the_own_rows_are_refused(files: tuple[OverlapRows, ...], what: str) -> None:
    """Too few, too many, the same number of others: table, chunk and both numbers."""
    with pytest.raises(UserError, match=re.escape(f"table 'T': {what} by the positions of the own rows")):
        check_overlap("T", [report(stored(OWN), stored(OTHER, is_overlap=True), files=files)])


def test_copies_of_rows_that_were_cut_out_are_left_out_and_counted() -> None:
    """The catalog is a piece of a larger one: nobody delivered the chunk that they are copies of."""
    piece = report(stored(OWN), stored(OTHER, is_overlap=True), files=(given(OTHER), given(OTHER, own=FAR, rows=5)))
    check_overlap("T", [piece])
    assert piece.conversions == {FOREIGN: 5}


def test_copies_by_the_inputs_own_digits_count_where_positions_are_rounded() -> None:
    """Not those that are stored: rounding may have moved a row over the edge, with its copies."""
    rounded = report(
        stored(FAR), stored(OTHER, rows=4, value=1, is_overlap=True), files=(given(OTHER),), due=(given(OTHER),)
    )
    check_overlap("T", [rounded])
    assert not rounded.conversions


def test_chunk_numbers_are_columns_of_the_stored_table() -> None:
    """Where that has them, in its types, whatever the case of their names; the others come from the batch."""
    kinds = {"id": "bigint", "CHUNKID": "int", "subChunkId": "int"}
    table = Table("T", tuple(Column(name, parse_type(kind)) for name, kind in kinds.items()))
    batch = pa.RecordBatch.from_pydict({"more": [0, 0], "id": pa.array([5, 6], pa.int64())})
    full = with_chunk_columns(batch, table, np.array([1, 2], np.int32), np.array([3, 4], np.int32))
    assert full.to_pydict() == {"id": [5, 6], "CHUNKID": [1, 2], "subChunkId": [3, 4]}
    assert full.schema.types == [column.type.arrow for column in table]
