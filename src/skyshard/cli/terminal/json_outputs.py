"""What commands print with ``--json``, as strict models: the contract with programs that read it. No I/O.

Rules: keys are only added, never renamed, removed or given another type, and lists stay lists, so that a program
written for one release reads what later releases print. A new key is added here, with a default if an
earlier release did not print it. A change that breaks this raises ``OUTPUT_VERSION`` and is named in the changelog.
docs/reference/formats.md lists the commands; ``python -m skyshard.cli.terminal.json_outputs COMMAND`` prints a schema.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, TypeAdapter

from skyshard.releases.differences.difference import DatabaseDifference

OUTPUT_VERSION = 1


class Output(BaseModel):
    """A JSON object; keys that are not described here are an error in tests."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerOutput(Output):
    """A server of the cluster."""

    name: str
    state: str
    """running, stopped, crashed, silent."""
    pid: int | None
    socket: str
    memory_bytes: int
    data_bytes: int
    log: str
    caches: dict[str, int] = {}
    """Bytes by the name of the setting."""
    settings: dict[str, str] = {}
    """Those that were chosen."""
    not_in_force: dict[str, str] = {}
    """Chosen settings that the running server does not follow, and the values that it has."""


class ClusterStatus(Output):
    """``cluster status``."""

    cluster: str
    name: str = ""
    """As the cluster file says."""
    planned_memory_bytes: int = 0
    """What the caches are shares of: the host's memory, a container's limit, or $SKYSHARD_MEMORY."""
    interrupted_change: list[str] = []
    """Settings that a change went for that was killed."""
    servers: list[ServerOutput]


class UpgradeChange(Output):
    """One change of an upgrade."""

    version: int
    """Version of the registry after the change's step."""
    what: str
    count: int


class ClusterUpgrade(Output):
    """``cluster upgrade``."""

    cluster: str
    before: int
    after: int
    is_dry_run: bool
    changes: list[UpgradeChange]


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
    notes: list[str] = []
    """What was decided about the input: runs, types, role, what is left out."""


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


class RewrittenOutput(Output):
    """A file that was written again since it was ingested."""

    table: str
    path: str
    dataset: str
    ingested_from: str
    transaction: int
    can_be_replaced: bool


class ReplacementOutput(Output):
    """What taking the place of rows writes anew."""

    files: int
    rows: int
    """That go."""
    chunk_tables: int
    kept_rows: int
    bytes: int
    index_keys: int


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
    tables: list[PlannedTableOutput]
    survey: SurveyOutput | None = None
    rewritten: list[RewrittenOutput] = []
    """Files that the database was ingested from, whose content is another one now."""
    replacement: ReplacementOutput | None = None


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
    notes: list[str] = []
    """What was decided about the input, as in ``plan``."""


class IngestOutput(Output):
    """``ingest``; transaction 0: there was nothing new."""

    database: str
    transaction: int
    tables: list[IngestedTable]
    stages_s: dict[str, float]
    replayed: dict[str, int]
    replaced: dict[str, int] = {}
    """Files whose rows went, by table."""


class InputFileOutput(Output):
    """A row of ``files``; number 0 is of a table without provenance, of which less is known."""

    number: int
    table: str
    path: str
    bytes: int
    changed_ns: int
    dataset: str
    tract: str
    run: str
    weekly: str
    ticket: str
    digest: str
    rows: int
    transaction: int
    replaced_by: int
    """The transaction that took the place of its rows; 0 for none."""


class RowOriginOutput(Output):
    """Where one row comes from."""

    chunks: list[int]
    file: InputFileOutput | None
    row: int | None
    transactions: list[int]
    candidates: list[str]
    """Files that may have brought it, where the table has no provenance."""


class WhereFromOutput(Output):
    """``where-from``."""

    database: str
    table: str
    key: str
    has_provenance: bool
    rows: list[RowOriginOutput]


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


class AbortOutput(Output):
    """``transactions abort``."""

    transaction: int
    database: str
    state: str


class DatabaseOutput(Output):
    """A row of ``databases``; times are seconds since 1970."""

    database: str
    state: str
    """ingesting, published, dropping."""
    aliases: list[str]
    rows: int
    bytes: int
    tables: int
    family: str
    engine: str
    replicas: int
    source: str
    created_s: float
    changed_s: float
    transactions: int
    open_transaction: int | None
    stored_as: str
    """Its name on the servers."""


class AliasOutput(Output):
    """A row of ``alias``: all aliases after the change, if there was one."""

    alias: str
    database: str


class RenameOutput(Output):
    """``rename``."""

    before: str
    database: str


class DroppedOutput(Output):
    """A database that was dropped."""

    database: str
    aliases: list[str]
    """That went with it."""
    is_gone: bool
    """False while queries that began before may still read its tables."""
    kept_until_s: float


class DropOutput(Output):
    """``drop``."""

    dropped: list[DroppedOutput]
    would_drop: list[str]
    """With ``--dry-run``."""


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


class Counts(RootModel[dict[str, int]]):
    """``index rebuild``: keys by director. ``mono load``: rows by table."""


class RowsOutput(Output):
    """``query`` and ``result`` with ``--format json``."""

    columns: list[str]
    rows: list[list[Any]]


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
    servers: list[ServerPlanOutput] = []


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


class SchemaOutput(Output):
    """A row of ``schema list``."""

    schema_: str
    tables: int
    columns: int

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_"), extra="forbid", frozen=True)


class SchemaTableOutput(Output):
    """A row of ``schema show NAME``."""

    table: str
    columns: int
    bytes: int
    description: str


class SchemaColumnOutput(Output):
    """A row of ``schema show NAME.TABLE``."""

    name: str
    type: str
    is_nullable: bool
    unit: str
    ucd: str
    description: str


class SynthPlanOutput(Output):
    """What will be made; expected numbers are means."""

    recipe: str
    seed: int
    fraction: float
    shrink: str
    chunks: list[int]
    chunks_of_recipe: int
    expected_rows: dict[str, int]
    expected_rows_of_recipe: dict[str, int]
    expected_bytes: int
    expected_bytes_of_recipe: int
    profile: dict[str, Any] | None = None


class MadeOutput(Output):
    """What the folder holds."""

    folder: str
    rows: dict[str, int]
    bytes: dict[str, int]
    digests: dict[str, str]
    elapsed_s: float


class WeeklyOutput(Output):
    """One weekly's tree."""

    tree: str
    truth: str
    """The file with the truth about it."""
    name: str
    ticket: str
    runs: list[str]
    """RUN collections, oldest first."""
    rows: dict[str, int]
    """By dataset type; so the next two."""
    columns: dict[str, int]
    files: dict[str, int]
    redone_tract: int | None = None
    elapsed_s: float


class SynthOutput(Output):
    """``synth``."""

    plan: SynthPlanOutput | None = None
    """Null with ``--as``."""
    weekly: WeeklyOutput | None = None
    """With ``--as``."""
    made: MadeOutput | None = None
    preview: str | None = None
    dirty: dict[str, Any] | None = None
    profile: dict[str, Any] | None = None


class FirstMappingColumn(Output):
    """A column of a table that ``mapping`` found; unit and description are the nearest schema's."""

    name: str
    type: str
    is_nullable: bool
    unit: str
    description: str


class FirstMappingTable(Output):
    """A table that ``mapping`` found."""

    table: str
    role: str
    key: str
    director: str
    position: list[str]
    files: int
    rows: int
    like: str
    """The table of a shipped schema that is most like it, SCHEMA.TABLE; empty where none is."""
    described: int
    """Its columns that this schema describes."""
    notes: list[str]
    columns: list[FirstMappingColumn]


class LeftFile(Output):
    """A file that no table of a mapping has."""

    file: str
    why: str


class FirstMappingOutput(Output):
    """``mapping``."""

    database: str
    tables: list[FirstMappingTable]
    not_understood: list[LeftFile]
    text: str
    """The mapping file's."""
    written: str
    """The file; empty without ``--out``."""


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


class ProgressOutput(Output):
    """A line on standard error while a command with ``--json`` works."""

    stage: str
    done: int
    total: int
    rows: int
    bytes: int
    elapsed_s: float
    eta_s: float | None


class CalibrationOutput(Output):
    """``bench calibrate``: trial folders, and the hardware file beside them."""

    trials: list[str]
    hardware: str


OUTPUTS: Mapping[str, Any] = {
    "alias": list[AliasOutput],
    "bench calibrate": CalibrationOutput,
    "cancel": QueryStatusOutput,
    "cluster status": ClusterStatus,
    "cluster upgrade": ClusterUpgrade,
    "compact": CompactOutput,
    "contributions": list[ContributionOutput],
    "diff": DatabaseDifference,
    "databases": list[DatabaseOutput],
    "drop": DropOutput,
    "explain": ExplainOutput,
    "files": list[InputFileOutput],
    "index rebuild": Counts,
    "ingest": IngestOutput,
    "mapping": FirstMappingOutput,
    "mono load": Counts,
    "plan": PlanOutput,
    "queries": list[QueryOutput],
    "query": RowsOutput,
    "rename": RenameOutput,
    "result": RowsOutput,
    "schema list": list[SchemaOutput],
    "schema show": list[SchemaTableOutput] | list[SchemaColumnOutput],
    "status": QueryStatusOutput,
    "story node": StoryOutput,
    "story query": StoryOutput,
    "story transaction": StoryOutput,
    "submit": SubmitOutput,
    "synth": SynthOutput,
    "transactions": list[TransactionOutput],
    "transactions abort": AbortOutput,
    "verify": list[CheckOutput],
    "where-from": WhereFromOutput,
}
"""By command. Other commands of ``bench`` print the models of their files: TrialSummary, Comparison, Sweep ..."""


def validate_output(command: str, text: str) -> Any:
    """What a command printed, as its model; pydantic's error names a key that is wrong or not described."""
    adapter: TypeAdapter[Any] = TypeAdapter(OUTPUTS[command])
    return adapter.validate_json(text, strict=False)


def output_schema(command: str) -> dict[str, Any]:
    """The JSON schema of what a command prints.

    >>> output_schema("submit")["required"]
    ['query']
    """
    adapter: TypeAdapter[Any] = TypeAdapter(OUTPUTS[command])
    return adapter.json_schema()


if __name__ == "__main__":
    print(json.dumps(output_schema(" ".join(sys.argv[1:])), indent=1))
