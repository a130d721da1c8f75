"""Trends: steps are found where they are, and nowhere else."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
from tests.support.bench_trials import made_manifest, made_trial, made_workload
from tests.support.svg_texts import svg_texts, unreadable
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.bench.compare.trend import STEP_ALPHA, find_steps, trend_of
from skyshard.bench.pages.trend_page import not_comparable, trend_figure, verdict, write_trend
from skyshard.bench.record.latency_stats import summarise
from skyshard.bench.record.trial_folder import Trial
from skyshard.cli.app import app


def series(levels: list[tuple[int, float]], seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.concatenate([level * np.exp(random.normal(0, 0.02, count)) for count, level in levels])


def test_one_step_is_found_where_it_is() -> None:
    """Eight trials at 1, six at 1.3: one step at the ninth."""
    assert [cut[1] for cut, _ in find_steps(series([(8, 1.0), (6, 1.3)]))] == [8]


def test_two_steps_are_found() -> None:
    """Up and down again."""
    assert [cut[1] for cut, _ in find_steps(series([(7, 1.0), (7, 1.5), (7, 1.0)]))] == [7, 14]


def test_a_steady_series_has_no_step() -> None:
    """Of 200 steady series of twelve values at most one in twenty has a step."""
    assert sum(bool(find_steps(series([(12, 1.0)], seed))) for seed in range(200)) <= 10


def test_a_page_of_many_classes_gives_no_more_false_alarms_than_one() -> None:
    """Nine classes in 60 steady histories, each tested at a ninth of the share: at most one history in twenty."""
    pages = [[series([(10, 1.0)], 100 * page + one) for one in range(9)] for page in range(60)]
    assert sum(any(find_steps(one, STEP_ALPHA / 9) for one in page) for page in pages) <= 3
    assert all(find_steps(series([(5, 1.0), (5, 1.2)], seed), STEP_ALPHA / 9) for seed in range(30))


@pytest.mark.timeout(20)
def test_trials_of_one_release_are_one_value() -> None:
    """Three trials of one slow release do not make a step; two such releases do."""
    slow = {4: 1.4, 5: 1.4}
    days = [(release, trial) for release in range(6) for trial in range(3)]

    def steps(slow: dict[int, float]) -> dict[str, list[str]]:
        trials = [
            (f"{r}.{t}", made_trial(10 * r + t, slow.get(r, 1.0), revision=f"r{r}", day=3 * r + t)) for r, t in days
        ]
        return {one.class_name: [step.trial for step in one.steps] for one in trend_of(trials).series}

    assert steps({5: 1.4}) == {"LV": [], "FTSObj": []}
    assert steps(slow) == {"LV": ["4.0"], "FTSObj": ["4.0"]}


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_short_series_has_no_step(count: int) -> None:
    """Fewer than two trials on each side say nothing."""
    assert find_steps(np.arange(1.0, count + 1)) == []


@pytest.mark.timeout(20)
def test_a_trend_orders_trials_and_names_the_release_of_a_step(tmp_path: Path) -> None:
    """Trials given in any order: the step is at the first slow revision, and the three files are written."""
    trials = [(f"t{d}", made_trial(d, 1.0 if d < 5 else 1.4, revision=f"r{d}", day=d)) for d in range(10)]
    found = trend_of(trials[::-1])
    steps = {one.class_name: [step.revision for step in one.steps] for one in found.series}
    assert steps == {"LV": ["r5"], "FTSObj": ["r5"]}
    page = write_trend(found, tmp_path).read_text()
    assert re.search(r"1\.[34]\d* times as slow", page)
    assert (tmp_path / "trend.json").exists()


def test_a_trial_of_another_workload_is_named() -> None:
    """Its step would not be the release's."""
    other = made_trial(2, workload=made_workload(seed=9))
    found = trend_of([("a", made_trial(1)), ("b", other)])
    assert found.breaks == ["b"]
    assert "b (workload digest)" in not_comparable(found)


def test_a_trial_on_other_data_is_named_with_what_differs(tmp_path: Path) -> None:
    """Every fact that breaks a comparison counts, and the warning is on the page."""
    manifest = made_manifest(made_workload(), data_digest="other", day=1)
    found = trend_of([("a", made_trial(1)), ("b", replace(made_trial(2), manifest=manifest))])
    assert found.why_not == {"b": ["data digest"]}
    assert "b (data digest)" in write_trend(found, tmp_path).read_text()


def test_queries_that_not_all_trials_answered_are_not_followed(tmp_path: Path) -> None:
    """A release whose slow template fails is not faster: its other queries are as they were."""
    trials = [(f"t{d}", made_trial(d, revision=f"r{d}", day=d)) for d in range(10)]
    narrow = [(name, without_answers(trial, "LV/cone") if d > 4 else trial) for d, (name, trial) in enumerate(trials)]
    found = trend_of(narrow)
    assert [one.steps for one in found.series] == [[], []]
    assert found.notes == ["LV (one) is followed without LV/cone: not answered in t5, t6, t7 and 2 more."]
    assert [loss.query for loss in found.regressions] == ["LV/cone"]
    assert found.series[1] == trend_of(trials).series[1]
    first = [row["latency_s"] for row in trials[0][1].samples.to_pylist() if row["template"] == "LV/object_by_id"]
    assert found.series[0].points[0].value == pytest.approx(np.median(first))
    assert found.notes[0] in write_trend(found, tmp_path).read_text()
    failed = trend_of(narrow, "errors")
    assert [point.trial for point in failed.series[0].points] == ["t5", "t6", "t7", "t8", "t9"]
    assert failed.notes == []


def without_answers(trial: Trial, template: str) -> Trial:
    """The trial, in which every query of a template failed."""
    samples = trial.samples
    errors = pc.if_else(pc.equal(samples["template"], template), "gone", samples["error"])
    place = samples.schema.get_field_index("error")
    changed = samples.set_column(place, samples.schema.field(place), errors)
    return replace(trial, samples=changed, summary=summarise(trial.manifest.workload, changed))


def test_one_trial_is_no_trend() -> None:
    """The message asks for more."""
    with pytest.raises(UserError, match="at least two"):
        trend_of([("a", made_trial(1))])


def test_two_trials_are_said_to_be_too_few_for_a_step() -> None:
    """The page does not say "no step" alone where there could be none."""
    assert "Fewer than 4 cannot show one" in verdict(trend_of([("a", made_trial(1)), ("b", made_trial(2, day=1))]))


def test_a_trial_counts_once(tmp_path: Path) -> None:
    """A folder that a side names twice is refused in one line."""
    for asked in (["trend", "x", "x"], ["compare", "x", "y/../x", "--against", "z"]):
        names = [str(tmp_path / one) if one not in ("trend", "compare", "--against") else one for one in asked]
        result = CliRunner().invoke(app, ["bench", *names])
        assert isinstance(result.exception, UserError)
        assert "is named twice; name each trial once" in str(result.exception)


def test_the_command_refuses_a_folder_that_is_no_trial(tmp_path: Path) -> None:
    """One line with the file."""
    result = CliRunner().invoke(app, ["bench", "trend", str(tmp_path), str(tmp_path / "b")])
    assert isinstance(result.exception, UserError)
    assert "manifest.json" in str(result.exception)


def test_two_trials_on_each_side_of_a_large_step_suffice() -> None:
    """Four trials have one place for a step; seven times as long is one, noise of a few per cent is none."""
    assert [cut for cut, _ in find_steps(np.array([3.40, 3.38, 24.0, 25.5]))] == [(0, 2, 4)]
    assert find_steps(np.array([3.40, 3.38, 3.55, 3.31])) == []


def test_the_p_of_a_step_is_students() -> None:
    """Over one place for a step it is that of scipy's t test of the logarithms."""
    from scipy import stats

    values = np.array([3.40, 3.38, 4.4, 4.6])
    ((_, p),) = find_steps(values, alpha=0.1)
    assert p == pytest.approx(stats.ttest_ind(np.log(values[:2]), np.log(values[2:])).pvalue)


@pytest.mark.timeout(20)
def test_the_axis_names_releases_and_can_be_read() -> None:
    """Labels stand for releases, else version and revision; those without room are left out, wide and narrow."""
    trials = [(f"t{day}", made_trial(day, revision=f"{day // 2}{'a' * 11}", day=day)) for day in range(24)]
    named = [(name, replace(one, manifest=one.manifest.model_copy(update={"label": label}))) for (name, one), label in
             zip(trials, ["first", "first", *[""] * 22], strict=True)]  # fmt: skip
    found = trend_of(named).series[0]
    assert [point.release for point in found.points][1:3] == ["first", "0.1 1aaaaaa"]
    drawn = trend_figure(found, "p50", 0)
    assert "first" in [one.text for one in svg_texts(drawn.wide)]
    for svg in (drawn.wide, drawn.narrow):
        assert unreadable(svg) == []
