"""What the registry keeps of a transaction's outcome: the column ``report`` of ``transactions``. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field

from skyshard.catalog.strict_files import Strict, parse_written


class ReportedTable(Strict):
    """What an ingest made of one table."""

    table: str
    role: str
    loader: str
    rows: int
    overlap_rows: int
    chunks: int
    bytes: int
    orphans: int
    """Rows without a director."""
    moved: int
    """Rows that follow their director into another chunk than that of their position."""
    conversions: dict[str, int]
    """Values by what was done to them."""
    left_out: dict[str, int] = Field(default_factory=dict)
    """Rows of the input that were not taken, by the policy that left them out."""
    quarantine: str = ""
    """The file of the rows without a position that were left out, where they are kept."""
    notes: tuple[str, ...] = ()
    """What was decided about the input; reports of 0.2 have none."""


class ReportedMerge(Strict):
    """What a compaction merged."""

    tables: int
    parts: int
    bytes: int


class DroppedTable(Strict):
    """Rows of one chunk table that no node had any more, and that were dropped."""

    table: str
    chunk: int
    """-1 for a regular table."""
    is_overlap: bool
    """Copies; their own rows are elsewhere, or dropped as well."""
    rows: int
    transaction: int
    """That had brought them, or merged what several had brought."""
    sources: tuple[str, ...] = ()
    """The input parts that had brought them."""


class TransactionReport(Strict):
    """The outcome of a finished transaction: an ingest's, a compaction's, or of rows or a table that were dropped."""

    version: Literal[1] = 1
    stages_s: dict[str, float] = Field(default_factory=dict)
    """Seconds by stage."""
    tables: tuple[ReportedTable, ...] = ()
    truth: dict[str, int] = Field(default_factory=dict)
    """Rows that the source said it has, by table."""
    compacted: ReportedMerge | None = None
    dropped: tuple[DroppedTable, ...] = ()
    """Rows that were lost and were taken out; reports before 0.3 have none."""
    dropped_table: str = ""
    """The table that was dropped, with all that earlier transactions brought to it."""

    def dump(self) -> dict[str, Any]:
        """As the registry keeps it: what was given, and the version."""
        return {"version": self.version, **self.model_dump(mode="json", exclude_unset=True)}


def read_report(row: Mapping[str, Any]) -> TransactionReport:
    """The report in a row of ``transactions``; an empty one of a transaction that is not finished.

    Raises:
        UserError: a later release wrote it.
    """
    if not row["report"]:
        return TransactionReport()
    remedy = "run `skyshard cluster upgrade`"
    return parse_written(TransactionReport, row["report"], f"the report of transaction {row['id']}", remedy)


def lost_rows(finished: Iterable[Mapping[str, Any]]) -> list[tuple[float, DroppedTable]]:
    """Rows that were lost and taken out, with the time in seconds since 1970; those of tables dropped later left out.

    Args:
        finished: rows of finished transactions of one database, oldest first.
    """
    found: list[tuple[float, DroppedTable]] = []
    for row in finished:
        report = read_report(row)
        found = [(ended_s, one) for ended_s, one in found if one.table != report.dropped_table]
        found += [(float(row["ended_s"]), one) for one in report.dropped]
    return found
