"""What ``skyshard explain``, ``submit``, ``status``, ``queries`` and ``story`` print with ``--json``, as models. No
I/O."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from skyshard.cli.terminal.json_models.output import Output


class NodeTimeOutput(Output):
    """What one node did for a query."""

    node: str
    units: int
    chunks: int
    rows: int
    elapsed_s: float


class UnitTimeOutput(Output):
    """One batch of chunk statements."""

    node: str
    chunks: list[int]
    rows: int
    elapsed_s: float


class PlanStepOutput(Output):
    """A step of a server's plan, as it was carried out; rows of all loops, shares in percent; null: not told."""

    what: str
    access: str
    key: str
    loops: float | None
    rows_estimated: float | None
    rows_read: float | None
    kept_estimated: float | None
    kept: float | None
    time_ms: float | None
    condition: str
    steps: list[PlanStepOutput]


class ServerPlanOutput(Output):
    """The slowest statement of a node, analysed; ``raw`` is MariaDB's ANALYZE FORMAT=JSON, of the whole unit."""

    node: str
    unit_chunks: list[int]
    unit_s: float
    chunk: int | None
    statement: str
    step: PlanStepOutput
    raw: dict[str, Any]


class AnalysisOutput(Output):
    """A query as it was answered."""

    elapsed_s: float
    planned_s: float
    rows: int
    bytes: int
    coverage: float
    retried_chunks: int
    node_skew: float
    chunk_skew: float
    nodes: list[NodeTimeOutput]
    slowest: list[UnitTimeOutput]
    servers: list[ServerPlanOutput] = Field(default_factory=list)
    rows_as_text: dict[str, str] = Field(default_factory=dict)
    column_chunks: int = 0
    column_bytes: int = 0
    not_by_columns: list[str] = Field(default_factory=list)


class ExplainOutput(Output):
    """``explain``."""

    kind: str
    lane: str
    chunks: int
    total_chunks: int
    why: list[str]
    rows_read: int
    bytes_read: int
    bytes_moved: int | None
    elapsed_s: float
    chunk_statements: list[str]
    merge_statement: str
    columns: list[str]
    scans: list[str] = Field(default_factory=list)
    """Of each pull, whether it is read by columns, and why not; earlier releases printed none."""
    analysis: AnalysisOutput | None = None


class SubmitOutput(Output):
    """``submit``."""

    query: int


class QueryStatusOutput(Output):
    """``status`` and ``cancel``."""

    number: int
    state: str
    statement: str
    database: str
    chunks: int
    chunks_done: int
    rows: int
    bytes: int
    elapsed_s: float
    eta_s: float | None
    error: str
    coverage: float
    column_bytes: int = 0
    """Of column images that were read; earlier releases did not say."""


class QueryOutput(Output):
    """A row of ``queries``."""

    id: int
    name: str
    is_async: bool
    database: str
    statement: str
    state: str
    kind: str
    lane: str
    submitted_s: float
    begun_s: float | None
    ended_s: float | None
    chunks: int
    chunks_done: int
    rows: int
    bytes: int
    coverage: float
    error: str
    is_stop_wanted: bool
    result: str
    host: str = ""
    """A number that stands for the host, and its start, where the query was begun."""
    owner: str = ""
    """The name of the token by which it was submitted at a door; empty: by a command, or answered at once."""
    column_bytes: int = 0
    """Of column images that were read."""
    limit_s: float = 0.0
    """So long it may take from when it begins on; 0: no limit."""


class StoryEventOutput(Output):
    """One event of a story."""

    time: str
    time_s: float
    event: str
    level: str
    process: int | None
    source: str
    text: str


class StoryOutput(Output):
    """``story query``, ``story transaction``, ``story node``."""

    version: int
    subject: str
    name: str
    facts: dict[str, Any]
    events: list[StoryEventOutput]
    left_out: int
    notes: list[str]
