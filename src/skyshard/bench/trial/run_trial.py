"""Runs a trial: profile, schedule, phases, check of the answers, and the folder of results.

    OUT/manifest.json       what ran, where, on which data: everything needed to judge whether two trials compare
    OUT/samples.parquet     one row per query that was sent
    OUT/statements.parquet  the distinct statements
    OUT/histograms.hlog     HDR histograms by phase and class
    OUT/telemetry.parquet   counters of every server, once a second
    OUT/servers.parquet     what every server did in each phase, and for each class where that can be told
    OUT/table_rows.parquet  rows that servers read, by table, class and index, when statistics were asked for
    OUT/plans.json          EXPLAIN of the slowest statements, when the target explains
    OUT/summary.json        the numbers
    OUT/skymap.parquet      chunks, rows and nodes, when known
    OUT/report.html, .md    the pages made from the files above

Everything is decided before the first query is sent; answers are compared after the last one came back.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from skyshard.basics.progress import Watcher
from skyshard.bench.check.check_answers import AnswerCheck, check_answers
from skyshard.bench.pages.report import verdict_sentence, write_pages
from skyshard.bench.record.environment import capture_environment
from skyshard.bench.record.fault_impact import forgiven_errors, impact_of
from skyshard.bench.record.latency_stats import Shortfall, summarise
from skyshard.bench.record.machine_probe import MachineProbe
from skyshard.bench.record.samples import sample_table, statement_table
from skyshard.bench.record.server_variables import ChangedVariable, ServerVariables
from skyshard.bench.record.trial_folder import Trial, read_trial
from skyshard.bench.record.trial_manifest import VERSION, TemplateNote, TrialManifest
from skyshard.bench.record.write_trial import write_trial
from skyshard.bench.target import HasServers, Target
from skyshard.bench.trial.ask_again import explain_slowest, time_chunks
from skyshard.bench.trial.ask_classes import ask_classes
from skyshard.bench.trial.new_folder import prepare_folder
from skyshard.bench.trial.send_phases import SentPhases, TrialSchedule, prepare_schedule, send_phases
from skyshard.bench.trial.trial_setup import (
    TrialDriver,
    TrialEngines,
    TrialQueries,
    TrialRecord,
    TrialResult,
    TrialWatch,
)

HERE, UNWATCHED = TrialDriver(), TrialWatch()
"""Defaults: threads of this process send, and progress is not shown."""


def run_trial(
    queries: TrialQueries,
    engines: TrialEngines,
    record: TrialRecord,
    driver: TrialDriver = HERE,
    watch: TrialWatch = UNWATCHED,
) -> TrialResult:
    """Send the queries of a workload to a target and write a trial folder with its report.

    Raises:
        UserError: the folder is not empty, the database has no objects, or the target can answer no template.
    """
    prepare_folder(record.folder)
    schedule = prepare_schedule(queries, engines.target, watch.watcher)
    probe = MachineProbe(record.folder) if record.reads_machine else None
    sent = send_phases(queries, schedule, engines.target, driver, watch, probe)
    checked = check_sent(sent, queries, engines, watch.watcher)
    outcome = _Outcome(schedule, sent, checked)
    write_trial(record.folder, _trial(queries, engines.target, record, driver, outcome, watch))
    trial = read_trial(record.folder)
    is_drawn = record.has_page and not record.is_brief
    page = write_pages(trial, record.folder) if is_drawn else record.folder / "report.html"
    return TrialResult(record.folder, page, trial.summary, verdict_sentence(trial))


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Everything known after the last query was sent and the answers were compared."""

    schedule: TrialSchedule
    sent: SentPhases
    checked: AnswerCheck


def check_sent(sent: SentPhases, queries: TrialQueries, engines: TrialEngines, watcher: Watcher) -> AnswerCheck:
    """Compare the answers; none counts as checked when Ctrl-C stopped the run or the comparison."""
    if sent.is_partial or not queries.workload.check_answers:
        return AnswerCheck(is_stopped=sent.is_partial)
    try:
        return check_answers(sent.recording, engines.oracle, queries.database, watcher, engines.truth)
    except KeyboardInterrupt:
        return AnswerCheck(is_stopped=True)


def _trial(
    queries: TrialQueries,
    target: Target,
    record: TrialRecord,
    driver: TrialDriver,
    outcome: _Outcome,
    watch: TrialWatch,
) -> Trial:
    """The trial as its folder holds it; asks the target for plans and times of chunks."""
    sent, checked = outcome.sent, outcome.checked
    statements = list(dict.fromkeys(sample.sql for sample in sent.recording.samples))
    samples = sample_table(sent.recording.samples, statements, checked.answer_ok)
    faults = impact_of(sent.faults.end, samples) if sent.faults else None
    shortfall = Shortfall(
        is_partial=checked.is_stopped, lost=sent.recording.lost,
        not_run=sent.not_run, not_answered=outcome.schedule.not_answered,
        forgiven=forgiven_errors(faults, samples) if faults else {},
        not_as_planned=sent.faults.failures if sent.faults else (),
    )  # fmt: skip
    sky, plans = record.catalog.sky_map, None
    if not checked.is_stopped and not record.is_brief:
        sky = time_chunks(sky, target, samples, statements, queries.database)
        plans = explain_slowest(target, samples, statements, queries.database)
    work, table_rows = sent.work, None
    if record.has_statistics and not checked.is_stopped:
        again = ask_classes(target, watch.probe, samples, statements, queries.database, watch.watcher)
        work = pa.concat_tables([work, again.work]) if again else work
        table_rows = again.table_rows if again else None
    places = outcome.schedule.places
    return Trial(
        manifest=_manifest(queries, target, record, driver, outcome),
        summary=summarise(queries.workload, samples, checked.wrong, shortfall).model_copy(update={"faults": faults}),
        samples=samples, statements=statements, sky=sky, telemetry=sent.telemetry, plans=plans,
        work=work, table_rows=table_rows,
        places=statement_table(statements, [places.get(sql) for sql in statements]),
    )  # fmt: skip


def _manifest(
    queries: TrialQueries, target: Target, record: TrialRecord, driver: TrialDriver, outcome: _Outcome
) -> TrialManifest:
    digests = {key: template.digest for key, template in queries.templates.items()}
    notes = {
        key: TemplateNote(description=template.header.description, digest=digests[key])
        for key, template in queries.templates.items()
    }
    return TrialManifest(
        version=VERSION,
        label=record.label,
        started=outcome.sent.started,
        stopped=outcome.sent.stopped,
        is_partial=outcome.checked.is_stopped,
        workload=queries.workload,
        workload_digest=queries.workload.digest(digests),
        templates=notes,
        seed=queries.seed,
        database=queries.database,
        target=target.name,
        target_facts=dict(target.describe()),
        servers=_servers(target),
        oracle=outcome.checked.oracle,
        known_answers=outcome.checked.known,
        catalog=dict(record.catalog.facts),
        ingest=list(record.catalog.ingest),
        driver=driver.facts,
        scenario=driver.faults.planned.read.file if driver.faults else None,
        environment=capture_environment(record.nodes),
        machine=outcome.sent.machine,
    )


def _servers(target: Target) -> dict[str, ServerVariables]:
    """The variables of the target's servers; empty where it has none that can be asked."""
    if not isinstance(target, HasServers):
        return {}
    return {
        name: ServerVariables(
            version=version,
            variables={
                one: ChangedVariable(value=value, default=built_in) for one, (value, built_in) in changed.items()
            },
        )
        for name, (version, changed) in target.changed_variables().items()
    }
