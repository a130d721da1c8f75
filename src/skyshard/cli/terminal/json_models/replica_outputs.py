"""What ``skyshard replicas`` prints with ``--json``, as models. No I/O."""

from __future__ import annotations

from pydantic import Field

from skyshard.cli.terminal.json_models.output import Output


class DatabaseLevelsOutput(Output):
    """A database against the level that its layout asks for."""

    database: str
    wanted: int
    levels: dict[int, int]
    """Level → chunks that so many nodes hold, good and verified."""
    under: int
    lost: int
    first_under: list[int]
    whole_on: int | None
    """Nodes on which the regular tables are whole; null where there are none."""
    nodes: int
    dropped_rows: int
    """Rows that were lost and taken out."""
    dropped_s: float
    """When that was done last, in seconds since 1970; 0 for never."""


class NodeSharesOutput(Output):
    """What a node holds."""

    node: str
    chunks: int
    tables: int
    rows: int
    bytes: int
    share: float
    """Its bytes against the mean of all nodes."""
    faulty: int
    oldest_s: int
    """The oldest verification, in whole seconds since 1970; 0 for never."""


class FaultyReplicaOutput(Output):
    """A replica that does not count; ``database`` is its stored name."""

    database: str
    table: str
    chunk: int
    is_overlap: bool
    part: int
    node: str
    state: str
    fault: str


class ReplicaStatusOutput(Output):
    """``replicas status``."""

    databases: list[DatabaseLevelsOutput]
    nodes: list[NodeSharesOutput]
    faulty: list[FaultyReplicaOutput]
    skew: float
    is_whole: bool


class HeldReplicaOutput(FaultyReplicaOutput):
    """A replica as the index has it; ``database`` is what people call it."""

    rows: int
    bytes: int
    verified_s: float


class NodeReasonOutput(Output):
    """Why a node holds a chunk, or does not."""

    database: str
    node: str
    holds: bool
    reason: str
    state: str
    """What was decided of the node; empty for no node of the cluster."""
    down_s: float
    """Since when it is known not to answer, in seconds since 1970; 0 where it answers."""


class ChunkExplanationOutput(Output):
    """``replicas explain``."""

    chunk: int
    replicas: list[HeldReplicaOutput]
    nodes: list[NodeReasonOutput]


class ScrubbedOutput(Output):
    """A database of ``replicas verify``."""

    database: str
    tables: int
    rows: int
    bytes: int
    faults: list[FaultyReplicaOutput]
    """``database`` is what people call it."""
    mended: int
    unread: dict[str, str]
    """Nodes that did not answer to the end, and why."""
    elapsed_s: float
    images: int = 0
    """Segments of column images that were read."""
    image_faults: dict[str, str] = Field(default_factory=dict)
    """By node and file: what is wrong with images, which are out of use."""


class RepairPlanOutput(Output):
    """A database of ``replicas repair --plan``."""

    database: str
    replicas: int
    from_others: int
    """Of these, to be copied from another node."""
    bytes: int
    expected_s: float | None
    """At the rate that was asked for; null without one."""
    waiting: dict[str, int]
    """Nodes that do not answer, and how many replicas wait for each."""


class LostRowsOutput(Output):
    """Rows that no node has any more."""

    database: str
    table: str
    chunk: int
    is_overlap: bool
    part: int
    rows: int
    nodes: list[str]
    sources: list[str]
    """The input parts that brought them."""
    transaction: int
    """That brought them, or merged what several brought."""
    why: str
    """Why the input does not bring them again."""


class DroppedTableOutput(Output):
    """Rows of one chunk table that were lost and taken out."""

    table: str
    chunk: int
    is_overlap: bool
    rows: int
    transaction: int
    """That had brought them, or merged what several had brought."""
    sources: list[str]


class DroppedRowsOutput(Output):
    """What was taken out of a database."""

    transaction: int
    rows: int
    """Copies in overlap tables not counted."""
    overlap_tables: int
    """Overlap tables that were made again from the rows around."""
    tables: list[DroppedTableOutput]


class RepairedOutput(Output):
    """A database of ``replicas repair``."""

    database: str
    mended: int
    copied: int
    """Of these, from another node."""
    replayed: int
    """Of these, from the input that brought their rows."""
    bytes: int
    lost: list[LostRowsOutput]
    failed: dict[str, str]
    waiting: dict[str, int]
    images: int = 0
    """Column images that were made in the place of damaged ones."""
    elapsed_s: float
    dropped: DroppedRowsOutput | None = None
    """With ``--drop-lost``: what was taken out."""


class MovePlanOutput(Output):
    """``replicas drain | rebalance | fill --plan`` and ``replicas level``: what the job would do."""

    kind: str
    subject: str
    """The node that is drained."""
    chunks: int
    tables: int
    bytes: int
    """To be copied."""
    minimum_bytes: int
    """The fewest with which any plan reaches the same, were chunks of any size."""
    expected_s: float | None
    """At the rate that was asked for; null without one."""
    skew_before: float
    """Bytes of the fullest node against the mean of those that may have chunks."""
    skew_after: float
    targets: list[str]
    """Nodes that may have chunks."""
    away: list[str]
    """Nodes that do not answer."""
    gone: list[str]
    """Of these, those that are not waited for."""
    short: dict[str, int]
    """Why chunks stay below their level, and how many."""


class JobStepOutput(Output):
    """A step of a job that was not taken; ``chunk`` is -1 for regular tables."""

    family: str
    chunk: int
    before: list[str]
    after: list[str]
    state: str
    error: str


class JobOutput(Output):
    """A job; times are seconds since 1970."""

    id: int
    kind: str
    subject: str
    state: str
    is_at_work: bool
    """A process works on it."""
    attempt: int
    rate_bytes_s: float
    """That was asked for; 0 for none."""
    grace_s: float
    begun_s: float
    taken_s: float
    """When the last process took it up."""
    ended_s: float | None
    error: str
    steps: dict[str, int]
    """By state: waiting, done, skipped, failed."""
    bytes: int
    bytes_done: int
    bytes_taken: int
    """Since the last process took it up."""
    now_s: float
    rate_now_bytes_s: float | None
    eta_s: float | None
    left: list[JobStepOutput]
    """The first steps that failed or were skipped; empty in lists."""
