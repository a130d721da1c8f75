"""Workload files (``queries/workloads/*.yaml``) as strict models: queries, their number, clients and rates.

Reads only the given file. A workload's templates are in ``../sql`` relative to its file.
"""

from __future__ import annotations

import hashlib
import json
import math
import os.path
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from skyshard.basics.errors import UserError
from skyshard.bench.workload.visit_load import VisitLoad
from skyshard.catalog.strict_files import broken_rule, read_located
from skyshard.host.shipped_data import find_shipped

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=64)]


class Closed(BaseModel):
    """Closed loop: a client sends its next query only after its answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

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
    """Open loop: queries are due whether or not earlier ones were answered."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    loop: Literal["open"]
    rate_per_s: float
    """Mean number of queries due in a second."""
    process: Literal["poisson", "regular"] = "poisson"
    """Exponential or constant gaps."""
    clients: Annotated[int, Field(ge=1, le=1000)] = 16
    """Largest number of queries in flight; a query that waits for a free client keeps its due time."""

    @model_validator(mode="after")
    def _sends_something(self) -> Open:
        if not self.rate_per_s > 0 or not math.isfinite(self.rate_per_s):
            remedy = "give queries per second, above 0, or drop the class"
            raise broken_rule(f"a rate of {self.rate_per_s:g} sends no queries", ["rate_per_s"], remedy)
        return self

    @property
    def text(self) -> str:
        """For people: ``8/s, poisson``."""
        return f"{self.rate_per_s:g}/s, {self.process}"


class ClassLoad(BaseModel):
    """The load of one query class in one phase."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    class_name: Annotated[Name, Field(alias="class")]
    """LV, FTSObj, joinObjSrc ...: the folder of its templates."""
    templates: list[Name]
    """Template names without suffix; each is drawn equally often, and one that is given twice, twice as often."""
    arrivals: Annotated[Closed | Open, Field(discriminator="loop")] = Closed()
    """Closed loop (clients, think time) or open loop (rate, process)."""
    warm_up: Annotated[int, Field(ge=0)] = 0
    """Queries sent first that are recorded but not counted."""
    count: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Measured queries; give this or ``duration_s``."""
    duration_s: Annotated[float, Field(gt=0)] | None = None
    """Seconds in which queries are due; give this or ``count``."""
    distinct: Annotated[int, Field(ge=1)] = 200
    """Distinct statements that a closed loop with a duration repeats."""
    target_s: Annotated[float, Field(gt=0)] | None = None
    """Target of the mean latency in seconds (LDM-552 compares averages)."""
    errors_allowed: Annotated[int, Field(ge=0)] = 0
    """Failed queries that the verdict tolerates."""
    timeout_s: Annotated[float, Field(gt=0)] | None = None
    """Seconds after which a query counts as failed (error ``Timeout``) and its client continues."""

    @model_validator(mode="after")
    def _has_queries(self) -> ClassLoad:
        if not self.templates:
            remedy = "name templates of its folder below sql/, or drop the class"
            raise broken_rule(f"class '{self.class_name}' has no queries", ["templates"], remedy)
        return self

    @model_validator(mode="after")
    def _has_count_or_duration(self) -> ClassLoad:
        if (self.count is None) == (self.duration_s is None):
            raise broken_rule(f"class '{self.class_name}' needs either 'count' or 'duration_s'")
        return self


class Phase(BaseModel):
    """Classes that run at the same time, or visits; a phase begins when the previous one has ended."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: Name
    classes: list[ClassLoad] = []
    visits: VisitLoad | None = None
    """Visits of an alert production database, in place of classes."""

    @model_serializer(mode="wrap")
    def _without_absent(self, whole: SerializerFunctionWrapHandler) -> dict[str, object]:
        """A phase of queries is written, and digested, as it was before there were visits."""
        found: dict[str, object] = whole(self)
        found.pop("visits" if self.visits is None else "classes", None)
        return found

    @model_validator(mode="after")
    def _has_classes_or_visits(self) -> Phase:
        if bool(self.classes) == (self.visits is not None):
            raise broken_rule(
                f"phase '{self.name}' needs either 'classes' or 'visits'", ["classes"], "give one of them"
            )
        return self

    @model_validator(mode="after")
    def _names_each_class_once(self) -> Phase:
        names = [load.class_name for load in self.classes]
        if len(set(names)) < len(names):
            raise broken_rule(f"phase '{self.name}' names a class twice", ["classes"], "merge them or use two phases")
        return self


Statistic = Literal[
    "mean", "p50", "p90", "p95", "p99", "max", "throughput", "goodput", "errors", "error_share", "wrong", "growth"
]


class Threshold(BaseModel):
    """A bound on one number of a class; a trial that breaks it fails, and so does the command."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    class_name: Annotated[Name, Field(alias="class")]
    phase: str = ""
    """The phase; empty: every phase with the class, each on its own."""
    statistic: Statistic
    """Latencies in seconds; throughput and goodput per second; ``error_share`` of all queries; ``growth``: the exponent
    of the mean latency against the number of clients over the phases (1 = linear)."""
    at_most: float | None = None
    at_least: float | None = None

    @model_validator(mode="after")
    def _has_one_bound(self) -> Threshold:
        if (self.at_most is None) == (self.at_least is None):
            raise broken_rule("a threshold needs either 'at_most' or 'at_least'")
        return self

    @property
    def text(self) -> str:
        """For people: ``LV p95 at most 10``."""
        bound = f"at most {self.at_most:g}" if self.at_most is not None else f"at least {self.at_least:g}"
        return f"{self.class_name}{f' ({self.phase})' if self.phase else ''} {self.statistic} {bound}"


class Workload(BaseModel):
    """A workload: phases of classes, a seed, and the conditions for passing."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    version: Literal[1]
    name: Name
    description: str
    database: Name
    """The database, unless the command names another."""
    schema_name: Annotated[Name, Field(alias="schema")] = "synth"
    """Names of tables and columns that templates are rendered with: ``queries/schemas/<name>.yaml``."""
    source: str = ""
    """The document that the mix is taken from."""
    seed: Annotated[int, Field(ge=0)]
    """Decides every parameter value, order and due time."""
    check_answers: bool = True
    """Compare the answers of every distinct statement with the oracle's."""
    phases: Annotated[list[Phase], Field(min_length=1)]
    ends_at_failure: bool = False
    """Leave out the phases after one in which a class fails, for phases of growing load until exhaustion."""
    thresholds: list[Threshold] = []
    """Bounds that decide the exit code, besides targets, errors and wrong answers."""

    @model_validator(mode="after")
    def _names_each_phase_once(self) -> Workload:
        names = [phase.name for phase in self.phases]
        if len(set(names)) < len(names):
            raise broken_rule("two phases have one name", ["phases"])
        return self

    @model_validator(mode="after")
    def _has_phases_of_one_kind(self) -> Workload:
        if any(phase.visits is not None for phase in self.phases) and any(phase.classes for phase in self.phases):
            remedy = "use two workloads: visits and queries have different targets"
            raise broken_rule("phases of visits and phases of queries are mixed", ["phases"], remedy)
        loads = [phase.visits for phase in self.phases if phase.visits is not None]
        if unlike := [number for number, load in enumerate(loads) if load.sky_keys != loads[0].sky_keys]:
            raise broken_rule(
                "its sky is not that of the first phase", ["phases", unlike[0]], "visits go on on one sky"
            )
        return self

    @property
    def is_of_visits(self) -> bool:
        """Whether its phases are visits, which are sent to a store of the alert production database."""
        return self.phases[0].visits is not None

    @model_validator(mode="after")
    def _has_the_classes_of_its_thresholds(self) -> Workload:
        have = {(phase.name, load.class_name) for phase in self.phases for load in phase.classes}
        for number, one in enumerate(self.thresholds):
            if not any(name == one.class_name and one.phase in ("", phase) for phase, name in have):
                where = f"phase '{one.phase}'" if one.phase else "the workload"
                remedy = "name one of " + ", ".join(sorted({name for _, name in have}))
                place: list[str | int] = ["thresholds", number, "class"]
                raise broken_rule(f"{where} has no class '{one.class_name}'", place, remedy)
        return self

    def without(self, classes: Sequence[str]) -> Workload:
        """The same workload without some classes, or single templates of them (``class/name``).

        Raises:
            UserError: no class would be left, or one does not exist.
        """
        known = {load.class_name for phase in self.phases for load in phase.classes} | set(self.template_keys)
        if unknown := sorted(set(classes) - known):
            what = "template" if "/" in unknown[0] else "class"
            remedy = (
                f"leave out some of: {', '.join(sorted(one for one in known if ('/' in one) == ('/' in unknown[0])))}"
            )
            raise UserError(f"workload '{self.name}' has no {what} '{unknown[0]}'", remedy=remedy)
        kept = self.asking([k for k in self.template_keys if not {k, k.partition("/")[0]} & set(classes)])
        if not kept.phases:
            raise UserError(f"workload '{self.name}' has no class left", remedy="leave fewer out")
        return kept

    def asking(self, keys: Collection[str]) -> Workload:
        """The same workload with some templates only, without the classes, phases and thresholds that become empty."""
        phases = []
        for phase in self.phases:
            asked = [
                load.model_copy(update={"templates": names})
                for load in phase.classes
                if (names := [name for name in load.templates if f"{load.class_name}/{name}" in keys])
            ]
            phases += [phase.model_copy(update={"classes": asked})] if asked else []
        left = {(phase.name, load.class_name) for phase in phases for load in phase.classes}
        thresholds = [
            one
            for one in self.thresholds
            if any(name == one.class_name and one.phase in ("", phase) for phase, name in left)
        ]
        return self.model_copy(update={"phases": phases, "thresholds": thresholds})

    def lasting(self, duration_s: float) -> Workload:
        """The same workload with another duration for every class that has one.

        Raises:
            UserError: no class has a duration.
        """
        if all(load.duration_s is None for phase in self.phases for load in phase.classes):
            raise UserError(f"no class of workload '{self.name}' has a duration", remedy="leave --duration out")

        def changed(load: ClassLoad) -> ClassLoad:
            return load if load.duration_s is None else load.model_copy(update={"duration_s": duration_s})

        phases = [phase.model_copy(update={"classes": list(map(changed, phase.classes))}) for phase in self.phases]
        return self.model_copy(update={"phases": phases})

    def with_visits(self, changes: Mapping[str, object]) -> Workload:
        """The same workload with other keys of the visits of all its phases, which are not checked again."""
        phases = [
            phase
            if phase.visits is None
            else phase.model_copy(update={"visits": phase.visits.model_copy(update=changes)})
            for phase in self.phases
        ]
        return self.model_copy(update={"phases": phases})

    def digest(self, template_digests: dict[str, str]) -> str:
        """A digest of the queries: equal for files that differ only in comments, description and bounds."""
        exclude = {"description", "source", "thresholds"}
        content = {"workload": self.model_dump(exclude=exclude), "templates": template_digests}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def template_keys(self) -> list[str]:
        """``class/name`` of every template used, sorted."""
        loads = [load for phase in self.phases for load in phase.classes]
        return sorted({f"{load.class_name}/{name}" for load in loads for name in load.templates})


def read_workload(path: Path) -> Workload:
    """Read and check a workload file.

    Raises:
        UserError: it cannot be read, is not YAML, or has an unknown or wrong key, which is named.
    """
    read = read_located(Workload, path)
    named = next((phase.visits.recipe for phase in read.phases if phase.visits is not None), "")
    beside = path.parent / named
    return read.with_visits({"recipe": str(beside)}) if named and os.path.isfile(beside) else read


def find_workload(name: str) -> Path:
    """The file itself, or the shipped workload of that name.

    Raises:
        UserError: there is neither.
    """
    return find_shipped("workload", name, "queries", "workloads")


def template_folder(workload_file: Path) -> Path:
    """The folder of a workload file's templates: ``../sql`` relative to it."""
    return workload_file.resolve().parent.parent / "sql"
