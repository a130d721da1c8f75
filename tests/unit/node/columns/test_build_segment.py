"""The order of a segment's rows, and how records are taken in it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.node.columns import build_segment
from skyshard.node.columns.build_segment import KnownRecords, OtherRows, _stable_order
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import Field, RecordLayout
from skyshard.rowimage.sqltype import parse_type
from skyshard.rowimage.unpack import as_records, unpack, unpack_columns

LAYOUT = RecordLayout.of(
    [Field("id", parse_type("bigint"), False), Field("x", parse_type("double"), True),
     Field("name", parse_type("varchar(5)"), True), Field("bits", parse_type("bit(11)"), True)]
)  # fmt: skip


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), min_size=1),
    st.sampled_from([1, 100_000_000]),
    st.sampled_from([0, 2**31 - 100]),
)
def test_rows_are_sorted_by_table_then_by_number(rows: list[tuple[int, int]], wide: int, first: int) -> None:
    """Stable, whether the pairs are few or many: as a sort by both keys says."""
    tables = np.sort(np.array([table for table, _ in rows]))
    numbers = np.array([number for _, number in rows]) * wide + first
    assert np.array_equal(_stable_order(tables, numbers), np.lexsort((numbers, tables)))


def test_records_are_unpacked_in_an_order() -> None:
    """As if they had been put into it before, over many blocks: values, NULLs, texts and bits."""
    random, rows = np.random.default_rng(1), 20_000
    data = {
        "id": pa.array(np.arange(rows)),
        "x": pa.array(random.normal(size=rows), mask=random.random(rows) < 0.1),
        "name": pa.array([None if i % 7 == 0 else f"n{i % 97}".encode() for i in range(rows)], pa.binary()),
        "bits": pa.array([None if i % 5 == 0 else (i % 2048).to_bytes(2, "big") for i in range(rows)], pa.binary()),
    }
    whole = pa.record_batch(data)
    records = as_records(pack(whole, LAYOUT), LAYOUT)
    order = random.permutation(rows)[: rows // 2]
    found = unpack_columns(records, LAYOUT, LAYOUT.slots, order)
    want = unpack(records, LAYOUT).take(pa.array(order))
    assert [one.to_pylist() for one in found] == [one.to_pylist() for one in want.columns]


PLACED = RecordLayout.of(
    [Field("id", parse_type("bigint"), False), Field("name", parse_type("varchar(5)"), True),
     Field("subChunkId", parse_type("int(11)"), False)]
)  # fmt: skip


def write_tables(folder: Path, counts: list[int]) -> list[Path]:
    """Data files of so many rows each; ids ascend over all of them, sub-chunks descend in each."""
    files, ids = [], iter(np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1]))
    for number, count in enumerate(counts):
        numbers = pa.array(np.arange(count)[::-1].astype(np.int32))
        names = pa.array([None if i % 3 == 0 else f"n{i}".encode() for i in range(count)], pa.binary())
        rows = pa.record_batch([pa.array(next(ids)), names, numbers], ["id", "name", "subChunkId"])
        files.append(folder / f"{number}.MYD")
        files[-1].write_bytes(pack(rows, PLACED).tobytes())
    return files


@pytest.mark.parametrize("counts", [[3, 4, 2], [0, 0, 30, 0, 1], [7], [0, 8, 0], [5, 5, 5], [0, 0]])
def test_rows_of_known_tables_come_in_the_batches_that_were_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counts: list[int]
) -> None:
    """Those of small tables together, those of long ones by themselves; by sub-chunk within each table, none twice."""
    monkeypatch.setattr(build_segment, "BATCH_ROWS", 7)
    records = KnownRecords(write_tables(tmp_path, counts), counts, PLACED, ("id", "name"))
    batches = list(records)
    edges = np.cumsum([0, *counts])
    want = [one for first, last in pairwise(edges) for one in range(last - 1, first - 1, -1)]
    assert [one for batch in batches for one in batch["id"].to_pylist()] == want
    assert tuple(batch.num_rows for batch in batches) == records.batch_rows
    assert all(0 < rows <= 7 for rows in records.batch_rows)


@pytest.mark.parametrize("counts", [[3, 4], [9]])
def test_a_deleted_row_among_known_ones_is_not_taken(tmp_path: Path, counts: list[int]) -> None:
    """The file is as long as it was: who reads it hears of it."""
    files = write_tables(tmp_path, counts)
    held = bytearray(files[-1].read_bytes())
    held[PLACED.length] = 0
    files[-1].write_bytes(held)
    with pytest.raises(OtherRows):
        list(KnownRecords(files, counts, PLACED, ("id",)))
