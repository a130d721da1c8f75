"""Folders of trials of visits."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.support.visit_trials import MadeVisits, made_visit_trial

from skyshard.basics.errors import UserError
from skyshard.bench.record.visit_trial import is_visit_trial, read_visit_trial, write_visit_trial

MADE = made_visit_trial(MadeVisits(visits=60))


def test_folder_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Manifest, numbers and samples come back whole."""
    assert not is_visit_trial(tmp_path)
    write_visit_trial(MADE, tmp_path)
    found = read_visit_trial(tmp_path)
    assert is_visit_trial(tmp_path)
    assert (found.manifest, found.summary) == (MADE.manifest, MADE.summary)
    assert found.samples.equals(MADE.samples)
    assert found.telemetry is None


def test_samples_of_a_later_release_are_refused(tmp_path: Path) -> None:
    """The version of the samples is in their file."""
    write_visit_trial(MADE, tmp_path)
    later = MADE.samples.replace_schema_metadata({b"skyshard.visits.version": b"99"})
    pq.write_table(later, tmp_path / "visits.parquet")
    with pytest.raises(UserError, match=r"visits\.parquet.*99"):
        read_visit_trial(tmp_path)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    """A torn table, a lost column, an unknown key: one line with the file."""
    write_visit_trial(MADE, tmp_path)
    pq.write_table(MADE.samples.drop_columns("server_s"), tmp_path / "visits.parquet")
    with pytest.raises(UserError, match=r"visits\.parquet', column 'server_s'"):
        read_visit_trial(tmp_path)
    (tmp_path / "visits.parquet").write_bytes(b"torn")
    with pytest.raises(UserError, match=r"cannot read '.*visits\.parquet'"):
        read_visit_trial(tmp_path)
    content = json.loads((tmp_path / "summary.json").read_text())
    (tmp_path / "summary.json").write_text(json.dumps(content | {"odd": 1}))
    with pytest.raises(UserError, match=r"summary\.json.*odd"):
        read_visit_trial(tmp_path)
