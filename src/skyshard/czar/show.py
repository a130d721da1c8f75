"""SHOW and DESCRIBE, answered from the catalog in the form that MariaDB gives."""

from __future__ import annotations

import pyarrow as pa

from skyshard.czar.resolve import did_you_mean
from skyshard.czar.statement import Show, ShowStatement
from skyshard.errors import UserError
from skyshard.registry.catalog import CatalogSource
from skyshard.schema import Column, Table


def show(statement: ShowStatement, source: CatalogSource, database: str) -> tuple[tuple[str, ...], pa.Table]:
    """Names and rows of the answer.

    Raises:
        UserError: no such database or table.
    """
    if statement.kind is Show.DATABASES:
        return ("Database",), pa.table({"c0": pa.array(sorted(source.databases()), pa.string())})
    database = statement.database or database
    if not database:
        raise UserError("no database given", remedy="give --database, or name it in the statement")
    catalog = source.catalog(database)
    if statement.kind is Show.TABLES:
        return (f"Tables_in_{database}",), pa.table({"c0": pa.array(sorted(catalog.tables), pa.string())})
    found = catalog.tables.get(statement.table)
    if found is None:
        remedy = did_you_mean(statement.table, catalog.tables, "tables")
        raise UserError(f"unknown table '{database}.{statement.table}'", remedy=remedy)
    rows = [_described(column, found.table) for column in found.table]
    names = ("Field", "Type", "Null", "Key", "Default", "Extra")
    columns = list(zip(*rows, strict=True))
    return names, pa.table({f"c{index}": pa.array(values, pa.string()) for index, values in enumerate(columns)})


def _described(column: Column, table: Table) -> tuple[str | None, ...]:
    default = column.default.strip("'") if column.default not in (None, "NULL") else None
    key = "PRI" if column.name in table.primary_key else "MUL" if _leads_key(column, table) else ""
    return column.name, column.type.text, "YES" if column.is_nullable else "NO", key, default, ""


def _leads_key(column: Column, table: Table) -> bool:
    return any(key.columns[0].partition("(")[0] == column.name for key in table.keys)
