"""``skyshard schema list | diff | show``: the shipped Felis catalogs, and what two schemas differ in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from skyshard.catalog.felis_schemas import describe_columns, read_schema, schema_names
from skyshard.cli.terminal.release_schemas import schema_changes
from skyshard.cli.terminal.schema_lines import show_difference
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json, print_table


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


SideHelp = "A folder or file of Parquet, a mapping, a Felis schema by name or file, or a database."


def diff_schemas(
    old: Annotated[str, typer.Argument(help=SideHelp, show_default=False)],
    new: Annotated[str, typer.Argument(help=f"{SideHelp} db:, felis: and file: say which.", show_default=False)],
    every: Annotated[bool, typer.Option("--all", help="A line for each column, not for each kind of change.")] = False,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Show what the second of two schemas has otherwise: files, Felis schemas, mappings, databases. Exit code 1 if
    anything.
    """
    found = schema_changes(old, new, cluster)
    if json:
        print_json(found.model_dump(mode="json"))
    else:
        show_difference(found, is_whole=every)
    if not found.is_equal:
        raise typer.Exit(1)
