"""Segments of a small table, for tests of column images without a server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from skyshard.catalog.schema import Column, Table
from skyshard.columns.block_figures import BlockFigures
from skyshard.columns.segment_file import write_segment
from skyshard.columns.segment_folder import SegmentFolder
from skyshard.columns.segment_index import Piece, SegmentIndex
from skyshard.registry.stored.records import Replica
from skyshard.rowimage.digest import digest
from skyshard.rowimage.sqltype import parse_type

DATABASE = "sky"
TABLE = Table(
    "Object",
    (
        Column("id", parse_type("bigint"), is_nullable=False),
        Column("mag", parse_type("double")),
        Column("name", parse_type("varchar(9)")),
        Column("chunkId", parse_type("int(11)"), is_nullable=False),
        Column("subChunkId", parse_type("int(11)"), is_nullable=False),
    ),
)
NOTHING = BlockFigures.of((), len(TABLE.columns))


def rows_of(chunk: int, part: int, count: int) -> pa.RecordBatch:
    """Rows of a part of a chunk table; each id tells them apart."""
    ids = chunk * 1000 + part * 100 + np.arange(count)
    values: list[Any] = [
        pa.array(ids, pa.int64()),
        pa.array([None if i % 5 == 0 else i / 7 for i in ids.tolist()], pa.float64()),
        pa.array([f"n{i}".encode() if i % 3 else None for i in ids.tolist()], pa.binary()),
        pa.array(np.full(count, chunk), pa.int32()),
        pa.array(np.arange(count) // 2, pa.int32()),
    ]
    return pa.RecordBatch.from_arrays(values, names=TABLE.column_names)


def write_parts(
    data: Path, parts: Sequence[tuple[int, int, int]], *, is_overlap: bool = False, batch_rows: int = 4
) -> Path:
    """Write a segment of parts (chunk, part, rows) in batches of so many rows, beside a data folder."""
    batches = [rows_of(*part) for part in parts]
    first, pieces = 0, []
    for (chunk, part, count), batch in zip(parts, batches, strict=True):
        pieces.append(Piece(chunk, part, first, count, str(digest(batch, TABLE.columns))))
        first += count
    whole = pa.Table.from_batches(batches).combine_chunks().to_batches(max_chunksize=batch_rows)
    index = SegmentIndex(TABLE.name, is_overlap, TABLE.columns, {}, tuple(pieces), (), NOTHING)
    path = SegmentFolder.of(data, DATABASE).new_path(TABLE.name, is_overlap=is_overlap)
    write_segment(path, index, whole)
    return path


def replica(chunk: int, part: int, count: int, *, node: str = "node1", is_overlap: bool = False) -> Replica:
    """What the registry has of such a part."""
    found = str(digest(rows_of(chunk, part, count), TABLE.columns))
    return Replica(TABLE.name, chunk, is_overlap, node, count, 80 * count, found, part)
