"""What ``skyshard nodes`` prints with ``--json``, as models. No I/O."""

from __future__ import annotations

from skyshard.cli.terminal.json_models.output import Output


class NodeOutput(Output):
    """A node of ``nodes list``; times are seconds since 1970, 0 for never."""

    name: str
    state: str
    """joining, active, read-only, draining, drained, or removed while its removal has not ended."""
    place: str
    answers: bool
    seen_s: float
    down_s: float
    """Since when it is known not to answer; 0 where it answers."""
    outages: int
    """That began in the last 24 hours."""
    chunks: int
    tables: int
    rows: int
    bytes: int
    free_bytes: int | None
    """On the disk of its data folder; null where that is not seen from here."""
    version: str


class NodeAddedOutput(Output):
    """A node of ``nodes add``, or of ``nodes enable``."""

    node: str
    databases: int
    tables: int
    bytes: int
    left: dict[str, str]
    """Databases that it was not made ready for, and why."""


class NodeStateOutput(Output):
    """``nodes read-only`` and ``nodes remove``."""

    node: str
    state: str


class DownAfterOutput(Output):
    """``nodes down-after``."""

    down_after_s: float
