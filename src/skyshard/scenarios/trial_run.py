"""Runs the trials of ``skyshard bench run``: one workload against one target or several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from skyshard.basics.errors import UserError
from skyshard.basics.progress import Watcher, announce
from skyshard.bench.check.true_answers import TrueAnswers
from skyshard.bench.drive.driver_processes import DriverProcesses
from skyshard.bench.record.environment import NodeMachine
from skyshard.bench.record.running_trial import noticed
from skyshard.bench.target import TakesForms, Target
from skyshard.bench.targets.adql_form import Positions
from skyshard.bench.targets.door_access import ANYBODY, DoorAccess
from skyshard.bench.trial.new_folder import check_folder, prepare_folder
from skyshard.bench.trial.run_trial import run_trial
from skyshard.bench.trial.send_phases import sample_data
from skyshard.bench.trial.trial_setup import (
    CatalogFacts,
    TrialDriver,
    TrialEngines,
    TrialFaults,
    TrialQueries,
    TrialRecord,
    TrialResult,
    TrialWatch,
)
from skyshard.bench.workload.fault_scenario import ReadScenario
from skyshard.bench.workload.planned_faults import plan_faults
from skyshard.bench.workload.query_template import QueryTemplate
from skyshard.bench.workload.schema_names import DIRECTOR
from skyshard.bench.workload.workload import Workload
from skyshard.bench.workload.workload_fit import best_fit, names_of, workload_templates
from skyshard.scenarios.catalog_facts import MOST_ROWS, MOST_ROWS_BESIDE, catalog_facts, true_answers
from skyshard.scenarios.cluster_probe import ClusterProbe
from skyshard.scenarios.faults.cluster_faults import ClusterFaults, require_possible
from skyshard.scenarios.node_machines import node_machines
from skyshard.scenarios.open_target import AskedOf, open_target
from skyshard.scenarios.testbed_target import OWN, TestbedTarget, has_mono
from skyshard.testbed import Testbed


@dataclass(frozen=True, slots=True)
class TrialRun:
    """A workload file, the workload with the command's changes, and the targets; each target has a trial folder."""

    file: Path
    workload: Workload
    out: Path
    database: str
    targets: tuple[str, ...]
    cluster: Path
    seed: int | None = None
    processes: int = 0
    """Driver processes; 0: threads of this one."""
    runtime: Literal["processes", "ray"] = "processes"
    """What starts the driver processes."""
    scan_threads: int | None = None
    """Of each node's scan lane; None: a share of the host's cores."""
    is_brief: bool = False
    """Without plans, times of chunks and pages."""
    has_page: bool = True
    """Whether the pages are drawn."""
    label: str = ""
    """What is measured, for the pages."""
    has_statistics: bool = False
    """Ask each class once more by itself, while the servers count rows by table."""
    scenario: ReadScenario | None = None
    """What fails while queries run."""
    access: DoorAccess = ANYBODY
    """How front doors are reached."""
    is_served: bool = False
    """The targets are doors of this very cluster: what is known of its catalog and its servers is true of them, too."""

    def run(self, watcher: Watcher) -> dict[str, TrialResult]:
        """Run against each target in turn; returns the results by the targets' names as given.

        All targets are asked the same statements. Answers are compared with the mono server's; without one, with those
        of the first target. When a trial is stopped early, the targets after it are not asked.
        """
        templates = workload_templates(self.file, self.workload)
        check_folder(self.out)
        if self.scenario and (len(self.targets) > 1 or OWN.get(self.targets[0], ("",))[0] != "czar"):
            what = f"scenario '{self.scenario.file.name}' is about the servers of the czar"
            raise UserError(f"{what}, the trial has --target {' '.join(self.targets)}", remedy="leave --target out")
        with ExitStack() as stack:
            opened = self._open_all(templates, stack, watcher)
            notice = stack.enter_context(
                noticed(self.cluster, self.workload.name, self.database, is_counted=not self.processes)
            )
            prepare_folder(self.out)
            queries = self._queries(templates, opened)
            found: dict[str, TrialResult] = {}
            for spec, folder in trial_folders(self.out, {k: one.name for k, one in opened.targets.items()}).items():
                notice.begin(spec)
                watch = TrialWatch(notice.watching(watcher), take_samples=notice.take)
                found[spec] = self._run_one(spec, queries, opened, folder, watch)
                if found[spec].summary.is_partial:
                    break
            return found

    def _open_all(self, templates: dict[str, QueryTemplate], stack: ExitStack, watcher: Watcher) -> _Opened:
        """Open every target, and check the inputs, before anything is sent."""
        testbed = None
        if self.is_served or any(spec in OWN for spec in self.targets):
            testbed = stack.enter_context(Testbed(self.cluster, scan_threads=self.scan_threads))
            self._require_names(testbed, templates)
        asked = AskedOf(self.access, positions_of(templates))
        targets = {spec: self._open(spec, testbed, asked, stack, watcher) for spec in dict.fromkeys(self.targets)}
        oracles = self._oracles(targets, testbed)
        if testbed is None:
            return _Opened(targets, oracles)
        faults = self._faults(testbed, watcher) if self.scenario else None
        probe = ClusterProbe(testbed, is_patient=faults is None)
        stack.callback(probe.close)
        is_beside = self.workload.check_answers and has_mono(testbed, self.database)
        known = true_answers(testbed, self.database, MOST_ROWS_BESIDE if is_beside else MOST_ROWS)
        facts, machines = catalog_facts(testbed, self.database), node_machines(testbed.cluster)
        czar = TestbedTarget(testbed, "czar")
        return _Opened(targets, oracles, _Own(facts, known, probe, machines, czar, faults))

    def _faults(self, testbed: Testbed, watcher: Watcher) -> TrialFaults:
        """The scenario on this cluster. Raises UserError where it cannot be had; nothing was done."""
        assert self.scenario is not None
        health = testbed.replicas.status(self.database)
        held = {one.node: one.bytes for one in health.nodes if one.node in testbed.nodes}
        planned = plan_faults(
            self.scenario, self.workload, held, health.databases[0].wanted, counts_queries=not self.processes
        )
        require_possible(planned, testbed, self.database)
        for warning in planned.warnings:
            announce(watcher, f"scenario {self.scenario.file.name}: {warning}")
        return TrialFaults(planned, ClusterFaults(testbed, self.database, self.scenario.file.name))

    def _queries(self, templates: dict[str, QueryTemplate], opened: _Opened) -> TrialQueries:
        """The queries, with one profile for all targets, so that all get the same statements."""
        queries = TrialQueries(self.workload, templates, self.database, self.seed)
        sampled = opened.targets[_first_with_sql(opened.targets)]
        if self.is_served and opened.own is not None:  # as where no door is between
            sampled = opened.own.czar
        return replace(queries, profile=sample_data(queries, sampled))

    def _run_one(
        self, spec: str, queries: TrialQueries, opened: _Opened, folder: Path, watch: TrialWatch
    ) -> TrialResult:
        driver = TrialDriver()
        if self.processes:
            opener = partial(
                open_target, spec, self.cluster.resolve(), asked=AskedOf(self.access, positions_of(queries.templates))
            )
            driver = TrialDriver(DriverProcesses(opener, self.processes, self.runtime))
        if opened.own is not None:
            driver = replace(driver, faults=opened.own.faults)
        target, oracle = opened.targets[spec], opened.oracles[spec]
        if opened.own is None or not (self.is_served or spec in OWN):
            record = TrialRecord(folder, label=self.label, is_brief=self.is_brief, has_page=self.has_page)
            return run_trial(queries, TrialEngines(target, oracle), record, driver, watch)
        own = opened.own
        engines = TrialEngines(target, oracle, own.truth)
        record = TrialRecord(
            folder, own.facts, label=self.label, is_brief=self.is_brief, has_page=self.has_page,
            has_statistics=self.has_statistics, nodes=own.machines,
        )  # fmt: skip
        return run_trial(queries, engines, record, driver, replace(watch, probe=own.probe))

    def _require_names(self, testbed: Testbed, templates: dict[str, QueryTemplate]) -> None:
        """Raises UserError when the database lacks a table or column that a template asks for."""
        tables = testbed.registry.published.catalog(self.database).tables
        has = names_of({name: entry.table for name, entry in tables.items()})
        lacking = {key: missing for key, template in templates.items() if (missing := template.missing(has))}
        if not lacking:
            return
        key, missing = next(iter(lacking.items()))
        remedy = f"leave out what asks for it (--leave-out {','.join(lacking)})"
        other = best_fit(self.file, self.workload, has)
        if other is not None and other.workload.schema_name != self.workload.schema_name:
            remedy = f"give --schema {other.workload.schema_name}"
        raise UserError(
            f"database '{self.database}' has no {missing}, which template '{key}' asks for with the names of schema "
            f"'{self.workload.schema_name}'",
            remedy=remedy,
        )

    def _open(self, spec: str, testbed: Testbed | None, asked: AskedOf, stack: ExitStack, watcher: Watcher) -> Target:
        if testbed is not None and spec == "mono" and not has_mono(testbed, self.database):
            raise UserError(
                f"the oracle does not hold '{self.database}'", remedy=f"run skyshard mono load {self.database}"
            )
        if testbed is not None and spec in OWN:
            return TestbedTarget(testbed, *OWN[spec])
        target = open_target(spec, self.cluster, watcher, asked)
        stack.callback(target.close)
        return target

    def _oracles(self, targets: dict[str, Target], testbed: Testbed | None) -> dict[str, Target | None]:
        """The oracle of each target."""
        if not self.workload.check_answers:
            return dict.fromkeys(targets)
        mono = TestbedTarget(testbed, "mono") if testbed is not None and has_mono(testbed, self.database) else None
        first = _first_with_sql(targets)
        others = {spec: targets[first] if spec != first else None for spec in targets}
        oracles: dict[str, Target | None] = {
            spec: mono if mono and spec != "mono" else others[spec] for spec in targets
        }
        if oracles[first] is None and len(targets) == 1 and first != "mono":
            raise UserError(
                f"workload '{self.workload.name}' checks answers, and the oracle does not hold '{self.database}'",
                remedy=f"run skyshard mono load {self.database}, name a second --target, or give --no-check",
            )
        return oracles


@dataclass(frozen=True, slots=True)
class _Own:
    """What is known about the catalog of the testbed's own engines."""

    facts: CatalogFacts
    truth: TrueAnswers | None
    probe: ClusterProbe
    machines: dict[str, NodeMachine]
    czar: Target
    faults: TrialFaults | None = None


@dataclass(frozen=True, slots=True)
class _Opened:
    """Targets and their oracles by name as given, and what exists only for the testbed's own."""

    targets: dict[str, Target]
    oracles: dict[str, Target | None]
    own: _Own | None = None


def _first_with_sql(targets: dict[str, Target]) -> str:
    """The first target that takes SQL, else the first of all."""
    return next((spec for spec, one in targets.items() if not isinstance(one, TakesForms)), next(iter(targets)))


def positions_of(templates: Mapping[str, QueryTemplate]) -> Positions:
    """The directors of a workload's schema, and their columns of position."""
    found = {}
    for template in templates.values():
        names = template.schema
        found[names.table(DIRECTOR)] = (names.column(DIRECTOR, "ra"), names.column(DIRECTOR, "decl"))
    return found


def trial_folders(out: Path, names: dict[str, str]) -> dict[str, Path]:
    """Each target's trial folder: ``out`` itself for one, else a folder in it, with a number where a name repeats.

    >>> found = trial_folders(Path("out"), {"czar": "czar", "lsdb:a": "lsdb", "lsdb:b": "lsdb"})
    >>> [str(folder) for folder in found.values()]
    ['out/czar', 'out/lsdb', 'out/lsdb-2']
    """
    if len(names) == 1:
        return dict.fromkeys(names, out)
    used = Counter[str]()
    folders = {}
    for spec, name in names.items():
        used[name] += 1
        folders[spec] = out / (name if used[name] == 1 else f"{name}-{used[name]}")
    return folders
