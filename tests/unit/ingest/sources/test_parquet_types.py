"""Timestamps of 96 bits and intervals: every instant and digit of the file, or a word of what is dropped or refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from skyshard.basics.errors import UserError
from skyshard.ingest.source import Source
from skyshard.ingest.sources import parquet_files, parquet_types
from skyshard.ingest.sources.open_source import open_source

NEAR = ["2024-02-29 12:05:07.123456", "1970-01-01 00:00:00", None, "1680-01-01 00:00:00", "2261-12-31 23:59:59.999999"]
FAR = ["9999-12-31 00:00:00", "0001-01-01 00:00:00", None, "1500-06-07 08:09:10.000011", "2262-04-12 00:00:00"]


def source_of(folder: Path, kinds: dict[str, str], schema: str = "") -> Source:
    columns = [{"name": name, "type": kind} for name, kind in kinds.items()]
    table = {"files": ["*.parquet"], "role": "regular", "declare": columns}
    content: dict[str, Any] = {
        "version": 1, "database": "x", "striping": {"stripes": 18, "substripes": 4, "overlap_deg": 0.1},
        "tables": {"T": table},
    }  # fmt: skip
    (folder / "mapping.yaml").write_text(yaml.safe_dump(content | ({"schema": schema} if schema else {})))
    return open_source(folder)


def read(source: Source) -> tuple[list[dict[str, Any]], Counter[str]]:
    table, rows, counted = source.tables["T"], list[dict[str, Any]](), Counter[str]()
    for piece in table.slices:
        for batch in table.reader.batches(piece, table.table, table.layout):
            rows += batch.batch.to_pylist()
            counted += batch.conversions
    return rows, counted


def write_old(path: Path, texts: list[str | None], repeated: int = 1) -> None:
    """Instants as Spark writes them, with a number and a text beside."""
    instants = pa.array(texts * repeated).cast(pa.timestamp("us"))
    rows = len(instants)
    content = {"n": range(rows), "t": instants, "s": [f"n{i}" for i in range(rows)]}
    pq.write_table(pa.table(content), path, use_deprecated_int96_timestamps=True, row_group_size=7)


def as_stored(text: str | None) -> bytes | None:
    return None if text is None else (text if "." in text else f"{text}.000000").encode()


@pytest.mark.parametrize("schema", ["", "infer"])
@pytest.mark.parametrize("texts", [NEAR, FAR, NEAR + FAR])
def test_an_instant_of_96_bits_is_the_one_that_was_written(
    tmp_path: Path, texts: list[str | None], schema: str
) -> None:
    """Of any year, not only of those that nanoseconds of 64 bits hold."""
    write_old(tmp_path / "t.parquet", texts)
    kinds = {"n": "bigint", "t": "datetime(6)", "s": "varchar(9)"} if not schema else {}
    rows, counted = read(source_of(tmp_path, kinds, schema))
    assert [row["t"] for row in rows] == [as_stored(text) for text in texts]
    assert [(row["n"], row["s"]) for row in rows] == [(i, f"n{i}".encode()) for i in range(len(texts))]
    assert not +counted


def test_rows_stay_together_however_they_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In batches of few rows, over the edges of row groups, and in slices."""
    write_old(tmp_path / "t.parquet", NEAR + FAR, repeated=9)
    monkeypatch.setattr(parquet_files, "batch_rows", lambda table: 11)
    source = source_of(tmp_path, {"n": "bigint", "t": "datetime(6)"})
    cut, _ = parquet_files.parquet_slices(tmp_path / "t.parquet", split_bytes=1_000)
    assert len(cut) > 2
    for slices in (source.tables["T"].slices, tuple(cut)):
        rows, _ = read(replace(source, tables={"T": replace(source.tables["T"], slices=slices)}))
        assert [(row["n"], row["t"]) for row in rows] == [(i, as_stored(t)) for i, t in enumerate((NEAR + FAR) * 9)]


def test_nanoseconds_are_kept_by_texts_and_counted_where_they_are_dropped(tmp_path: Path) -> None:
    nanos = pa.array([1_709_208_307_123_456_789, 5_000]).cast(pa.timestamp("ns"))
    pq.write_table(pa.table({"t": nanos}), tmp_path / "t.parquet", use_deprecated_int96_timestamps=True)
    rows, counted = read(source_of(tmp_path, {"t": "varchar(40)"}))
    assert [row["t"] for row in rows] == [b"2024-02-29 12:05:07.123456789", b"1970-01-01 00:00:00.000005000"]
    rows, counted = read(source_of(tmp_path, {"t": "datetime(6)"}))
    assert [row["t"] for row in rows] == [b"2024-02-29 12:05:07.123456", b"1970-01-01 00:00:00.000005"]
    assert +counted == {"t: digits past 6 of the second dropped": 1}


def test_nanoseconds_beside_far_years_are_counted_where_they_are_dropped(tmp_path: Path) -> None:
    """Microseconds alone hold all of the years."""
    write_old(tmp_path / "t.parquet", [FAR[0]])
    us, ns = (
        pq.read_table(tmp_path / "t.parquet", columns=["t"], coerce_int96_timestamp_unit=unit)["t"].combine_chunks()
        for unit in ("us", "ns")
    )
    fine = pa.array([1_001]).cast(pa.timestamp("ns"))
    given = pa.record_batch({"t": pa.concat_arrays([us, fine.cast(pa.timestamp("us"), safe=False)])})
    exact = pa.record_batch({"t": pa.concat_arrays([ns, fine])})
    ((batch, counted),) = parquet_types.told_batches([given], [exact], [])
    assert batch.column("t").cast(pa.string()).to_pylist() == [f"{FAR[0]}.000000", "1970-01-01 00:00:00.000001"]
    assert counted == {"t: digits past 6 of the second dropped": 1}


def write_interval(path: Path) -> None:
    write_query(path, "SELECT 1 AS n, INTERVAL '1 month 2 days 3 hours' AS i")


def write_query(path: Path, sql: str) -> None:
    with duckdb.connect() as engine:
        engine.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")


@pytest.mark.parametrize("kind", ["varbinary(12)", "blob", "varchar(40)", "bigint"])
def test_an_interval_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    """It is no text, and not the bytes that a file keeps it in."""
    write_interval(tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"t\.parquet', row 1, column 'i': .*interval does not fit"):
        read(source_of(tmp_path, {"n": "int", "i": kind}))


def test_an_interval_is_left_out_where_columns_are_inferred(tmp_path: Path) -> None:
    write_interval(tmp_path / "t.parquet")
    source = source_of(tmp_path, {}, "infer")
    assert read(source)[0] == [{"n": 1}]
    assert "1 columns left out, of types that no column takes: i month_day_nano_interval" in source.tables["T"].notes


def test_a_file_without_columns_has_no_rows(tmp_path: Path) -> None:
    """Though it may have a group of rows."""
    pq.write_table(pa.table({"n": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({}), tmp_path / "b.parquet")
    assert read(source_of(tmp_path, {}, "infer"))[0] == [{"n": 1}]


def test_an_interval_without_a_value_is_null(tmp_path: Path) -> None:
    write_query(tmp_path / "t.parquet", "SELECT 1 AS n, NULL::INTERVAL AS i")
    assert read(source_of(tmp_path, {"n": "int", "i": "int"}))[0] == [{"n": 1, "i": None}]
