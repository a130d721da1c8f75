"""Gives the files of a transaction their numbers, and records what was in them.

A number is recorded before a row that has it is made, so that an ingest which goes on makes the same rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from skyshard.ingest.partition.bundle import SliceReport
from skyshard.ingest.plan.ingest_plan import IngestPlan
from skyshard.ingest.plan.input_files import input_files, with_numbers
from skyshard.ingest.source import InputSlice
from skyshard.registry.registry import Registry


def numbered(registry: Registry, plan: IngestPlan, transaction: int) -> IngestPlan:
    """The plan with numbers for the files of its tables with provenance; those of an interrupted run stay."""
    files = input_files(table.source for table in plan.tables)
    return with_numbers(plan, registry.input_files.add(plan.database, transaction, files)) if files else plan


def note_files(
    registry: Registry, plan: IngestPlan, transaction: int, reports: Mapping[str, Sequence[SliceReport]]
) -> None:
    """Record rows of each numbered file, and the digest of its bytes."""
    found: dict[int, tuple[str, int]] = {}
    for table in plan.tables:
        rows: dict[str, int] = defaultdict(int)
        digests: dict[str, str] = {}
        for report in reports[table.name]:
            rows[report.path] += report.rows
            digests[report.path] = report.digest
        for piece in table.source.slices:
            if piece.number and piece.number not in found:
                found[piece.number] = (_digest(piece, digests[piece.path]), rows[piece.path])
    registry.input_files.mark_read(transaction, found)


def _digest(piece: InputSlice, digest: str) -> str:
    """A file that is read in several slices has been digested in pieces only."""
    return digest if piece.span is None else piece.of_file().fingerprint()
