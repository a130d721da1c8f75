"""Runs a trial of visits: what is left to do, the visits, and the folder of results.

    OUT/manifest.json      written when the trial begins, and anew at its end
    OUT/visits.arrows      the samples while it runs; gone when it has ended whole
    OUT/visits.parquet     the samples
    OUT/telemetry.parquet  counters of every server that can be read, once a second
    OUT/summary.json       the numbers

A trial that was stopped, or whose process was killed, goes on at its last visit: what is stored is asked of the store.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skyshard.apdb.model import VisitStore
from skyshard.apdb.sky.sky_settings import SkySettings
from skyshard.apdb.sky.visit_sky import VisitSky
from skyshard.basics.errors import UserError
from skyshard.basics.lazy import locked_property
from skyshard.basics.progress import Stage, announce
from skyshard.bench.clock import WallClock
from skyshard.bench.drive.progress_thread import ProgressThread
from skyshard.bench.record.beside_actions import BesideAction
from skyshard.bench.record.environment import capture_environment
from skyshard.bench.record.machine_probe import MachineProbe, MachineReading
from skyshard.bench.record.odd_tiles import gone_on_with, odd_tiles, out_of_order
from skyshard.bench.record.telemetry import TELEMETRY_SCHEMA, TelemetryRecorder
from skyshard.bench.record.trial_folder import MANIFEST, TELEMETRY
from skyshard.bench.record.trial_manifest import VERSION, TrialManifest
from skyshard.bench.record.visit_summary import VisitFacts, VisitSummary, summarise_visits
from skyshard.bench.record.visit_times import DRIVER, TILE
from skyshard.bench.record.visit_trial import AGAIN, VisitTrial, write_visit_trial
from skyshard.bench.trial.new_folder import prepare_folder
from skyshard.bench.trial.trial_setup import TrialWatch
from skyshard.bench.visits.beside_visits import Action, require_actions
from skyshard.bench.visits.drive_visits import DrivenVisits, VisitDriver
from skyshard.bench.visits.tile_processes import StoreOpener, TileProcesses
from skyshard.bench.visits.visit_queue import QueuedVisit, StoredTiles, queue, stored_before
from skyshard.bench.visits.visit_record import VisitRecord, read_unfinished
from skyshard.bench.workload.workload import Workload
from skyshard.catalog.strict_files import read_written
from skyshard.host.atomic_files import write_atomically
from skyshard.host.process_tuning import freeze_loaded

if TYPE_CHECKING:
    from skyshard.synth.recipe.recipe import Recipe


FEW_VISITS = 100
"""To start processes takes a second or two; fewer visits are sent by threads."""


@dataclass(frozen=True)
class VisitsAsked:
    """A workload of visits, with the command's changes, and where its trial goes."""

    workload: Workload
    target: str
    """The store as the command names it."""
    folder: Path
    """Absent or empty, or that of a trial to go on with."""
    seed: int
    label: str = ""
    resumes: bool = False
    """Go on with the trial in the folder."""
    recipe: Recipe | None = None
    """What the workload names: its variable objects are those of the fields."""

    @locked_property
    def digest(self) -> str:
        """Of the workload and the content of its recipe, wherever its file is."""
        if self.recipe is None:
            return self.workload.digest({})
        named = self.workload.with_visits({"recipe": self.recipe.name})
        return named.digest({"recipe": hashlib.sha256(self.recipe.model_dump_json().encode()).hexdigest()})

    @property
    def count(self) -> int:
        return sum(phase.visits.count for phase in self.workload.phases if phase.visits)

    @property
    def tiles(self) -> int:
        """Tiles of a visit."""
        load = self.workload.phases[0].visits
        assert load is not None
        return load.tiles**2


@dataclass(frozen=True, slots=True)
class VisitsResult:
    """The outcome of a trial of visits."""

    folder: Path
    summary: VisitSummary
    wrong: list[str] = field(default_factory=list)
    """The first wrong answers of this run, in words."""


@dataclass(frozen=True, slots=True)
class ProcessesAsked:
    """Processes for the tiles, and how each opens the store."""

    opener: StoreOpener
    count: int | None = None
    """None: as many as there are processors, for a trial of :data:`FEW_VISITS` visits or more."""
    has_one_writer: bool = False
    """The store lets one session write at a time: tiles are threads then, if nothing is given."""

    def of(self, visits: int, tiles: int) -> int:
        """How many processes; 0: tiles are threads."""
        if self.count is not None:
            return self.count
        cores = min(len(os.sched_getaffinity(0)), tiles)
        return cores if cores > 1 and visits >= FEW_VISITS and not self.has_one_writer else 0


def run_visits(
    asked: VisitsAsked, store: VisitStore, watch: TrialWatch, beside: Mapping[str, Action] | None = None,
    processes: ProcessesAsked | None = None,
) -> VisitsResult:  # fmt: skip
    """Send the visits that are left to a store, and write the trial folder.

    ``beside``: what may run beside them, by name. ``processes``: where tiles may be other processes than this one.

    Raises:
        UserError: the folder holds another trial, or the store holds visits that are not this trial's.
        ClusterError: the store failed for longer than the workload has patience; the trial can be gone on with.
    """
    require_actions(asked.workload, beside or {}, store.name)
    before = _begin_folder(asked, processes)
    stored, recorded = StoredTiles(store.stored_tiles()), read_unfinished(asked.folder)
    plan = _plan(asked, stored, recorded)
    started = before.started if before else datetime.now(UTC)
    clock = WallClock(started.timestamp())
    record = VisitRecord.open(asked.folder)
    probe = MachineProbe(asked.folder)
    settings = _settings(asked, plan.first)
    count = _count(asked, processes, before)
    manifest = _manifest(asked, store, started, before, settings, count)
    write_atomically(asked.folder / MANIFEST, manifest.model_dump_json(indent=2, by_alias=True) + "\n")
    probe.read("before")
    sky = VisitSky(settings, only_needed=_reads_needed(asked.workload))
    for visit, missing in stored_before(sky, stored, plan.first):
        sky.settle(sky.draw(visit), missing)
    compares, most_tiles = asked.workload.check_answers, _most_tiles(asked)
    stage = Stage(watch.watcher, "visits", asked.count)
    over = len(plan.visits) - len(plan.todo)
    telemetry = TelemetryRecorder(watch.probe, clock)
    freeze_loaded()
    try:
        with contextlib.ExitStack() as stack:
            tiles = None
            if processes and count:
                tiles = TileProcesses(processes.opener, count, clock, most_tiles, sums=compares)
                stack.callback(tiles.close)
            driver = VisitDriver(store, sky, record, clock, compares=compares, beside=beside, processes=tiles)
            stack.enter_context(telemetry)
            stack.enter_context(ProgressThread(stage, lambda: over + driver.found.visits))
            driver.run(plan.visits, most_tiles)
    finally:
        record.close()
        _keep_telemetry(asked.folder, telemetry.table)
    if not driver.found.is_partial:
        probe.read("after")
    for text in driver.found.wrong:
        announce(watch.watcher, f"wrong: {text}")
    return _write(asked, store, driver.found, record, manifest, probe.readings, plan.unsampled)


@dataclass(frozen=True, slots=True)
class _Plan:
    first: int
    """Number of the first visit."""
    visits: list[QueuedVisit]
    unsampled: list[tuple[int, int]]
    """Visits and tiles that this trial has stored, and whose samples went with a process that was killed."""

    @property
    def todo(self) -> list[QueuedVisit]:
        return [one for one in self.visits if one.todo]


def _plan(asked: VisitsAsked, stored: StoredTiles, recorded: pa.Table) -> _Plan:
    """Which visits there are, and what is left of each; ``recorded``: the samples that the trial has.

    Visits that only read come after those that the store holds.
    """
    stores = any(phase.visits and phase.visits.update for phase in asked.workload.phases)
    first = 1 if stores else stored.newest + 1
    if stores and len(stored) and not asked.resumes:
        what = f"the store holds {len(stored)} tiles already, up to visit {stored.newest}"
        remedy = "name an empty store, go on with the trial by --resume, or read only (--no-update)"
        raise UserError(what, remedy=remedy)
    sky = VisitSky(_settings(asked, first))
    stored.require_known(sky, asked.tiles)
    tiles = recorded.filter(pc.equal(recorded["kind"], TILE))
    sampled = set(zip(tiles["visit"].to_pylist(), tiles["tile"].to_pylist(), strict=True))
    visits = queue(asked.workload, sky, stored, first=first, measured={visit for visit, _ in sampled})
    return _Plan(first, list(visits), sorted(stored.pairs - sampled) if stores else [])


def _settings(asked: VisitsAsked, first: int) -> SkySettings:
    load = asked.workload.phases[0].visits
    assert load is not None
    return load.sky(asked.seed, first - 1 + asked.count, asked.recipe)


def _sky_facts(asked: VisitsAsked, settings: SkySettings) -> dict[str, object]:
    """Of a recipe: its name, and how many variable objects each field has of it."""
    if asked.recipe is None:
        return {}
    return {"recipe": asked.recipe.name, "variable_objects": [len(x) for x, _ in settings.places]}


def _reads_needed(workload: Workload) -> bool:
    load = workload.phases[0].visits
    return load is not None and load.columns == "needed"


def _most_tiles(asked: VisitsAsked) -> int:
    """Tiles that can be under way at once."""
    return asked.tiles * max(phase.visits.overlap for phase in asked.workload.phases if phase.visits)


def _begin_folder(asked: VisitsAsked, processes: ProcessesAsked | None) -> TrialManifest | None:
    """Make the folder, or read what the trial in it was. Raises UserError where it is another one, or has ended."""
    if not asked.resumes:
        prepare_folder(asked.folder)
        return None
    before = read_written(TrialManifest, asked.folder / MANIFEST, AGAIN, if_missing="name the folder of a trial")
    if not before.is_partial:
        raise UserError(f"the trial in '{asked.folder}' has ended", remedy="run a new one")
    for what, was, now in (
        ("workload", before.workload_digest, asked.digest),
        ("seed", str(before.seed), str(asked.seed)),
        ("target", before.driver.get("target", ""), asked.target),
        ("number of processes", str(_count_of(before)), str(_count(asked, processes, before))),
    ):
        if was != now:
            what = f"the trial in '{asked.folder}' has another {what}"
            raise UserError(what, remedy="go on with what it began with, or run a new one")
    return before


def _count_of(manifest: TrialManifest) -> int:
    """How many processes the tiles of a trial are dealt among; 0: they are threads."""
    driver = manifest.driver
    return int(str(driver["processes"])) if driver.get("runtime") == "processes" else 0


def _count(asked: VisitsAsked, processes: ProcessesAsked | None, before: TrialManifest | None) -> int:
    """How many processes this run takes: as many as before, where nothing else is given."""
    if processes is None:
        return 0
    return _count_of(before) if before and processes.count is None else processes.of(asked.count, asked.tiles)


def _keep_telemetry(folder: Path, table: pa.Table) -> None:
    """Append the counters of this run to those of the runs before."""
    path = folder / TELEMETRY
    before = [pq.read_table(path, schema=TELEMETRY_SCHEMA)] if path.exists() else []
    pq.write_table(pa.concat_tables([*before, table]), path, compression="zstd")


def _manifest(
    asked: VisitsAsked, store: VisitStore, started: datetime, before: TrialManifest | None, settings: SkySettings,
    processes: int,
) -> TrialManifest:  # fmt: skip
    resumed = int(str(before.driver.get("resumed", 0))) + 1 if before else 0
    driver: dict[str, object] = {
        "runtime": "processes" if processes else "threads", "processes": processes or 1, "target": asked.target,
        "resumed": resumed,
    }  # fmt: skip
    return TrialManifest(
        version=VERSION, label=asked.label, started=started, stopped=datetime.now(UTC), is_partial=True,
        workload=asked.workload, workload_digest=asked.digest, seed=asked.seed,
        database=asked.workload.database, target=store.name, target_facts=dict(store.describe()),
        known_answers=0, environment=capture_environment(), machine=list(before.machine) if before else [],
        driver=driver,
        catalog=_sky_facts(asked, settings),
    )  # fmt: skip


def _write(
    asked: VisitsAsked, store: VisitStore, found: DrivenVisits, record: VisitRecord, manifest: TrialManifest,
    machine: list[MachineReading], unsampled: Sequence[tuple[int, int]],
) -> VisitsResult:  # fmt: skip
    samples = record.table
    sizes = {name: {"rows": size.rows, "bytes": size.bytes} for name, size in store.sizes().items()}
    facts = {
        phase.name: VisitFacts(
            window_visits=phase.visits.history.window_visits,
            visits_per_month=phase.visits.history.visits_per_month,
            fields=phase.visits.fields if isinstance(phase.visits.fields, int) else len(phase.visits.fields),
            target_s=phase.visits.target_s,
        )
        for phase in asked.workload.phases
        if phase.visits
    }
    odd = [
        *odd_tiles("given up", ((one.visit, one.detector) for one in found.missing)),
        *odd_tiles("sent again that were stored already", ((one.visit, one.detector) for one in found.was_there)),
        *odd_tiles("stored after one of a later visit", out_of_order(samples)),
        *odd_tiles("sent when the trial was gone on with, and others of their visit before", gone_on_with(samples)),
        *odd_tiles("whose samples were lost with a process that was killed", unsampled),
    ]
    summary = summarise_visits(samples, facts, odd, is_partial=found.is_partial)
    compared = sum(one.compared for one in summary.phases)
    driver = {**manifest.driver, "stores_found_done": len(found.was_there), "tiles_given_up": len(found.missing)}
    ended = manifest.model_copy(
        update={
            "stopped": datetime.now(UTC), "is_partial": found.is_partial, "known_answers": compared,
            "catalog": {**manifest.catalog, "sizes": sizes}, "driver": driver, "machine": [*manifest.machine, *machine],
            "target_facts": dict(store.describe()),
        }
    )  # fmt: skip
    write_visit_trial(VisitTrial(ended, summary, samples, beside=beside_actions(samples)), asked.folder)
    if not found.is_partial:
        record.remove()
    return VisitsResult(asked.folder, summary, found.wrong)


def beside_actions(samples: pa.Table) -> list[BesideAction]:
    """What ran beside visits or between them, in order: samples that are of no tile, but for the driver's own."""
    is_action = pc.and_(pc.less(samples["tile"], 0), pc.not_equal(samples["kind"], DRIVER))
    return [
        BesideAction(
            name=f"{one['kind']} {one['table']}".strip(), begun_s=one["sent_s"], ended_s=one["done_s"],
            rows=one["rows"], error=one["error"] or "",
        )
        for one in samples.filter(is_action).sort_by("sent_s").to_pylist()
    ]  # fmt: skip


def changed(workload: Workload, *, visits: int | None, reads_only: bool) -> Workload:
    """The workload with fewer or more visits in its first phase, or with visits that store nothing."""
    phases = []
    for number, phase in enumerate(workload.phases):
        assert phase.visits is not None
        update: dict[str, object] = {"update": False} if reads_only else {}
        if visits is not None and number == 0:
            update["count"] = visits
        phases.append(phase.model_copy(update={"visits": phase.visits.model_copy(update=update)}))
    return workload.model_copy(update={"phases": phases[:1] if visits is not None else phases})
