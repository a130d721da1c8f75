"""What a scenario cost, from its events and the trial's samples: windows, answers lost, gaps. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from skyshard.bench.record.fault_record import FaultImpact, FaultRecord, FaultWindow, When
from skyshard.bench.record.latency_stats import percentiles

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class FaultCourseEnd:
    """What is known of a scenario when all of its events are over."""

    scenario: str
    errors_allowed: bool
    events: Sequence[FaultRecord]
    whole_at_s: float | None = None
    """When every chunk was at its level again."""
    level: str = ""
    """What lacked at the end."""


def impact_of(course: FaultCourseEnd, samples: pa.Table) -> FaultImpact:
    """The cost of a scenario.

    Args:
        samples: all of the trial, with durations.
    """
    measured = samples.filter(pc.invert(samples["is_warm_up"]))
    span = _span(course.events, measured)
    events = [_with_answers(one, measured) for one in course.events]
    bare = FaultImpact(
        scenario=course.scenario, errors_allowed=course.errors_allowed, events=events, level=course.level
    )
    if span is None:
        return bare
    hit = measured.filter(in_flight_within(measured, span))
    errors = Counter(hit["error"].drop_null().to_pylist())
    windows = list(_windows(measured, span))
    expected, given = _answers(windows)
    since = measured.filter(pc.greater_equal(measured["last_row_s"], span[0]))
    return bare.model_copy(
        update={
            "begun_s": span[0],
            "ended_s": span[1],
            "windows": windows,
            "answers_expected": expected,
            "answers_given": given,
            "errors": dict(sorted(errors.items())),
            "errors_forgiven": errors.total() if course.errors_allowed else 0,
            "wrong": _count(pc.equal(since["answer_ok"], False)),
            "longest_gap_s": _longest_gap(measured, span[0]),
            "whole_again_s": None if course.whole_at_s is None else max(0.0, course.whole_at_s - span[0]),
        }
    )


def _span(events: Sequence[FaultRecord], measured: pa.Table) -> Span | None:
    """From the begin of the first fault or move to the end of the last, or of the queries; None when none came."""
    begun = [one.begun_s for one in events if one.begun_s is not None and one.is_measured]
    if not begun:
        return None
    ended = [one.ended_s for one in events if one.begun_s is not None and one.is_measured]
    last = float(pc.max(measured["last_row_s"]).as_py() or 0.0)
    return min(begun), max([min(begun), *(last if one is None else one for one in ended)])


def in_flight_within(samples: pa.Table, span: Span) -> NDArray[np.bool_]:
    """Which queries were due or under way at a moment of a span."""
    due, last = samples["intended_s"].to_numpy(), samples["last_row_s"].to_numpy()
    found: NDArray[np.bool_] = (due <= span[1]) & (last >= span[0])
    return found


def forgiven_errors(impact: FaultImpact, samples: pa.Table) -> dict[tuple[str, str], int]:
    """By phase and class: failed queries that the scenario allows."""
    if not impact.errors_allowed or impact.begun_s is None or impact.ended_s is None:
        return {}
    measured = samples.filter(pc.invert(samples["is_warm_up"]))
    hit = measured.filter(in_flight_within(measured, (impact.begun_s, impact.ended_s)))
    failed = hit.filter(pc.is_valid(hit["error"]))
    return dict(Counter(zip(failed["phase"].to_pylist(), failed["class"].to_pylist(), strict=True)))


def _good(samples: pa.Table) -> pa.Table:
    """Those that were answered, and not found wrong."""
    is_good = pc.and_(pc.is_null(samples["error"]), pc.fill_null(samples["answer_ok"], True))
    return samples.filter(is_good)


def _windows(measured: pa.Table, span: Span) -> Iterator[FaultWindow]:
    """Of every phase in which a fault was on, and of its classes."""
    pairs = measured.group_by(["phase", "class"], use_threads=False).aggregate([]).to_pylist()
    ends = {phase: _phase_span(measured, phase) for phase in {str(pair["phase"]) for pair in pairs}}
    for pair in pairs:
        phase, name = str(pair["phase"]), str(pair["class"])
        begins, stops = ends[phase]
        if span[0] > stops or span[1] < begins:
            continue
        mine = measured.filter(pc.and_(pc.equal(measured["phase"], phase), pc.equal(measured["class"], name)))
        first, last = max(begins, span[0]), min(stops, span[1])
        parts: tuple[tuple[When, Span], ...] = (
            ("before", (begins, first)),
            ("within", (first, last)),
            ("after", (last, stops)),
        )
        for when, part in parts:
            if part[1] > part[0]:
                yield _window(mine, phase, name, when, part, is_last=part[1] == stops)


def _phase_span(measured: pa.Table, phase: str) -> Span:
    """From the first due time to the last row."""
    mine = measured.filter(pc.equal(measured["phase"], phase))
    return float(pc.min(mine["intended_s"]).as_py()), float(pc.max(mine["last_row_s"]).as_py())


def _window(mine: pa.Table, phase: str, name: str, when: When, span: Span, *, is_last: bool) -> FaultWindow:
    due = _between(mine, "intended_s", span, is_last=is_last)
    came = _good(_between(mine, "last_row_s", span, is_last=is_last))
    answered = due.filter(pc.is_null(due["error"]))
    times = answered["latency_s"].to_numpy()
    known = percentiles(times)
    return FaultWindow(
        phase=phase,
        class_name=name,
        when=when,
        span_s=span[1] - span[0],
        n=due.num_rows,
        errors=due.num_rows - answered.num_rows,
        wrong=_count(pc.equal(answered["answer_ok"], False)),
        good_per_s=came.num_rows / (span[1] - span[0]),
        p50_s=known.get("p50"),
        p99_s=known.get("p99"),
        max_s=float(times.max()) if len(times) else None,
    )


def _between(samples: pa.Table, column: str, span: Span, *, is_last: bool) -> pa.Table:
    """Half open, so that each is in one window; the last window has its end, too."""
    values = samples[column].to_numpy()
    return samples.filter((values >= span[0]) & ((values <= span[1]) if is_last else (values < span[1])))


def _answers(windows: Sequence[FaultWindow]) -> tuple[float | None, int]:
    """Good answers expected and given while a fault was on, of the classes that were asked before it."""
    rates = {(one.phase, one.class_name): one.good_per_s for one in windows if one.when == "before"}
    within = [one for one in windows if one.when == "within" and (one.phase, one.class_name) in rates]
    if not within:
        return None, 0
    expected = sum(rates[one.phase, one.class_name] * one.span_s for one in within)
    return expected, round(sum(one.good_per_s * one.span_s for one in within))


def _longest_gap(measured: pa.Table, begun_s: float) -> float | None:
    """The longest time from one good answer to the next, from a moment on, within phases."""
    gaps = []
    for phase in measured["phase"].unique().to_pylist():
        begins, stops = _phase_span(measured, phase)
        if stops < begun_s:
            continue
        mine = _good(measured.filter(pc.equal(measured["phase"], phase)))
        moments = np.sort(mine["last_row_s"].to_numpy())
        start = max(begun_s, begins)
        moments = np.concatenate([[start], moments[moments > start], [stops]])
        gaps.append(float(np.diff(moments).max()))
    return max(gaps, default=None)


def _with_answers(one: FaultRecord, measured: pa.Table) -> FaultRecord:
    """The record with what samples tell of it: a query that failed, and the first good answer of one sent since."""
    if one.begun_s is None or not one.is_fault:
        return one
    noticed = one.noticed_s
    if noticed is None:
        failed = measured.filter(pc.is_valid(measured["error"]))["last_row_s"].to_numpy()
        end = one.ended_s if one.ended_s is not None else np.inf
        met = failed[(failed >= one.begun_s) & (failed <= end)]
        noticed = float(met.min()) - one.begun_s if len(met) else None
    over = one.failed_over_s
    if over is None and noticed is not None:
        good = _good(measured)
        later = good.filter(good["sent_s"].to_numpy() >= one.begun_s + noticed)["last_row_s"].to_numpy()
        over = float(later.min()) - one.begun_s if len(later) else None
    return one.model_copy(update={"noticed_s": noticed, "failed_over_s": over})


def _count(mask: pa.ChunkedArray) -> int:
    return int(pc.sum(mask).as_py() or 0)
