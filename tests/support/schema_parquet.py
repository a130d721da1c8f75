"""Parquet files that hold every column of a schema's table: random values of each type, NULL, NaN and infinities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from skyshard.catalog.schema import Column, Table

RA, DEC = (149.0, 151.0), (1.0, 3.0)


def make_rows(table: Table, rows: int, seed: int, keys: dict[str, pa.Array] | None = None) -> pa.Table:
    """All columns of a table; ``keys`` are given ones. Columns called ra or dec are positions and never NULL."""
    random = np.random.default_rng(seed)
    given = keys or {}
    arrays = [given[c.name] if c.name in given else _values(c, rows, random) for c in table]
    return pa.table(arrays, names=table.column_names)


def write_rows(path: Path, content: pa.Table, row_group_rows: int = 1 << 20) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(content, path, row_group_size=row_group_rows)
    return path


def _values(column: Column, rows: int, random: np.random.Generator) -> pa.Array:
    is_null = random.random(rows) < 0.1 if column.is_nullable else np.zeros(rows, bool)
    kind = column.type.base
    if column.name.lower() in ("ra", "coord_ra", "s_ra"):
        return pa.array(random.uniform(*RA, rows))
    if column.name.lower() in ("dec", "decl", "coord_dec", "s_dec"):
        return pa.array(random.uniform(*DEC, rows))
    if column.type.text == "tinyint(1)":
        return pa.array(random.random(rows) < 0.5, mask=is_null)
    if kind in ("tinyint", "smallint", "int", "bigint"):
        low, high = column.type.integer_range()
        return pa.array(random.integers(low, high, rows, endpoint=True), column.type.arrow, mask=is_null)
    if kind in ("float", "double"):
        numbers = random.lognormal(3, 2, rows).astype(np.float32 if kind == "float" else np.float64)
        numbers[random.random(rows) < 0.05] = np.nan
        numbers[random.random(rows) < 0.02] = np.inf
        return pa.array(numbers, mask=is_null)
    if kind == "datetime":
        return pa.array(random.integers(10**15, 2 * 10**15, rows), mask=is_null).cast(pa.timestamp("us"))
    length = min(column.type.length if not column.type.is_blob else 40, 40)
    texts = [("x" * int(n))[: int(random.integers(0, length + 1))] for n in random.integers(0, length + 1, rows)]
    return pa.array(texts, pa.string(), mask=is_null)


def expected(values: pa.Array, column: Column) -> list[object]:
    """What the table holds of a column, as plain values: NaN and infinities NULL, booleans 0 and 1, times as text."""
    plain = values.to_pylist()
    if column.type.base in ("float", "double"):
        return [None if v is None or not np.isfinite(v) else v for v in plain]
    if pa.types.is_boolean(values.type):
        return [None if v is None else int(v) for v in plain]
    if pa.types.is_timestamp(values.type):
        return [None if v is None else v.strftime("%Y-%m-%d %H:%M:%S.%f").encode() for v in plain]
    return [v.encode("latin1") if isinstance(v, str) else v for v in plain]
