"""What ``skyshard registry`` prints with ``--json``, as models. No I/O."""

from __future__ import annotations

from skyshard.cli.terminal.json_models.output import Output


class DumpedOutput(Output):
    """``registry dump``."""

    path: str
    rows: dict[str, int]
    """By the registry's tables."""
    index_files: int
    kept_files: int
    content_bytes: int
    """Before compression."""
    bytes: int
    elapsed_s: float


class FoundTablesOutput(Output):
    """What differs between registry and nodes, of one database."""

    database: str
    gone: dict[str, int]
    """Node → recorded tables that are not there."""
    moved: dict[str, int]
    """Node → tables that were recorded for another node."""
    strays: dict[str, list[str]]
    """Node → tables that are in no record."""


class BroughtBackOutput(Output):
    """What followed once the registry had its rows again."""

    databases: list[str]
    indexes: dict[str, int]
    """Database → keys of its director indexes, which were made of the nodes' rows."""
    differences: list[FoundTablesOutput]
    unanswered: dict[str, str]
    """Node → why it was not looked at."""
    undone: dict[str, str]
    """Command that is left to do → why."""


class RestoredOutput(Output):
    """``registry restore``."""

    path: str
    made_s: float
    """When the dump was made, in seconds since 1970."""
    rows: dict[str, int]
    files: int
    open_transactions: list[int]
    later: dict[str, list[int]]
    """Stored name of a database that changed after the dump → transactions that came since, as nodes' records say."""
    after: BroughtBackOutput
    elapsed_s: float


class RebuiltOutput(Output):
    """``registry rebuild``."""

    rows: dict[str, int]
    records: int
    left_out: dict[str, str]
    """Database → why there is too little of it."""
    after: BroughtBackOutput
    unverified: int
    """Replicas that do not count until `replicas verify` has read them."""
    elapsed_s: float
