"""What an ingest did, for people and for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from skyshard.ingest.on_nodes.build_orders import table_bytes
from skyshard.ingest.partition.bundle import SliceReport
from skyshard.ingest.plan.ingest_plan import PlannedTable


@dataclass(slots=True)
class TableReport:
    """What became of one table; ``conversions`` counts values by what was done to them.

    ``left_out`` counts rows of the input that were not taken, by the policy; ``quarantine`` is the file of those whose
    policy keeps them there.
    """

    table: str
    role: str
    loader: str
    rows: int = 0
    overlap_rows: int = 0
    chunks: int = 0
    bytes: int = 0
    orphans: int = 0
    moved: int = 0
    conversions: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    quarantine: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class IngestReport:
    """One transaction; number 0 means that there was nothing new.

    ``replayed`` counts input slices, by table, that earlier transactions took in.
    """

    database: str
    transaction: int
    tables: list[TableReport] = field(default_factory=list)
    stages_s: dict[str, float] = field(default_factory=dict)
    replayed: dict[str, int] = field(default_factory=dict)
    replaced: dict[str, int] = field(default_factory=dict)
    """Files whose rows went, by table."""

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


def table_report(table: PlannedTable, reports: Sequence[SliceReport]) -> TableReport:
    """Sum up the slices of one table."""
    conversions: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    result = TableReport(table.name, str(table.source.layout.role), str(table.loader), notes=list(table.source.notes))
    chunks = set()
    for report in reports:
        conversions.update(report.conversions)
        left_out.update(report.left_out)
        result.rows += report.rows
        result.moved += report.moved
        result.orphans += sum(report.orphans.values())
        result.overlap_rows += sum(segment.rows for segment in report.segments if segment.is_overlap)
        chunks |= {segment.chunk for segment in report.segments if not segment.is_overlap and segment.chunk >= 0}
    result.chunks, result.conversions = len(chunks), dict(conversions)
    result.left_out = dict(left_out)
    result.bytes = sum(table_bytes(table, reports).values())
    return result
