"""What the registry keeps of jobs and their steps. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from skyshard.registry.stored.lifecycle import JobState


class JobKind(StrEnum):
    """What a job is for; its subject is a node, or nothing."""

    DRAIN = "drain"
    REBALANCE = "rebalance"
    FILL = "fill"


class StepState(StrEnum):
    """How far a step is: one waits until it was taken, or cannot be taken."""

    WAITING = "waiting"
    DONE = "done"
    SKIPPED = "skipped"
    """What it was planned for has changed since: there is nothing left to do, or not this."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job in the hands of one process; ``attempt`` counts those that took it up."""

    id: int
    kind: JobKind
    subject: str
    attempt: int
    rate_bytes_s: float
    grace_s: float


@dataclass(frozen=True, slots=True)
class PlannedMove:
    """One chunk of a family, and the nodes that hold it by rank: as it is, and as it is planned.

    ``chunk`` is ``records.WHOLE`` for the regular tables of the family's databases.
    """

    family: str
    chunk: int
    before: tuple[str, ...]
    after: tuple[str, ...]
    bytes: int
    """To be copied."""

    @property
    def came(self) -> tuple[str, ...]:
        """The nodes that get it."""
        return tuple(node for node in self.after if node not in self.before)


@dataclass(frozen=True, slots=True)
class JobStep(PlannedMove):
    """A move as a step of a job, by its number."""

    number: int = 0


@dataclass(frozen=True, slots=True)
class EndedStep:
    """What became of a step."""

    number: int
    state: StepState
    copied_bytes: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job with the sums of its steps; times are seconds since 1970."""

    id: int
    kind: JobKind
    subject: str
    state: JobState
    attempt: int
    rate_bytes_s: float
    grace_s: float
    begun_s: float
    taken_s: float
    """When the last process took it up."""
    ended_s: float | None
    error: str
    steps: Mapping[StepState, int]
    bytes: int
    """To be copied in all, as it was planned."""
    bytes_done: int
    """Of these, in steps that have ended."""
    bytes_taken: int
    """Of these, since the last process took it up."""
    now_s: float

    @property
    def total(self) -> int:
        return sum(self.steps.values())

    @property
    def ended_steps(self) -> int:
        return self.total - self.steps.get(StepState.WAITING, 0)

    @property
    def rate_now_bytes_s(self) -> float | None:
        """Bytes a second since the last process took it up; None before anything was copied, or after the end."""
        passed_s = self.now_s - self.taken_s
        if self.state is not JobState.RUNNING or not self.bytes_taken or passed_s <= 0:
            return None
        return self.bytes_taken / passed_s

    @property
    def eta_s(self) -> float | None:
        """Seconds left at that rate."""
        rate = self.rate_now_bytes_s
        return (self.bytes - self.bytes_done) / rate if rate else None
