"""Experiments of visits: every cell's store made anew for each trial, in randomised blocks, in one folder.

    OUT/stores/b01-c02/   the store of a trial that runs; removed after it

The rest of the folder is that of every experiment (``folder``). A trial that fails is recorded, the others go on; a run
that was ended, in whatever way, is gone on with by the same command.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from skyshard.basics.errors import UserError, words_of
from skyshard.basics.progress import Watcher, announce, unwatched
from skyshard.basics.readable import seconds
from skyshard.bench.experiment.analyse import Collected, analyse
from skyshard.bench.experiment.block_order import PlannedTrial, block_order
from skyshard.bench.experiment.cells import CLUSTER, Cell, Design, make_design, place_of
from skyshard.bench.experiment.experiment_file import ReadExperiment
from skyshard.bench.experiment.experiment_result import ExperimentResult
from skyshard.bench.experiment.visit_cells import CellVisits, cell_visits, visit_numbers
from skyshard.bench.record.environment import capture_environment
from skyshard.bench.record.visit_summary import VisitSummary
from skyshard.bench.record.visit_trial import VisitTrial, read_visit_trial
from skyshard.bench.workload.workload import Workload, find_workload, read_workload
from skyshard.catalog.layout import Layout, read_layout
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.cluster.server import end_orphans
from skyshard.host.shipped_data import data_file
from skyshard.scenarios.experiment.folder import ExperimentFolder, choice_of_cells, plan_of
from skyshard.scenarios.visit_run import VisitRun, recipe_of
from skyshard.testbed import Testbed

DATABASE = "apdb"
NODES = 2
"""Of a cluster where the cell does not say."""
SETTINGS = ("engine", "upsert", "pixels")
"""Factors that are settings of a store."""


@dataclass(frozen=True, slots=True)
class CheckedVisits:
    """An experiment of visits whose inputs are all there and agree."""

    read: ReadExperiment
    design: Design
    workloads: Mapping[str, Workload]
    inputs: Mapping[str, str]

    def workload(self, cell: Cell) -> Workload:
        """A cell's workload, with the columns that it reads and the recipe of its variable objects."""
        chosen: dict[str, object] = {name: cell.all[name] for name in ("columns", "recipe") if name in cell.all}
        if "recipe" in chosen:
            chosen["recipe"] = self.read.beside(str(chosen["recipe"]))
        found = self.workloads[str(cell.all["workload"])].with_visits(chosen)
        checks = found.check_answers or self.read.file.check_answers
        return found.model_copy(update={"check_answers": checks})


def is_of_visits(read: ReadExperiment) -> bool:
    """Whether the first workload that the file names is of visits; False where it names none that can be read."""
    file = read.file
    named = [file.workload, str(file.hold.get("workload", "")), *map(str, file.factors.get("workload", ()))]
    named += [str(cell["workload"]) for cell in file.cells.values() if "workload" in cell]
    first = next((name for name in named if name), None)
    if first is None:
        return False
    try:
        return read_workload(find_workload(read.beside(first))).is_of_visits
    except UserError:
        return False  # refused with its line by the checks of every experiment


def check_visits(read: ReadExperiment) -> CheckedVisits:
    """Check all that can be known to be wrong before anything is made.

    Raises:
        UserError: a factor or a level is wrong, or a workload is none of visits: file, line, remedy.
    """
    design = make_design(read, is_of_visits=True)
    for key in ("leave_out", "duration_s"):
        if getattr(read.file, key):
            raise read.fault([key], f"an experiment of visits has no '{key}'", "drop it")
    workloads: dict[str, Workload] = {}
    inputs: dict[str, str] = {}
    for cell in design.cells:
        name = str(cell.all["workload"])
        if name not in workloads:
            try:
                file = find_workload(read.beside(name))
                workloads[name] = read_workload(file)
            except UserError as error:
                raise read.fault(place_of(read, cell, "workload"), error.what, error.remedy) from None
            inputs[f"workload {name}"] = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        if not workloads[name].is_of_visits:
            what = f"workload '{name}' is one of queries, and others are of visits"
            raise read.fault(place_of(read, cell, "workload"), what, "name workloads of visits only")
    checked = CheckedVisits(read, design, workloads, inputs)
    inputs.update(_recipes(checked))
    return checked


def _recipes(checked: CheckedVisits) -> dict[str, str]:
    """Digests of the recipes that cells or their workloads name, each with variable objects in the fields of visits.

    They are known by what the file calls them: the same file may be read by another path when a run goes on.
    """
    found: dict[str, str] = {}
    for cell in checked.design.cells:
        workload, named = checked.workload(cell), str(cell.all["workload"])
        load = workload.phases[0].visits
        factor = "recipe" if "recipe" in cell.all else "workload"
        key = f"recipe {cell.all['recipe']} {named}" if factor == "recipe" else f"recipe of workload {named}"
        if load is None or not load.recipe or key in found:
            continue
        try:
            recipe = recipe_of(workload)
            load.sky(workload.seed + 1, 1, recipe)
        except UserError as error:
            raise checked.read.fault(place_of(checked.read, cell, factor), error.what, error.remedy) from None
        if recipe is not None:
            found[key] = hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()[:16]
    return found


def run_visits_experiment(read: ReadExperiment, out: Path, watcher: Watcher = unwatched) -> ExperimentResult:
    """Run what is missing, and analyse all of it.

    Raises:
        UserError: an input is wrong, or differs from what ``out`` was begun with. Nothing was made.
    """
    checked = check_visits(read)
    folder = ExperimentFolder(out)
    plan = plan_of(read, {**checked.inputs, **choice_of_cells(checked.design)}, is_cold=False)
    folder.check(read, plan)
    folder.begin(plan)
    with folder.locked():
        folder.check(read, plan)
        run = _VisitRuns(checked, folder, watcher)
        run.all_trials()
        return analyse(run.collected())


@dataclass(slots=True)
class _VisitRuns:
    """One run over the trials that are missing."""

    checked: CheckedVisits
    folder: ExperimentFolder
    watcher: Watcher
    took_s: list[float] = field(default_factory=list)

    @property
    def order(self) -> list[PlannedTrial]:
        file = self.checked.read.file
        return block_order([cell.number for cell in self.checked.design.cells], file.trials, file.seed)

    @property
    def stores(self) -> Path:
        return self.folder.out / "stores"

    def all_trials(self) -> None:
        missing = [planned for planned in self.order if self.folder.numbers(planned) is None]
        for left in sorted(self.stores.glob("*")):
            _discard(left)
        for place, planned in enumerate(missing):
            self._announce(planned, len(missing) - place)
            self._one(planned)

    def _one(self, planned: PlannedTrial) -> None:
        """One trial; whatever fails is recorded. Ctrl-C ends the run."""
        begun = time.monotonic()
        cell = next(one for one in self.checked.design.cells if one.number == planned.cell)
        workload = self.checked.workload(cell)
        try:
            with _store(cell, self.stores / planned.name) as (target, cluster):
                run = VisitRun(
                    workload, self.folder.work_folder(planned), target, cluster, seed=workload.seed + planned.block,
                    settings=store_settings_of(cell),
                )  # fmt: skip
                found = run.run(unwatched)
            if found.summary.is_partial:
                raise KeyboardInterrupt
            _require_visits(found.summary)
            trial = read_visit_trial(run.out)
            self.folder.keep(planned, visit_numbers(trial, planned.block, planned.cell, time.monotonic() - begun))
        except Exception as error:  # a cell that fails must not end the others
            reason = words_of(error)
            announce(self.watcher, f"    failed: {reason}")
            self.folder.fail(planned, reason)
        self.took_s.append(time.monotonic() - begun)

    def collected(self) -> Collected:
        """All trials, of earlier runs too."""
        trials = [numbers for planned in self.order if (numbers := self.folder.numbers(planned))]
        failures: dict[int, list[str]] = {}
        for planned in self.order:
            if reason := self.folder.failure(planned):
                failures.setdefault(planned.cell, []).append(f"block {planned.block}: {reason}")
        return Collected(
            file=self.checked.read.file, file_digest=self.checked.read.digest, design=self.checked.design,
            order=self.order, trials=trials, builds={}, machine=capture_environment(), failures=failures,
            elapsed_s=sum(one.elapsed_s for one in trials), visits=self._cells(),
        )  # fmt: skip

    def _cells(self) -> list[CellVisits]:
        found = []
        for cell in self.checked.design.cells:
            mine = [self._trial(planned) for planned in self.order if planned.cell == cell.number]
            found += cell_visits(cell.number, cell.label, nodes_of(cell), [one for one in mine if one is not None])
        return found

    def _trial(self, planned: PlannedTrial) -> VisitTrial | None:
        return read_visit_trial(self.folder.trial(planned)) if self.folder.numbers(planned) else None

    def _announce(self, planned: PlannedTrial, missing: int) -> None:
        whole = len(self.order)
        label = next(one.label for one in self.checked.design.cells if one.number == planned.cell)
        left = f"; about {seconds(sum(self.took_s) / len(self.took_s) * missing)} left" if self.took_s else ""
        announce(self.watcher, f"trial {whole - missing + 1} of {whole}, block {planned.block}: {label}{left}")


def _require_visits(summary: VisitSummary) -> None:
    """A trial without a single whole visit measured nothing."""
    if without := [one.phase for one in summary.phases if not one.visits]:
        raise RuntimeError(f"no visit ended whole (phase {without[0]})")


def nodes_of(cell: Cell) -> int:
    """Nodes that the rows of a cell lie on."""
    chosen = {**cell.held, **cell.levels}
    return int(chosen.get("nodes", NODES)) if chosen.get("target") == CLUSTER else 1


def store_settings_of(cell: Cell) -> dict[str, str]:
    """The settings of a cell's store; those of a cluster's tables are in its layout."""
    if cell.all.get("target") == CLUSTER:
        return {}
    return {name: str(cell.all[name]) for name in SETTINGS if name in cell.all}


def layout_of(cell: Cell) -> Layout:
    """The layout of a cell's tables on the nodes of a cluster."""
    shipped = read_layout(data_file("ingest", "layouts", "apdb-85-48.yaml"))
    chosen = {name: cell.all[name] for name in ("engine", "upsert") if name in cell.all}
    return Layout.model_validate({**shipped.model_dump(), **chosen})


@contextmanager
def _store(cell: Cell, folder: Path) -> Iterator[tuple[str, Path]]:
    """An empty store, as a target of ``bench run``, with the folder of its cluster; it is removed afterwards."""
    _discard(folder)
    folder.mkdir(parents=True)
    kind = str(cell.all.get("target", "sqlite"))
    try:
        if kind == CLUSTER:
            yield _cluster(cell, folder / "cluster")
        else:
            yield f"{kind}:{folder / 'store'}", folder
    finally:
        _discard(folder)


def _cluster(cell: Cell, folder: Path) -> tuple[str, Path]:
    PrivateCluster(folder).start(nodes_of(cell))
    with Testbed(folder) as testbed:
        testbed.apdb.create(DATABASE, layout_of(cell))
    return f"{CLUSTER}:{DATABASE}", folder


def _discard(folder: Path) -> None:
    """Remove a store, whatever state a killed run left it in."""
    if not folder.exists():
        return
    cluster = PrivateCluster(folder / "cluster")
    if cluster.exists:
        cluster.destroy()
    end_orphans(folder.resolve())
    shutil.rmtree(folder, ignore_errors=True)
