"""Comparisons of samples with known answers: no false alarms, what is slower is found, what differs is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.support.bench_trials import made_manifest, made_trial, made_workload
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.bench.compare.class_change import LatencyChange
from skyshard.bench.compare.comparability import Weight
from skyshard.bench.compare.comparison import compare_trials
from skyshard.bench.pages.comparison_page import status, verdict
from skyshard.bench.record.latency_stats import summarise
from skyshard.bench.record.samples import with_durations
from skyshard.bench.record.trial_folder import Trial
from skyshard.bench.record.write_trial import write_trial
from skyshard.cli.app import app

pytestmark = pytest.mark.timeout(30)


def side(name: str, count: int, seed: int, factor: float = 1.0) -> list[tuple[str, Trial]]:
    return [(f"{name}{i}", made_trial(seed + i, factor)) for i in range(count)]


def test_an_injected_slowdown_of_a_fifth_is_a_regression() -> None:
    """All samples of one class 1.2 times as long: that class is worse, the others are not, the headline above 1."""
    new = [(name, slowed(trial, "FTSObj", 1.2)) for name, trial in side("new", 5, 100)]
    found = compare_trials(new, side("old", 5, 200))
    changes = {one.class_name: one for one in found.classes}
    assert changes["FTSObj"].change is LatencyChange.WORSE
    assert changes["FTSObj"].is_regression
    assert changes["FTSObj"].median.low <= 1.2 <= changes["FTSObj"].median.high
    assert changes["LV"].change is not LatencyChange.WORSE
    assert found.headline is not None
    assert found.headline > 1


def slowed(trial: Trial, class_name: str, factor: float) -> Trial:
    """The trial with one class's latencies made longer."""
    table = trial.samples
    is_it = np.array(table["class"].to_pylist()) == class_name
    due = table["intended_s"].to_numpy()
    last = np.where(is_it, due + (table["last_row_s"].to_numpy() - due) * factor, table["last_row_s"].to_numpy())
    place = table.schema.get_field_index("last_row_s")
    changed = table.drop_columns(["latency_s", "service_s"]).set_column(place, table.schema.field(place), [last])
    return replace(trial, samples=with_durations(changed))


def test_equal_trials_are_no_regression_and_say_better_nor_worse() -> None:
    """Twenty comparisons of trials of one kind: at most one names a class better or worse."""
    alarms = 0
    for seed in range(20):
        found = compare_trials(side("a", 3, 1000 + 10 * seed), side("b", 3, 5000 + 10 * seed))
        alarms += any(one.change in (LatencyChange.BETTER, LatencyChange.WORSE) for one in found.classes)
        assert not found.regressions
    assert alarms <= 1


def test_trials_of_different_workloads_are_refused_in_one_line() -> None:
    """The message names both, the key, and --anyway."""
    other = made_trial(2, workload=made_workload(seed=99))
    with pytest.raises(UserError) as caught:
        compare_trials([("new", other)], [("old", made_trial(1))])
    assert "'old/manifest.json', key 'workload_digest'" in str(caught.value)
    assert "--anyway" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_queries_on_one_side_only_are_listed() -> None:
    """A template that the other side does not have is named, and left out of the ratios."""
    wide, narrow = made_workload(), made_workload(only=["FTSObj"])
    sides = [[(name, made_trial(1, workload=one))] for name, one in (("new", wide), ("old", narrow))]
    found = compare_trials(*sides, anyway=True)
    assert found.only_new == ["one LV/cone", "one LV/object_by_id"]
    assert found.only_old == []
    assert [one.class_name for one in found.classes] == ["FTSObj"]
    assert not found.is_comparable


def test_what_differs_is_listed_by_weight() -> None:
    """Other data break a comparison; another revision is what it is about."""
    old = made_trial(1)
    manifest = made_manifest(made_workload(), data_digest="other", revision="bbb")
    new = replace(made_trial(2), manifest=manifest)
    found = {one.what: one for one in compare_trials([("n", new)], [("o", old)]).differences}
    assert found["data digest"].weight is Weight.BREAKS
    assert (found["data digest"].new, found["data digest"].old) == (["other"], ["d1"])
    assert found["revision"].weight is Weight.CHANGED
    assert set(found) == {"data digest", "revision"}


def test_more_wrong_answers_are_a_regression_however_fast() -> None:
    """A release that answers wrongly fails, also when it is faster."""
    old, new = made_trial(1), made_trial(2, 0.5, wrong=3)
    found = compare_trials([("new", new)], [("old", old)])
    assert [one.reason for one in found.regressions] == ["3 wrong answers, 0 before"]


def written(trial: Trial, folder: Path) -> Path:
    folder.mkdir()
    write_trial(folder, trial)
    return folder


def test_the_command_exits_with_1_on_a_regression_and_0_without(tmp_path: Path) -> None:
    """`bench compare NEW... --against OLD...`: every folder after --against is old."""
    new = [str(written(made_trial(i, 1.4), tmp_path / f"new{i}")) for i in range(4)]
    old = [str(written(made_trial(i + 50), tmp_path / f"old{i}")) for i in range(4)]
    out = ["--out", str(tmp_path / "out")]
    worse = CliRunner().invoke(app, ["bench", "compare", *new, "--against", *old, *out, "--threshold", "1.2"])
    assert worse.exit_code == 1, worse.output
    assert "Regression beyond 1.2" in worse.output
    same = CliRunner().invoke(app, ["bench", "compare", *old, *out, "--against", *old])
    assert same.exit_code == 0, same.output
    assert "on both sides" in same.output
    assert (tmp_path / "out" / "comparison.html").exists()


def test_summaries_of_made_trials_are_those_of_their_samples() -> None:
    """The trials that these tests compare are whole: their summary is their samples'."""
    trial = made_trial(1)
    again = summarise(trial.manifest.workload, trial.samples)
    assert again == trial.summary


def test_sides_of_which_every_query_failed_pass_nothing() -> None:
    """There is no class to judge: that is no success, though nothing has become worse."""
    sides = [[(name, failed(trial)) for name, trial in side(which, 4, seed)] for which, seed in (("n", 1), ("o", 9))]
    found = compare_trials(*sides)
    assert (found.classes, found.regressions, found.is_judged) == ([], [], False)
    assert status(found) == "partial"
    assert verdict(found).startswith("Inconclusive, no regression shown beyond 1.1 ×: no class to judge")


def failed(trial: Trial) -> Trial:
    """The same trial, all of whose queries failed."""
    at = trial.samples.schema.get_field_index("error")
    errors = pa.array(["Gone"] * trial.samples.num_rows, pa.string())
    samples = trial.samples.set_column(at, trial.samples.schema.field(at), errors)
    return replace(trial, samples=samples, summary=summarise(trial.manifest.workload, samples))
