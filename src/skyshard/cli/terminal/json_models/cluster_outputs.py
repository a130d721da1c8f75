"""What ``skyshard cluster`` prints with ``--json``, as models. No I/O."""

from __future__ import annotations

from pydantic import Field

from skyshard.cli.terminal.json_models.output import Output


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
    caches: dict[str, int] = Field(default_factory=dict)
    """Bytes by the name of the setting."""
    settings: dict[str, str] = Field(default_factory=dict)
    """Those that were chosen."""
    not_in_force: dict[str, str] = Field(default_factory=dict)
    """Chosen settings that the running server does not follow, and the values that it has."""


class ClusterStatus(Output):
    """``cluster status``."""

    cluster: str
    name: str = ""
    """As the cluster file says."""
    planned_memory_bytes: int = 0
    """What the caches are shares of: the host's memory, a container's limit, or $SKYSHARD_MEMORY."""
    interrupted_change: list[str] = Field(default_factory=list)
    scan: str = "auto"
    """How scans are answered where a query does not say."""
    """Settings that a change went for that was killed."""
    servers: list[ServerOutput]


class ServerSaid(Output):
    """What a server said over SQL."""

    reached_ms: float
    """Session, TLS, account and a first answer."""
    version: str
    host: str
    """As its host calls itself."""
    data_dir: str
    clock_offset_s: float
    """How far its clock is ahead of that of the command's host."""
    uptime_s: float
    tls: str
    """Empty for a socket."""
    certificate_days: float | None
    """Until its certificate ends."""


class WorkerSaid(Output):
    """What the worker beside a server said."""

    skyshard: str
    python: str
    ray: str
    server: str
    user: str
    umask: int
    data_dir: str
    data_free_bytes: int
    staging_free_bytes: int
    cores: int
    memory_bytes: int
    clock_s: float
    started_s: float
    kernel: str
    cpu_model: str


class CheckedServerOutput(Output):
    """A server, and the worker beside it."""

    name: str
    place: str
    """Where it is reached: host and port, or a socket."""
    is_good: bool
    has_joined: bool | None
    """Its host belongs to the Ray; null where that is not known."""
    is_proved: bool | None
    """Server and worker share one data folder; null where the worker was not asked."""
    server: ServerSaid | None
    worker: WorkerSaid | None
    faults: list[str]
    remarks: list[str]


class ClusterCheckOutput(Output):
    """``cluster check``."""

    cluster: str
    is_good: bool
    ray: str
    """Address of the Ray on the hosts; empty where there is none."""
    faults: list[str]
    """Of no single server."""
    remarks: list[str]
    servers: list[CheckedServerOutput]
    """The czar's first."""


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
