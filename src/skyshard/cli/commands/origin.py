"""``skyshard where-from | files``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

import skyshard
from skyshard.basics.readable import human_bytes
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json, print_table


def where_from(
    database: Annotated[str, typer.Argument(help="The database.", show_default=False)],
    table: Annotated[str, typer.Argument(help="One of its tables.", show_default=False)],
    key: Annotated[
        str, typer.Argument(help="The row's key, or that of its director; or COLUMN=VALUE,...", show_default=False)
    ],
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Say which file, row, run and transaction a row comes from; exit 1 if there is no such row."""
    with skyshard.Testbed(cluster) as testbed:
        found = testbed.where_from(database, table, key)
    if json:
        print_json(asdict(found))
    else:
        _show_origins(found)
    if not found.rows:
        raise typer.Exit(1)


def _show_origins(found: skyshard.RowOrigins) -> None:
    """A few lines a row; each path is on one line, however long, so that it can be copied."""
    typer.echo(f"{found.database}.{found.table}, {found.key}: {len(found.rows)} row{'s' * (len(found.rows) != 1)}")
    if not found.has_provenance:
        may = "; they may be from:" * bool(found.rows)
        typer.echo(f"rows of this table do not say where they are from (no provenance){may}")
    for one in found.rows:
        typer.echo("\n".join(_lines(one)))


def _lines(one: skyshard.RowOrigin) -> list[str]:
    """What is known of one row."""
    place = f"transaction {_listed(one.transactions)}" + f", chunk {_listed(one.chunks)}" * bool(one.chunks)
    if one.row is None:
        return [f"  {place}:", *(f"    {path}" for path in one.candidates)]
    if one.file is None:
        return [f"  row {one.row} of a file that the registry does not know", f"    {place}"]
    known = {name: getattr(one.file, name) for name in ("dataset", "run", "weekly", "ticket")}
    return [
        f"  {one.file.path}", f"    row {one.row}, {place}",
        *(f"    {name} {value}" for name, value in known.items() if value),
    ]  # fmt: skip


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))


def files(
    database: Annotated[str, typer.Argument(help="The database.", show_default=False)],
    every: Annotated[bool, typer.Option("--all", help="Also files whose rows were replaced.")] = False,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """List the files that a database was ingested from, with dataset, run, rows and transaction."""
    with skyshard.Testbed(cluster) as testbed:
        found = [row for row in testbed.input_files(database) if every or not row.replaced_by]
    if json:
        print_json([asdict(row) for row in found])
        return
    print_table(
        ["number", "table", "rows", "size", "transaction", "replaced by", "dataset", "weekly", "ticket", "path"],
        [[_number(f.number), f.table, f.rows, human_bytes(f.bytes) if f.bytes else "", _number(f.transaction),
          _number(f.replaced_by), f.dataset, f.weekly, f.ticket, f.path] for f in found],
        is_folded=False,
    )  # fmt: skip


def _number(number: int) -> Any:
    return str(number) if number else ""
