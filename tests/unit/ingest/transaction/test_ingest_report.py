"""What an ingest reports of its tables."""

from __future__ import annotations

from collections import Counter

from tests.support.no_rows import NoRows

from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.ingest.partition.bundle import Segment, SliceReport
from skyshard.ingest.plan.ingest_plan import PlannedTable
from skyshard.ingest.source import SourceTable
from skyshard.ingest.transaction.ingest_report import IngestReport, table_report
from skyshard.node.messages import Loader
from skyshard.rowimage.sqltype import parse_type


def planned(role: Role) -> PlannedTable:
    table = Table("Object", (Column("id", parse_type("bigint(20)"), False),))
    layout = TableLayout(role=role, key="id" if role is Role.DIRECTOR else "")
    return PlannedTable(SourceTable(table, layout, (), NoRows()), Loader.IMAGE, "")


def report_of(*segments: Segment, **counts: int) -> SliceReport:
    rows = sum(segment.rows for segment in segments if not segment.is_overlap)
    return SliceReport("a", "", rows, list(segments), Counter(counts), Counter({7: 1}), moved=2)


def test_slices_are_summed_up() -> None:
    """Overlap rows count for themselves; a chunk of two slices counts once."""
    first = report_of(Segment(7, False, 0, 10, ""), Segment(7, True, 0, 3, ""), cut=1)
    second = report_of(Segment(7, False, 0, 5, ""), Segment(8, False, 0, 5, ""), cut=2, rounded=4)
    found = table_report(planned(Role.DIRECTOR), [first, second])
    assert (found.rows, found.overlap_rows, found.chunks, found.orphans, found.moved) == (20, 3, 2, 2, 4)
    assert found.conversions == {"cut": 3, "rounded": 4}
    assert found.bytes == 23 * 17


def test_a_regular_table_has_no_chunks() -> None:
    """Its rows are counted all the same."""
    found = table_report(planned(Role.REGULAR), [report_of(Segment(-1, False, 0, 10, ""))])
    assert (found.rows, found.chunks) == (10, 0)


def test_a_table_without_rows_is_reported() -> None:
    """It was ingested, and is empty."""
    found = table_report(planned(Role.REGULAR), [])
    assert (found.table, found.role, found.loader, found.rows, found.bytes) == ("Object", "regular", "image", 0, 0)
    assert IngestReport("sky", 1, [found, found]).rows == 0
