"""HDR histograms of a trial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.support.bench_trials import made_trial

from skyshard.bench.record.histograms import DIGITS, HISTOGRAMS, histogram_of, read_histograms, write_histograms
from skyshard.bench.record.trial_folder import read_trial
from skyshard.bench.record.write_trial import write_trial


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    trial = made_trial(1)
    write_trial(tmp_path, trial)
    return tmp_path


def test_histograms_agree_with_the_samples(folder: Path) -> None:
    """One histogram for each class and kind; percentiles agree to three digits with those of the samples."""
    found = read_histograms(folder / HISTOGRAMS)
    assert set(found) == {f"one/{c}/{k}" for c in ("LV", "FTSObj") for k in ("latency", "service")}
    latency = read_trial(folder).samples.filter(pa.compute.field("class") == "LV")["latency_s"].to_numpy()
    histogram = found["one/LV/latency"]
    assert histogram.get_total_count() == len(latency) == 60
    exact = np.percentile(latency, 90, method="inverted_cdf") * 1e6
    assert histogram.get_value_at_percentile(90) == pytest.approx(exact, rel=10**-DIGITS * 2)


def test_histograms_of_one_tag_add_up(folder: Path, tmp_path: Path) -> None:
    """Two logs one after the other are one log of twice the counts."""
    twice = tmp_path / "twice.hlog"
    text = (folder / HISTOGRAMS).read_text()
    twice.write_text(text + text)
    assert read_histograms(twice)["one/LV/latency"].get_total_count() == 120


def test_times_beyond_the_range_count_at_its_ends() -> None:
    """A nanosecond and a week are recorded, not dropped."""
    assert histogram_of(np.array([1e-9, 7 * 86_400.0])).get_total_count() == 2


def test_an_empty_trial_has_an_empty_log(tmp_path: Path) -> None:
    """No answered query is no histogram, not an error."""
    empty = made_trial(1).samples.slice(0, 0)
    write_histograms(empty, tmp_path / HISTOGRAMS)
    assert read_histograms(tmp_path / HISTOGRAMS) == {}
