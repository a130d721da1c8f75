"""Samples: the record of every query that was sent, and the file of them.

Times are seconds since the trial's clock began; latency = last row - due, service time = last row - sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SCHEMA_VERSION = 3
VERSION_KEY = b"skyshard.samples.version"

SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("phase", pa.string(), nullable=False),
        pa.field("class", pa.string(), nullable=False),
        pa.field("template", pa.string(), nullable=False),
        pa.field("statement", pa.int32(), nullable=False),  # row in statements.parquet
        pa.field("process", pa.int32(), nullable=False),  # of the driver; 0 when there is one
        pa.field("client", pa.int32(), nullable=False),
        pa.field("is_warm_up", pa.bool_(), nullable=False),
        pa.field("intended_s", pa.float64(), nullable=False),  # due
        pa.field("sent_s", pa.float64(), nullable=False),
        pa.field("first_row_s", pa.float64()),  # null: failed, or not reported by the engine
        pa.field("last_row_s", pa.float64(), nullable=False),  # or the moment of failure
        pa.field(
            "driver_lag_s", pa.float64(), nullable=False
        ),  # sent - the time when the query was due and its client ready
        pa.field("rows", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("chunks", pa.int32()),
        pa.field("column_bytes", pa.int64()),  # of column images; null: failed, or not reported
        pa.field("error", pa.string()),  # class of the error; null: answered
        pa.field("error_text", pa.string()),
        pa.field("answer_ok", pa.bool_()),  # null: not checked
    ],
    metadata={VERSION_KEY: str(SCHEMA_VERSION).encode()},
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured query, as the driver saw it."""

    phase: str
    class_name: str
    template: str
    sql: str
    client: int
    is_warm_up: bool
    intended_s: float
    sent_s: float
    first_row_s: float | None
    last_row_s: float
    driver_lag_s: float
    rows: int | None = None
    bytes: int | None = None
    chunks: int | None = None
    error: str | None = None
    error_text: str | None = None
    process: int = 0
    column_bytes: int | None = None


def sample_table(
    samples: Sequence[Sample], statements: Sequence[str], answer_ok: Sequence[bool | None] | None = None
) -> pa.Table:
    """Samples as a table in order of sending, with durations; ``statements`` lists the distinct SQL texts."""
    number = {sql: i for i, sql in enumerate(statements)}
    columns = {f.name: [getattr(sample, f.name) for sample in samples] for f in fields(Sample)}
    columns["class"] = columns.pop("class_name")
    columns["statement"] = [number[sql] for sql in columns.pop("sql")]
    columns["answer_ok"] = list(answer_ok) if answer_ok is not None else [None] * len(samples)
    arrays = [pa.array(columns[f.name], f.type) for f in SAMPLE_SCHEMA]
    return with_durations(pa.Table.from_arrays(arrays, schema=SAMPLE_SCHEMA).sort_by("sent_s"))


STATEMENT_SCHEMA = pa.schema(
    [
        pa.field("sql", pa.string(), nullable=False),
        pa.field("ra", pa.float64()),  # degrees: what the statement is about; null: the whole sky
        pa.field("decl", pa.float64()),
    ]
)


def statement_table(statements: Sequence[str], places: Sequence[tuple[float, float] | None] | None = None) -> pa.Table:
    """The distinct statements, with the position on the sky that each is about."""
    known = places or [None] * len(statements)
    columns = [list(statements), *([place and place[i] for place in known] for i in (0, 1))]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, STATEMENT_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=STATEMENT_SCHEMA)


def version_of(schema: pa.Schema) -> int | None:
    """The version that a file's columns say; None without one. Telemetry says its own under another name."""
    said = [value for key, value in (schema.metadata or {}).items() if key.endswith(b".version")]
    return int(said[0]) if len(said) == 1 and said[0].isdigit() else None


def _of_version_1(samples: pa.Table) -> pa.Table:
    """Version 1 had one driver process, and did not say so."""
    process = pa.array(np.zeros(len(samples), np.int32))
    return _of_version_2(samples.append_column(pa.field("process", pa.int32(), nullable=False), process))


def _of_version_2(samples: pa.Table) -> pa.Table:
    """Version 2 did not say what was read of column images."""
    return samples.append_column("column_bytes", pa.nulls(len(samples), pa.int64()))


READERS: Mapping[int, Callable[[pa.Table], pa.Table]] = {
    1: _of_version_1,
    2: _of_version_2,
    SCHEMA_VERSION: lambda samples: samples,
}
"""By version of a file: its samples as this release writes them."""


def with_places(statements: pa.Table) -> pa.Table:
    """Statements as this release writes them: at first their places were not kept, and the file has no version."""
    if statements.column_names != ["sql"]:
        return statements
    return statement_table(statements["sql"].to_pylist())


def with_durations(samples: pa.Table) -> pa.Table:
    """Samples as they are in the file, with two computed columns: ``latency_s`` and ``service_s``."""
    latency = pc.subtract(samples["last_row_s"], samples["intended_s"])
    service = pc.subtract(samples["last_row_s"], samples["sent_s"])
    return samples.append_column("latency_s", latency).append_column("service_s", service)


def write_table(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd")


def read_table(path: Path) -> pa.Table:
    return pq.read_table(path)
