"""Rows without a position on the sphere, and the files that they are written to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skyshard.catalog.schema import Column, Table
from skyshard.ingest.partition.quarantine import QuarantineFile, join_quarantines, without_bad_positions
from skyshard.ingest.source import InputBatch
from skyshard.rowimage.sqltype import parse_type

TABLE = Table(
    "Object",
    tuple(
        Column(name, parse_type(kind))
        for name, kind in (("ra", "double"), ("dec", "double"), ("name", "varchar(8)"))
    ),
)  # fmt: skip
NAMES = ("ra", "dec")


def batch_of(ra: list[float | None], first_row: int = 1) -> InputBatch:
    """Rows at the equator, as they are stored; of NaN the given position knows more than the column."""
    given = np.array([np.nan if value is None else value for value in ra])
    stored = pa.array([None if not np.isfinite(value) else value for value in given])
    names = pa.array([f"n{i}é".encode("latin1") for i in range(len(ra))], pa.binary())
    batch = pa.RecordBatch.from_arrays([stored, pa.array([0.0] * len(ra)), names], names=TABLE.column_names)
    return InputBatch(batch, first_row, (given, np.zeros(len(ra))))


def write(path: Path, file: str, *batches: InputBatch) -> dict[str, int]:
    with QuarantineFile(path, TABLE, file) as quarantine:
        for batch in batches:
            without_bad_positions(batch, NAMES, quarantine)
    return quarantine.files


def test_rows_are_written_as_the_input_has_them(tmp_path: Path) -> None:
    """Positions with NaN and infinity, text in UTF-8, file and row number; the others go on."""
    batch = batch_of([1.0, float("inf"), None, 361.0, 721.0], first_row=100)
    kept = without_bad_positions(batch, NAMES, None)
    assert (kept.row_numbers().tolist(), kept.left_out) == ([100, 103], {"bad_positions": 3})
    files = write(tmp_path / "a.parquet", "in/a.csv", batch)
    assert files == {"a.parquet": (tmp_path / "a.parquet").stat().st_size}
    found = pq.read_table(tmp_path / "a.parquet").to_pydict()
    assert repr(found["ra"]) == "[inf, nan, 721.0]"
    assert found["name"] == ["n1é", "n2é", "n4é"]
    assert (found["inputFile"], found["inputRow"]) == (["in/a.csv"] * 3, [101, 102, 104])


def test_good_rows_leave_no_file(tmp_path: Path) -> None:
    """Nothing is left out, nothing is written; the batch is the same."""
    batch = batch_of([1.0, 2.0])
    assert without_bad_positions(batch, NAMES, None) is batch
    assert write(tmp_path / "a.parquet", "a", batch) == {}
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    """Neither a whole nor a half one."""

    def interrupted() -> None:
        with QuarantineFile(tmp_path / "a.parquet", TABLE, "a") as quarantine:
            without_bad_positions(batch_of([None]), NAMES, quarantine)
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_slices_are_joined_in_the_order_of_their_rows(tmp_path: Path) -> None:
    """Whatever order they came in."""
    write(tmp_path / "x.parquet", "b.csv", batch_of([None, None]), batch_of([None], first_row=3))
    write(tmp_path / "y.parquet", "a.csv", batch_of([None], first_row=9))
    write(tmp_path / "z.parquet", "a.csv", batch_of([None, 5.0, None], first_row=2))
    join_quarantines([tmp_path / f"{name}.parquet" for name in "xyz"], tmp_path / "q" / "Object.parquet")
    found = pq.read_table(tmp_path / "q" / "Object.parquet").to_pydict()
    assert list(zip(found["inputFile"], found["inputRow"], strict=True)) == [
        ("a.csv", 2), ("a.csv", 4), ("a.csv", 9), ("b.csv", 1), ("b.csv", 2), ("b.csv", 3),
    ]  # fmt: skip
