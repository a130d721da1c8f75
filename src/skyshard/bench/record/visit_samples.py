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
    ],
    metadata={b"skyshard.visits.version": b"1"},
)
"""Columns of ``visits.parquet``.

``time`` is the visit's, MJD TAI. ``kind`` is

- ``select``, ``insert``, ``upsert``, ``delete`` or ``commit`` with the ``table`` it concerns (none for a commit): one
  operation of a tile. Those of one store follow each other: each is ``server_s + client_s`` long, the last one until
  the call's end.
- ``tile``, without a table: a tile from its first read to the end of its store, with rows and bytes stored.
  A try that failed has ``error``; another row follows for the next try.
- ``prepare``, ``drop`` or ``delete`` with ``tile`` -1: months that were made ready or dropped, objects that were
  purged, before the visit; or the name of an action that began with the visit and ran beside it.
- ``driver`` with ``tile`` -1: one row a visit, from the first tile's ``due_s`` to the last one's ``done_s``;
  ``client_s`` are the seconds in which this process made rows and compared answers: the driver's own share.

``answer_ok`` is None where nothing was to be compared; ``error`` None where none was.
"""
