"""Makes the schedule of a trial and sends its phases in order, while the servers' counters are recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa

from skyshard.basics.errors import UserError
from skyshard.basics.progress import Stage, Watcher
from skyshard.bench.drive.driver import Recording
from skyshard.bench.drive.driver_processes import Driver, ProcessDriver, ThreadDriver, wall_clock
from skyshard.bench.drive.fault_course import FaultCourse
from skyshard.bench.drive.progress_thread import ProgressThread
from skyshard.bench.record.latency_stats import NotAnswered, Verdict, summarise
from skyshard.bench.record.machine_probe import MachineProbe, MachineReading, When
from skyshard.bench.record.running_trial import PHASE
from skyshard.bench.record.samples import sample_table
from skyshard.bench.record.server_work import Attribution, WorkMeter
from skyshard.bench.record.telemetry import TelemetryRecorder
from skyshard.bench.target import Refuses, TakesForms, Target
from skyshard.bench.trial.trial_setup import TrialDriver, TrialQueries, TrialWatch
from skyshard.bench.workload.data_profile import DataProfile, profile_data
from skyshard.bench.workload.parameters import has_fresh
from skyshard.bench.workload.query_schedule import ClassSchedule, build_schedule, without
from skyshard.bench.workload.query_template import QueryTemplate, wanted_columns, wanted_rows
from skyshard.bench.workload.workload import Workload

ANSWER_BUDGET = 1 << 30
"""Bytes of answers stored for checking; further answers are counted as unchecked."""


@dataclass(frozen=True, slots=True)
class TrialSchedule:
    """All queries of a trial by phase and class, and the templates that are left out."""

    phases: Sequence[Sequence[ClassSchedule]]
    not_answered: Sequence[NotAnswered] = ()
    """Templates whose form the target cannot answer."""

    @property
    def places(self) -> dict[str, tuple[float, float] | None]:
        """Position on the sky that each statement is about: longitude and latitude in degrees."""
        return {query.sql: query.place for phase in self.phases for one in phase for query in one.queries}


@dataclass(frozen=True, slots=True)
class SentPhases:
    """The outcome of the phases."""

    started: datetime
    stopped: datetime
    recording: Recording
    telemetry: pa.Table
    work: pa.Table
    """What the servers counted in each phase."""
    not_run: Sequence[str]
    """Phases left out because one before them failed."""
    is_partial: bool
    """True when the run was stopped before its end."""
    machine: list[MachineReading] = field(default_factory=list)
    """How fast the machine itself was."""
    faults: FaultCourse | None = None
    """The scenario that ran beside the phases, closed."""


def prepare_schedule(queries: TrialQueries, target: Target, watcher: Watcher) -> TrialSchedule:
    """Draw every query of a trial.

    Raises:
        UserError: the database has no objects, or the target can answer no template.
    """
    stage = Stage(watcher, "sampling the data", 1)
    stage.report(0)
    profile = queries.profile or sample_data(queries, target)
    schedule = build_schedule(queries.workload, queries.templates, profile, queries.seed)
    found = answerable(schedule, queries.templates, target, queries.database)
    stage.report(1)
    return found


def sample_data(queries: TrialQueries, target: Target) -> DataProfile:
    """The sample that the parameters of a trial are drawn from.

    Raises:
        UserError: the database has no objects.
    """
    templates = queries.templates.values()
    has_places = any(has_fresh(template.header.parameters) for template in templates)
    return profile_data(
        target,
        queries.database,
        wanted_columns(templates),
        queries.seed,
        queries.schema,
        rows=wanted_rows(templates),
        area_seed=queries.workload.seed if has_places else None,
    )


def answerable(
    schedule: Sequence[Sequence[ClassSchedule]],
    templates: Mapping[str, QueryTemplate],
    target: Target,
    database: str = "",
) -> TrialSchedule:
    """The part of a schedule that a target can answer, and the rest with the reasons.

    Raises:
        UserError: it can answer no template.
    """
    if isinstance(target, TakesForms):
        reasons = {key: reason for key, one in templates.items() if (reason := one.why_no_form(target.form))}
        remedy = f"choose another workload, or give a template its {target.form} form (docs/reference/workloads.md)"
    elif isinstance(target, Refuses):
        reasons, remedy = _refused(schedule, target, database), "choose another workload"
    else:
        return TrialSchedule(schedule)
    kept, left_out = without(schedule, reasons)
    if not kept:
        raise UserError(
            f"target {target.name} can answer no template of this workload: {'; '.join(sorted(set(reasons.values())))}",
            remedy=remedy,
        )
    missed = [NotAnswered(template=key, queries=left_out[key], reason=reasons[key]) for key in sorted(left_out)]
    return TrialSchedule(kept, missed)


def _refused(schedule: Sequence[Sequence[ClassSchedule]], target: Refuses, database: str) -> dict[str, str]:
    """Templates of which a target does not answer the first statement, with the reasons."""
    first: dict[str, str] = {}
    for query in (query for phase in schedule for one in phase for query in one.queries):
        first.setdefault(query.template, query.sql)
    return {key: reason for key, sql in first.items() if (reason := target.why_not(sql, database))}


def send_phases(
    queries: TrialQueries,
    schedule: TrialSchedule,
    target: Target,
    driver: TrialDriver,
    watch: TrialWatch,
    probe: MachineProbe | None = None,
) -> SentPhases:
    """Run the phases in order until the last, Ctrl-C, or a failure where the workload ends at one.

    With a probe, the machine is timed before, between and after them; never while queries run.
    """
    workload, shared = queries.workload, wall_clock()
    clock = driver.clock or shared
    faults = FaultCourse(driver.faults.planned, driver.faults.host, clock) if driver.faults else None
    recording, not_run, is_partial = Recording(answer_budget=ANSWER_BUDGET), [], False
    sender: Driver = ThreadDriver(target, queries.database, clock)
    if driver.processes is not None:
        sender = ProcessDriver(driver.processes, queries.database, shared)
    started, meter = datetime.now(UTC), WorkMeter(watch.probe)
    try:
        with TelemetryRecorder(watch.probe, clock) as recorder, _closing(faults):
            for place, phase in enumerate(schedule.phases):
                number = [one.name for one in workload.phases].index(phase[0].phase)
                failing = _failing(faults, workload, number, recording)
                is_timed = _time_machine(probe, "between" if place else "before")
                is_partial = not is_timed or not _send_phase(sender, phase, recording, meter, watch, failing)
                if is_partial:
                    _stop_waiting(faults)
                    break
                if workload.ends_at_failure and is_exhausted(workload, recording, number):
                    not_run = [one.name for one in workload.phases[number + 1 :]]
                    break
    finally:
        sender.close()
    stopped = datetime.now(UTC)
    is_partial = is_partial or (faults is not None and faults.was_interrupted) or not _time_machine(probe, "after")
    machine = [] if probe is None else probe.readings
    if faults is not None:
        faults.take_seen()
    return SentPhases(started, stopped, recording, recorder.table, meter.table, not_run, is_partial, machine, faults)


def _stop_waiting(faults: FaultCourse | None) -> None:
    if faults is not None:
        faults.was_interrupted = True


def _closing(faults: FaultCourse | None) -> AbstractContextManager[object]:
    return nullcontext() if faults is None else closing(faults)


def _failing(
    faults: FaultCourse | None, workload: Workload, number: int, recording: Recording
) -> AbstractContextManager[None]:
    """Has the faults of a phase while it runs."""
    if faults is None:
        return nullcontext()
    before = len(recording.samples)
    return faults.during(workload.phases[number], lambda: len(recording.samples) - before)


def _time_machine(probe: MachineProbe | None, when: When) -> bool:
    """True unless it was stopped by Ctrl-C."""
    try:
        if probe is not None:
            probe.read(when)
    except KeyboardInterrupt:
        return False
    return True


def _send_phase(
    sender: Driver,
    phase: Sequence[ClassSchedule],
    recording: Recording,
    meter: WorkMeter,
    watch: TrialWatch,
    failing: AbstractContextManager[None],
) -> bool:
    """Send one phase, while the servers' work is measured; False when it was stopped."""
    before = len(recording.samples)
    total = 0 if any(one.is_endless for one in phase) else sum(len(one.queries) for one in phase)
    name, only = phase[0].phase, phase[0].load.class_name if len(phase) == 1 else ""
    stage = Stage(watch.watcher, f"{PHASE}{name}", total)

    def count() -> int:
        watch.take_samples(recording.samples, total)
        return len(recording.samples) - before

    with (
        meter.window(name, only, Attribution.ALONE if only else Attribution.MIXED) as queries,
        ProgressThread(stage, count),
        failing,
    ):
        is_whole = sender.run(phase, recording)
        queries.append(len(recording.samples) - before)
        return is_whole


def is_exhausted(workload: Workload, recording: Recording, number: int) -> bool:
    """True when a class of the phase just run failed or missed its target."""
    phase = workload.phases[number]
    only = workload.model_copy(update={"phases": [phase], "thresholds": []})
    samples = [sample for sample in recording.samples if sample.phase == phase.name]
    summary = summarise(only, sample_table(samples, list({sample.sql: None for sample in samples})))
    return any(one.verdict in (Verdict.FAILED, Verdict.MISSED) for one in summary.classes)
