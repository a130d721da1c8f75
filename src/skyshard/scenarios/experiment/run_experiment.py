"""``skyshard bench experiment``: every cell of a design tried in randomised blocks, in clusters made for it.

One cluster runs at a time. Before each trial its servers are started afresh, and the page cache is filled with the
catalog's files, or emptied of them, so that all trials begin alike. A trial that fails is recorded, the others go on.
A run that was ended, in whatever way, is gone on with by the same command.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skyshard.basics.errors import UserError, words_of
from skyshard.basics.progress import Watcher, announce, unwatched
from skyshard.basics.readable import seconds
from skyshard.basics.scan_way import require_way
from skyshard.bench.experiment.analyse import Collected, analyse
from skyshard.bench.experiment.block_order import PlannedTrial, block_order
from skyshard.bench.experiment.cells import CZAR, Cell
from skyshard.bench.experiment.experiment_file import ReadExperiment, read_experiment
from skyshard.bench.experiment.experiment_result import ExperimentResult
from skyshard.bench.experiment.trial_numbers import numbers_of
from skyshard.bench.pages.experiment_page import write_experiment
from skyshard.bench.record.environment import capture_environment
from skyshard.bench.record.latency_stats import TrialSummary
from skyshard.bench.record.trial_folder import read_trial
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.settings import ClusterDescription, parse_settings
from skyshard.host.interrupts import uninterrupted
from skyshard.host.memory import memory_bytes
from skyshard.host.page_cache import disk_bytes, drop_page_cache, files_below, fill_page_cache
from skyshard.scenarios.experiment.build_setup import (
    DATABASE,
    build_setup,
    catalog_files,
    cluster_of,
    data_files,
    discard,
    is_complete,
    mark_complete,
    stop_all,
    write_sky,
)
from skyshard.scenarios.experiment.checks import CheckedExperiment, check_experiment
from skyshard.scenarios.experiment.folder import ExperimentFolder, choice_of_cells, plan_of
from skyshard.scenarios.experiment.served_door import served_door
from skyshard.scenarios.experiment.setups import last_needed
from skyshard.scenarios.experiment.visit_experiment import is_of_visits, run_visits_experiment
from skyshard.scenarios.trial_run import TrialRun

CACHED_SHARE = 0.7
"""Of the memory: as much of the catalog's files is read before a warm trial."""


@dataclass(frozen=True, slots=True)
class ExperimentOutcome:
    """What an experiment leaves behind."""

    result: ExperimentResult
    page: Path
    is_good: bool
    """Every trial of every cell ran."""


def run_experiment(
    file: Path,
    out: Path,
    *,
    is_cold: bool = False,
    disk_budget_bytes: int | None = None,
    keeps_clusters: bool = False,
    watcher: Watcher = unwatched,
) -> ExperimentOutcome:
    """Run what is missing of an experiment, analyse all of it, and write its page.

    Args:
        is_cold: the data files are dropped from the page cache before each trial.
        disk_budget_bytes: for clusters and skies together; half of the free space if None. Set-ups are removed and made
            again where they do not fit together.
        keeps_clusters: leave the set-ups, stopped, when all is done.

    Raises:
        UserError: an input is wrong, or differs from what ``out`` was begun with. Nothing was made.
    """
    if is_of_visits(read := read_experiment(file)):
        unused = {"--cold": is_cold, "--disk-budget": disk_budget_bytes is not None, "--keep": keeps_clusters}
        return _of_visits(read, out, [name for name, is_given in unused.items() if is_given], watcher)
    checked = check_experiment(file, out, disk_budget_bytes)
    folder = ExperimentFolder(out)
    plan = plan_of(checked.read, {**checked.inputs, **choice_of_cells(checked.design)}, is_cold=is_cold)
    folder.check(checked.read, plan)
    folder.begin(plan)
    with folder.locked():
        folder.check(checked.read, plan)  # another run may have begun here since
        run = _Run(checked, folder, is_cold, watcher)
        try:
            run.all_trials()
        finally:
            with uninterrupted():
                run.stop()
        if not keeps_clusters:
            run.remove_setups()
        result = analyse(run.collected())
        page = write_experiment(result, folder.out)
    return ExperimentOutcome(result, page, result.trials_done == result.trials_planned)


def _of_visits(read: ReadExperiment, out: Path, unused: Sequence[str], watcher: Watcher) -> ExperimentOutcome:
    if unused:
        what = f"'{read.path}': a store of visits is empty when its trial begins, and removed when it ends"
        raise UserError(what, remedy=f"drop {unused[0]}")
    result = run_visits_experiment(read, out, watcher)
    return ExperimentOutcome(result, write_experiment(result, out), result.trials_done == result.trials_planned)


@dataclass(slots=True)
class _Run:
    """One run over the trials that are missing."""

    checked: CheckedExperiment
    folder: ExperimentFolder
    is_cold: bool
    watcher: Watcher
    broken: dict[int, str] = field(default_factory=dict)
    """Set-ups that cannot be made, and why."""
    took_s: list[float] = field(default_factory=list)
    """Of the trials of this run."""
    build_s: list[float] = field(default_factory=list)

    @property
    def order(self) -> list[PlannedTrial]:
        file = self.checked.read.file
        return block_order([cell.number for cell in self.checked.design.cells], file.trials, file.seed)

    @property
    def cells(self) -> dict[int, Cell]:
        return {cell.number: cell for cell in self.checked.design.cells}

    def all_trials(self) -> None:
        missing = [planned for planned in self.order if self.folder.numbers(planned) is None]
        if not missing:
            return
        self._clear_up()
        for note in self.checked.notes:
            announce(self.watcher, note)
        for place, planned in enumerate(missing):
            self._announce(planned, missing[place:])
            self._one(planned, missing[place:])

    def stop(self) -> None:
        stop_all(self._setup_folders())

    def remove_setups(self) -> None:
        for folder in [*self._setup_folders()]:
            discard(folder)
        for sky in sorted((self.folder.out / "skies").glob("k*")):
            _remove(sky)

    def collected(self) -> Collected:
        """All trials, of earlier runs too."""
        order, by_cell = self.order, self.checked.setup_of
        trials = [numbers for planned in order if (numbers := self.folder.numbers(planned))]
        failures: dict[int, list[str]] = {}
        for planned in order:
            if reason := self.folder.failure(planned):
                failures.setdefault(planned.cell, []).append(f"block {planned.block}: {reason}")
        builds = {cell: self.folder.builds(by_cell[cell]) for cell in by_cell}
        once = {setup: self.folder.builds(setup) for setup in self.checked.setups}
        return Collected(
            file=self.checked.read.file, file_digest=self.checked.read.digest, design=self.checked.design,
            order=order, trials=trials, builds=builds, machine=capture_environment(), is_cold=self.is_cold,
            failures=failures,
            elapsed_s=sum(one.elapsed_s for one in trials) + sum(b.ingest_s for bs in once.values() for b in bs),
        )  # fmt: skip

    def _clear_up(self) -> None:
        """Stop servers that a killed run left, and remove what is half made."""
        for folder in [*self._setup_folders()]:
            if not is_complete(folder):
                discard(folder)
        if count := stop_all(self._setup_folders()):
            announce(self.watcher, f"stopped {count} cluster{'s' if count > 1 else ''} of a run that was ended")

    def _setup_folders(self) -> Iterator[Path]:
        yield from sorted((self.folder.out / "setups").glob("s*"))

    def _one(self, planned: PlannedTrial, ahead: Sequence[PlannedTrial]) -> None:
        """One trial; whatever fails is recorded. Ctrl-C ends the run."""
        setup = self.checked.setup_of[planned.cell]
        try:
            if setup in self.broken:
                raise _Broken(self.broken[setup])
            if not is_complete(self.folder.setup(setup)):
                self._build(setup, ahead)
            self._measure(planned, setup)
        except _Broken as error:
            self.folder.fail(planned, str(error))
        except Exception as error:  # a cell that fails must not end the others
            reason = words_of(error)
            announce(self.watcher, f"    failed: {reason}")
            self.folder.fail(planned, reason)
            if not is_complete(self.folder.setup(setup)):
                self.broken[setup] = reason

    def _build(self, number: int, ahead: Sequence[PlannedTrial]) -> None:
        setup, checked = self.checked.setups[number], self.checked
        begun = time.monotonic()
        stop_all(self._setup_folders())
        skies = list(dict.fromkeys(one.sky for one in checked.setups.values()))
        sky = self.folder.sky(skies.index(setup.sky) + 1)
        self._make_room(number, ahead)
        announce(self.watcher, f"    making set-up {number} of {len(checked.setups)}")
        write_sky(checked.recipes[setup.sky.recipe], setup.sky, sky, unwatched)
        layout = checked.layouts.get(setup.layout)
        has_oracle = checked.read.file.check_answers
        folder = self.folder.setup(number)
        built = build_setup(setup, folder, sky, layout, has_oracle=has_oracle, watcher=unwatched)
        self.folder.add_build(number, built)
        mark_complete(folder)
        waiting = {checked.setups[checked.setup_of[one.cell]].sky for one in ahead if not self._is_built(one)}
        if setup.sky not in waiting:
            _remove(sky)
        self.build_s.append(time.monotonic() - begun)

    def _is_built(self, planned: PlannedTrial) -> bool:
        return is_complete(self.folder.setup(self.checked.setup_of[planned.cell]))

    def _make_room(self, number: int, ahead: Sequence[PlannedTrial]) -> None:
        """Remove the set-ups that are needed last until the next one fits the budget."""
        while True:
            there = {int(folder.name[1:]): folder for folder in self._setup_folders() if folder.exists()}
            used = disk_bytes(files_below([*there.values(), self.folder.out / "skies"]))
            there.pop(number, None)
            if used + self.checked.estimates[number] <= self.checked.budget_bytes or not there:
                return
            needed = [self.checked.setup_of[one.cell] for one in ahead]
            discard(there[last_needed([*there], needed)], self.watcher)

    def _measure(self, planned: PlannedTrial, setup: int) -> None:
        begun = time.monotonic()
        cell, checked = self.cells[planned.cell], self.checked
        has_oracle = checked.read.file.check_answers
        cluster = cluster_of(self.folder.setup(setup))
        stop_all(self._setup_folders())
        if self.is_cold:
            drop_page_cache(data_files(cluster))
        else:
            fill_page_cache(catalog_files(cluster, has_oracle=has_oracle), int(CACHED_SHARE * memory_bytes()))
        servers = (CZAR_NAME, *cluster.node_names)
        cluster.start(described=ClusterDescription(settings=parse_settings(cell.settings, servers)))
        cluster.choose_scan(require_way(str(cell.all.get("scan", "auto"))))
        if has_oracle:
            cluster.start_mono()
        file, workload = checked.asked(cell)
        threads = cell.all.get("scan_threads")
        with served_door(str(cell.all.get("target", CZAR)), cluster.folder, DATABASE) as target:
            trial = TrialRun(
                file, workload, self.folder.work_folder(planned), DATABASE, (target,), cluster.folder,
                seed=workload.seed + planned.block, scan_threads=int(threads) if threads else None, is_brief=True,
                scenario=checked.scenario(cell), is_served=target != CZAR,
            )  # fmt: skip
            summary = trial.run(unwatched)[target].summary
        if summary.is_partial:
            raise KeyboardInterrupt
        numbers = numbers_of(read_trial(trial.out), planned.block, planned.cell, time.monotonic() - begun)
        _require_answers(summary)
        self.folder.keep(planned, numbers)
        self.took_s.append(numbers.elapsed_s)

    def _announce(self, planned: PlannedTrial, ahead: Sequence[PlannedTrial]) -> None:
        whole, label = len(self.order), self.cells[planned.cell].label
        left = ""
        if self.took_s:
            unbuilt = {self.checked.setup_of[one.cell] for one in ahead if not self._is_built(one)}
            builds_s = sum(self.build_s) / max(1, len(self.build_s)) * len(unbuilt)
            left = f"; about {seconds(sum(self.took_s) / len(self.took_s) * len(ahead) + builds_s)} left"
        announce(self.watcher, f"trial {whole - len(ahead) + 1} of {whole}, block {planned.block}: {label}{left}")


class _Broken(Exception):
    """A set-up that could not be made before."""


def _require_answers(summary: TrialSummary) -> None:
    """A trial without a single answer measured nothing."""
    if not any(one.latency for one in summary.classes):
        kinds: Counter[str] = Counter()
        for one in summary.classes:
            kinds.update(one.errors_by_class)
        why = ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common())
        raise RuntimeError(f"no query was answered ({why or 'none was sent'})")


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
