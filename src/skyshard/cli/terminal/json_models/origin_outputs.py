"""What ``skyshard where-from`` and replacements of input print with ``--json``, as models. No I/O."""

from __future__ import annotations

from skyshard.cli.terminal.json_models.output import Output


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
