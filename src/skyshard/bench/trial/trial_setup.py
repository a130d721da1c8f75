"""The parts of a trial: queries, engines, driver, folder, and who is shown progress. Values only, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skyshard.basics.progress import Watcher, unwatched
from skyshard.bench.check.true_answers import TrueAnswers
from skyshard.bench.clock import Clock
from skyshard.bench.drive.driver_processes import DriverProcesses
from skyshard.bench.drive.fault_course import FaultHost
from skyshard.bench.record.chunk_map import SkyMap
from skyshard.bench.record.environment import NodeMachine
from skyshard.bench.record.latency_stats import TrialSummary
from skyshard.bench.record.running_trial import TakeSamples
from skyshard.bench.record.samples import Sample
from skyshard.bench.record.telemetry import NoProbe, Probe
from skyshard.bench.record.trial_manifest import IngestStage
from skyshard.bench.target import Target
from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.planned_faults import PlannedScenario
from skyshard.bench.workload.query_template import QueryTemplate
from skyshard.bench.workload.schema_names import CatalogSchema
from skyshard.bench.workload.workload import Workload


@dataclass(frozen=True, slots=True)
class TrialQueries:
    """A workload, the templates of its queries, and the profile that their parameters are drawn from."""

    workload: Workload
    templates: Mapping[str, QueryTemplate]
    """By ``class/name``."""
    other_database: str = ""
    """Replaces the workload's database."""
    other_seed: int | None = None
    """Replaces the workload's seed."""
    profile: DataProfile | None = None
    """None: the target is sampled."""

    @property
    def database(self) -> str:
        return self.other_database or self.workload.database

    @property
    def seed(self) -> int:
        return self.workload.seed if self.other_seed is None else self.other_seed

    @property
    def schema(self) -> CatalogSchema:
        """The schema whose names the templates are rendered with."""
        return next((template.schema for template in self.templates.values()), CatalogSchema.plain())


@dataclass(frozen=True, slots=True)
class TrialEngines:
    """The target of the queries, and what its answers are compared with after the run."""

    target: Target
    oracle: Target | None = None
    """Gets the same statements; None: answers are not compared with an engine's."""
    truth: TrueAnswers | None = None
    """Answers that the generator of the catalog knows."""


@dataclass(frozen=True, slots=True)
class TrialFaults:
    """What fails while queries run, and who has it fail."""

    planned: PlannedScenario
    host: FaultHost


@dataclass(frozen=True, slots=True)
class TrialDriver:
    """Who sends the queries: threads of this process, or driver processes; and what fails meanwhile."""

    processes: DriverProcesses | None = None
    clock: Clock | None = None
    """Time for the threads of this process; None: the wall clock."""
    faults: TrialFaults | None = None

    @property
    def facts(self) -> dict[str, object]:
        """For the manifest."""
        if self.processes is None:
            return {"runtime": "threads", "processes": 1}
        return {"runtime": self.processes.runtime, "processes": self.processes.count}


@dataclass(frozen=True, slots=True)
class CatalogFacts:
    """What a trial folder records about the catalog; all optional."""

    facts: Mapping[str, object] = field(default_factory=dict)
    """Layout, nodes, row counts, data digest, by name."""
    sky_map: SkyMap | None = None
    ingest: Sequence[IngestStage] = ()
    """Stages of the ingest that made the catalog."""


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """The folder of the trial, and what is recorded about the catalog."""

    folder: Path
    """Absent or empty."""
    catalog: CatalogFacts = CatalogFacts()
    is_brief: bool = False
    """Without plans, times of chunks and pages, which are no part of what is measured and take seconds."""
    has_page: bool = True
    """Whether the pages are drawn, which takes seconds of a processor; they can be drawn later."""
    label: str = ""
    """What its user calls the thing that is measured."""
    reads_machine: bool = True
    """Whether the machine itself is timed before, between and after the phases."""
    has_statistics: bool = False
    """Ask each class once more by itself, while the servers count rows by table."""
    nodes: Mapping[str, NodeMachine] = field(default_factory=dict)
    """The machines of nodes on other hosts."""


def untold(_: Sequence[Sample], __: int) -> None:
    """Nobody looks at samples while they come."""


@dataclass(frozen=True, slots=True)
class TrialWatch:
    """The watcher of progress, and the probe that reads the servers' counters while queries run."""

    watcher: Watcher = unwatched
    probe: Probe = field(default_factory=NoProbe)
    """Its owner closes it."""
    take_samples: TakeSamples = untold
    """Is given all samples until now and the queries planned of the phase, by the thread that reports progress."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The outcome of a trial."""

    folder: Path
    page: Path
    """The report; a brief trial has none until ``bench report`` makes it."""
    summary: TrialSummary
    verdict: str
    """One sentence."""
