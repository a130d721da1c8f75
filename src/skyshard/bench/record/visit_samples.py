"""The samples of phases of visits (``visits.parquet``): one row an operation of a tile, and one row a whole tile.

A whole visit is the span from the first ``due_s`` of its tiles to their last ``done_s``. All times of a trial are of
one clock, in seconds since its start.
"""

from __future__ import annotations

import pyarrow as pa

VISIT_SAMPLES = pa.schema(
    [
        pa.field("phase", pa.string(), nullable=False),
        pa.field("visit", pa.int64(), nullable=False),
        pa.field("tile", pa.int32(), nullable=False),
        pa.field("time", pa.float64(), nullable=False),
        pa.field("table", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("due_s", pa.float64(), nullable=False),
        pa.field("sent_s", pa.float64(), nullable=False),
        pa.field("done_s", pa.float64(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("server_s", pa.float64(), nullable=False),
        pa.field("client_s", pa.float64(), nullable=False),
        pa.field("error", pa.string(), nullable=True),
        pa.field("answer_ok", pa.bool_(), nullable=True),
    ]
)
"""Columns of ``visits.parquet``.

``time`` is the visit's, MJD TAI. ``kind`` is ``select``, ``insert``, ``upsert``, ``delete`` or ``commit`` with the
``table`` it concerns, or, with an empty ``table``, ``tile``: the tile from its first read to the end of its store,
whose ``rows`` are those stored. ``answer_ok`` is None where nothing was to be compared; ``error`` None where none was.
"""
