"""What ``skyshard databases``, ``alias``, ``rename`` and ``drop`` print with ``--json``, as models. No I/O."""

from __future__ import annotations

from skyshard.cli.terminal.json_models.output import Output


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
    dropped_rows: int
    """Rows that were lost and taken out."""
    dropped_s: float
    """When that was done last; 0 for never."""


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
