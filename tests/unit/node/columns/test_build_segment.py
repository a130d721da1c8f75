"""The order of a segment's rows, and how records are taken in it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from skyshard.node.columns.build_segment import _stable_order
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
