"""The manifest of a trial: what ran, where, on which data. Strict models; no I/O."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from skyshard.bench.record.environment import Environment
from skyshard.bench.record.machine_probe import MachineReading
from skyshard.bench.record.server_variables import ServerVariables
from skyshard.bench.workload.fault_scenario import FaultScenario
from skyshard.bench.workload.workload import Workload

VERSION: Final = 3


class IngestStage(BaseModel):
    """One stage of the ingest that made the catalog, for the report."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    elapsed_s: float
    rows: int = 0
    bytes: int = 0


class TemplateNote(BaseModel):
    """A template's description and digest when the trial ran."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str
    digest: str


class TrialManifest(BaseModel):
    """What ran: ``manifest.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1, 2, 3]
    """2: with ``label``, ``machine`` and ``servers``, which trials of 0.1.0 lack. 3: with machines of nodes on
    other hosts, and with ``scenario``."""
    label: str = ""
    """What its user calls the thing that was measured; empty where it has no name."""
    started: datetime
    stopped: datetime
    is_partial: bool
    workload: Workload
    workload_digest: str
    """Equal for trials that send the same to an engine."""
    templates: dict[str, TemplateNote] = {}
    """By ``class/name``."""
    seed: int
    database: str
    target: str
    target_facts: dict[str, object] = {}
    """Version and some variables of one server, as reported by the target."""
    servers: dict[str, ServerVariables] = {}
    """By name: czar, node1, node2 ..., or mono; of those that answered at the end."""
    oracle: str = ""
    """Name of the oracle; empty when answers were not compared with one."""
    known_answers: int = 0
    """Number of answers compared with what the catalog's generator knows."""
    catalog: dict[str, object] = {}
    """Layout, nodes, row counts, data digest."""
    ingest: list[IngestStage] = Field(default_factory=list)
    driver: dict[str, object] = {}
    """Where the clients ran, and in how many processes."""
    scenario: FaultScenario | None = None
    """What failed while queries ran; None: nothing was made to."""
    environment: Environment
    machine: list[MachineReading] = Field(default_factory=list)
    """How fast the machine itself was, before, between and after the phases."""
