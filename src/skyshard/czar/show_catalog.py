"""SHOW and DESCRIBE, answered from the catalog in the form that MariaDB gives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pyarrow as pa

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Column, Table
from skyshard.czar.bind.bind_names import SYSTEM_SCHEMAS
from skyshard.czar.bind.resolve_columns import near_or_all
from skyshard.czar.sql.statement import Show, ShowStatement
from skyshard.registry.catalog.published_catalog import CatalogSource
from skyshard.rowimage.sqltype import SqlType

HEADINGS = ("Field", "Type", "Null", "Key", "Default", "Extra")
FULL_HEADINGS = ("Field", "Type", "Collation", "Null", "Key", "Default", "Extra", "Privileges", "Comment")
_WIDTHS = {
    "tinyint": "(4)", "smallint": "(6)", "mediumint": "(9)", "int": "(11)", "bigint": "(20)", "decimal": "(10,0)",
    "char": "(1)", "binary": "(1)", "bit": "(1)", "year": "(4)",
}  # fmt: skip
_DEFAULT_COLLATIONS = {"latin1": "latin1_swedish_ci", "": None}
_UNSIGNED_WIDTHS = {"tinyint": "(3)", "smallint": "(5)", "mediumint": "(8)", "int": "(10)"}


def show(statement: ShowStatement, source: CatalogSource, database: str) -> tuple[tuple[str, ...], pa.Table]:
    """Names and rows of the answer.

    Raises:
        UserError: no such database or table.
    """
    like = f" ({statement.like})" if statement.like else ""
    if database and database.lower() not in SYSTEM_SCHEMAS and database not in source.databases():
        source.catalog(database)  # says that there is none
    if statement.kind is Show.DATABASES:
        return (f"Database{like}",), _table([(name,) for name in _like(source.databases(), statement.like)], 1)
    database = statement.database or database
    if not database:
        raise UserError("no database given", remedy="give --database, or name it in the statement")
    catalog = source.catalog(database)
    if statement.kind is Show.TABLES:
        names = [(name, "BASE TABLE") for name in _like(catalog.tables, statement.like)]
        headings = (f"Tables_in_{database}{like}", "Table_type")[: 1 + statement.is_full]
        return headings, _table([row[: len(headings)] for row in names], len(headings))
    found = catalog.tables.get(statement.table)
    if found is None:
        remedy = near_or_all(statement.table, catalog.tables)
        raise UserError(f"unknown table '{database}.{statement.table}'", remedy=remedy)
    wanted = set(_like(found.table.column_names, statement.like))
    rows = [_described(column, found.table) for column in found.table if column.name in wanted]
    full = [_full(row, found.table.column(str(row[0]))) for row in rows]
    return (FULL_HEADINGS, _table(full, 9)) if statement.is_full else (HEADINGS, _table(rows, 6))


def _table(rows: Sequence[tuple[str | None, ...]], width: int) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * width
    return pa.table({f"c{index}": pa.array(values, pa.string()) for index, values in enumerate(columns)})


def _like(names: Iterable[str], pattern: str) -> list[str]:
    """The names that LIKE lets through, sorted; all of them without a pattern.

    >>> _like(["Object", "Source", "o_x"], "o%"), _like(["Object", "o_x"], r"o\\_%")
    (['Object', 'o_x'], ['o_x'])
    """
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    text = "".join({"%": ".*", "_": "."}.get(part, re.escape(part[-1])) for part in parts)
    return sorted(name for name in names if not pattern or re.fullmatch(text, name, re.IGNORECASE | re.DOTALL))


def _described(column: Column, table: Table) -> tuple[str | None, ...]:
    default = column.default.strip("'") if column.default not in (None, "NULL") else None
    key = "PRI" if column.name in table.primary_key else "MUL" if _leads_key(column, table) else ""
    return column.name, shown_type(column.type), "YES" if column.is_nullable else "NO", key, default, ""


def _full(row: tuple[str | None, ...], column: Column) -> tuple[str | None, ...]:
    """A row of SHOW FULL COLUMNS: with collation, privileges and comment."""
    charset = column.type.charset
    named = re.search(r"collate ['\"]?(\w+)", column.type.text)
    default = _DEFAULT_COLLATIONS.get(charset, f"{charset}_general_ci")
    return (*row[:2], named.group(1) if named and charset else default, *row[2:], "select", "")


def shown_type(kind: SqlType) -> str:
    """A type as SHOW COLUMNS writes it: with its width, without its character set.

    >>> from skyshard.rowimage.sqltype import parse_type
    >>> shown_type(parse_type("BIGINT unsigned")), shown_type(parse_type("char")), shown_type(parse_type("Double"))
    ('bigint(20) unsigned', 'char(1)', 'double')
    """
    text = re.sub(r" (character set|charset|collate) ['\"]?\w+['\"]?", "", kind.text)
    width = _UNSIGNED_WIDTHS.get(kind.base) if kind.is_unsigned else None
    width = width or _WIDTHS.get(kind.base, "")
    return text if "(" in text or not width else re.sub(r"^[a-z]+[0-9]?( precision| varying)?", kind.base + width, text)


def _leads_key(column: Column, table: Table) -> bool:
    return any(key.columns[0].partition("(")[0] == column.name for key in table.keys)
