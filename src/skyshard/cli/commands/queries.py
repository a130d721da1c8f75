"""``skyshard submit``, ``status``, ``result``, ``cancel`` and ``queries``: background queries and the history."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

import skyshard
from skyshard.basics.readable import human_bytes
from skyshard.cli.commands.query import DatabaseOption, FormatOption, HeaderOption, OutOption, SqlArgument
from skyshard.cli.terminal.answer_output import form_of, write_answer
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json, print_table
from skyshard.cli.terminal.statement_input import statement_of

NumberArgument = Annotated[int, typer.Argument(help="The query's number, as `submit` printed it.")]


def submit(
    sql: SqlArgument = "-",
    database: DatabaseOption = "",
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Answer a statement in the background; prints its number."""
    with skyshard.Testbed(cluster) as testbed:
        number = testbed.submit(statement_of(sql), database=database)
    if json:
        print_json({"query": number})
    else:
        typer.echo(number)


def status(query: NumberArgument, json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """Show where a submitted query is: state, chunks done, rows, bytes, ETA."""
    with skyshard.Testbed(cluster) as testbed:
        _show(testbed.submitted.status(query), as_json=json)


def cancel(query: NumberArgument, json: JsonOption = False, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """Stop a submitted query on all nodes."""
    with skyshard.Testbed(cluster) as testbed:
        _show(testbed.submitted.cancel(query), as_json=json)


def result(
    query: NumberArgument,
    format: FormatOption = "table",
    out: OutOption = None,
    no_header: HeaderOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Print the rows of a submitted query, or write them to a file; they are kept for seven days."""
    form = form_of(format, out)
    with skyshard.Testbed(cluster) as testbed:
        write_answer(testbed.submitted.open(query), form, out, header=not no_header)


def queries(
    last: Annotated[int, typer.Option("--last", help="Number of queries to show, newest first.")] = 20,
    running: Annotated[bool, typer.Option("--running", help="Only those that have not ended.")] = False,
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """List past and running queries, with their statistics."""
    with skyshard.Testbed(cluster) as testbed:
        rows = testbed.registry.history.last(last, only_open=running)
    if json:
        print_json([{key: value for key, value in row.items() if not key.startswith("process")} for row in rows])
        return
    headers = ("query", "state", "kind", "submitted", "seconds", "chunks", "rows", "bytes", "statement")
    print_table(headers, [_line(row) for row in rows])


def run_query(number: int, cluster: ClusterOption = DEFAULT_CLUSTER) -> None:
    """Answer a submitted query; `submit` starts this."""
    with skyshard.Testbed(Path(cluster)) as testbed:
        testbed.submitted.run(number, testbed.czar)


def _show(found: skyshard.QueryStatus, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(found))
        return
    left = f", about {found.eta_s:.1f} s to go" if found.eta_s is not None else ""
    typer.echo(f"query {found.number}: {found.state} after {found.elapsed_s:.1f} s{left}")
    columns = f", {human_bytes(found.column_bytes)} of columns read" if found.column_bytes else ""
    came = f"{found.rows:,} rows, {human_bytes(found.bytes)}"
    typer.echo(f"{found.chunks_done} of {found.chunks} chunks, {came}{columns}")
    if found.error:
        typer.echo(found.error)


def _line(row: dict[str, object]) -> tuple[object, ...]:
    submitted = datetime.fromtimestamp(float(str(row["submitted_s"])), UTC).isoformat(" ", "seconds")[:19]
    begun, ended = row["begun_s"], row["ended_s"]
    seconds = round(float(str(ended)) - float(str(begun)), 4) if begun and ended else None
    text = " ".join(str(row["statement"]).split())
    return (
        row["id"], row["state"], row["kind"], submitted, seconds, f"{row['chunks_done']}/{row['chunks']}", row["rows"],
        human_bytes(float(str(row["bytes"]))), text if len(text) <= 60 else f"{text[:59]}…",
    )  # fmt: skip
