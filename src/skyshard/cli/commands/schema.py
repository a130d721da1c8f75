"""``skyshard schema list | show``: the Felis catalogs that come with Skyshard."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from skyshard.catalog.felis_schemas import describe_columns, read_schema, schema_names
from skyshard.cli.terminal.show import JsonOption, print_json, print_table


def list_schemas(json: JsonOption = False) -> None:
    """List the catalogs and how many tables and columns they have."""
    rows = []
    for name in schema_names():
        tables = read_schema(name)
        rows.append([name, len(tables), sum(len(table.table.columns) for table in tables)])
    if json:
        print_json([dict(zip(("schema", "tables", "columns"), row, strict=True)) for row in rows])
    else:
        print_table(["schema", "tables", "columns"], rows)


def show_schema(
    name: Annotated[str, typer.Argument(help="A catalog, or CATALOG.TABLE.", show_default=False)],
    json: JsonOption = False,
) -> None:
    """Show the tables of a catalog, or the columns of a table."""
    catalog, _, table_name = name.partition(".")
    tables = read_schema(catalog)
    if not table_name:
        rows = [[t.table.name, len(t.table.columns), t.bytes, t.description] for t in tables]
        if json:
            print_json([dict(zip(("table", "columns", "bytes", "description"), row, strict=True)) for row in rows])
        else:
            print_table(["table", "columns", "bytes", "description"], rows)
        return
    columns = describe_columns(tables, catalog, table_name)
    if json:
        print_json([asdict(column) for column in columns])
    else:
        print_table(
            ["column", "type", "nullable", "unit", "description"],
            [[c.name, c.type, c.is_nullable, c.unit, c.description] for c in columns],
        )
