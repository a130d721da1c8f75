"""The tables of a synthetic catalog: columns, keys and roles; and values packed into Arrow by them. No I/O.

Column types are MariaDB's, kept in each Arrow field's metadata under ``mariadb``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.errors import Bug
from skyshard.basics.lazy import locked_property
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.rowimage.sqltype import parse_type
from skyshard.synth.recipe.recipe import Recipe
from skyshard.synth.recipe.table_columns import (
    FILTER,
    FILTER_COLUMNS,
    FORCED_SOURCE,
    FORCED_SOURCE_COLUMNS,
    OBJECT,
    REF_MATCH,
    REF_MATCH_COLUMNS,
    REF_OBJECT,
    REF_OBJECT_COLUMNS,
    SOURCE,
    SOURCE_COLUMNS,
    VISIT,
    VISIT_COLUMNS,
    Definition,
    object_columns,
)
from skyshard.synth.recipe.table_kinds import TableKind

MARIADB_KEY = b"mariadb"
"""Key in an Arrow field's metadata; its value is the column definition, e.g. ``bigint(20) not null``."""

Values: TypeAlias = "NDArray[Any] | pa.Array | Masked"


@dataclass(frozen=True, slots=True)
class Validity:
    """Which rows have a value: an Arrow bitmap that several columns share."""

    bitmap: pa.Buffer
    null_count: int

    @classmethod
    def of(cls, is_valid: NDArray[np.bool_]) -> Validity:
        return cls(pa.py_buffer(np.packbits(is_valid, bitorder="little")), int(np.count_nonzero(~is_valid)))

    def intersect(self, other: Validity | None) -> Validity:
        """Rows that have a value in both."""
        if other is None:
            return self
        both = np.frombuffer(self.bitmap, np.uint8) & np.frombuffer(other.bitmap, np.uint8)
        lost = int(
            np.bitwise_count(np.frombuffer(self.bitmap, np.uint8) & ~np.frombuffer(other.bitmap, np.uint8)).sum()
        )
        return Validity(pa.py_buffer(both), self.null_count + lost)


@dataclass(frozen=True, slots=True)
class Masked:
    """Values of which some are NULL."""

    values: NDArray[Any]
    validity: Validity


@dataclass(frozen=True)
class TableSpec:
    """A table to make: its columns and keys, and how it is spread."""

    table: Table
    layout: TableLayout
    kind: TableKind = TableKind.OTHER
    """What a row describes, in tables of a Felis schema."""

    @locked_property
    def arrow(self) -> pa.Schema:
        """The Arrow schema of the table's files."""
        return arrow_schema(self.table)


def table_specs(recipe: Recipe) -> dict[str, TableSpec]:
    """The recipe's own tables by name: the director first, regular tables last."""
    columns = object_columns(recipe.band_names, recipe.tables.Object.band_columns)
    child = TableLayout(role=Role.DEPENDENT, director=OBJECT, key="objectId")
    director = TableLayout(role=Role.DIRECTOR, key="objectId", position=("ra", "decl"))
    specs = {OBJECT: TableSpec(_table(OBJECT, columns, "objectId"), director)}
    if recipe.tables.Source is not None:
        layout = child.model_copy(update={"position": ("raObject", "declObject"), "indexes": [["objectId"]]})
        specs[SOURCE] = TableSpec(_table(SOURCE, SOURCE_COLUMNS, "sourceId"), layout)
    if recipe.tables.ForcedSource is not None:
        table = _table(FORCED_SOURCE, FORCED_SOURCE_COLUMNS, "objectId", "visitId")
        specs[FORCED_SOURCE] = TableSpec(table, child)
    if recipe.tables.Reference is not None:
        second = TableLayout(role=Role.DIRECTOR, key="refObjectId", position=("ra", "decl"))
        match = TableLayout(
            role=Role.REF_MATCH, director=OBJECT, key="objectId", director2=REF_OBJECT, key2="refObjectId", flag="flag",
            indexes=[["objectId"], ["refObjectId"]],
        )  # fmt: skip
        specs[REF_OBJECT] = TableSpec(_table(REF_OBJECT, REF_OBJECT_COLUMNS, "refObjectId"), second)
        specs[REF_MATCH] = TableSpec(_table(REF_MATCH, REF_MATCH_COLUMNS), match)
    specs[VISIT] = TableSpec(_table(VISIT, VISIT_COLUMNS, "visitId"), TableLayout(role=Role.REGULAR))
    specs[FILTER] = TableSpec(_table(FILTER, FILTER_COLUMNS, "filterId"), TableLayout(role=Role.REGULAR))
    return specs


def _table(name: str, columns: list[Definition], *primary_key: str) -> Table:
    made = tuple(Column(column, parse_type(text), is_nullable) for column, text, is_nullable in columns)
    return Table(name, made, primary_key)


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a table's files."""
    fields = []
    for column in table:
        definition = column.type.text if column.is_nullable else f"{column.type.text} not null"
        metadata = {MARIADB_KEY: definition.encode()}
        fields.append(pa.field(column.name, column.type.arrow, column.is_nullable, metadata))
    return pa.schema(fields)


def row_bytes(table: Table) -> int:
    """Bytes of a row's values, text at its declared length: a size to plan with."""
    types = [column.type for column in table]
    return sum(type.arrow.bit_width // 8 if _is_number(type.arrow) else type.length for type in types)


def _is_number(kind: pa.DataType) -> bool:
    return not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def to_arrow(table: Table, values: Mapping[str, Values]) -> pa.Table:
    """Pack values into the table's types, columns in declared order; numbers are cast, never checked for range."""
    if set(values) != set(table.column_names):
        raise Bug(f"table {table.name}: made {sorted(values)}, declared {sorted(table.column_names)}")
    schema = arrow_schema(table)
    return pa.Table.from_arrays([to_array(values[field.name], field.type) for field in schema], schema=schema)


def to_array(values: Values, arrow_type: pa.DataType) -> pa.Array:
    """Values as one Arrow array of a type. Numbers that have the type already are not copied."""
    if isinstance(values, pa.Array):
        return values.cast(arrow_type)
    numbers = values.values if isinstance(values, Masked) else values
    data = pa.py_buffer(np.ascontiguousarray(numbers, dtype=arrow_type.to_pandas_dtype()))
    if isinstance(values, Masked):
        return pa.Array.from_buffers(
            arrow_type, len(numbers), [values.validity.bitmap, data], values.validity.null_count
        )
    return pa.Array.from_buffers(arrow_type, len(numbers), [None, data], 0)
