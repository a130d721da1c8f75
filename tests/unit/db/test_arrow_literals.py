"""Arrow columns as the values of an INSERT."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.letters import LETTERS

from skyshard.db.arrow_literals import RowLiterals

TEXTS = st.text(LETTERS, max_size=12)
LITERAL = r"_utf8mb4 X'(?P<hex>[0-9a-f]*)'|'[^'\\]*'|NULL"
LARGEST = float(np.finfo(np.float32).max)
"""Of four bytes; a server refuses what is larger, if only by the digits that it is written with."""
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.lists(st.tuples(st.none() | st.integers(-(2**63) + 1, 2**63 - 1), st.none() | FLOATS, st.none() | TEXTS)),
    st.integers(1, 4),
)
def test_every_value_arrives_as_it_is(rows: list[tuple[int | None, float | None, str | None]], most: int) -> None:
    """Texts with quotes, backslashes and letters of any kind, NULLs, the smallest and the largest numbers."""
    kinds = (pa.int64(), pa.float64(), pa.string())
    columns = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(kinds)]
    batch = pa.record_batch(columns, names=["n", "x", "t"])
    form = RowLiterals(batch.schema)
    parts = list(form.parts(batch, most))
    assert len(parts) == math.ceil(len(rows) / most)
    found = [dict(zip(form.columns, row, strict=True)) for part in parts for row in values_of(part)]
    assert found == [dict(zip("nxt", row, strict=True)) for row in rows]


@example([(LARGEST, None), (-LARGEST, 0.1)])
@given(st.lists(st.tuples(*(st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False) for _ in "ab"))))
def test_floats_of_four_bytes_are_read_back_through_doubles(rows: list[tuple[float | None, float | None]]) -> None:
    """A server reads a double and rounds it; columns of other types between them keep their values."""
    a, b = (pa.array([row[i] for row in rows], pa.float32()) for i in (0, 1))
    numbers = pa.array(range(len(rows)), pa.int16())
    batch = pa.record_batch([numbers, a, numbers.cast(pa.float64()), b], names=["n", "a", "x", "b"])
    form = RowLiterals(batch.schema)
    read = [dict(zip(form.columns, row, strict=True)) for part in form.parts(batch, 3) for row in values_of(part)]
    assert [(row["n"], row["x"]) for row in read] == [(n, n) for n in range(len(rows))]
    for name, column in (("a", a), ("b", b)):
        doubles = pa.array([row[name] for row in read], pa.float64())
        assert pc.all(pc.less_equal(pc.abs(doubles), LARGEST), min_count=0).as_py()
        assert doubles.cast(pa.float32(), safe=False).equals(column)


def values_of(part: str) -> list[tuple[int | float | str | None, ...]]:
    """The rows of what follows VALUES, numbers to the last bit (SQLite reads some of the smallest only nearly so)."""

    def python_of(found: re.Match[str]) -> str:
        if found["hex"] is not None:
            return repr(bytes.fromhex(found["hex"]).decode())
        return "None" if found.group() == "NULL" else found.group()

    read = ast.literal_eval(f"[{re.sub(LITERAL, python_of, part)}]")
    assert isinstance(read, list)
    return read


def test_chunks_of_a_table_and_columns_of_nothing_but_null_are_taken() -> None:
    """A table of several batches gives the same as one batch."""
    one = pa.table({"n": pa.array([1, 2, None, 4], pa.int64()), "t": pa.array([None] * 4, pa.string())})
    parted = pa.concat_tables([one.slice(0, 1), one.slice(1)])
    form = RowLiterals(one.schema)
    assert list(form.parts(parted, 3)) == list(form.parts(one, 3)) == ["(1,NULL),(2,NULL),(NULL,NULL)", "(4,NULL)"]
    assert list(form.parts(one.slice(0, 0), 3)) == []
    assert np.float64(next(written(pa.table({"x": [0.1 + 0.2]}))).strip("()")) == 0.1 + 0.2


def test_limits_of_the_types_of_four_bytes_and_less_arrive_beside_null() -> None:
    """Columns with a NULL and without one, of different types."""
    small, wide = pa.array([-128, 127, None], pa.int8()), pa.array([-(2**31), 2**31 - 1, 0], pa.int32())
    assert list(written(pa.table({"a": small, "b": wide}))) == ["(-128,-2147483648),(127,2147483647),(NULL,0)"]
    assert list(written(pa.table({"a": small}))) == ["(-128),(127),(NULL)"]
    assert list(written(pa.table({"b": pa.array([-32768, None], pa.int16())}))) == ["(-32768),(NULL)"]


def test_plain_numbers_have_an_exponent_once() -> None:
    """Without one a server takes a number for a decimal one; with two for none."""
    singles = pa.array([0.1, 16777216.0, None], pa.float32())
    assert list(written(pa.table({"a": singles}))) == ["(0.100000001e0),(16777216e0),(NULL)"]
    assert list(written(pa.table({"x": [0.25, None]}))) == ["(0.25e0),(NULL)"]
    assert list(written(pa.table({"x": [1e-7, 0.5]}))) == ["(9.9999999999999995e-08),(5.0000000000000000e-01)"]


def written(rows: pa.Table) -> Iterator[str]:
    return RowLiterals(rows.schema).parts(rows, 9)
