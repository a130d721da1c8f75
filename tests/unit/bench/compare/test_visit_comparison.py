"""Comparisons of trials of visits, against differences that were put in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.visit_trials import MadeVisits, made_visit_trial

from skyshard.basics.errors import UserError
from skyshard.bench.compare.class_change import LatencyChange
from skyshard.bench.compare.visit_comparison import VisitChange, VisitComparison, compare_visits
from skyshard.bench.compare.visit_trend import visit_trend
from skyshard.bench.pages.visit_comparison_page import write_visit_comparison
from skyshard.bench.record.visit_trial import VisitTrial

MADE = MadeVisits(visits=320, tiles=1, noise=0.02)


def _side(name: str, made: MadeVisits, trials: int = 4, first: int = 0) -> list[tuple[str, VisitTrial]]:
    return [(f"{name}{n}", made_visit_trial(replace(made, seed=100 * first + n), day=first)) for n in range(trials)]


def _one(found: VisitComparison, work: str, what: str) -> VisitChange:
    return next(one for one in found.changes if (one.work, one.what) == (work, what))


OLD = _side("old", MADE)


def test_equal_sides_have_no_regression() -> None:
    """Trials of one workload with other noise: levels are the same, and nothing is worse."""
    found = compare_visits(_side("new", MADE, first=1), OLD)
    assert found.regressions == []
    assert _one(found, "visit", "level").change is LatencyChange.SAME


def test_slower_level_is_a_regression() -> None:
    """Visits that take a third longer are worse, by the ratio that was put in."""
    found = compare_visits(_side("new", replace(MADE, start_s=0.065, before=0.52, store_s=0.039), first=1), OLD)
    one = _one(found, "visit", "level")
    assert one.change is LatencyChange.WORSE
    assert one.value == pytest.approx(1.3, rel=0.03)
    assert one.low is not None
    assert one.high is not None
    assert one.low < 1.3 < one.high
    assert 0 < one.p < 0.05
    assert "visit (visits), level" in found.regressions


def test_growth_with_a_full_history_is_a_regression_of_its_slope() -> None:
    """Reads that are no longer level: the slope's change is the share of the level that it adds in a year."""
    found = compare_visits(_side("new", replace(MADE, after=1.0), first=1), OLD)
    one = _one(found, "select", "slope when full")
    assert one.change is LatencyChange.WORSE
    assert one.is_regression
    assert one.value == pytest.approx(1.0 * 12 * 20 / 1000 / 0.146, rel=0.2)
    assert _one(found, "store", "slope when full").change is not LatencyChange.WORSE


def test_faster_side_is_better() -> None:
    """Half the time is better, and no regression."""
    quick = replace(MADE, start_s=0.025, before=0.2, store_s=0.015)
    found = compare_visits(_side("new", quick, first=1), OLD)
    assert _one(found, "visit", "level").change is LatencyChange.BETTER
    assert found.regressions == []


def test_one_trial_a_side_is_inconclusive() -> None:
    """Nothing is called better or worse; slopes have the interval of their lines, levels none."""
    found = compare_visits(_side("new", replace(MADE, start_s=0.5), 1, first=1), OLD[:1])
    assert {one.change for one in found.changes} == {LatencyChange.INCONCLUSIVE}
    assert {one.p for one in found.changes} == {1.0}
    assert _one(found, "visit", "level").low is None
    assert _one(found, "visit", "slope while filling").low is not None
    assert not found.can_tell


def test_wrong_answers_are_a_regression_of_a_single_trial() -> None:
    """Facts need no statistics."""
    found = compare_visits(_side("new", replace(MADE, wrong=((5, 0),), lost=((9, 0),)), 1, first=1), OLD[:1])
    assert [one.what for one in found.losses] == ["tiles answered wrongly", "visits lost"]
    assert found.regressions == [
        "tiles answered wrongly in phase visits: 0.312 %, 0 % before",
        "visits lost in phase visits: 0.312 %, 0 % before",
    ]


def test_work_that_one_side_did_not_do_is_said(tmp_path: Path) -> None:
    """Reads of a table that the new side has no more have no ratio, and are not left out in silence."""
    name, trial = _side("new", MADE, 1)[0]
    phases = [
        one.model_copy(update={"series": [part for part in one.series if part.table != "DiaSource"]})
        for one in trial.summary.phases
    ]
    fewer = replace(trial, summary=trial.summary.model_copy(update={"phases": phases}))
    new = [(name, fewer)]
    found = compare_visits(new, OLD[:1], labels=("<b>next", ""))
    said = "DiaSource select (visits): in 0 of 1 new and 1 of 1 old trials only, so it is not compared."
    assert said in found.not_compared
    page = write_visit_comparison(found, tmp_path, new, OLD[:1])
    assert said in page.read_text()
    assert "&lt;b&gt;next against old0" in page.read_text()
    assert said in (tmp_path / "comparison.md").read_text()


def test_a_side_whose_visits_all_failed_is_a_regression(tmp_path: Path) -> None:
    """Nothing is left to compare: that is the finding, not a fault of the command."""
    name, trial = _side("new", MADE, 1)[0]
    none = [one.model_copy(update={"series": [], "visits": 0}) for one in trial.summary.phases]
    for phases in (none, []):
        new = [(name, replace(trial, summary=trial.summary.model_copy(update={"phases": phases})))]
        found = compare_visits(new, OLD[:1])
        assert found.regressions == ["trials without a whole visit in phase visits: 100 %, 0 % before"]
        assert "No kind of work" in write_visit_comparison(found, tmp_path, new, OLD[:1]).read_text()


def _longer(trial: VisitTrial) -> VisitTrial:
    """The same trial of a workload that has a second phase, which went like the first."""
    (ran,), (planned,) = trial.summary.phases, trial.manifest.workload.phases
    workload = trial.manifest.workload.model_copy(
        update={"phases": [planned, planned.model_copy(update={"name": "later"})]}
    )
    manifest = trial.manifest.model_copy(update={"workload": workload, "workload_digest": "longer"})
    phases = [ran, ran.model_copy(update={"phase": "later"})]
    return replace(trial, manifest=manifest, summary=trial.summary.model_copy(update={"phases": phases}))


def test_a_phase_that_the_new_workload_has_not_is_no_loss() -> None:
    """What `--visits` leaves out, compared anyway: it was not to be run. The other way round it would be a gain."""
    short, long = OLD[:1], [("long", _longer(OLD[1][1]))]
    found = compare_visits(short, long, anyway=True)
    assert found.regressions == []
    assert "visit (later): in 0 of 1 new and 1 of 1 old trials only, so it is not compared." in found.not_compared
    assert compare_visits(long, short, anyway=True).regressions == []
    days = [made_visit_trial(replace(MADE, visits=60), day=day) for day in range(3)]
    trend = visit_trend([("a", _longer(days[0])), ("b", _longer(days[1])), ("c", days[2])])
    assert trend.regressions == []


def test_trend_names_a_phase_that_the_newest_did_not_run() -> None:
    """It has no point of its series there, which alone would look as if nothing had happened."""
    first, second, last = (made_visit_trial(replace(MADE, visits=60), day=day) for day in range(3))
    phases = [one.model_copy(update={"phase": "other"}) for one in last.summary.phases]
    other = replace(last, summary=last.summary.model_copy(update={"phases": phases}))
    found = visit_trend([("a", first), ("b", second), ("c", other)])
    assert [(one.phase, one.reason) for one in found.regressions] == [("visits", "not run, before in all trials")]


def test_other_workload_is_refused_unless_anyway() -> None:
    """Two workloads are compared only when it is asked for."""
    name, trial = _side("new", MADE, 1)[0]
    other = replace(trial, manifest=trial.manifest.model_copy(update={"workload_digest": "other"}))
    with pytest.raises(UserError, match="workload_digest"):
        compare_visits([(name, other)], OLD[:1])
    assert compare_visits([(name, other)], OLD[:1], anyway=True).changes


def test_trend_finds_the_release_that_was_slower() -> None:
    """Levels over days, with a step where the reads became slower."""
    slow = replace(MADE, start_s=0.08)
    trials = [
        (f"t{day}", _at(made_visit_trial(replace(MADE if day < 5 else slow, seed=day), day=day), day))
        for day in range(10)
    ]
    found = visit_trend(trials)
    assert found.statistic == "level"
    series = next(one for one in found.series if one.class_name == "select")
    assert [step.trial for step in series.steps] == ["t5"]
    assert found.regressions == []


def test_trend_names_wrong_answers_of_the_newest() -> None:
    """The newest trial answers wrongly where none did: a regression."""
    trials = [
        (f"t{day}", made_visit_trial(replace(MADE, visits=60, wrong=((5, 0),) if day == 2 else ()), day=day))
        for day in range(3)
    ]
    assert [one.reason for one in visit_trend(trials).regressions] == ["1 tile answered wrongly, none before"]


def _at(trial: VisitTrial, day: int) -> VisitTrial:
    environment = trial.manifest.environment.model_copy(update={"revision": f"r{day}"})
    return replace(trial, manifest=trial.manifest.model_copy(update={"environment": environment}))
