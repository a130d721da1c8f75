"""A trial: profile, schedule, run, check, and the folder that keeps it all.

    OUT/manifest.json       what ran, where, on which data: everything needed to judge whether two trials compare
    OUT/samples.parquet     one row per query that was sent
    OUT/statements.parquet  the distinct statements
    OUT/summary.json        the numbers
    OUT/skymap.parquet      chunks, rows and nodes, when known
    OUT/report.html         the page made from the files above

Everything is decided before the first query is sent; answers are compared after the last one came back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from skyshard.bench.answers import compare_answers
from skyshard.bench.clock import Clock, WallClock
from skyshard.bench.driver import Recording, phase_clients, run_phase
from skyshard.bench.environment import capture_environment
from skyshard.bench.manifest import IngestStage, Manifest, TemplateNote
from skyshard.bench.profile import DataProfile, profile_data
from skyshard.bench.report import write_report
from skyshard.bench.samples import sample_table, write_table
from skyshard.bench.schedule import ClassSchedule, build_schedule
from skyshard.bench.skymap import SkyMap
from skyshard.bench.stats import Summary, WrongAnswer, summarise
from skyshard.bench.targets import Target
from skyshard.bench.template import QueryTemplate, wanted_columns
from skyshard.bench.workload import Workload
from skyshard.errors import UserError

ANSWER_BUDGET = 1 << 30
"""Bytes of answers kept for checking; answers beyond it stay unchecked, and are counted as such."""

ASKERS = 4
"""Statements that the oracle is asked at a time."""

Notify = Callable[[str, int, int], None]
"""Told of progress: what is done, how much of it, out of how much (0 = not known)."""


@dataclass(frozen=True, slots=True)
class TrialContext:
    """What is known about a catalog beside the queries; all optional, all kept in the trial folder."""

    catalog: Mapping[str, object] = field(default_factory=dict)
    sky_map: SkyMap | None = None
    ingest: Sequence[IngestStage] = ()


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
    notify: Notify | None = None,
) -> Summary:
    """Run a workload against a target and leave a trial folder with its report.

    ``oracle`` answers the same statements afterwards (None: answers stay unchecked); ``database`` and ``seed`` replace
    the workload's own; ``profile`` is what parameters are drawn from (None: the target is asked).

    Raises:
        UserError: ``out`` is not empty, or the database has no objects.
    """
    prepare_folder(out)
    database, seed = database or workload.database, workload.seed if seed is None else seed
    context, tell = context or TrialContext(), notify or _say_nothing
    tell("sampling the data", 0, 1)
    profile = profile or profile_data(target, database, wanted_columns(templates.values()), seed)
    schedule = build_schedule(workload, templates, profile, seed)
    tell("sampling the data", 1, 1)
    started = datetime.now(UTC)
    recording, is_partial = _run(schedule, target, database, clock or WallClock(), tell)
    facts = _Facts(started, datetime.now(UTC), database, seed)
    checker = oracle if workload.check_answers and not is_partial else None
    answer_ok, wrong, is_stopped = _check(recording, checker, database, tell)
    is_partial, checker = is_partial or is_stopped, None if is_stopped else checker
    statements = list(dict.fromkeys(sample.sql for sample in recording.samples))
    samples = sample_table(recording.samples, statements, answer_ok)
    summary = summarise(workload, samples, wrong, is_partial=is_partial)
    manifest = _manifest(workload, templates, target, checker, facts, context, is_partial=is_partial)
    write_trial(out, manifest, samples, statements, summary, context.sky_map)
    return summary


def _check(
    recording: Recording, oracle: Target | None, database: str, tell: Notify
) -> tuple[list[bool | None] | None, list[WrongAnswer], bool]:
    """``check_answers``, and whether Ctrl-C ended it; then nothing counts as checked."""
    try:
        return (*check_answers(recording, oracle, database, tell), False)
    except KeyboardInterrupt:
        return None, [], True


@dataclass(frozen=True, slots=True)
class _Facts:
    """When a run was and what it asked."""

    started: datetime
    stopped: datetime
    database: str
    seed: int


def _manifest(
    workload: Workload,
    templates: Mapping[str, QueryTemplate],
    target: Target,
    oracle: Target | None,
    facts: _Facts,
    context: TrialContext,
    *,
    is_partial: bool,
) -> Manifest:
    digests = {key: template.digest for key, template in templates.items()}
    return Manifest(
        started=facts.started,
        stopped=facts.stopped,
        is_partial=is_partial,
        workload=workload,
        workload_digest=workload.digest(digests),
        templates={
            key: TemplateNote(description=template.header.description, digest=digests[key])
            for key, template in templates.items()
        },
        seed=facts.seed,
        database=facts.database,
        target=target.name,
        target_facts=dict(target.describe()),
        oracle=oracle.name if oracle else "",
        catalog=dict(context.catalog),
        ingest=list(context.ingest),
        environment=capture_environment(),
    )


def _say_nothing(what: str, done: int, total: int) -> None:
    """The default of ``notify``."""


def prepare_folder(out: Path) -> None:
    """Make the trial folder. Raises UserError when something is in it already."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"'{out}' is not an empty folder", remedy="choose another --out, or remove it")
    out.mkdir(parents=True, exist_ok=True)


def _run(
    schedule: Sequence[Sequence[ClassSchedule]], target: Target, database: str, clock: Clock, tell: Notify
) -> tuple[Recording, bool]:
    """Run all phases; True when the run was stopped early."""
    recording = Recording(answer_budget=ANSWER_BUDGET)
    stop = threading.Event()
    for phase in schedule:
        clients = phase_clients(phase, target, database, clock, recording, stop)
        before = len(recording.samples)
        total = 0 if any(one.is_endless for one in phase) else sum(len(one.queries) for one in phase)
        with _Telling(tell, f"phase {phase[0].phase}", lambda: len(recording.samples) - before, total):  # noqa: B023
            if not run_phase(clients, stop):
                return recording, True
    return recording, False


class _Telling(threading.Thread):
    """Tells of progress five times a second while a phase runs, from a thread of its own."""

    def __init__(self, tell: Notify, what: str, count: Callable[[], int], total: int) -> None:
        super().__init__(daemon=True, name="bench-progress")
        self._tell, self._what, self._count, self._total = tell, what, count, total
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.2):
            self._tell(self._what, self._count(), self._total)

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        self._tell(self._what, self._count(), self._count())


def check_answers(
    recording: Recording, oracle: Target | None, database: str, tell: Notify
) -> tuple[list[bool | None] | None, list[WrongAnswer]]:
    """Compare every kept answer with the oracle's; each distinct statement is asked once.

    Returns:
        For each sample True, False, or None where nothing was compared; and the statements that were answered
        wrongly or that the oracle could not answer.
    """
    if oracle is None:
        return None, []
    answer_ok: list[bool | None] = [None] * len(recording.samples)
    wrong: list[WrongAnswer] = []
    places: dict[str, list[int]] = {}
    for place, answer in enumerate(recording.answers):
        if answer is not None:
            places.setdefault(recording.samples[place].sql, []).append(place)
    truths = _ask_all(oracle, list(places), database)
    for done, (found, (truth, failure)) in enumerate(zip(places.values(), truths, strict=True), 1):
        reasons = _compare(recording, found, truth) if truth is not None else dict.fromkeys(found, failure)
        for place in found:
            answer_ok[place] = None if truth is None else not reasons[place]
        if bad := [place for place in found if reasons[place]]:
            wrong.append(_wrong_answer(recording, bad, reasons[bad[0]], is_checked=truth is not None))
        tell("checking answers", done, len(places))
    return answer_ok, wrong


def _wrong_answer(recording: Recording, places: Sequence[int], reason: str, *, is_checked: bool) -> WrongAnswer:
    sample = recording.samples[places[0]]
    return WrongAnswer(
        phase=sample.phase,
        class_name=sample.class_name,
        template=sample.template,
        sql=sample.sql,
        reason=reason,
        samples=len(places),
        is_checked=is_checked,
    )


def _ask_all(oracle: Target, statements: Sequence[str], database: str) -> Iterator[tuple[pa.Table | None, str]]:
    """The true answer of each statement in order, or None and why there is none; a few are asked at a time."""

    def ask(sql: str) -> tuple[pa.Table | None, str]:
        try:
            return oracle.run(sql, database).table, ""
        except Exception as error:  # an oracle that fails leaves the answer unchecked, and says so
            return None, f"the oracle failed: {error}"

    askers = ThreadPoolExecutor(ASKERS, thread_name_prefix="bench-oracle")
    try:
        yield from askers.map(ask, statements)
    finally:
        askers.shutdown(wait=False, cancel_futures=True)


def _compare(recording: Recording, places: Sequence[int], truth: pa.Table) -> dict[int, str]:
    """The reason why each answer is wrong, empty where it is right."""
    kept = ((place, recording.answers[place]) for place in places)
    return {place: compare_answers(answer, truth).reason for place, answer in kept if answer is not None}


def write_trial(
    out: Path, manifest: Manifest, samples: pa.Table, statements: Sequence[str], summary: Summary, sky: SkyMap | None
) -> None:
    """Write the trial folder and its report."""
    (out / "manifest.json").write_text(manifest.model_dump_json(indent=2, by_alias=True) + "\n", encoding="utf-8")
    (out / "summary.json").write_text(summary.model_dump_json(indent=2) + "\n", encoding="utf-8")
    write_table(samples, out / "samples.parquet")
    write_table(pa.table({"sql": pa.array(statements, pa.string())}), out / "statements.parquet")
    if sky is not None:
        write_table(sky.to_table(), out / "skymap.parquet")
    write_report(out)
