"""Answers as text: exact numbers, NULL, quoting, raw bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.czar.result import output
from skyshard.czar.result.output import shown, write_csv, write_json, write_tsv

TABLE = pa.table({
    "c0": pa.array([9007199254740993, None], pa.int64()),
    "c1": pa.array([np.float32(0.1), None], pa.float32()),
    "c2": pa.array([1e-32, 35.0], pa.float64()),
    "c3": pa.array([Decimal("1.500"), None], pa.decimal128(10, 3)),
    "c4": pa.array(['a,"b"\n', "\\N"], pa.string()),
    "c5": pa.array([b"\x00\xff", None], pa.binary()),
})  # fmt: skip
NAMES = ("id", "f", "d", "x", "a,b", "bit")


def test_csv_is_exact() -> None:
    """Integers beyond 2^53, FLOAT as FLOAT, all digits of DECIMAL, raw bytes, NULL as \\N, the text \\N quoted."""
    out = io.BytesIO()
    write_csv(TABLE, NAMES, out)
    lines = out.getvalue()
    assert lines == (
        b'id,f,d,x,"a,b",bit\n9007199254740993,0.1,1e-32,1.500,"a,""b""\n",\x00\xff\n\\N,\\N,35,\\N,"\\N",\\N\n'
    )


def test_csv_without_rows_or_header() -> None:
    """No header, no rows: nothing at all."""
    out = io.BytesIO()
    write_csv(TABLE.slice(0, 0), NAMES, out, header=False)
    assert out.getvalue() == b""


def test_tsv_escapes() -> None:
    """Tabs, newlines and backslashes are escaped, so that a NULL differs from the text \\N."""
    out = io.BytesIO()
    write_tsv(pa.table({"c0": ["a\tb\n", "\\N", None]}), ("x",), out, header=False)
    assert out.getvalue() == b"a\\tb\\n\n\\\\N\n\\N\n"


def test_json_keeps_integers() -> None:
    """JSON numbers have all their digits; binary values are hexadecimal."""
    out = io.BytesIO()
    write_json([TABLE.slice(0, 1), TABLE.slice(1)], NAMES, out)
    made = json.loads(out.getvalue())
    assert made["columns"] == list(NAMES)
    assert made["rows"] == [
        [9007199254740993, 0.1, 1e-32, 1.5, 'a,"b"\n', "0x00ff"],
        [None, None, 35, None, "\\N", None],
    ]


def test_shown_rows_are_cut() -> None:
    """A terminal gets the beginning of long values and no control characters."""
    (row,) = shown(pa.table({"c0": ["x\t" + "y" * 100]}))
    assert row[0].startswith("x\\x09yyy")
    assert row[0].endswith("…")


@given(
    st.lists(
        st.tuples(st.text(alphabet='ab,"\n\r\\N \t', max_size=6), st.floats(allow_nan=False, allow_infinity=False))
    )
)
def test_csv_reads_back(rows: list[tuple[str, float]]) -> None:
    """Whatever text and number: a CSV reader gives them back."""
    out = io.BytesIO()
    table = pa.table(
        {"c0": pa.array([r[0] for r in rows], pa.string()), "c1": pa.array([r[1] for r in rows], pa.float64())}
    )
    write_csv(table, ("a", "b"), out, header=False)
    read = list(csv.reader(io.StringIO(out.getvalue().decode(), newline="")))
    assert [(a, float(b)) for a, b in read] == rows


def test_json_without_rows_is_still_json() -> None:
    """No batch at all, and batches without rows, give an empty list."""
    for tables in ([], [TABLE.slice(0, 0), TABLE.slice(0, 0)]):
        out = io.BytesIO()
        write_json(tables, NAMES, out)
        assert json.loads(out.getvalue()) == {"columns": list(NAMES), "rows": []}


TEXTS = st.text(st.sampled_from('a"\\,\n\r\t\0N '), max_size=4)
FLOATS = st.floats() | st.floats(1e-5, 1e11) | st.floats(-400, 400, width=32) | st.sampled_from([0.0, -0.0, 1e-4, 1e10])
CELLS = st.lists(st.tuples(TEXTS | st.none(), st.integers(-(2**63), 2**63 - 1) | st.none(), FLOATS | st.none()))


@pytest.mark.parametrize("write", [write_csv, write_tsv])
def test_few_cells_are_written_as_many_are(write: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one in Python, or all at once in Arrow: the bytes are the same."""

    @given(CELLS)
    def compared(rows: list[tuple[str | None, int | None, float | None]]) -> None:
        texts, numbers, floats = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
        columns = {"t": pa.array(texts, pa.string()), "b": pa.array(texts, pa.string()).cast(pa.binary())}
        columns |= {"n": pa.array(numbers, pa.int64()), "f": pa.array(floats, pa.float64())}
        columns |= {"s": columns["f"].cast(pa.float32(), safe=False)}
        monkeypatch.setattr(output, "FEW_CELLS", 10**6)
        few, many = io.BytesIO(), io.BytesIO()
        write(pa.table(columns), tuple(columns), few)
        monkeypatch.setattr(output, "FEW_CELLS", -1)
        write(pa.table(columns), tuple(columns), many)
        assert few.getvalue() == many.getvalue()

    compared()
