"""Chooses what `ingest --replace` replaces: files that were ingested, and those of the source that take their place.

A file takes the place of the one that was ingested under its path, or of the same dataset. A tract's files take the
place of all that were ingested of it. Files whose bytes are the same, and read as the same part, are left as they are.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from skyshard.basics.errors import UserError
from skyshard.ingest.plan.ingest_plan import IngestPlan
from skyshard.ingest.plan.input_files import WholeFiles, input_files, whole_files
from skyshard.registry.stored.records import InputFile

_LIST = "skyshard files DATABASE lists what was ingested"


def replacing(
    plan: IngestPlan, standing: Sequence[InputFile], wanted: Sequence[str], *, names_tables: bool = False
) -> IngestPlan:
    """The plan with the slices that are wanted only, and with the files whose place they take.

    Args:
        standing: the files of the database whose rows are there.
        wanted: paths or datasets of files, and numbers of tracts.
        names_tables: the tables of the plan were chosen; files of others stay.

    Raises:
        UserError: something wanted is not in the source, or was never ingested, or the database has no provenance.
    """
    if not standing:
        raise UserError(
            f"'{plan.called}' does not know which rows are of which file, so that none can be replaced",
            remedy="ingest into a new database, with provenance: true in the mapping",
        )
    choice = _Choice(plan, standing, names_tables=names_tables)
    pairs = {pair for one in wanted for pair in choice.of(one)}
    old = {file.number: file for file, _ in pairs if file is not None}
    new = {(file.table, file.path): file for _, file in pairs if file is not None}
    files = whole_files(plan)
    same = _unchanged(old.values(), new.values(), files)
    for before, now in same:
        old.pop(before.number)
        new.pop((now.table, now.path))
    _require_new_content(plan, new.values(), [file for file in standing if file.number not in old], files)
    tables = []
    for table in plan.tables:
        slices = tuple(piece for piece in table.source.slices if (table.name, piece.path) in new)
        tables.append(replace(table, source=replace(table.source, slices=slices)))
    return replace(plan, tables=tuple(tables), replaced=tuple(old[number] for number in sorted(old)))


@dataclass(frozen=True, slots=True)
class _Choice:
    """Pairs of a file that was ingested and the source's file that takes its place, either of which may be missing."""

    plan: IngestPlan
    standing: Sequence[InputFile]
    names_tables: bool

    def of(self, wanted: str) -> Iterator[tuple[InputFile | None, InputFile | None]]:
        if wanted.isascii() and wanted.isdigit():
            return self._of_tract(wanted.lstrip("0") or "0")
        return self._of_file(wanted)

    @property
    def _given(self) -> list[InputFile]:
        return input_files(table.source for table in self.plan.tables)

    def _of_tract(self, tract: str) -> Iterator[tuple[InputFile | None, InputFile | None]]:
        names = {table.name for table in self.plan.tables}
        old = [file for file in self.standing if file.tract == tract]
        new = [file for file in self._given if file.tract == tract]
        if not old:
            raise UserError(f"nothing of tract {tract} was ingested into '{self.plan.called}'", remedy=_LIST)
        if not new:
            raise UserError(f"'{self.plan.source.path}' has no file of tract {tract}", remedy="check the source")
        elsewhere = sorted({file.table for file in old} - names)
        if elsewhere and not self.names_tables:
            raise UserError(
                f"tract {tract} has files in table '{elsewhere[0]}', which '{self.plan.source.path}' does not have",
                remedy="give all tables of the tract, or name those to replace with --tables",
            )
        yield from ((file, None) for file in old if file.table in names)
        yield from ((None, file) for file in new)

    def _of_file(self, wanted: str) -> Iterator[tuple[InputFile | None, InputFile | None]]:
        real = os.path.realpath(wanted)
        new = [file for file in self._given if os.path.realpath(file.path) == real or wanted == file.dataset]
        if not new:
            raise UserError(
                f"'{self.plan.source.path}' has no file '{wanted}' in a table with provenance",
                remedy="give the path of one of its files, or the number of a tract",
            )
        pairs = [(before, file) for file in new for before in self.standing if is_same(before, file)]
        if not pairs:
            raise UserError(
                f"'{wanted}' was never ingested into '{self.plan.called}'", remedy="ingest it without --replace"
            )
        yield from pairs
        yield from ((None, file) for file in new)


def is_same(before: InputFile, now: InputFile) -> bool:
    """True if a file takes the place of an ingested one: the same path, or the same dataset."""
    if before.table != now.table:
        return False
    is_of_dataset = bool(now.dataset) and before.dataset == now.dataset
    return is_of_dataset or before.path == now.path or os.path.realpath(before.path) == os.path.realpath(now.path)


def bytes_digest(file: InputFile, files: WholeFiles) -> str:
    """Digest of all bytes of a plan's file, of what its folders give and of the part that is read, as the registry
    keeps it."""
    return files[file.table, file.path].fingerprint()


def _unchanged(
    old: Collection[InputFile], new: Collection[InputFile], files: WholeFiles
) -> list[tuple[InputFile, InputFile]]:
    """Ingested files and those in their place that have the same bytes, one to one."""
    return [
        (before, now)
        for now in new
        if len(found := [before for before in old if is_same(before, now)]) == 1
        and (before := found[0]).bytes == now.bytes
        and before.digest == bytes_digest(now, files)
    ]


def _require_new_content(
    plan: IngestPlan, new: Iterable[InputFile], staying: Sequence[InputFile], files: WholeFiles
) -> None:
    """Refuse a file that has the bytes of another one, whose rows stay: its rows would be there twice."""
    contents = {(file.table, file.digest): file.path for file in staying if file.rows}
    for file in new:
        other = contents.get((file.table, bytes_digest(file, files)))
        if other is not None:
            raise UserError(
                f"'{file.path}' has the content of '{other}', which is in '{plan.called}'",
                remedy="give each file once",
            )
