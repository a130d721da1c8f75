"""Workload files (``queries/workloads/*.yaml``) as strict models: what is asked, how often, by how many, how fast.

No I/O but reading the file named. A workload's templates stand in ``sql/`` beside the folder of the workload file.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from skyshard.layout import parse_model

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=64)]


class Closed(BaseModel):
    """Clients that ask again only after their answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loop: Literal["closed"] = "closed"
    clients: Annotated[int, Field(ge=1, le=1000)] = 1
    """Concurrent clients."""
    think_time_s: Annotated[float, Field(ge=0)] = 0.0
    """Pause of a client between an answer and its next query, in seconds."""
    ramp_s: Annotated[float, Field(ge=0)] = 0.0
    """Seconds over which the clients' starts are spread."""

    @property
    def text(self) -> str:
        """For people: ``2 clients`` or ``2 clients, think 0.5 s``."""
        clients = f"{self.clients} client{'s' if self.clients > 1 else ''}"
        return (
            f"{clients}, think\N{NO-BREAK SPACE}{self.think_time_s:g}\N{NO-BREAK SPACE}s"
            if self.think_time_s
            else clients
        )


class Open(BaseModel):
    """Queries that fall due whether or not earlier ones were answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loop: Literal["open"]
    rate_per_s: Annotated[float, Field(gt=0)]
    """Mean number of queries that fall due in a second."""
    process: Literal["poisson", "regular"] = "poisson"
    """Exponential or constant gaps."""
    clients: Annotated[int, Field(ge=1, le=1000)] = 16
    """Most queries in flight; a query that waits for a free client keeps its due time."""

    @property
    def text(self) -> str:
        """For people: ``8/s, poisson``."""
        return f"{self.rate_per_s:g}/s, {self.process}"


class ClassLoad(BaseModel):
    """The load of one query class in one phase."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    class_name: Annotated[Name, Field(alias="class")]
    """LV, FTSObj, joinObjSrc ...: the folder of its templates."""
    templates: Annotated[list[Name], Field(min_length=1)]
    """Template names without suffix; each is drawn equally often, a name given twice twice as often."""
    arrivals: Annotated[Closed | Open, Field(discriminator="loop")] = Closed()
    """Closed loop (clients, think time) or open loop (rate, process)."""
    warm_up: Annotated[int, Field(ge=0)] = 0
    """Queries sent first that are recorded but not counted."""
    count: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Measured queries; give this or ``duration_s``."""
    duration_s: Annotated[float, Field(gt=0)] | None = None
    """Seconds in which queries may fall due; give this or ``count``."""
    distinct: Annotated[int, Field(ge=1)] = 200
    """Distinct statements that a closed loop with a duration goes round."""
    target_s: Annotated[float, Field(gt=0)] | None = None
    """Target of the mean latency in seconds (LDM-552 compares averages)."""
    errors_allowed: Annotated[int, Field(ge=0)] = 0
    """Failed queries that the verdict tolerates."""

    @model_validator(mode="after")
    def _has_count_or_duration(self) -> ClassLoad:
        if (self.count is None) == (self.duration_s is None):
            raise ValueError(f"class '{self.class_name}' needs either 'count' or 'duration_s'")
        return self


class Phase(BaseModel):
    """Classes that run at the same time; a phase begins when the one before it has ended."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    classes: Annotated[list[ClassLoad], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_each_class_once(self) -> Phase:
        names = [load.class_name for load in self.classes]
        if len(set(names)) < len(names):
            raise ValueError(f"phase '{self.name}' names a class twice; merge them or use two phases")
        return self


class Workload(BaseModel):
    """A workload: phases of classes, a seed, and what counts as passing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    name: Name
    description: str
    database: Name
    """Database that is asked unless the command names another."""
    seed: Annotated[int, Field(ge=0)]
    """Decides every parameter value, order and due time."""
    check_answers: bool = True
    """Compare every distinct statement's answers with the oracle."""
    phases: Annotated[list[Phase], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_each_phase_once(self) -> Workload:
        names = [phase.name for phase in self.phases]
        if len(set(names)) < len(names):
            raise ValueError("two phases have one name")
        return self

    def digest(self, template_digests: dict[str, str]) -> str:
        """A digest of what the workload asks: equal for two files that differ in comments and description only."""
        content = {"workload": self.model_dump(exclude={"description"}), "templates": template_digests}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def template_keys(self) -> list[str]:
        """``class/name`` of every template used, sorted."""
        loads = [load for phase in self.phases for load in phase.classes]
        return sorted({f"{load.class_name}/{name}" for load in loads for name in load.templates})


def read_workload(path: Path) -> Workload:
    """Read and check a workload file.

    Raises:
        UserError: unreadable, not YAML, or an unknown or wrong key, which is named.
    """
    return parse_model(Workload, path)


def template_folder(workload_file: Path) -> Path:
    """Where the templates of a workload file stand: ``../sql`` beside it."""
    return workload_file.resolve().parent.parent / "sql"
