"""Fills what a mapping with ``schema: infer`` leaves open: columns and roles, from the files of its tables.

Rules: what the mapping says goes before what is inferred. The columns of text files
are declared.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Column, Table, is_chunk_column
from skyshard.catalog.strict_files import validate_model
from skyshard.ingest.sources.columnar_files import columnar_slices, is_columnar
from skyshard.ingest.sources.inferred_roles import ColumnKinds, InferredRole, infer_roles
from skyshard.ingest.sources.mapped_files import TableFiles
from skyshard.ingest.sources.mapping import MappedColumn, MappedTable
from skyshard.ingest.sources.parquet_columns import InferredColumns, infer_columns
from skyshard.ingest.text.text_file import require_text
from skyshard.rowimage.sqltype import TypeClass, parse_type

_READERS = 8
_MOST_NAMED = 5
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class InferredTable:
    """A table of the mapping with what was open filled in, and the columns that take the place of a schema's."""

    mapped: MappedTable
    table: Table
    columns: InferredColumns
    notes: tuple[str, ...]


def infer_tables(
    path: Path, tables: Mapping[str, MappedTable], found: Mapping[str, TableFiles], others: Mapping[str, Path]
) -> dict[str, InferredTable]:
    """Infer all tables that have files; they are looked at together, since roles depend on each other.

    Args:
        others: a file of each table that is not asked for, but may be the director of one that is.

    Raises:
        UserError: types that no column holds, a key or position that is not there, text files without declared columns.
    """
    columns = {name: _columns(f"'{path}', table '{name}'", tables[name], found[name].files) for name in found}
    described = {name: _table(name, tables[name], columns[name]) for name in found}
    known = {name: _given_role(tables[name]) for name in found if "role" in tables[name].model_fields_set}
    kinds = {name: kinds_of(table) for name, table in described.items()} | _other_kinds(tables, others)
    known |= {name: _given_role(tables[name]) for name in others if "role" in tables[name].model_fields_set}
    roles = infer_roles({name: kinds[name] for name in tables if name in kinds}, known)
    return {
        name: InferredTable(
            _filled(path, tables[name], columns[name], roles[name], is_given=name in known),
            described[name],
            columns[name],
            _notes(columns[name], roles[name], len(found[name].files), is_given=name in known),
        )
        for name in found
    }


def kinds_of(table: Table) -> ColumnKinds:
    """Which columns may be ids, and which positions."""
    kinds = {column.name: column.type.type_class for column in table}
    return ColumnKinds(
        frozenset(name for name, kind in kinds.items() if kind is TypeClass.INTEGER),
        frozenset(name for name, kind in kinds.items() if kind is TypeClass.FLOATING),
    )


def _other_kinds(tables: Mapping[str, MappedTable], others: Mapping[str, Path]) -> dict[str, ColumnKinds]:
    """Of tables that are not asked for; one that cannot be read is none."""
    kinds = {}
    for name, file in others.items():
        with contextlib.suppress(UserError):
            kinds[name] = kinds_of(_table(name, tables[name], _columns(name, tables[name], [file])))
    return kinds


# columns


def _columns(where: str, mapped: MappedTable, files: list[Path]) -> InferredColumns:
    if not is_columnar(mapped.format, files[0]):
        if not mapped.declare:
            require_text(files[0])
            raise UserError(
                f"{where}: types are inferred from Parquet and FITS, and '{files[0]}' is text",
                remedy="declare the columns of the table",
            )
        return InferredColumns(())
    with ThreadPoolExecutor(_READERS) as readers:
        opened = readers.map(lambda path: columnar_slices(path, mapped.format, mapped.fits)[1], files)
        schemas = dict(zip(files, opened, strict=True))
    declared = {column.name for column in mapped.declare}
    return infer_columns(where, files, schemas, declared | set(mapped.omit))


def _table(name: str, mapped: MappedTable, columns: InferredColumns) -> Table:
    """The columns as rules leave them: one that takes another's values stands in its place."""
    renamed = {
        rule.source: to for to, rule in mapped.columns.items() if rule.source and rule.source not in mapped.columns
    }
    made: list[Column] = []
    for column in columns.columns:
        if column.name in mapped.columns or not is_usable(column.name):
            continue
        if column.name not in renamed:
            made.append(Column(column.name, parse_type(column.type), column.is_nullable))
    declared = {column.name for column in mapped.declare}
    made += [_of_rule(to, rule, columns) for to, rule in mapped.columns.items() if to not in declared]
    places = {column.name: at for at, column in enumerate(columns.columns)}
    rules = {to: places.get(rule.source or to, len(places)) for to, rule in mapped.columns.items()}
    return Table(
        name, tuple(sorted(made, key=lambda column: rules.get(column.name, places.get(column.name, len(places)))))
    )


def _of_rule(name: str, rule: MappedColumn, columns: InferredColumns) -> Column:
    """A column that the mapping has a rule for, in the type that its values have."""
    found = columns.find(rule.source or name)
    if rule.constant is not None:
        kinds = {int: "bigint(20)", float: "double", str: "varchar(255)"}
        return Column(name, parse_type(kinds[type(rule.constant)]))
    if rule.derive or rule.factor is not None or found is None:
        return Column(name, parse_type("double"))
    return Column(name, parse_type(found.type), found.is_nullable or bool(rule.null_at))


def is_usable(name: str) -> bool:
    """A name that a column may have, in a table that is split into chunks as well."""
    try:
        name.encode("latin1")
    except UnicodeEncodeError:
        return False
    is_plain = 0 < len(name) <= _LONGEST_NAME and name.isprintable() and name == name.strip()
    is_plain = is_plain and "`" not in name and "/" not in name
    return is_plain and not is_chunk_column(name)


# roles


def _given_role(mapped: MappedTable) -> InferredRole:
    return InferredRole(mapped.role, mapped.key, mapped.director, mapped.position, mapped.primary_key)


def _filled(
    path: Path, mapped: MappedTable, columns: InferredColumns, role: InferredRole, *, is_given: bool
) -> MappedTable:
    """The table of the mapping with role, key and position, files that may lack columns, and types that may differ."""
    given = mapped.model_fields_set
    values = mapped.model_dump(exclude_unset=True, by_alias=True, exclude={"schema_table"})
    if not is_given:
        inferred = {
            "role": role.role, "key": role.key, "director": role.director, "position": role.position,
            "primary_key": role.primary_key,
        }  # fmt: skip
        values |= {name: value for name, value in inferred.items() if name not in given and value}
    if "allow_missing" not in given:
        values["allow_missing"] = tuple(column.name for column in columns.columns if column.lacking)
    elif isinstance(mapped.allow_missing, tuple):
        lacking = (column.name for column in columns.columns if column.lacking)
        values["allow_missing"] = (*mapped.allow_missing, *lacking)
    twins = {name.lower() for name in columns.twins}
    spelled = {c.name: {"from": c.name} for c in columns.columns if c.name.lower() in twins}
    if spelled:
        values["columns"] = spelled | values.get("columns", {})
    names = {column.name for column in columns.columns} | set(mapped.columns)
    values["omit"] = tuple(name for name in mapped.omit if name in names)
    return validate_model(MappedTable, values | {"mixed_types": True}, path)


# what is said about it


def _notes(columns: InferredColumns, role: InferredRole, files: int, *, is_given: bool) -> tuple[str, ...]:
    notes = [] if is_given else [f"{role.role} by its columns: {role.why}"]
    differing = [
        f"{column.name} {' and '.join(column.kinds)} → {column.type}" for column in columns.columns if column.kinds
    ]
    notes += _note("columns whose type differs between files", differing)
    lacking = [f"{column.name} in {column.lacking} of {files}" for column in columns.columns if column.lacking]
    notes += _note("columns that some files lack, NULL there", lacking)
    empty = [column.name for column in columns.columns if pa.types.is_null(column.arrow)]
    notes += _note("columns without any value, taken for DOUBLE", empty)
    notes += _note(
        "columns left out, of types that no column takes", [f"{n} {t}" for n, t in columns.unsupported.items()]
    )
    notes += _note("columns left out, another differs in case only", columns.twins)
    names = [column.name for column in columns.columns if not is_usable(column.name)]
    notes += _note("columns left out, no column may have their names", names)
    return tuple(notes)


def _note(what: str, names: list[str] | tuple[str, ...]) -> list[str]:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return [f"{len(names)} {what}: {', '.join(names[:_MOST_NAMED])}{more}"] if names else []
