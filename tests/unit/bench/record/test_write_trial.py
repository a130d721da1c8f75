"""A trial folder is read as it was written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from tests.support.bench_trials import made_trial
from tests.support.null_trials import SKY

from skyshard.basics.errors import UserError
from skyshard.bench.record.histograms import HISTOGRAMS
from skyshard.bench.record.samples import SAMPLE_SCHEMA, read_table, write_table
from skyshard.bench.record.server_work import TABLE_ROWS_SCHEMA, WORK_SCHEMA
from skyshard.bench.record.trial_folder import PLANS, SAMPLES, SKY_MAP, TELEMETRY, WORK, Trial, read_trial
from skyshard.bench.record.write_trial import write_trial


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Manifest, summary, samples with durations, statements, sky map and plans."""
    made = made_trial(1)
    trial = Trial(made.manifest, made.summary, made.samples, made.statements, SKY, plans={"SELECT 1": "a plan"})
    write_trial(tmp_path, trial)
    found = read_trial(tmp_path)
    assert (found.manifest, found.summary, found.statements) == (trial.manifest, trial.summary, trial.statements)
    assert found.samples.equals(trial.samples)
    assert found.plans == trial.plans
    assert found.sky is not None
    assert found.sky.to_table().equals(SKY.to_table())


def test_durations_are_not_in_the_file(tmp_path: Path) -> None:
    """They follow from other columns, and are worked out when the file is read."""
    write_trial(tmp_path, made_trial(1))
    assert read_table(tmp_path / SAMPLES).schema.equals(SAMPLE_SCHEMA, check_metadata=True)


def test_the_work_of_servers_is_kept_and_a_later_version_refused(tmp_path: Path) -> None:
    """Both tables come back as they were; a trial without them is whole, too."""
    row = {"phase": "p", "class": "A", "node": "node1", "queries": 3}
    work = pa.Table.from_pylist([row | {"attribution": "alone", "elapsed_s": 1.0, "key_reads": 4}], schema=WORK_SCHEMA)
    rows = pa.Table.from_pylist([row | {"table": "sky.Object", "rows_read": 9}], schema=TABLE_ROWS_SCHEMA)
    write_trial(tmp_path, replace(made_trial(1), work=work, table_rows=rows))
    found = read_trial(tmp_path)
    assert found.work is not None
    assert found.work.equals(work)
    assert found.table_rows is not None
    assert found.table_rows.equals(rows)
    write_table(work.replace_schema_metadata({b"skyshard.work.version": b"99"}), tmp_path / WORK)
    with pytest.raises(UserError, match="later release"):
        read_trial(tmp_path)


def test_what_is_not_known_has_no_file(tmp_path: Path) -> None:
    """No plans, no telemetry, no sky map: no such files, and the folder is whole."""
    write_trial(tmp_path, made_trial(1))
    assert not {PLANS, TELEMETRY, SKY_MAP, WORK} & {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / HISTOGRAMS).exists()
    read_trial(tmp_path)
