"""What a scenario cost, in words: the rows and sentences of the report, and of the command. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from skyshard.basics.readable import digits, seconds
from skyshard.bench.record.fault_record import FaultImpact, FaultRecord, FaultWindow

EVENT_HEADERS = ["event", "what", "due", "came", "over after", "noticed", "failed over", "found"]
WINDOW_HEADERS = ["class", "phase", "when", "time", "n", "errors", "wrong", "good/s", "p50", "p99", "max"]


def event_rows(impact: FaultImpact) -> list[list[str]]:
    """Each event of the scenario."""
    return [_event_row(one) for one in impact.events]


def _event_row(one: FaultRecord) -> list[str]:
    if one.begun_s is None:
        return [str(one.number), one.label, one.due, "never", "", "", "", one.error]
    over = "with the workload" if one.ended_s is None else seconds(one.ended_s - one.begun_s)
    found = "; ".join(filter(None, (one.detail, one.error)))
    return [
        str(one.number), one.label, one.due, seconds(one.begun_s), over, seconds(one.noticed_s),
        seconds(one.failed_over_s), found,
    ]  # fmt: skip


def window_rows(impact: FaultImpact) -> list[list[str]]:
    """Each class before the first fault, while one was on, and after the last."""
    return [_window_row(one) for one in impact.windows]


def _window_row(one: FaultWindow) -> list[str]:
    counts = [f"{one.n:,}", f"{one.errors:,}", f"{one.wrong:,}", digits(one.good_per_s)]
    times = [seconds(value) for value in (one.p50_s, one.p99_s, one.max_s)]
    return [one.class_name, one.phase, one.when, seconds(one.span_s), *counts, *times]


def heading(impact: FaultImpact) -> str:
    """What the section is called."""
    return f"What {'failed' if impact.has_faults else 'was moved'}: {impact.scenario}"


def sentences(impact: FaultImpact) -> list[str]:
    """What it cost, in a few sentences."""
    if impact.begun_s is None:
        return [f"No {_Words.of(impact).one} came while queries ran."]
    words = _Words.of(impact)
    return [*_lost(impact, words), _errors(impact, words), *_wrong(impact, words), *_gap(impact), _level(impact, words)]


@dataclass(frozen=True, slots=True)
class _Words:
    """What is said of faults, and of moves where nothing else was done."""

    one: str
    on: str

    @classmethod
    def of(cls, impact: FaultImpact) -> _Words:
        return cls("fault", "a fault was on") if impact.has_faults else cls("move", "chunks were moved")


def _lost(impact: FaultImpact, words: _Words) -> Iterator[str]:
    expected, lost = impact.answers_expected, impact.answers_lost
    if expected is None or lost is None:
        yield f"Answers lost: not known, as no query was asked before the first {words.one}."
        return
    share = f" ({lost / expected:.0%})".replace("%", " %") if expected else ""
    found = f"{lost:,.0f}{share} were lost" if round(lost) else "none was lost"
    yield (
        f"Good answers while {words.on}: {impact.answers_given:,}; {expected:,.0f} at the rate from before: {found}."
    )


def _errors(impact: FaultImpact, words: _Words) -> str:
    if not impact.errors:
        return "Failed queries: none."
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in impact.errors.items())
    allowed = ", which the scenario allows" if impact.errors_allowed else ""
    return f"Failed queries in flight while {words.on}: {kinds}{allowed}."


def _wrong(impact: FaultImpact, words: _Words) -> Iterator[str]:
    if impact.wrong:
        yield f"Wrong answers since the first {words.one}: {impact.wrong:,}."


def _gap(impact: FaultImpact) -> Iterator[str]:
    if impact.longest_gap_s is not None:
        yield f"The longest time without a good answer was {seconds(impact.longest_gap_s)}."


def _level(impact: FaultImpact, words: _Words) -> str:
    if impact.whole_again_s is not None:
        return f"Every chunk was at its level again {seconds(impact.whole_again_s)} after the first {words.one}."
    if impact.level:
        return f"At the end {impact.level}."
    return "Not every chunk was at its level again before the workload ended; what was on was undone then."
