"""A trial folder is read as it was written."""

from __future__ import annotations

from pathlib import Path

from tests.support.bench_trials import made_trial
from tests.support.null_trials import SKY

from skyshard.bench.record.histograms import HISTOGRAMS
from skyshard.bench.record.samples import SAMPLE_SCHEMA, read_table
from skyshard.bench.record.trial_folder import PLANS, SAMPLES, SKY_MAP, TELEMETRY, Trial, read_trial
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


def test_what_is_not_known_has_no_file(tmp_path: Path) -> None:
    """No plans, no telemetry, no sky map: no such files, and the folder is whole."""
    write_trial(tmp_path, made_trial(1))
    assert not {PLANS, TELEMETRY, SKY_MAP} & {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / HISTOGRAMS).exists()
    read_trial(tmp_path)
