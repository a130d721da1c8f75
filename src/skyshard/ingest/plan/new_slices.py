"""What of a plan is new: slices that earlier transactions took in are left out, changed ones refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from skyshard.basics.errors import UserError
from skyshard.ingest.plan.ingest_plan import IngestPlan, PlannedTable
from skyshard.ingest.plan.input_files import input_files
from skyshard.ingest.source import InputSlice
from skyshard.registry.stored.records import InputFile

Taken = Mapping[tuple[str, str], Set[str]]
"""What finished transactions took in: table and path of a file → digests of the bytes of its slices."""


@dataclass(frozen=True, slots=True)
class NewSlices:
    """The plan with new slices only; ``replayed`` counts by table those that were left out."""

    plan: IngestPlan
    replayed: Mapping[str, int]

    @property
    def is_empty(self) -> bool:
        return not (self.plan.replaced or any(table.source.slices for table in self.plan.tables))


def new_slices(plan: IngestPlan, taken: Taken, standing: Sequence[InputFile] = ()) -> NewSlices:
    """Leave out what was taken in: content counts, not the name; the same content for another table is new.

    Args:
        standing: files whose rows are there, as far as the database knows them.

    Raises:
        UserError: a slice has the name of one that was taken in, and other content; or it is of the same dataset.
    """
    if not taken:  # no file needs to be read
        return NewSlices(plan, {})
    contents = {(table, digest) for (table, _), digests in taken.items() for digest in digests}
    paths = {(file.table, file.path) for file in standing}
    datasets = {(file.table, file.dataset): file for file in standing if file.dataset}
    names = {(file.table, file.path): file.dataset for file in input_files(table.source for table in plan.tables)}
    replayed: Counter[str] = Counter()
    tables = []
    for table in plan.tables:
        kept = []
        seen: dict[str, InputSlice] = {}
        for piece in table.source.slices:
            digests = [reading.fingerprint() for reading in piece.readings()]
            digest = next((digest for digest in digests if (table.name, digest) in contents), "")
            if digest:
                _require_once(table, piece, digest, taken, seen)
                replayed[table.name] += 1
            elif (table.name, piece.path) in taken:
                raise _changed(piece, plan.called, is_known=(table.name, piece.path) in paths)
            elif (before := datasets.get((table.name, names.get((table.name, piece.path), "")))) is not None:
                raise _again(piece, before, plan.called)
            else:
                kept.append(piece)
        tables.append(_with_slices(table, kept))
    return NewSlices(replace(plan, tables=tuple(tables)), dict(replayed))


def _require_once(
    table: PlannedTable, piece: InputSlice, digest: str, taken: Taken, seen: dict[str, InputSlice]
) -> None:
    """Refuse a copy beside the file that was taken in: its rows would be left out without a word."""
    other = seen.setdefault(digest, piece)
    are_both = all((table.name, one.path) in taken for one in (piece, other))
    if other.path != piece.path and not are_both and _has_rows(table, piece):
        raise UserError(
            f"table '{table.name}': '{piece.path}' and '{other.path}' have the same content",
            remedy="give each file once",
        )


def _has_rows(table: PlannedTable, piece: InputSlice) -> bool:
    if piece.rows is not None:
        return piece.rows > 0
    source = table.source
    return any(batch.batch.num_rows for batch in source.reader.batches(piece, source.table, source.layout))


def _with_slices(table: PlannedTable, slices: list[InputSlice]) -> PlannedTable:
    return replace(table, source=replace(table.source, slices=tuple(slices)))


def _again(piece: InputSlice, before: InputFile, database: str) -> UserError:
    return UserError(
        f"'{piece.path}' is {before.dataset}, which was ingested into '{database}' from '{before.path}', with other "
        f"content (transaction {before.transaction})",
        remedy=f"add --replace {piece.path} to take the place of its rows, or ingest under another --database",
    )


def _changed(piece: InputSlice, database: str, *, is_known: bool = False) -> UserError:
    if piece.made:
        return UserError(
            f"'{piece.path}' was ingested into '{database}' from another recipe, or with another --fraction or "
            "--shrink",
            remedy="ask for the sky as it was, or ingest under another --database",
        )
    if is_known:
        return UserError(
            f"'{piece.path}' has changed since it was ingested into '{database}'",
            remedy=f"add --replace {piece.path} to take the place of its rows, or ingest under another --database",
        )
    return UserError(
        f"'{piece.path}' has changed since it was ingested into '{database}'",
        remedy="give changed data another file name, or ingest under another --database",
    )
