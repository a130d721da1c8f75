"""Rows as the content of a bulk insert, read again as a server reads it."""

import struct

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from skyshard.db.bulk_rows import BulkRows

KINDS: dict[pa.DataType, tuple[int, str]] = {
    pa.int8(): (1, "<b"), pa.int16(): (2, "<h"), pa.int32(): (3, "<i"), pa.int64(): (8, "<q"),
    pa.float32(): (4, "<f"), pa.float64(): (5, "<d"),
}  # fmt: skip
FORMS = dict(KINDS.values())
VALUES: dict[pa.DataType, st.SearchStrategy[object]] = {
    pa.int8(): st.integers(-128, 127), pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1), pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float32(): st.floats(width=32, allow_nan=False, allow_infinity=False),
    pa.float64(): st.floats(allow_nan=False, allow_infinity=False),
    pa.string(): st.text(st.characters(max_codepoint=127), max_size=16),
}  # fmt: skip
FIELDS = st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=12)


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    kinds, count = draw(FIELDS), draw(st.integers(1, 5))
    columns = [pa.array(draw(st.lists(st.none() | VALUES[k], min_size=count, max_size=count)), k) for k in kinds]
    whole = pa.record_batch(columns, [f"c{place}" for place in range(len(kinds))])
    first = draw(st.integers(0, count - 1))
    return whole.slice(first)  # whose bitmaps begin in the middle of a byte


def read(form: BulkRows, content: bytes, rows: int) -> list[dict[str, object]]:
    """Each row's parameters: a byte, and a value where it is 0."""
    found, at = [], 0
    codes = struct.unpack(f"<{len(form.columns)}H", form.types)
    for _ in range(rows):
        row: dict[str, object] = {}
        for name, code in zip(form.columns, codes, strict=True):
            is_null, at = content[at], at + 1
            size = 0 if is_null else content[at] + 1 if code == 253 else struct.calcsize(FORMS[code])
            value = content[at : at + size]
            at += size
            row[name] = None if is_null else value[1:].decode() if code == 253 else struct.unpack(FORMS[code], value)[0]
        found.append(row)
    assert at == len(content)
    return found


@given(batches())
def test_rows_are_read_again_bit_by_bit(batch: pa.RecordBatch) -> None:
    """Whatever types there are, and wherever values are NULL."""
    form = BulkRows(batch.schema)
    content = form.content(batch)
    assert content is not None
    found = read(form, content, len(batch))
    assert [repr(sorted(row.items())) for row in found] == [repr(sorted(row.items())) for row in batch.to_pylist()]


def test_not_a_number_is_null() -> None:
    """As it is where rows are written as text."""
    batch = pa.record_batch({"x": [float("nan"), 1.5]})
    assert BulkRows(batch.schema).content(batch) == b"\x01\x00" + struct.pack("<d", 1.5)


def test_other_texts_are_left_to_statements_of_text() -> None:
    """Which say what characters they are of."""
    for text in ("α", "x" * 251):
        batch = pa.record_batch({"t": [text]})
        assert BulkRows(batch.schema).content(batch) is None
