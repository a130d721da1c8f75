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

from skyshard.errors import Bug
from skyshard.layout import Role, TableLayout
from skyshard.rowimage.sqltype import parse_type
from skyshard.schema import Column, Table
from skyshard.synth.recipe import Recipe

MARIADB_KEY = b"mariadb"
"""Key in an Arrow field's metadata; its value is the column definition, e.g. ``bigint(20) not null``."""

OBJECT, SOURCE, FORCED_SOURCE, VISIT, FILTER = "Object", "Source", "ForcedSource", "Visit", "Filter"

_POSITION = [("ra", "double", False), ("decl", "double", False)]
_FLAGS = [(name, "tinyint(1)", False) for name in ("flagPixSaturAny", "flagPixEdge", "flagBadPsfFlux")]
_OBJECT_HEAD = [
    ("objectId", "bigint(20)", False), *_POSITION,
    ("raVar", "float", True), ("declVar", "float", True), ("radeclCov", "float", True),
    ("extendedness", "float", True), ("obsCount", "smallint(6)", False),
    ("flagVariable", "tinyint(1)", False), ("flagPixSaturAny", "tinyint(1)", False),
]  # fmt: skip
_SOURCE = [
    ("sourceId", "bigint(20)", False), ("objectId", "bigint(20)", False), ("visitId", "bigint(20)", False),
    ("filterId", "tinyint(4)", False), *_POSITION,
    ("raObject", "double", False), ("declObject", "double", False), ("taiMidPoint", "double", False),
    ("psfFlux", "double", True), ("psfFluxSigma", "float", True),
    ("apFlux", "double", True), ("apFluxSigma", "float", True), ("flux_sinc", "double", True),
    ("snr", "float", False), ("parent", "bigint(20)", True), *_FLAGS,
]  # fmt: skip
_FORCED_SOURCE = [
    ("forcedSourceId", "bigint(20)", False), ("objectId", "bigint(20)", False), ("visitId", "bigint(20)", False),
    ("filterId", "tinyint(4)", False), ("psfFlux", "float", True), ("psfFluxSigma", "float", True), *_FLAGS,
]  # fmt: skip
_VISIT = [
    ("visitId", "bigint(20)", False), ("filterId", "tinyint(4)", False), ("band", "char(1)", False), *_POSITION,
    ("taiMidPoint", "double", False), ("obsStart", "datetime", False), ("expTime", "float", False),
    ("airmass", "float", False), ("seeing", "float", False), ("depth", "float", False),
    ("observer", "varchar(64)", False), ("programme", "varchar(64)", False), ("note", "varchar(128)", True),
]  # fmt: skip
_FILTER = [
    ("filterId", "tinyint(4)", False), ("filterName", "char(1)", False), ("photClam", "float", False),
    ("photBW", "float", False),
]  # fmt: skip

Values: TypeAlias = "NDArray[Any] | pa.Array | Masked"


@dataclass(frozen=True, slots=True)
class Validity:
    """Which rows have a value: an Arrow bitmap that several columns share."""

    bitmap: pa.Buffer
    null_count: int

    @classmethod
    def of(cls, is_valid: NDArray[np.bool_]) -> Validity:
        return cls(pa.py_buffer(np.packbits(is_valid, bitorder="little")), int((~is_valid).sum()))


@dataclass(frozen=True, slots=True)
class Masked:
    """Values of which some are NULL."""

    values: NDArray[Any]
    validity: Validity


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table to make: its columns and keys, and how it is spread."""

    table: Table
    layout: TableLayout


def table_specs(recipe: Recipe) -> dict[str, TableSpec]:
    """The recipe's tables by name: the director first, regular tables last."""
    band_columns = [
        (f"{band}_{name}", "double" if name.endswith("Flux") else "float", True)
        for band in recipe.band_names
        for name in recipe.tables.Object.band_columns
    ]
    child = {"role": Role.DEPENDENT, "director": OBJECT, "key": "objectId"}
    director = TableLayout(role=Role.DIRECTOR, key="objectId", position=("ra", "decl"))
    specs = {OBJECT: TableSpec(_table(OBJECT, _OBJECT_HEAD + band_columns, "objectId"), director)}
    if recipe.tables.Source is not None:
        layout = TableLayout(**child, position=("raObject", "declObject"), indexes=[["objectId"]])
        specs[SOURCE] = TableSpec(_table(SOURCE, _SOURCE, "sourceId"), layout)
    if recipe.tables.ForcedSource is not None:
        table = _table(FORCED_SOURCE, _FORCED_SOURCE, "objectId", "visitId")
        specs[FORCED_SOURCE] = TableSpec(table, TableLayout(**child))
    specs[VISIT] = TableSpec(_table(VISIT, _VISIT, "visitId"), TableLayout(role=Role.REGULAR))
    specs[FILTER] = TableSpec(_table(FILTER, _FILTER, "filterId"), TableLayout(role=Role.REGULAR))
    return specs


def _table(name: str, columns: list[tuple[str, str, bool]], *primary_key: str) -> Table:
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
    widths = {"binary": None}
    total = 0
    for column in table:
        is_text = str(column.type.arrow) in widths
        total += column.type.length if is_text else column.type.arrow.bit_width // 8
    return total


def to_arrow(table: Table, values: Mapping[str, Values]) -> pa.Table:
    """Pack values into the table's types, columns in declared order; numbers are cast, never checked for range."""
    if set(values) != set(table.column_names):
        raise Bug(f"table {table.name}: made {sorted(values)}, declared {sorted(table.column_names)}")
    schema = arrow_schema(table)
    return pa.Table.from_arrays([_array(values[field.name], field.type) for field in schema], schema=schema)


def _array(values: Values, arrow_type: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values.cast(arrow_type)
    numbers = values.values if isinstance(values, Masked) else values
    data = pa.py_buffer(np.ascontiguousarray(numbers, dtype=arrow_type.to_pandas_dtype()))
    if isinstance(values, Masked):
        return pa.Array.from_buffers(
            arrow_type, len(numbers), [values.validity.bitmap, data], values.validity.null_count
        )
    return pa.Array.from_buffers(arrow_type, len(numbers), [None, data], 0)
