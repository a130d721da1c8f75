"""Gives a source whose columns are inferred those of a database that has its tables: a table keeps its columns.

Rules: what the database has decides types, order, keys and role. A column that the source lacks takes the value that a
folder of the file's path gives; else it is NULL, and counted. A column that the database lacks is refused: rows would
lose it. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table, is_chunk_column, origin_columns
from skyshard.ingest.source import InputSlice, Source, SourceTable
from skyshard.ingest.sources.columnar_files import ColumnarReader, with_rules
from skyshard.ingest.sources.folder_columns import lost_note
from skyshard.ingest.sources.numbered_rows import NumberedRows
from skyshard.ingest.values.column_rules import Rule

Definitions = Mapping[str, tuple[Table, TableLayout]]
_ADVICE = "; declare them"


def with_kept_columns(source: Source, database: str, known: Definitions) -> Source:
    """The source with the columns, keys and roles that its database has, for tables whose columns are inferred.

    Raises:
        UserError: a column that the database's table does not have, or a NOT NULL one that the source lacks.
    """
    tables = {
        name: _kept(f"'{source.path}', table '{name}'", database, table, *known[name])
        if table.is_inferred and name in known
        else table
        for name, table in source.tables.items()
    }
    layouts = {name: table.layout for name, table in tables.items()}
    return replace(source, tables=tables, layout=source.layout.model_copy(update={"tables": layouts}))


def _kept(where: str, database: str, table: SourceTable, kept: Table, layout: TableLayout) -> SourceTable:
    origins = origin_columns() if isinstance(table.reader, NumberedRows) else ()
    reader = table.reader.reader if isinstance(table.reader, NumberedRows) else table.reader
    if not isinstance(reader, ColumnarReader):
        return table
    given = {rule.column.name: rule for rule in reader.rules}
    new = [name for name in given if kept.find(name) is None]
    if new:
        more = f" and {len(new) - 1} more columns" if len(new) > 1 else ""
        raise UserError(
            f"{where}: column '{new[0]}'{more} that table '{database}.{table.name}' does not have",
            remedy="omit it in the mapping, or ingest under another --database",
        )
    rules = {column.name: rule for name, rule in given.items() if (column := kept.find(name))}
    wanted = [column for column in kept if not is_chunk_column(column.name) and column not in origins]
    slices = tuple(
        _filled(piece, [column.name for column in wanted if column.name not in rules]) for piece in table.slices
    )
    lacking = [column for column in wanted if column.name not in rules and not _is_given(column.name, slices)]
    if required := next((column for column in lacking if not column.is_nullable), None):
        raise UserError(
            f"{where}: no column '{required.name}', which is NOT NULL in '{database}.{table.name}'",
            remedy="give it by a rule of the mapping, or ingest under another --database",
        )
    made = [
        replace(rules[column.name], column=column) if column.name in rules else Rule(column, column.name, may_lack=True)
        for column in wanted
    ]
    notes = (
        [f"{len(lacking)} columns of the database that the files lack, NULL: {lacking[0].name} ..."] if lacking else []
    )
    read = with_rules(reader, made)
    return replace(
        table, table=replace(kept, columns=(*wanted, *origins)), layout=_with_policies(layout, table.layout),
        slices=slices, reader=NumberedRows(read) if origins else read, notes=(*_notes(table, kept), *notes),
    )  # fmt: skip


def _filled(piece: InputSlice, lacking: Sequence[str]) -> InputSlice:
    """The slice with the values that folders of its path give to columns that it lacks."""
    offered = {name.lower(): text for name, text in piece.offered}
    taken = tuple((name, offered[name.lower()]) for name in lacking if name.lower() in offered)
    return replace(piece, given=(*piece.given, *taken))


def _is_given(name: str, slices: Sequence[InputSlice]) -> bool:
    return bool(slices) and all(name in dict(piece.given) for piece in slices)


def _notes(table: SourceTable, kept: Table) -> tuple[str, ...]:
    """What was said of the source, folders whose values the database's table takes left out."""
    before = lost_note(table.lost, _ADVICE)
    there = {name.lower() for name in kept.column_names}
    lost = {name: part for name, part in table.lost.items() if name.lower() not in there}
    return (*(note for note in table.notes if note not in before), *lost_note(lost, _ADVICE))


def _with_policies(kept: TableLayout, given: TableLayout) -> TableLayout:
    """The database's layout, and what this source says of rows that come; that keys are unique stays as it is."""
    said: dict[str, str] = {"bad_positions": given.bad_positions}
    if kept.unique_key and given.unique_key:
        said["duplicates"] = given.duplicates
    return kept.model_copy(update=said)
