"""A trial: profile, schedule, run, check, and the folder that keeps it all.

    OUT/manifest.json       what ran, where, on which data: everything needed to judge whether two trials compare
    OUT/samples.parquet     one row per query that was sent
    OUT/statements.parquet  the distinct statements
    OUT/histograms.hlog     HDR histograms by phase and class
    OUT/telemetry.parquet   counters of every server, once a second
    OUT/plans.json          EXPLAIN of the slowest statements, when the target explains
    OUT/summary.json        the numbers
    OUT/skymap.parquet      chunks, rows and nodes, when known
    OUT/report.html, .md    the pages made from the files above

Everything is decided before the first query is sent; answers are compared after the last one came back.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.bench.check.check_answers import Checked, check_answers
from skyshard.bench.check.true_answers import Truth
from skyshard.bench.clock import Clock
from skyshard.bench.drive.driver import Recording
from skyshard.bench.drive.driver_processes import Opener, SeatTeam, Team, ThreadTeam, wall_clock
from skyshard.bench.drive.progress_thread import ProgressThread
from skyshard.bench.pages.report import write_report
from skyshard.bench.record.chunk_map import SkyMap
from skyshard.bench.record.environment import capture_environment
from skyshard.bench.record.histograms import HISTOGRAMS, write_histograms
from skyshard.bench.record.latency_stats import NotAnswered, Summary, Verdict, summarise
from skyshard.bench.record.samples import sample_table, statement_table, with_durations, write_table
from skyshard.bench.record.telemetry import NoProbe, Probe, TelemetryRecorder
from skyshard.bench.record.trial_folder import MANIFEST, PLANS, SAMPLES, SKY_MAP, STATEMENTS, SUMMARY, TELEMETRY, Plans
from skyshard.bench.record.trial_manifest import IngestStage, Manifest, TemplateNote
from skyshard.bench.target import Explains, TakesForms, Target, TimesChunks
from skyshard.bench.workload.data_profile import DataProfile, profile_data
from skyshard.bench.workload.query_schedule import ClassSchedule, build_schedule, without
from skyshard.bench.workload.query_template import QueryTemplate, wanted_columns
from skyshard.bench.workload.schema_names import CatalogSchema
from skyshard.bench.workload.workload import Workload
from skyshard.errors import SkyshardError, UserError
from skyshard.progress import Stage, Watcher, unwatched

ANSWER_BUDGET = 1 << 30
"""Bytes of answers kept for checking; answers beyond it stay unchecked, and are counted as such."""
EXPLAINED = 5
"""Slowest distinct statements whose plans are kept."""


@dataclass(frozen=True, slots=True)
class TrialContext:
    """What is known about a catalog beside the queries; all optional, all kept in the trial folder."""

    catalog: Mapping[str, object] = field(default_factory=dict)
    sky_map: SkyMap | None = None
    ingest: Sequence[IngestStage] = ()
    probe: Probe = field(default_factory=NoProbe)
    """Reads the servers' counters while queries run; its owner closes it."""
    truth: Truth | None = None
    """Answers that the catalog's generator knows."""


@dataclass(frozen=True, slots=True)
class Seats:
    """Clients in processes of their own: how many, whose, and how each opens the target."""

    opener: Opener
    count: int
    runtime: str = "processes"
    """processes or ray."""


@dataclass(frozen=True, slots=True)
class _Run:
    """What came out of the phases."""

    started: datetime
    stopped: datetime
    recording: Recording
    telemetry: pa.Table
    not_run: list[str]
    is_partial: bool


def run_trial(
    workload: Workload,
    templates: Mapping[str, QueryTemplate],
    target: Target,
    out: Path,
    *,
    oracle: Target | None = None,
    database: str = "",
    seed: int | None = None,
    context: TrialContext | None = None,
    profile: DataProfile | None = None,
    clock: Clock | None = None,
    seats: Seats | None = None,
    watcher: Watcher = unwatched,
) -> Summary:
    """Run a workload against a target and leave a trial folder with its report.

    ``oracle`` answers the same statements afterwards (None: answers stay unchecked); ``database`` and ``seed`` replace
    the workload's own; ``profile`` is what parameters are drawn from (None: the target is asked); ``seats`` puts the
    clients into other processes.

    Raises:
        UserError: ``out`` is not empty, or the database has no objects.
    """
    prepare_folder(out)
    database, seed = database or workload.database, workload.seed if seed is None else seed
    context = context or TrialContext()
    schema = next((template.schema for template in templates.values()), CatalogSchema.plain())
    sampling = Stage(watcher, "sampling the data", 1)
    sampling.report(0)
    profile = profile or profile_data(target, database, wanted_columns(templates.values()), seed, schema)
    schedule, not_answered = answerable(build_schedule(workload, templates, profile, seed), templates, target)
    sampling.report(1)
    run = _run(workload, schedule, target, database, clock, seats, context.probe, watcher)
    checker = oracle if workload.check_answers and not run.is_partial else None
    truth = context.truth if workload.check_answers and not run.is_partial else None
    checked = _check(run.recording, checker, truth, database, watcher)
    checker = None if checked is None else checker
    is_partial = run.is_partial or checked is None
    answer_ok, wrong = (checked.answer_ok, checked.wrong) if checked is not None else (None, [])
    statements = list(dict.fromkeys(sample.sql for sample in run.recording.samples))
    samples = sample_table(run.recording.samples, statements, answer_ok)
    summary = summarise(
        workload, samples, wrong, is_partial=is_partial, not_run=run.not_run, not_answered=not_answered,
        lost=run.recording.lost,
    )  # fmt: skip
    facts = {"database": database, "seed": seed, "is_partial": is_partial, "driver": _driver_facts(seats)}
    facts |= {"known_answers": checked.known if checked is not None else 0}
    manifest = _manifest(workload, templates, target, checker, run, context, facts)
    plans = {} if is_partial else explain_slowest(target, samples, statements, database)
    places = {query.sql: query.place for phase in schedule for one in phase for query in one.queries}
    asked = statement_table(statements, [places.get(sql) for sql in statements])
    sky = context.sky_map if is_partial else time_chunks(context.sky_map, target, samples, statements, database)
    write_trial(out, manifest, samples, asked, summary, sky, run.telemetry, plans)
    return summary


def answerable(
    schedule: list[list[ClassSchedule]], templates: Mapping[str, QueryTemplate], target: Target
) -> tuple[list[list[ClassSchedule]], list[NotAnswered]]:
    """The part of a schedule that a target can be asked, and what it cannot, with the reasons.

    Raises:
        UserError: it can be asked nothing.
    """
    if not isinstance(target, TakesForms):
        return schedule, []
    reasons = {key: reason for key, template in templates.items() if (reason := template.why_no_form(target.form))}
    kept, left_out = without(schedule, reasons)
    if not kept:
        raise UserError(
            f"target {target.name} can answer no template of this workload: {'; '.join(sorted(set(reasons.values())))}",
            remedy=f"choose another workload, or give a template its {target.form} form (docs/reference/workloads.md)",
        )
    return kept, [NotAnswered(template=key, queries=left_out[key], reason=reasons[key]) for key in sorted(left_out)]


def _run(
    workload: Workload,
    schedule: Sequence[Sequence[ClassSchedule]],
    target: Target,
    database: str,
    clock: Clock | None,
    seats: Seats | None,
    probe: Probe,
    watcher: Watcher,
) -> _Run:
    """Run the phases in order until the last, Ctrl-C, or a failure where the workload ends at one."""
    shared = wall_clock()
    recording, not_run, is_partial = Recording(answer_budget=ANSWER_BUDGET), [], False
    team: Team = ThreadTeam(target, database, clock or shared)
    if seats is not None:
        team = SeatTeam(seats.opener, database, shared, seats.count, seats.runtime)
    started = datetime.now(UTC)
    try:
        with TelemetryRecorder(probe, clock or shared) as recorder:
            for phase in schedule:
                number = [one.name for one in workload.phases].index(phase[0].phase)
                is_partial = not _run_phase(team, phase, recording, watcher)
                if is_partial:
                    break
                if workload.ends_at_failure and is_exhausted(workload, recording, number):
                    not_run = [one.name for one in workload.phases[number + 1 :]]
                    break
    finally:
        team.close()
    return _Run(started, datetime.now(UTC), recording, recorder.table, not_run, is_partial)


def _run_phase(team: Team, phase: Sequence[ClassSchedule], recording: Recording, watcher: Watcher) -> bool:
    before = len(recording.samples)
    total = 0 if any(one.is_endless for one in phase) else sum(len(one.queries) for one in phase)
    stage = Stage(watcher, f"phase {phase[0].phase}", total)
    with ProgressThread(stage, lambda: len(recording.samples) - before):
        return team.run(phase, recording)


def is_exhausted(workload: Workload, recording: Recording, number: int) -> bool:
    """True when a class of the phase just run failed or missed its target."""
    phase = workload.phases[number]
    only = workload.model_copy(update={"phases": [phase], "thresholds": []})
    samples = [sample for sample in recording.samples if sample.phase == phase.name]
    summary = summarise(only, sample_table(samples, list({sample.sql: None for sample in samples})))
    return any(one.verdict in (Verdict.FAILED, Verdict.MISSED) for one in summary.classes)


def _driver_facts(seats: Seats | None) -> dict[str, object]:
    if seats is None:
        return {"runtime": "threads", "processes": 1}
    return {"runtime": seats.runtime, "processes": seats.count}


def _check(
    recording: Recording, oracle: Target | None, truth: Truth | None, database: str, watcher: Watcher
) -> Checked | None:
    """``check_answers``; None when Ctrl-C ended it: then nothing counts as checked."""
    try:
        return check_answers(recording, oracle, database, watcher, truth)
    except KeyboardInterrupt:
        return None


def explain_slowest(target: Target, samples: pa.Table, statements: Sequence[str], database: str) -> dict[str, str]:
    """Plans of the statements that took longest, by statement; empty when the target does not explain."""
    if not isinstance(target, Explains) or not samples.num_rows:
        return {}
    longest = with_durations(samples).group_by("statement").aggregate([("service_s", "max")])
    rows = longest.sort_by([("service_s_max", "descending")]).slice(0, EXPLAINED)["statement"].to_pylist()
    plans = {}
    for sql in (statements[row] for row in rows):
        try:
            plans[sql] = target.explain(sql, database)
        except Exception as error:  # a statement that failed may not be explained either
            plans[sql] = f"not explained: {error}"
    return plans


def time_chunks(
    sky: SkyMap | None, target: Target, samples: pa.Table, statements: Sequence[str], database: str
) -> SkyMap | None:
    """The sky map with the time of each chunk: of the statements that touched most chunks the longest, asked again."""
    answered = samples.filter(pc.and_(pc.is_null(samples["error"]), pc.is_valid(samples["chunks"])))
    if sky is None or not isinstance(target, TimesChunks) or not answered.num_rows:
        return sky
    order = [("chunks", "descending"), ("service_s", "descending")]
    number = with_durations(answered).sort_by(order)["statement"][0].as_py()
    try:
        return sky.with_times(target.chunk_times(statements[number], database))
    except SkyshardError:  # what was measured before stays; the map goes without times
        return sky


def _manifest(
    workload: Workload,
    templates: Mapping[str, QueryTemplate],
    target: Target,
    oracle: Target | None,
    run: _Run,
    context: TrialContext,
    facts: Mapping[str, object],
) -> Manifest:
    digests = {key: template.digest for key, template in templates.items()}
    notes = {
        key: TemplateNote(description=template.header.description, digest=digests[key])
        for key, template in templates.items()
    }
    return Manifest.model_validate(
        {
            "started": run.started,
            "stopped": run.stopped,
            "workload": workload,
            "workload_digest": workload.digest(digests),
            "templates": notes,
            "target": target.name,
            "target_facts": dict(target.describe()),
            "oracle": oracle.name if oracle else "",
            "catalog": dict(context.catalog),
            "ingest": list(context.ingest),
            "environment": capture_environment(),
            **facts,
        }
    )


def check_folder(out: Path) -> None:
    """Can a trial be kept here? Nothing is made.

    Raises:
        UserError: something is in it already, or it could not be written.
    """
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UserError(f"'{out}' is not an empty folder", remedy="choose another --out, or remove it")
        require_writable(out)
    except OSError as error:
        raise UserError(f"cannot write '{out}': {error.strerror}", remedy="choose another --out") from None


def require_writable(out: Path) -> Path:
    """The folder, or the nearest above it that is there, in which something could be made. Raises OSError."""
    above = next((one for one in (out, *out.absolute().parents) if one.exists()), Path("/"))
    with tempfile.TemporaryDirectory(dir=above, prefix=".skyshard-"):
        return above


def prepare_folder(out: Path) -> None:
    """Make the trial folder. Raises UserError when something is in it already, or it cannot be written."""
    check_folder(out)
    out.mkdir(parents=True, exist_ok=True)


def write_trial(
    out: Path,
    manifest: Manifest,
    samples: pa.Table,
    statements: pa.Table,
    summary: Summary,
    sky: SkyMap | None,
    telemetry: pa.Table | None = None,
    plans: Mapping[str, str] | None = None,
) -> None:
    """Write the trial folder and its report."""
    (out / MANIFEST).write_text(manifest.model_dump_json(indent=2, by_alias=True) + "\n", encoding="utf-8")
    (out / SUMMARY).write_text(summary.model_dump_json(indent=2) + "\n", encoding="utf-8")
    write_table(samples, out / SAMPLES)
    write_table(statements, out / STATEMENTS)
    write_histograms(with_durations(samples), out / HISTOGRAMS)
    if telemetry is not None and telemetry.num_rows:
        write_table(telemetry, out / TELEMETRY)
    if plans:
        (out / PLANS).write_text(Plans(plans=dict(plans)).model_dump_json(indent=1) + "\n", encoding="utf-8")
    if sky is not None:
        write_table(sky.to_table(), out / SKY_MAP)
    write_report(out)
