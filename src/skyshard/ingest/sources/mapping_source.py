"""Opens catalogs described by a mapping file: Parquet, FITS or delimited text in any order, tied to tables.

Opening reads footers and header lines, so that what does not fit is known before anything is touched.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePath

import pyarrow as pa

from skyshard.basics.errors import UserError
from skyshard.catalog.felis_schemas import read_schema
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.ingest.source import InputSlice, Origin, Source, SourceTable, asked_for
from skyshard.ingest.sources.column_names import own_names, twin_names
from skyshard.ingest.sources.columnar_files import (
    columnar_slices,
    is_columnar,
    other_tables,
    reader_of,
    require_degrees,
    require_one_kind,
)
from skyshard.ingest.sources.folder_columns import folder_values, lost_columns, lost_note
from skyshard.ingest.sources.inferred_mapping import InferredTable, infer_tables
from skyshard.ingest.sources.inferred_types import plain_type
from skyshard.ingest.sources.mapped_files import find_tables, first_files
from skyshard.ingest.sources.mapped_text import MappedTextReader, dialect_of, header_names
from skyshard.ingest.sources.mapping import (
    DeclaredColumn,
    MappedColumn,
    MappedTable,
    Provenance,
    read_mapping,
)
from skyshard.ingest.sources.mapping import Mapping as MappingFile
from skyshard.ingest.sources.named_layout import layout_of
from skyshard.ingest.sources.numbered_rows import with_origin
from skyshard.ingest.sources.wanted_rows import asked_columns, require_asked, require_condition
from skyshard.ingest.text.delimited_text import Fields
from skyshard.ingest.values.column_rules import Rule, input_columns
from skyshard.rowimage.sqltype import parse_type

MAPPING_NAME = "mapping.yaml"
_READERS = 8


def mapping_file(path: Path) -> Path | None:
    """The mapping file of a source, which may be a folder that holds one; None for other sources."""
    if path.is_dir():
        return path / MAPPING_NAME if (path / MAPPING_NAME).is_file() else None
    return path if path.suffix in (".yaml", ".yml") else None


def open_mapping(path: Path, only: Collection[str] | None = None) -> Source:
    """Read a mapping, the schema that it names, and the shape of its files, of all tables or ``only`` of some.

    Raises:
        UserError: a wrong key, an unknown column or schema, files that are not there or do not fit.
    """
    return open_mapped(read_mapping(path), path, only)


def open_mapped(mapping: MappingFile, path: Path, only: Collection[str] | None = None) -> Source:
    """The same of a mapping that was read, or made; ``path`` is where its file is, or would be.

    Raises:
        UserError: as ``open_mapping``.
    """
    folder = path.parent / mapping.input
    base = layout_of(mapping, path)
    tables: dict[str, SourceTable] = {}
    wanted = asked_for(path, mapping.tables, only)
    found = find_tables(path, folder, mapping, wanted)
    schema = {} if mapping.is_inferred else _schema(mapping)
    inferred: dict[str, InferredTable] = {}
    if mapping.is_inferred:
        others = first_files(folder, mapping, set(mapping.tables).difference(wanted))
        inferred = infer_tables(path, mapping.tables, found, others)
    for name, files in found.items():
        mapped, notes = mapping.tables[name], files.notes
        if name in inferred:
            mapped, notes = inferred[name].mapped, (*notes, *inferred[name].notes)
            schema = {name.lower(): inferred[name].table}
        if name in base.tables:  # the layout file decides: its keys are looked for, and NOT NULL, as the mapping's
            mapped = mapped.model_copy(update=dict(base.tables[name]))
        made = _source_table(path, folder, name, mapped, schema, files.files, _origin(mapping, folder))
        omitted = mapping.tables[name].omit
        made = _without_offers(made, omitted)
        lost = _lost_columns(folder, mapped, files.files, made, omitted)
        notes = (*notes, *lost_note(lost, "; declare them" if is_columnar(mapped.format, files.files[0]) else ""))
        tables[name] = replace(made, notes=notes, is_inferred=name in inferred, lost=lost)
    layout = base.model_copy(update={"tables": {name: table.layout for name, table in tables.items()}})
    unopened = frozenset(mapping.tables).difference(wanted)
    return Source(str(path), "mapping", mapping.database, layout, tables, unopened=unopened)


def _without_offers(made: SourceTable, omitted: Sequence[str]) -> SourceTable:
    """The table without what folders say of columns that the mapping omits."""
    names = {name.lower() for name in omitted}
    if not names:
        return made
    slices = [
        replace(piece, offered=tuple(one for one in piece.offered if one[0].lower() not in names))
        for piece in made.slices
    ]
    return replace(made, slices=tuple(slices))


def _lost_columns(
    folder: Path, mapped: MappedTable, files: Sequence[Path], made: SourceTable, omitted: Sequence[str]
) -> dict[str, str]:
    """Columns that the names of folders give, not files, and the table neither takes nor omits, each with the first
    folder."""
    has_names = is_columnar(mapped.format, files[0])
    taken = {name for piece in made.slices for name, _ in piece.given}
    lost = lost_columns((_below(folder, path) for path in files), {*made.table.column_names, *taken, *omitted})
    schema = columnar_slices(files[0], mapped.format, mapped.fits)[1] if lost and has_names else pa.schema([])
    there = own_names(schema.names, lost)
    return {name: part for name, part in lost.items() if name not in there}


def _below(folder: Path, path: Path) -> PurePath:
    """A file's path from the folder of the input on: what is above it, and how it was spelled, says nothing of rows."""
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def _origin(mapping: MappingFile, root: Path) -> Origin | None:
    """What the mapping says of its files; None where rows are not to say where they are from."""
    said = Provenance() if mapping.provenance is True else mapping.provenance
    return Origin(said.run, said.weekly, said.ticket, str(root)) if said else None


def _schema(mapping: MappingFile) -> dict[str, Table]:
    if not mapping.catalog:
        return {}
    return {described.table.name.lower(): described.table for described in read_schema(mapping.catalog)}


def _source_table(
    path: Path,
    folder: Path,
    name: str,
    mapped: MappedTable,
    schema: Mapping[str, Table],
    files: Sequence[Path],
    origin: Origin | None,
) -> SourceTable:
    where = f"'{path}', table '{name}'"
    table = _table(where, name, mapped, schema)
    layout = _checked_layout(where, table, mapped)
    rules = tuple(_rule(where, column, mapped) for column in table)
    require_condition(where, mapped.where)
    conversions = tuple(text for rule in rules if (text := rule.describe()))
    conversions += (f"rows where {mapped.where}",) * bool(mapped.where)
    if is_columnar(mapped.format, files[0]):
        slices, unused = _columnar(where, folder, mapped, rules, files)
        if mapped.where:  # how many rows of a file are taken is not known yet
            slices = tuple(replace(piece, rows=None) for piece in slices)
        made = SourceTable(table, layout, slices, reader_of(mapped, rules, files[0]), (*conversions, *unused))
    else:
        fields, slices, unused = _text(where, mapped, rules, files)
        reader = MappedTextReader(dialect_of(mapped.text), fields, rules, mapped.where)
        made = SourceTable(table, layout, slices, reader, (*conversions, *unused))
    return made if origin is None else with_origin(where, made, origin)


# the table and its rules


def _table(where: str, name: str, mapped: MappedTable, schema: Mapping[str, Table]) -> Table:
    """Columns of the schema that are not omitted, then the declared ones; keys are NOT NULL."""
    described: tuple[Column, ...] = ()
    if schema and mapped.schema_table != "-":
        wanted = mapped.schema_table or name
        if wanted.lower() not in schema:
            known = ", ".join(table.name for table in schema.values())
            raise UserError(f"{where}: the schema has no table '{wanted}'", remedy=f"it has {known}")
        described = schema[wanted.lower()].columns
    elif mapped.schema_table not in ("", "-"):
        what = f"{where}: it is to be '{mapped.schema_table}' of a schema, and the mapping names none"
        raise UserError(what, remedy="name a 'schema', or take 'schema_table' out")
    declared = tuple(_declared(where, item) for item in mapped.declare)
    names = {column.name for column in (*described, *declared)}
    lacking = () if isinstance(mapped.allow_missing, bool) else mapped.allow_missing
    for column in (*mapped.omit, *mapped.columns, *mapped.primary_key, *lacking):
        if column not in names:
            raise UserError(f"{where}: no column '{column}'", remedy="name one of the schema, or declare it")
    replaced = {column.name for column in declared} | set(mapped.omit)
    columns = (*(column for column in described if column.name not in replaced), *declared)
    if mapped.role is Role.REF_MATCH and mapped.flag and all(column.name != mapped.flag for column in columns):
        columns = (*columns, Column(mapped.flag, parse_type("tinyint"), is_nullable=False))
    if not columns:
        raise UserError(f"{where}: no columns", remedy="name a schema, or declare columns")
    keys = {*mapped.primary_key, *([mapped.key] if mapped.role is Role.DIRECTOR else [])}
    columns = tuple(replace(column, is_nullable=False) if column.name in keys else column for column in columns)
    return Table(name, columns, mapped.primary_key)


def _declared(where: str, item: DeclaredColumn) -> Column:
    try:
        return Column(item.name, parse_type(item.type), item.nullable)
    except UserError as error:
        raise UserError(f"{where}, column '{item.name}': {error.what}", remedy=error.remedy) from None


def _checked_layout(where: str, table: Table, mapped: MappedTable) -> TableLayout:
    layout = mapped.layout
    pairs = [name for pair in (layout.position, layout.position2) if pair for name in pair]
    indexed = [name.partition("(")[0] for index in (*layout.indexes, *layout.named_indexes.values()) for name in index]
    for name in (layout.key, layout.key2, layout.flag, *pairs, *indexed):
        if name and name not in table.column_names:
            raise UserError(f"{where}: no column '{name}'", remedy="the layout of the table names it")
    if layout.role is Role.DIRECTOR and layout.position is None:
        raise UserError(f"{where}: a director without position", remedy="name its columns in 'position'")
    if layout.role in (Role.DEPENDENT, Role.REF_MATCH) and not (layout.director and (layout.key or layout.position)):
        raise UserError(f"{where}: a {layout.role} without director and key", remedy="name 'director' and 'key'")
    return layout


def _rule(where: str, column: Column, mapped: MappedTable) -> Rule:
    rule = mapped.columns.get(column.name, MappedColumn())
    if column.name == mapped.flag and column.name not in mapped.columns and mapped.role is Role.REF_MATCH:
        rule = MappedColumn(constant=0)
    source = "" if rule.derive or rule.constant is not None else rule.source or column.name
    made = Rule(
        column, source, rule.derive, rule.constant, rule.factor, tuple(rule.null_at), mapped.may_lack(column.name)
    )
    try:
        _ = made.inputs
    except UserError as error:
        raise UserError(f"{where}, column '{column.name}': {error.what}", remedy=error.remedy) from None
    return made


# Parquet and FITS


def _columnar(
    where: str, folder: Path, mapped: MappedTable, rules: Sequence[Rule], files: Sequence[Path]
) -> tuple[tuple[InputSlice, ...], tuple[str, ...]]:
    """Parts of all files; their columns must be there and of one kind."""
    require_one_kind(where, files, mapped.format)
    inputs = {source: rule for rule in rules for source in rule.inputs}
    asked = asked_columns(mapped.where)
    slices: list[InputSlice] = []
    first: pa.Schema | None = None
    kinds: dict[str, tuple[str, Path]] = {}
    with ThreadPoolExecutor(_READERS) as readers:
        opened = readers.map(lambda path: columnar_slices(path, mapped.format, mapped.fits), files)
        for path, (found, schema) in zip(files, opened, strict=True):
            given = _given(_below(folder, path), schema.names, inputs, asked)
            offered = _offered(_below(folder, path), {*schema.names, *given})
            slices += [replace(piece, given=tuple(given.items()), offered=offered) for piece in found]
            if first is not None and schema.equals(first):  # but for the units
                require_degrees(where, schema, path, mapped.layout, rules)
                continue
            first = first or schema
            called = {own: name for name, own in own_names(schema.names, inputs, asked).items()}
            names = [called.get(name, name) for name in schema.names]
            there = [*names, *given]
            _require_columns(where, path, there, mapped, rules)
            require_asked(where, mapped.where, path, there)
            require_degrees(where, schema, path, mapped.layout, rules)
            for name, field in zip(names, schema, strict=True):
                if name in inputs and not mapped.mixed_types:
                    _same_kind(where, field.with_name(name), path, kinds)
    names = first.names if first is not None else []
    unused = _unused(names, own_names(names, inputs, asked).values())
    return tuple(slices), (*unused, *other_tables(files[0], mapped))


def _given(
    path: PurePath, names: Sequence[str], wanted: Collection[str], asked: Collection[str]
) -> dict[str, str | None]:
    """What folders of a path say of the wanted columns that its file does not have."""
    there, values = own_names(names, wanted, asked), folder_values(path)
    called = {own: name for name, own in own_names([*values], wanted, asked).items() if name not in there}
    return {called[own]: text for own, text in values.items() if own in called}


def _offered(path: PurePath, there: Collection[str]) -> tuple[tuple[str, str | None], ...]:
    """What folders of a path say besides, for a database whose table has such a column."""
    taken = {name.lower() for name in there}
    return tuple((name, text) for name, text in folder_values(path).items() if name.lower() not in taken)


def _require_columns(where: str, path: Path, names: Sequence[str], mapped: MappedTable, rules: Sequence[Rule]) -> None:
    """Each input column is there, and there is one that can be meant.

    Names that differ in case only are two columns to a file and one to SQL: the mapping has to spell which.
    """
    twins = twin_names(names)
    for rule in rules:
        missing = sorted(rule.inputs - set(names))
        if missing and not rule.may_lack:
            raise UserError(
                f"{where}: '{path}' has no column '{missing[0]}' for '{rule.column.name}'",
                remedy="name another with 'from', omit it, or list it under allow_missing",
            )
        is_spelled = bool(rule.derive or mapped.columns.get(rule.column.name, MappedColumn()).source)
        for name in sorted(rule.inputs & twins.keys()):
            if name in twins[name] or not is_spelled:
                raise UserError(
                    f"{where}: '{path}' has column '{name}' and another '{twins[name][0]}'",
                    remedy="name each column once" + ("" if name in twins[name] else ", or say which with 'from'"),
                )


def _same_kind(where: str, field: pa.Field, path: Path, kinds: dict[str, tuple[str, Path]]) -> None:
    kind = _kind(field.type)
    before = kinds.setdefault(field.name, (kind, path)) if kind != "null" else (kind, path)
    if before[0] != kind:
        raise UserError(
            f"{where}: column '{field.name}' is {before[0]} in '{before[1]}' and {kind} in '{path}'",
            remedy="write both files alike, or set mixed_types: true",
        )


def _kind(arrow: pa.DataType) -> str:
    """The kind of a type; types of one kind may differ between files."""
    kind = plain_type(arrow)
    tests = {
        "null": pa.types.is_null, "boolean": pa.types.is_boolean, "integer": pa.types.is_integer,
        "floating": pa.types.is_floating, "decimal": pa.types.is_decimal, "timestamp": pa.types.is_timestamp,
        "date": pa.types.is_date, "time": pa.types.is_time, "string": pa.types.is_string, "binary": pa.types.is_binary,
    }  # fmt: skip
    return next((name for name, test in tests.items() if test(kind)), str(kind))


def _unused(names: Sequence[str], inputs: Collection[str]) -> tuple[str, ...]:
    left = [name for name in names if name not in inputs]
    more = f" and {len(left) - 5} more" if len(left) > 5 else ""
    return (f"{len(left)} input columns left out: {', '.join(left[:5])}{more}",) if left else ()


# delimited text


def _text(
    where: str, mapped: MappedTable, rules: Sequence[Rule], files: Sequence[Path]
) -> tuple[Fields, tuple[InputSlice, ...], tuple[str, ...]]:
    """The fields that all files have, in their order."""
    text, dialect = mapped.text, dialect_of(mapped.text)
    inputs = asked_columns(mapped.where).union(*(rule.inputs for rule in rules))
    slices = tuple(InputSlice.of(path) for path in files)
    names: list[str] = list(text.fields)
    if text.header:
        filled = [path for path, piece in zip(files, slices, strict=True) if piece.bytes]
        headers = {path: header_names(path, dialect, inputs) for path in filled}
        names = next(iter(headers.values()), [])
        for path, other in headers.items():
            if other != names:
                raise UserError(
                    f"{where}: '{path}' has other columns than '{filled[0]}'", remedy="write both files alike"
                )
        if not headers:
            return tuple(Column(rule.source, rule.column.type) for rule in rules if rule.source), slices, ()
    _require_columns(where, files[0], names, mapped, rules)
    require_asked(where, mapped.where, files[0], names)
    wanted = input_columns(rules, text.charset, asked_columns(mapped.where))
    unused = _unused(names, wanted)
    return tuple(wanted.get(name) for name in names), slices, unused
