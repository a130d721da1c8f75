"""What a scenario's events did in a trial, and what they cost: strict models, as ``summary.json`` holds them. No I/O.

Times are seconds since the trial's clock began, as those of samples; durations are named for what they run from.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from skyshard.bench.workload.fault_scenario import CARES, MOVES
from skyshard.catalog.strict_files import Strict


class FaultRecord(Strict):
    """One event of a scenario, as it came."""

    number: int
    """From 1 on, in the order of the file."""
    do: str
    node: str
    """Empty for what is about the whole cluster."""
    phase: str
    due: str
    """When it was to come, for people: ``at 30 %``."""
    lasts: bool
    """It was a fault that is on until it is undone; else something that happens."""
    begun_s: float | None = None
    """None: it never came, as its phase had ended before."""
    done_s: float | None = None
    """When it was in place, or what it does had been done."""
    ended_s: float | None = None
    """When it was over: a server answered again, a file was whole. None: it lasted to the end of the workload, and was
    undone then."""
    detail: str = ""
    """What was hit, for people."""
    error: str = ""
    """Why it did not happen, or could not be undone."""
    noticed_s: float | None = None
    """From its begin until the czar, or a query that failed, first met it; None: nobody did."""
    failed_over_s: float | None = None
    """From its begin until the first good answer of a query that had met it, or was sent after it was noticed."""

    @property
    def label(self) -> str:
        """For people: ``kill node2``."""
        return f"{self.do} {self.node}".replace("_", " ").strip()

    @property
    def is_fault(self) -> bool:
        """Else it was done about faults, or chunks were moved."""
        return self.do not in CARES

    @property
    def is_measured(self) -> bool:
        """Queries before it, within it and after it are compared: a fault, or a move of chunks."""
        return self.is_fault or self.do in MOVES


When = Literal["before", "within", "after"]


class FaultWindow(Strict):
    """Queries of one class in one phase that were due before the first fault or move, while one was on, or after the
    last."""

    phase: str
    class_name: str
    when: When
    span_s: float
    n: int
    errors: int
    wrong: int
    good_per_s: float
    """Good answers that came in the window, for each second of it."""
    p50_s: float | None
    """Latencies of answered queries, as far as there are enough samples."""
    p99_s: float | None
    max_s: float | None


class FaultImpact(Strict):
    """What a scenario cost."""

    scenario: str
    errors_allowed: bool
    events: list[FaultRecord]
    begun_s: float | None = None
    """Of the first fault or move; None when none came."""
    ended_s: float | None = None
    """Of the last one, or of the last query while one was on. *Fault* in what follows: or a move of chunks."""
    windows: list[FaultWindow] = Field(default_factory=list)
    answers_expected: float | None = None
    """Good answers while a fault was on, had they come at the rate from before; None without a time before."""
    answers_given: int = 0
    """Good answers that came meanwhile, of the classes that there is a rate for."""
    errors: dict[str, int] = Field(default_factory=dict)
    """Queries in flight while a fault was on that failed, by kind of error."""
    errors_forgiven: int = 0
    """Of these, how many the scenario allows."""
    wrong: int = 0
    """Answers since the first fault that differ from the oracle's."""
    longest_gap_s: float | None = None
    """The longest time without any good answer since the first fault, while queries were asked."""
    whole_again_s: float | None = None
    """From the first fault until every chunk was at its level again, with no fault on; None: not within the trial."""
    level: str = ""
    """What lacked at the end; empty where nothing did."""

    @property
    def has_faults(self) -> bool:
        """Else nothing failed: chunks were moved."""
        return any(one.is_fault for one in self.events)

    @property
    def answers_lost(self) -> float | None:
        """Good answers that were expected and did not come; 0 where more came."""
        return None if self.answers_expected is None else max(0.0, self.answers_expected - self.answers_given)
