"""TAP_SCHEMA: its five tables, which describe themselves, too. Source: TAP 1.1, section 4. Values only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skyshard.catalog.schema import Column, Table
from skyshard.rowimage.sqltype import parse_type
from skyshard.serve.tap.delimited_names import delimited
from skyshard.serve.tap.described_tables import (
    DescribedColumn,
    DescribedKey,
    DescribedSchema,
    DescribedTable,
    described_field,
)

NAME = "TAP_SCHEMA"
_WORD = "varchar(128)"
_NAME = "varchar(255) character set utf8mb4 collate utf8mb4_bin"
_WIDE_TEXT = "mediumtext character set utf8mb4 collate utf8mb4_bin"
_COLUMNS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "schemas": {
        "schema_name": (_NAME, "name of the schema, as queries write it"),
        "utype": (_WORD, "role in a data model"),
        "description": (_WIDE_TEXT, "what the schema holds"),
        "schema_index": ("int", "recommended place in a list of schemas"),
    },
    "tables": {
        "schema_name": (_NAME, "name of the table's schema"),
        "table_name": (_NAME, "name of the table, as queries write it"),
        "table_type": (_WORD, "table or view"),
        "utype": (_WORD, "role in a data model"),
        "description": (_WIDE_TEXT, "what the table holds"),
        "table_index": ("int", "recommended place in a list of tables"),
    },
    "columns": {
        "table_name": (_NAME, "name of the column's table"),
        "column_name": (_NAME, "name of the column"),
        "datatype": (_WORD, "type of a value in VOTable"),
        "arraysize": (_WORD, "how many values there are, in VOTable"),
        "xtype": (_WORD, "what the values mean, in DALI"),
        "size": ("int", "length of a text or array, where it is fixed"),
        "description": (_WIDE_TEXT, "what the column holds"),
        "utype": (_WORD, "role in a data model"),
        "unit": (_WORD, "unit of the values"),
        "ucd": (_WORD, "Unified Content Descriptor"),
        "indexed": ("int", "1 where look-ups by it are fast"),
        "principal": ("int", "1 where most users want it"),
        "std": ("int", "1 where a standard defines it"),
        "column_index": ("int", "recommended place in a list of columns"),
    },
    "keys": {
        "key_id": (_NAME, "name of the foreign key"),
        "from_table": (_NAME, "table whose column it is"),
        "target_table": (_NAME, "table that it names rows of"),
        "description": (_WIDE_TEXT, "what the key means"),
        "utype": (_WORD, "role in a data model"),
    },
    "key_columns": {
        "key_id": (_NAME, "name of the foreign key"),
        "from_column": (_NAME, "column of the one table"),
        "target_column": (_NAME, "column of the other"),
    },
}
_WORDS = {
    "schemas": "schemas that can be asked", "tables": "tables that can be asked", "columns": "columns of the tables",
    "keys": "foreign keys", "key_columns": "columns of foreign keys",
}  # fmt: skip
_KEYS = {
    "tables": (("schema_name", "schemas", "schema_name"),),
    "columns": (("table_name", "tables", "table_name"),),
    "keys": (("from_table", "tables", "table_name"), ("target_table", "tables", "table_name")),
    "key_columns": (("key_id", "keys", "key_id"),),
}
"""Table → its column, the table that this names rows of, and the column there."""
_PRINCIPAL = ("schema_name", "table_name", "column_name", "description", "datatype", "unit", "ucd", "key_id")
Rows = Sequence[tuple[Any, ...]]


def own_tables() -> dict[str, Table]:
    """The tables as the server stores them."""
    return {
        name: Table(name, tuple(Column(column, parse_type(kind)) for column, (kind, _) in columns.items()))
        for name, columns in _COLUMNS.items()
    }


def own_schema(physical: Mapping[str, tuple[str, str]] | None = None) -> DescribedSchema:
    """TAP_SCHEMA as it describes itself; ``physical`` are the places of its tables on the server."""
    tables = []
    for name, table in own_tables().items():
        columns = tuple(_own_column(column, _COLUMNS[name][column.name][1]) for column in table)
        keys = tuple(
            DescribedKey(f"{NAME}.{name}.{column}", f"{NAME}.{name}", f"{NAME}.{target}", ((column, there),))
            for column, target, there in _KEYS.get(name, ())
        )
        tables.append(DescribedTable(NAME, name, _WORDS[name], columns, keys, (physical or {}).get(name)))
    return DescribedSchema(NAME, "what this service can be asked", tuple(tables))


def _own_column(column: Column, words: str) -> DescribedColumn:
    plain = described_field(column, is_plain=column.type.charset == "latin1")
    field = type(plain)(plain.name, plain.datatype, plain.arraysize, description=words)
    return DescribedColumn(field, False, column.name in _PRINCIPAL, True)


@dataclass(frozen=True, slots=True)
class SchemaRows:
    """The rows of TAP_SCHEMA's tables, for some schemas, itself among them."""

    schemas: Sequence[DescribedSchema]

    def by_table(self) -> dict[str, Rows]:
        """Rows in the order of each table's columns."""
        return {
            "schemas": [
                (delimited(one.name), None, one.description, place) for place, one in enumerate(self.schemas)
            ],
            "tables": [
                (delimited(one.schema), one.shown, "table", one.utype or None, one.description, place)
                for place, one in enumerate(self._tables())
            ],
            "columns": [row for one in self._tables() for row in _column_rows(one)],
            "keys": [
                (key.name, key.from_table, key.target, "rows are of rows there", None)
                for one in self._tables() for key in one.keys
            ],
            "key_columns": [
                (key.name, *map(delimited, pair)) for one in self._tables() for key in one.keys for pair in key.columns
            ],
        }  # fmt: skip

    def _tables(self) -> Iterator[DescribedTable]:
        return (table for schema in self.schemas for table in schema.tables)


def _column_rows(table: DescribedTable) -> Iterable[tuple[Any, ...]]:
    for place, column in enumerate(table.columns):
        field = column.field
        flags = (int(column.is_indexed), int(column.is_principal), int(column.is_std))
        yield (
            table.shown, delimited(field.name), field.datatype, field.arraysize or None, field.xtype or None, None,
            field.description or None, field.utype or None, field.unit or None, field.ucd or None, *flags, place,
        )  # fmt: skip
