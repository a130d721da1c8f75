"""What ``skyshard plan``, ``ingest``, ``contributions``, ``verify``, ``compact`` and ``transactions`` print with
``--json``, as models. No I/O."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from skyshard.cli.terminal.json_models.origin_outputs import ReplacementOutput, RewrittenOutput
from skyshard.cli.terminal.json_models.output import Output
from skyshard.releases.schema_changes.schema_difference import SchemaDifference


class StripingOutput(Output):
    """How the sky is cut."""

    stripes: int
    substripes: int
    overlap_deg: float


class PlannedTableOutput(Output):
    """What an ingest would do with one table."""

    table: str
    role: str
    director: str
    columns: int
    parts: int
    """Pieces of input."""
    input_bytes: int
    rows: int | None
    loader: str
    why_loader: str
    conversions: list[str]
    notes: list[str] = Field(default_factory=list)
    """What was decided about the input: runs, types, role, what is left out."""
    not_imaged: dict[str, str] = Field(default_factory=dict)
    """Columns that have no column image, and why, where images are asked for."""


class SurveyedTable(Output):
    """What the rows of one table come to."""

    table: str
    rows: int
    overlap_rows: int
    chunks: int
    stored_bytes: int
    is_estimate: bool
    sampled: int
    conversions: dict[str, int]
    seconds: float
    left_out: dict[str, int] = Field(default_factory=dict)
    """Rows of the input that are not taken, by policy."""


class SurveyOutput(Output):
    """What an ingest will come to."""

    tables: list[SurveyedTable]
    node_bytes: dict[str, int]
    predicted_s: float
    skew: float
    overlap_share: float
    replayed: dict[str, int] = Field(default_factory=dict)
    """Table → pieces of input that earlier transactions took in, which are passed over."""


class PlanOutput(Output):
    """``plan``."""

    source: str
    kind: str
    database: str
    striping: StripingOutput
    replicas: int
    engine: str | None = None
    storage: dict[str, str | int | bool] = Field(default_factory=dict)
    """What the layout says of it; empty where it leaves it to the engine."""
    columns: str | list[str] = "none"
    """That have column images, too: ``all``, ``none``, or their names."""
    tables: list[PlannedTableOutput]
    survey: SurveyOutput | None = None
    rewritten: list[RewrittenOutput] = Field(default_factory=list)
    """Files that the database was ingested from, whose content is another one now."""
    replacement: ReplacementOutput | None = None
    changes: SchemaDifference | None = None
    """Against the release before, of a new database from a mapping."""


class IngestedTable(Output):
    """What became of one table."""

    table: str
    role: str
    loader: str
    rows: int
    overlap_rows: int
    chunks: int
    bytes: int
    orphans: int
    moved: int
    conversions: dict[str, int]
    left_out: dict[str, int] = Field(default_factory=dict)
    """Rows of the input that were not taken, by policy."""
    quarantine: str = ""
    """The file of the rows without a position that were left out, where they are kept."""
    notes: list[str] = Field(default_factory=list)
    """What was decided about the input, as in ``plan``."""


class IngestOutput(Output):
    """``ingest``; transaction 0: there was nothing new."""

    database: str
    transaction: int
    tables: list[IngestedTable]
    stages_s: dict[str, float]
    replayed: dict[str, int]
    replaced: dict[str, int] = Field(default_factory=dict)
    """Files whose rows went, by table."""


class TransactionOutput(Output):
    """A row of ``transactions``."""

    id: int
    database: str
    state: str
    source: str
    plan: str
    attempt: int
    begun_s: float
    ended_s: float | None
    error: str
    report: dict[str, Any]
    """``skyshard.registry.transactions.transaction_report``."""
    rows: int
    bytes: int
    seconds: float | None
    rows_per_s: float | None
    bytes_per_s: float | None
    servers: dict[str, float] = Field(default_factory=dict)
    """When each node's server had been started, as it said at the beginning: seconds since 1970."""


class AbortOutput(Output):
    """``transactions abort``."""

    transaction: int
    database: str
    state: str


class ContributionOutput(Output):
    """A row of ``contributions``; chunk -1: a table that is not chunked."""

    transaction_id: int
    table: str
    part_digest: str
    chunk: int
    is_overlap: bool
    part: str
    state: str
    rows: int
    orphans: int
    digest: str
    part_rows: int
    elapsed_s: float


class CheckOutput(Output):
    """A check of ``verify``."""

    name: str
    is_good: bool
    found: str


class CompactOutput(Output):
    """``compact``; transaction 0: there was nothing to merge."""

    database: str
    transaction: int
    tables: int
    parts: int
    indexes: int
    rows: int
    bytes: int
    elapsed_s: float
