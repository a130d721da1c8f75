"""What a scenario cost, from samples of which all is known."""

from __future__ import annotations

import pyarrow as pa
import pytest

from skyshard.bench.record.fault_impact import FaultCourseEnd, forgiven_errors, impact_of
from skyshard.bench.record.fault_record import FaultImpact, FaultRecord
from skyshard.bench.record.samples import Sample, sample_table


def record(number: int = 1, do: str = "kill", **more: float | str | bool | None) -> FaultRecord:
    base = FaultRecord(number=number, do=do, node="node1", phase="one", due="at 4 s", lasts=do != "repair")
    return base.model_copy(update=more)


def made(failed: range = range(0), wrong: range = range(0), silent: range = range(0), took: float = 0.1) -> pa.Table:
    """Ten queries a second for ten seconds; some fail, some are answered wrongly, some are late until second 7."""
    samples, answers = [], []
    for number in range(100):
        due = number / 10
        last = 7.0 if number in silent else due + took
        error = "ClusterError" if number in failed else None
        samples.append(
            Sample("one", "LV", "LV/a", "SELECT 1", 0, False, due, due, None, last, 0.0, rows=1, error=error)
        )
        answers.append(None if error else number not in wrong)
    return sample_table(samples, ["SELECT 1"], answers)


def found(samples: pa.Table, *events: FaultRecord, **more: object) -> FaultImpact:
    return impact_of(FaultCourseEnd("s", bool(more.pop("errors_allowed", False)), events, **more), samples)  # type: ignore[arg-type]


def test_a_fault_that_costs_nothing_costs_nothing() -> None:
    """As many answers as before, no error, no gap longer than usual."""
    impact = found(made(), record(begun_s=4.0, done_s=4.0, ended_s=6.0), whole_at_s=6.0)
    assert (impact.begun_s, impact.ended_s) == (4.0, 6.0)
    assert impact.answers_expected == pytest.approx(20, abs=1)
    assert impact.answers_lost == pytest.approx(0, abs=1)
    assert (impact.errors, impact.wrong, impact.whole_again_s) == ({}, 0, 2.0)
    assert impact.longest_gap_s == pytest.approx(0.1)
    assert [(one.when, one.n) for one in impact.windows] == [("before", 40), ("within", 20), ("after", 40)]


def test_failed_queries_are_lost_answers_and_count_by_kind() -> None:
    """Ten of twenty fail while the fault is on; the first good answer of one sent after the first failure."""
    samples = made(failed=range(40, 50))
    impact = found(samples, record(begun_s=4.0, done_s=4.0, ended_s=6.0))
    assert impact.errors == {"ClusterError": 10}
    assert impact.answers_lost == pytest.approx(10, abs=1)
    assert impact.longest_gap_s == pytest.approx(1.1)
    (event,) = impact.events
    assert event.noticed_s == pytest.approx(0.1)
    assert event.failed_over_s == pytest.approx(1.1)
    assert (impact.errors_forgiven, forgiven_errors(impact, samples)) == (0, {})


def test_errors_are_forgiven_only_while_a_fault_was_on() -> None:
    """Those after it are not."""
    samples = made(failed=range(55, 75))
    impact = found(samples, record(begun_s=4.0, done_s=4.0, ended_s=6.0), errors_allowed=True)
    assert forgiven_errors(impact, samples) == {("one", "LV"): 6}
    assert impact.errors_forgiven == 6


def test_wrong_answers_count_from_the_first_fault_on_also_after_it() -> None:
    """Those before it are no scenario's."""
    impact = found(made(wrong=range(20, 90)), record(begun_s=4.0, done_s=4.0, ended_s=6.0))
    assert impact.wrong == 90 - 39  # number 39 was answered at 4.0 s
    assert impact.answers_lost is not None


def test_a_silent_node_is_a_gap_and_late_answers() -> None:
    """Every query of two seconds ends at second 7."""
    impact = found(made(silent=range(40, 60)), record(begun_s=4.0, done_s=4.0, ended_s=6.5, noticed_s=3.0))
    assert impact.longest_gap_s == pytest.approx(2.1)
    within = next(one for one in impact.windows if one.when == "within")
    assert within.max_s == pytest.approx(3.0)
    assert impact.events[0].noticed_s == 3.0


def test_a_fault_without_end_lasts_to_the_last_answer_and_one_that_never_came_costs_nothing() -> None:
    """No window after it; nothing is known of the level."""
    impact = found(made(), record(begun_s=4.0, done_s=4.1))
    assert impact.ended_s == pytest.approx(10.0)
    assert {one.when for one in impact.windows} == {"before", "within"}
    assert impact.whole_again_s is None
    never = found(made(), record())
    assert (never.begun_s, never.windows, never.answers_lost) == (None, [], None)


def test_a_repair_is_no_fault() -> None:
    """It begins no window, and nobody notices it."""
    impact = found(
        made(), record(do="repair", begun_s=1.0, done_s=2.0, ended_s=2.0), record(2, begun_s=4.0, ended_s=5.0)
    )
    assert (impact.begun_s, impact.ended_s) == (4.0, 5.0)


def test_each_query_is_in_one_window() -> None:
    """Whatever the fault's times."""
    for begun, ended in ((0.0, 3.0), (3.05, 7.0), (9.9, 20.0), (4.0, 4.0)):
        impact = found(made(), record(begun_s=begun, done_s=begun, ended_s=ended))
        assert sum(one.n for one in impact.windows) == 100
