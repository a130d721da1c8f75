"""What a plan's files are of, as far as the mapping and their paths say: dataset, run, weekly, ticket. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from skyshard.ingest.plan.ingest_plan import IngestPlan
from skyshard.ingest.source import InputSlice, Origin, SourceTable
from skyshard.ingest.sources.butler_paths import read_butler_path
from skyshard.registry.stored.records import InputFile

WholeFiles = Mapping[tuple[str, str], InputSlice]
"""Table and path of a file → all of it, with what its folders give and the part of it that is read."""


def input_files(tables: Iterable[SourceTable]) -> list[InputFile]:
    """The files of the tables with provenance, each once a table, by table and path; they have no numbers yet."""
    found = []
    for table in tables:
        if table.origin is not None:
            pieces = {piece.path: piece for piece in table.slices}
            sizes: Counter[str] = Counter()
            for piece in table.slices:
                sizes[piece.path] += piece.bytes
            found += [_file(table.name, table.origin, pieces[path], sizes[path]) for path in sorted(pieces)]
    return found


def _file(table: str, origin: Origin, piece: InputSlice, size: int) -> InputFile:
    """A path that is a Butler's says what the mapping does not."""
    named = read_butler_path(Path(piece.path), origin.root)
    if named is None:
        return InputFile(
            0, table, piece.path, size, piece.changed_ns, run=origin.run, weekly=origin.weekly, ticket=origin.ticket
        )
    return InputFile(
        0, table, piece.path, size, piece.changed_ns, str(named.dataset), named.dataset.tract,
        origin.run or named.run, origin.weekly or named.weekly, origin.ticket or named.ticket,
    )  # fmt: skip


def whole_files(plan: IngestPlan) -> WholeFiles:
    """Those of a plan."""
    return {(table.name, piece.path): piece.of_file() for table in plan.tables for piece in table.source.slices}


def with_numbers(plan: IngestPlan, numbers: Mapping[tuple[str, str], int]) -> IngestPlan:
    """The plan with the number of its file in each slice; ``numbers``: table and path → number."""
    tables = []
    for table in plan.tables:
        pieces = (replace(piece, number=numbers.get((table.name, piece.path), 0)) for piece in table.source.slices)
        tables.append(replace(table, source=replace(table.source, slices=tuple(pieces))))
    return replace(plan, tables=tuple(tables))
