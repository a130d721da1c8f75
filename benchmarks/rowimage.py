"""Speed of row images on one core: pack, unpack and digest, by shape of table.

    python benchmarks/rowimage.py [--rows 1000000] [--repeat 3] [--json]

Prints a table (best of ``--repeat`` runs), or with ``--json`` one line of JSON; "chunks" = one call each 6,000 rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from skyshard.rowimage.digest import digest
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import Field, RecordLayout
from skyshard.rowimage.record_digest import digest_records
from skyshard.rowimage.sqltype import parse_type
from skyshard.rowimage.unpack import unpack

CHUNK_ROWS = 6000
SEED = 3
KPM = ["bigint"] * 3 + ["int"] + ["double"] * 14 + ["float"] * 18 + ["tinyint"] * 5
HSC = ["bigint"] * 4 + ["double"] * 300 + ["float"] * 400 + ["tinyint"] * 334
TEXTS = ["bigint", "char(1)", "varchar(20)", "datetime(6)", "decimal(12,4)"]


@dataclass(frozen=True, slots=True)
class Shape:
    """A table to measure: column types, share of rows, share of NULLs in each column but the first."""

    name: str
    kinds: list[str]
    rows_share: float = 1.0
    null_share: float = 0.0


SHAPES = [
    Shape("10 columns", ["bigint"] * 2 + ["double"] * 4 + ["float"] * 3 + ["tinyint"]),
    Shape("41 columns", KPM),
    Shape("41 columns, 5 % NULL", KPM, null_share=0.05),
    Shape("1,038 columns, 5 % NULL", HSC, rows_share=0.03, null_share=0.05),
    Shape("texts, dates, decimals", TEXTS, null_share=0.05),
]


@dataclass(frozen=True, slots=True)
class Figure:
    """One shape's figures, in seconds for all rows."""

    shape: str
    rows: int
    columns: int
    record_bytes: int
    pack_s: float
    pack_chunks_s: float
    unpack_s: float
    digest_s: float
    digest_chunks_s: float
    digest_records_s: float


def make_column(kind: str, rows: int, null_share: float, rng: np.random.Generator) -> pa.Array:
    """Random values of a type; text types as LOAD DATA would read them."""
    one = parse_type(kind)
    mask = rng.random(rows) < null_share if null_share else None
    numbers = rng.integers(0, 100, rows)
    if one.base == "decimal":
        return pa.array(numbers, pa.int64(), mask=mask).cast(pa.decimal128(19, 0)).cast(one.arrow)
    if one.base == "datetime":
        moments = pa.array(np.datetime64("2025-01-01T00:00:00.000000") + rng.integers(0, 10**12, rows), mask=mask)
        return moments.cast(pa.string()).cast(pa.binary())
    if one.base in ("char", "varchar"):
        words = list("ugrizy") if one.base == "char" else ["a", "of visit", "science programme", "x" * 20, "", "deep"]
        return pa.array(words).cast(pa.binary()).take(pa.array(numbers % 6, mask=mask))
    return pa.array((rng.random(rows) * 100).astype(one.arrow.to_pandas_dtype()), mask=mask)


def best(repeat: int, action: Callable[[], Any]) -> float:
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return round(min(times), 4)


def measure(shape: Shape, rows: int, repeat: int) -> Figure:
    rows = max(CHUNK_ROWS, int(rows * shape.rows_share))
    rng = np.random.default_rng(SEED)
    fields = [Field(f"c{place}", parse_type(kind), place > 0) for place, kind in enumerate(shape.kinds)]
    columns = [make_column(one.type.text, rows, shape.null_share * one.is_nullable, rng) for one in fields]
    batch = pa.record_batch(columns, names=[one.name for one in fields])
    layout = RecordLayout.of(fields)
    records = pack(batch, layout)
    chunks = [batch.slice(start, CHUNK_ROWS) for start in range(0, rows, CHUNK_ROWS)]
    if digest_records(records, layout) != digest(batch, fields):
        raise SystemExit(f"{shape.name}: the digest of the records is not that of the batch")
    return Figure(
        shape.name,
        rows,
        len(fields),
        layout.length,
        pack_s=best(repeat, lambda: pack(batch, layout)),
        pack_chunks_s=best(repeat, lambda: [pack(chunk, layout) for chunk in chunks]),
        unpack_s=best(repeat, lambda: unpack(records, layout)),
        digest_s=best(repeat, lambda: digest(batch, fields)),
        digest_chunks_s=best(repeat, lambda: [digest(chunk, fields) for chunk in chunks]),
        digest_records_s=best(repeat, lambda: digest_records(records, layout)),
    )


def show(figure: Figure) -> str:
    rate = figure.rows / figure.pack_s / 1e6
    bytes_rate = figure.rows * figure.record_bytes / figure.pack_s / 1e9
    times = [getattr(figure, name) for name in Figure.__slots__ if name.endswith("_s")]
    cells = "".join(f"{seconds:>16.3f}" for seconds in times)
    return f"{figure.shape:26}{figure.rows:>10,}{figure.record_bytes:>8}{cells}{rate:>12.2f}{bytes_rate:>8.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    pa.set_cpu_count(1)
    figures = [measure(shape, options.rows, options.repeat) for shape in SHAPES]
    if options.json:
        machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "numpy": np.__version__}
        print(json.dumps({"machine": machine, "figures": [asdict(figure) for figure in figures]}))
        return
    names = [name for name in Figure.__slots__ if name.endswith("_s")]
    print(f"{'shape':26}{'rows':>10}{'B/row':>8}{''.join(f'{name:>16}' for name in names)}{'M rows/s':>12}{'GB/s':>8}")
    for figure in figures:
        print(show(figure))


if __name__ == "__main__":
    main()
