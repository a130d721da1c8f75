"""Scenario files (``ingest/scenarios/*.yaml``) as strict models: which faults happen when, beside a workload.

Reads only the given file. What a fault is on a given cluster, and whether it can be had there, others know
(``scenarios.faults``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictStr, model_validator

from skyshard.bench.workload.workload import Name
from skyshard.catalog.strict_files import (
    NamedKeys,
    ReadFile,
    Strict,
    broken_rule,
    parse_yaml,
    read_text,
    validate_located,
)
from skyshard.host.shipped_data import data_folder, find_shipped

RANDOM, LARGEST, CZAR = "random", "largest", "czar"
"""What ``node`` may be besides a node's name."""


class Do(StrEnum):
    """What an event does."""

    KILL = "kill"
    """The server's process ends at once (SIGKILL)."""
    STOP = "stop"
    """The server's process is frozen (SIGSTOP): sessions stay open, nothing is answered."""
    RESTART = "restart"
    """The server is stopped properly and started again."""
    CORRUPT = "corrupt"
    """Data files of replicas are damaged."""
    CLOCK = "clock"
    """The server goes on with a wrong clock; it is restarted for that."""
    CABLE_OUT = "cable_out"
    ONE_WAY_LOSS = "one_way_loss"
    SLOW_NETWORK = "slow_network"
    SLOW_DISK = "slow_disk"
    FULL_DISK = "full_disk"
    FAILING_DISK = "failing_disk"
    RESTART_HEAD = "restart_head"
    """The Ray head is restarted."""
    VERIFY = "verify"
    """No fault: every replica is read, and marked where it is bad."""
    REPAIR = "repair"
    """No fault: bad replicas are made again."""
    DRAIN = "drain"
    """No fault: what a node holds goes to others; it stays drained."""
    FILL = "fill"
    """No fault: every chunk is brought to its level; nodes that do not answer are not waited for."""
    REBALANCE = "rebalance"
    """No fault: chunks are spread evenly over the nodes that may have them."""
    ENABLE = "enable"
    """No fault: a node takes new chunks again."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What may be said of an event, by what it does."""

    takes: frozenset[str] = frozenset()
    """Keys besides those of all events."""
    lasts: bool = True
    """It is on until it is undone; else it happens, and is over."""
    has_node: bool = True


_HOOK = frozenset({"command", "undo"})
KINDS: dict[Do, Kind] = {
    Do.KILL: Kind(_HOOK),
    Do.STOP: Kind(_HOOK),
    Do.RESTART: Kind(frozenset({"command"}), lasts=False),
    Do.CORRUPT: Kind(_HOOK | {"damage", "tables", "table"}),
    Do.CLOCK: Kind(_HOOK | {"shift_s"}),
    Do.CABLE_OUT: Kind(_HOOK),
    Do.ONE_WAY_LOSS: Kind(_HOOK),
    Do.SLOW_NETWORK: Kind(_HOOK | {"rate_mb_s"}),
    Do.SLOW_DISK: Kind(_HOOK | {"rate_mb_s"}),
    Do.FULL_DISK: Kind(_HOOK),
    Do.FAILING_DISK: Kind(_HOOK),
    Do.RESTART_HEAD: Kind(frozenset({"command"}), lasts=False, has_node=False),
    Do.VERIFY: Kind(frozenset({"rate_mb_s"}), lasts=False, has_node=False),
    Do.REPAIR: Kind(frozenset({"rate_mb_s"}), lasts=False, has_node=False),
    Do.DRAIN: Kind(frozenset({"rate_mb_s"}), lasts=False),
    Do.FILL: Kind(frozenset({"rate_mb_s"}), lasts=False, has_node=False),
    Do.REBALANCE: Kind(frozenset({"rate_mb_s"}), lasts=False, has_node=False),
    Do.ENABLE: Kind(frozenset({"rate_mb_s"}), lasts=False),
}
_OWN = frozenset({"command", "undo", "damage", "tables", "table", "shift_s", "rate_mb_s"})
SILENCING = (Do.KILL, Do.STOP, Do.CABLE_OUT, Do.ONE_WAY_LOSS, Do.FAILING_DISK)
"""A node with one of these answers nothing, or not all."""
MOVES = (Do.DRAIN, Do.FILL, Do.REBALANCE)
"""What moves chunks: no fault, but it may cost queries something, which is measured."""
CARES = (Do.VERIFY, Do.REPAIR, *MOVES, Do.ENABLE)
"""What is no fault; one comes after another."""
OF_NODES_ALONE = (Do.CORRUPT, Do.DRAIN, Do.ENABLE)
"""What cannot be about the czar's server, which holds no replicas."""

Damage = Literal["torn", "removed", "swapped", "older"]
Share = Annotated[float, Field(ge=0, lt=1)]


class FaultEvent(NamedKeys):
    """One thing that happens while a workload runs."""

    do: Do
    node: StrictStr = ""
    """A node's name, ``czar``, ``random`` (drawn by the scenario's seed; another one each time, as long as there are
    others), or ``largest``: the one with the most bytes of the database."""
    phase: StrictStr = ""
    """Of the workload; its first if not given."""
    at_s: Annotated[float, Field(ge=0)] | None = None
    """Seconds after the phase began; 0, if none of the three is given."""
    at_share: Share | None = None
    """After this share of the phase: of its time where it has a duration, else of its queries."""
    at_query: Annotated[int, Field(ge=1)] | None = None
    """When so many queries of the phase have ended, warm-up included."""
    for_s: Annotated[float, Field(gt=0)] | None = None
    """Seconds until it is undone. Without it, or ``for_share``, it is undone when the workload has ended."""
    for_share: Annotated[float, Field(gt=0, le=1)] | None = None
    """The same as a share of the phase; undone with the phase at the latest."""
    damage: Damage = "torn"
    """Of ``corrupt``: the last third of the file is cut off; the file is removed; two values have changed places; all
    rows are as an older copy had them."""
    tables: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Of ``corrupt``: how many chunk tables; the largest ones of the node."""
    table: StrictStr = ""
    """Of ``corrupt``: only chunk tables of this table, such as Object."""
    shift_s: float = 3600.0
    """Of ``clock``: seconds that the server is ahead."""
    rate_mb_s: Annotated[float, Field(gt=0)] | None = None
    """MB (10^6 bytes) a second: of ``verify``, ``repair`` and moves what a node reads or gives at most; of
    ``slow_network`` and ``slow_disk`` for the command."""
    command: StrictStr = ""
    """Instead of what Skyshard does itself: a line for ``sh`` on the host of the benchmark, which has the fault."""
    undo: StrictStr = ""
    """The line that takes the command's fault back."""

    @model_validator(mode="after")
    def _has_the_keys_of_its_kind(self) -> FaultEvent:
        kind = KINDS[self.do]
        given = {name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default}
        for key in sorted(given & _OWN - kind.takes):
            raise broken_rule(f"'{self.do}' takes no '{key}'", [key], "drop the key")
        for key in ("for_s", "for_share"):
            if key in given and not kind.lasts:
                raise broken_rule(f"'{self.do}' happens and is over: nothing is undone", [key], "drop the key")
        if kind.has_node and not self.node:
            raise broken_rule(f"'{self.do}' needs a node", ["node"], "add 'node: random', 'largest' or a name")
        if self.node and not kind.has_node:
            raise broken_rule(f"'{self.do}' is about the whole cluster", ["node"], "drop the key")
        if self.undo and not self.command:
            raise broken_rule("'undo' takes back a command, and there is none", ["undo"], "add 'command', or drop it")
        if self.command and kind.lasts and not self.undo:
            raise broken_rule(f"the command's fault '{self.do}' would stay", ["command"], "add 'undo'")
        return self

    @model_validator(mode="after")
    def _has_one_time(self) -> FaultEvent:
        for names in (("at_s", "at_share", "at_query"), ("for_s", "for_share")):
            given = [name for name in names if getattr(self, name) is not None]
            if len(given) > 1:
                raise broken_rule(f"'{given[0]}' and '{given[1]}' both say when", [given[1]], "keep one of the two")
        return self

    @property
    def lasts(self) -> bool:
        return KINDS[self.do].lasts

    @property
    def due(self) -> str:
        """When it is due, for people: ``at 30 %``, ``at 5 s``, ``at query 40``."""
        if self.at_query is not None:
            return f"at query {self.at_query}"
        if self.at_share is not None:
            return f"at {self.at_share:.0%}".replace("%", " %")
        return f"at {self.at_s or 0:g} s"


class FaultScenario(Strict):
    """Faults in order, and what they may cost."""

    version: Literal[1]
    name: Name
    description: str
    seed: Annotated[int, Field(ge=0)] = 1
    """Draws the random nodes."""
    events: Annotated[list[FaultEvent], Field(min_length=1)]
    errors_allowed: StrictBool = False
    """Failed queries that were in flight while a fault was on do not fail the trial. Wrong answers always do."""


@dataclass(frozen=True, slots=True)
class ReadScenario(ReadFile):
    """A scenario file that was read."""

    file: FaultScenario


def read_scenario(name: str) -> ReadScenario:
    """Read a scenario file, or a shipped scenario by its name.

    Raises:
        UserError: there is none; it cannot be read, is not YAML, or has a wrong key: file, line, key, remedy.
    """
    path = find_scenario(name)
    text = read_text(path, "YAML")
    return ReadScenario(path, text, validate_located(FaultScenario, parse_yaml(text, f"'{path}'"), text, f"'{path}'"))


def shipped_scenarios() -> list[FaultScenario]:
    """All that are shipped, by name."""
    files = sorted(data_folder("ingest", "scenarios").glob("*.yaml"))
    return [read_scenario(str(file)).file for file in files]


def find_scenario(name: str) -> Path:
    """The file itself, or the shipped scenario of that name.

    Raises:
        UserError: there is neither.
    """
    return find_shipped("scenario", name, "ingest", "scenarios")
