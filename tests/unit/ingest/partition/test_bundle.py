"""Bundles: whole or not there, and what their reports say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from skyshard.ingest.partition import bundle as bundles
from skyshard.ingest.partition.bundle import Bundle, BundleWriter, OverlapRows, Segment, SliceReport
from skyshard.node.messages import Loader

REPORT = SliceReport(
    "part", "d1", 3, [Segment(7, False, 0, 3, "3:0", "own.rows")], Counter({"a → b": 2}), Counter({7: 1}), 1, 0.5,
    [OverlapRows(7, 8, 1, "1:0")], [OverlapRows(8, 7, 1, "1:0")], {}, {"digest": "3:0"},
)  # fmt: skip


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle(tmp_path, "Object", "d1")


def records(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


def test_a_report_is_read_back_as_it_was(bundle: Bundle) -> None:
    """Counts by chunk have whole numbers as keys again."""
    bundle.finish(REPORT)
    assert bundle.report() == REPORT


def test_no_sidecar_is_no_bundle(bundle: Bundle) -> None:
    """A task that was killed before its last step has left nothing that counts."""
    bundle.path.write_bytes(b"rows")
    assert bundle.report() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"part": "p"}'])
def test_a_broken_sidecar_is_no_bundle(bundle: Bundle, text: str) -> None:
    """The part is partitioned again."""
    bundle.sidecar.write_text(text)
    assert bundle.report() is None


def test_a_bundle_that_lost_a_file_or_its_end_does_not_count(bundle: Bundle) -> None:
    """Files are held against the bytes that the sidecar says."""
    bundle.path.write_bytes(b"12345678")
    bundle.finish(SliceReport("part", "d1", files={bundle.path.name: 8}))
    assert bundle.report() is not None
    bundle.path.write_bytes(b"1234567")
    assert bundle.report() is None
    bundle.path.unlink()
    assert bundle.report() is None


def test_runs_of_records_are_where_the_writer_says(bundle: Bundle) -> None:
    """Short runs follow each other in one file, empty ones too."""
    with BundleWriter(bundle, Loader.IMAGE, None) as writer:
        places = writer.add_records(records(1, 2, 3), [0, 1, 1, 3])
        more = writer.add_records(records(4), [0, 1])
    assert places + more == [("", 0), ("", 8), ("", 8), ("", 24)]
    assert np.fromfile(bundle.path, np.int64).tolist() == [1, 2, 3, 4]


def test_a_long_run_has_a_file_of_its_own(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can become a table's data file; the rest stays together."""
    monkeypatch.setattr(bundles, "OWN_FILE_BYTES", 16)
    with BundleWriter(bundle, Loader.IMAGE, None) as writer:
        places = writer.add_records(records(1, 2, 3, 4), [0, 1, 3, 4])
        own = places[1][0]
    assert places == [("", 0), (own, 0), ("", 8)]
    assert np.fromfile(bundle.path.with_name(own), np.int64).tolist() == [2, 3]
    assert np.fromfile(bundle.path, np.int64).tolist() == [1, 4]
    assert writer.files == {bundle.path.name: 16, own: 16}


def test_batches_are_counted(bundle: Bundle) -> None:
    """The place of an Arrow batch is its number in the file."""
    batch = pa.record_batch([pa.array([1, 2])], ["i"])
    with BundleWriter(bundle, Loader.LOAD_DATA, batch.schema) as writer:
        assert [writer.add_batch(batch), writer.add_batch(batch)] == [("", 0), ("", 1)]
    with pa.memory_map(str(bundle.path)) as source:
        assert pa.ipc.open_file(source).num_record_batches == 2


def test_a_failed_writer_leaves_nothing(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the bundle, nor its draft, nor files of runs."""
    monkeypatch.setattr(bundles, "OWN_FILE_BYTES", 8)
    with pytest.raises(IndexError), BundleWriter(bundle, Loader.IMAGE, None) as writer:
        writer.add_records(records(1, 2), [0, 1, 2])[2]
    assert list(bundle.path.parent.iterdir()) == []
