"""Data files: written whole, read whole."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from tests.support.data_files import read_records, write_records

from skyshard.basics.errors import ClusterError
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import Field, RecordLayout
from skyshard.rowimage.sqltype import parse_type

LAYOUT = RecordLayout.of([Field("x", parse_type("bigint"))])


def test_records_survive_a_file(tmp_path: Path) -> None:
    """What was written is read; nothing else is left in the folder."""
    records = pack(pa.record_batch([pa.array([1, 2, 3])], names=["x"]), LAYOUT)
    path = tmp_path / "t.MYD"
    path.write_bytes(b"old")
    write_records(path, records[1:])
    assert read_records(path, LAYOUT)["x"].tolist() == [2, 3]
    assert list(tmp_path.iterdir()) == [path]


def test_torn_file_is_refused(tmp_path: Path) -> None:
    """A length that is no whole number of records is an error of the node."""
    path = tmp_path / "t.MYD"
    path.write_bytes(b"\xff" * (LAYOUT.length + 1))
    with pytest.raises(ClusterError, match="no whole number of records"):
        read_records(path, LAYOUT)
