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
