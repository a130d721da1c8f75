"""Data files of fixed-format MyISAM tables: read as records, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skyshard.basics.errors import ClusterError
from skyshard.host.atomic_files import write_atomically
from skyshard.rowimage.record import RecordLayout, Records


def read_records(path: Path, layout: RecordLayout) -> Records:
    """All records of a data file, deleted ones too. The server must have flushed the table.

    Raises:
        ClusterError: the file's length is no multiple of the record's: a torn write, or another table's file.
    """
    size = path.stat().st_size
    if size % layout.length:
        raise ClusterError(
            f"data file '{path}': {size} bytes are no whole number of records of {layout.length} bytes",
            remedy="load the table again",
        )
    return np.fromfile(path, layout.dtype)


def write_records(path: Path, records: Records) -> None:
    """Replace a data file by these records: written beside it, brought to disk, renamed.

    The server must have flushed the table before, and must run ``REPAIR TABLE ... QUICK`` after.
    """
    write_atomically(path, np.ascontiguousarray(records).view(np.uint8).data, is_synced=True)
