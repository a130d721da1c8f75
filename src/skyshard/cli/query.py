"""``skyshard query`` and ``skyshard explain``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from skyshard.cli.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json
from skyshard.errors import UserError

if TYPE_CHECKING:
    from skyshard.czar.czar import QueryResult

SqlArgument = Annotated[str, typer.Argument(help="One statement; '-' or nothing reads it from standard input.")]
DatabaseOption = Annotated[str, typer.Option("--database", "-d", help="Database of names that give none.")]
FormatOption = Annotated[
    Literal["table", "csv", "tsv", "json", "parquet"],
    typer.Option("--format", "-f", help="csv and tsv: NULL is \\N."),
]
OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="Write here instead of to the terminal.")]
HeaderOption = Annotated[bool, typer.Option("--no-header", help="Leave out the line of names (csv, tsv).")]
TargetOption = Annotated[Literal["czar", "mono"], typer.Option("--target", help="The cluster, or its oracle.")]


def query(
    sql: SqlArgument = "-",
    database: DatabaseOption = "",
    format: FormatOption = "table",
    out: OutOption = None,
    no_header: HeaderOption = False,
    target: TargetOption = "czar",
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Answer one SQL statement."""
    from skyshard.testbed import Testbed

    if format == "parquet" and out is None:
        raise UserError("parquet is not for a terminal", remedy="give --out FILE")
    with Testbed(cluster) as testbed:
        result = testbed.query(_statement(sql), database=database, target=target)
    _write(result, format, out, header=not no_header)


def explain(
    sql: SqlArgument = "-",
    database: DatabaseOption = "",
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Show how a statement would be answered: chunks and why, statements, merge."""
    from skyshard.testbed import Testbed

    with Testbed(cluster) as testbed:
        explanation = testbed.explain(_statement(sql), database=database)
    if json:
        print_json(explanation.as_dict())
    else:
        typer.echo(explanation.as_text())


def _statement(sql: str) -> str:
    return sys.stdin.read() if sql == "-" else sql


def _write(result: QueryResult, form: str, out: Path | None, *, header: bool) -> None:
    from skyshard.czar.output import write_csv, write_json, write_tsv

    if form == "table" and out is None:
        _print(result)
        return
    if form == "parquet" and out is not None:
        import pyarrow.parquet as pq

        pq.write_table(result.named(), out)
        return
    stream = sys.stdout.buffer if out is None else out.open("wb")
    try:
        if form == "json":
            write_json(result.table, result.columns, stream)
        else:
            write = write_tsv if form == "tsv" else write_csv
            write(result.table, result.columns, stream, header=header)
        stream.flush()
    finally:
        if out is not None:
            stream.close()


def _print(result: QueryResult) -> None:
    from rich.console import Console
    from rich.table import Table

    from skyshard.czar.output import SHOWN_ROWS, shown

    table = Table()
    for name in result.columns:
        table.add_column(name, overflow="fold")
    for row in shown(result.table):
        table.add_row(*row)
    console = Console(markup=False)
    console.print(table)
    stats = result.stats
    more = f"; the first {SHOWN_ROWS} are shown, --format csv gives all" if result.rows > SHOWN_ROWS else ""
    chunks = f", {stats.chunks} of {stats.total_chunks} chunks" if stats.total_chunks else ""
    console.print(f"{result.rows:,} rows in {stats.elapsed_s:.3f} s ({stats.kind}{chunks}){more}")
