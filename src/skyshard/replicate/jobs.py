"""Begins jobs, says how they are, pauses and cancels them."""

from __future__ import annotations

from dataclasses import dataclass

from skyshard.basics.errors import ClusterError, UserError
from skyshard.log.events import NODE_STATE
from skyshard.node.host_files import HostFiles
from skyshard.registry.registry import Registry
from skyshard.registry.stored.job_rows import EndedStep, JobKind, JobRow, JobStep, StepState
from skyshard.registry.stored.lifecycle import JobEvent, JobState, NodeState
from skyshard.replicate.job_plans import JobPlan
from skyshard.replicate.job_run import run_job
from skyshard.replicate.place import ReplicaPlace

LISTED_STEPS = 50
"""Steps that were not taken, at most so many of which are listed one by one."""


@dataclass(frozen=True, slots=True)
class JobReport:
    """One job, and the first of its steps that failed or were skipped."""

    job: JobRow
    is_at_work: bool
    """A process works on it."""
    left: tuple[tuple[JobStep, EndedStep], ...]

    @property
    def is_whole(self) -> bool:
        """It has come to its end, every step was taken or had nothing left to do, and a node it drained is drained."""
        return self.job.state is JobState.DONE and not self.job.steps.get(StepState.FAILED) and not self.job.error


def begin_job(place: ReplicaPlace, plan: JobPlan, *, rate_bytes_s: float, grace_s: float) -> int:
    """Record a job for a plan; its number, or 0 where there is nothing to do. ``run_job`` works on it.

    Raises:
        UserError: another job is open.
        NoRoom: a node has too little room for what is to come to it.
    """
    registry = place.registry
    registry.jobs.require_none_open(is_at_work=registry.is_moving())
    for node, size in plan.moves.came_to().items():
        target = place.node(node)
        target.files.call(HostFiles.require_room, str(target.data), size).result()
    if plan.kind is not JobKind.DRAIN and not plan.moves.moves:
        return 0
    number = registry.jobs.begin(plan.kind, plan.subject, plan.moves.moves, rate_bytes_s=rate_bytes_s, grace_s=grace_s)
    if plan.kind is JobKind.DRAIN:
        place.events.about(node=plan.subject).tell(NODE_STATE, state=str(NodeState.DRAINING))
    return number


def read_jobs(registry: Registry) -> list[JobReport]:
    """All jobs, the newest first, without their steps."""
    is_moving = registry.is_moving()
    return [JobReport(row, is_moving and row.ended_s is None, ()) for row in registry.jobs.rows()]


def read_job(registry: Registry, number: int) -> JobReport:
    """One job.

    Raises:
        UserError: there is none of this number.
    """
    row = registry.jobs.get(number)
    left = registry.jobs.steps(number, StepState.FAILED, StepState.SKIPPED, most=LISTED_STEPS)
    return JobReport(row, row.ended_s is None and registry.is_moving(), tuple(left))


def pause_job(registry: Registry, number: int) -> JobReport:
    """Have a job stop before its next chunks; what is being copied goes on at its offset later.

    Raises:
        UserError: there is none of this number, or it has ended.
    """
    registry.jobs.ask(number, JobEvent.PAUSE)
    return read_job(registry, number)


def cancel_job(place: ReplicaPlace, number: int) -> JobReport:
    """End a job before it is done: chunks that have moved stay where they are, the others where they were.

    The process that works on it ends it; where none does, it is ended here.

    Raises:
        UserError: there is none of this number, or it has ended.
    """
    registry = place.registry
    registry.jobs.ask(number, JobEvent.CANCEL)
    try:
        run_job(place, number)
    except ClusterError as error:
        if not (error.retryable and registry.is_moving()):
            raise
    except UserError:  # it has ended meanwhile
        registry.jobs.get(number)
    return read_job(registry, number)


def resume_job(registry: Registry, number: int) -> None:
    """Let a job go on; ``run_job`` works on it.

    Raises:
        UserError: there is none of this number, or it has ended.
        ClusterError: it is being cancelled.
    """
    registry.jobs.ask(number, JobEvent.RESUME)


def set_level(registry: Registry, database: str, replicas: int) -> None:
    """Have a database ask for so many replicas of each chunk; its chunks stay where they are until the next fill.

    Args:
        database: its name or an alias.

    Raises:
        UserError: an unknown database, or fewer than one replica.
        ClusterError: an ingest of it is under way (retryable).
    """
    if replicas < 1:
        raise UserError(f"a database cannot have {replicas} replicas", remedy="ask for at least 1")
    stored = registry.published.names().fixed(database)
    with registry.ingesting(stored):
        registry.databases.set_replicas(stored, replicas)
