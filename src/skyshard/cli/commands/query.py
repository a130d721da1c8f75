"""``skyshard query`` and ``skyshard explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

import skyshard
import skyshard.scenarios
from skyshard.basics.errors import UserError
from skyshard.cli.terminal.answer_output import form_of, write_answer
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json
from skyshard.cli.terminal.statement_input import statement_of

SqlArgument = Annotated[str, typer.Argument(help="One statement; '-' or nothing reads it from standard input.")]
DatabaseOption = Annotated[str, typer.Option("--database", "-d", help="Database of names that give none.")]
FormatOption = Annotated[
    Literal["table", "csv", "tsv", "json", "parquet", "arrow"],
    typer.Option("--format", "-f", help="Of a file, if its name does not say it. csv and tsv: NULL is \\N."),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Write this file, atomically; its ending (.parquet ...) gives the format."),
]
HeaderOption = Annotated[bool, typer.Option("--no-header", help="Leave out the line of names (csv, tsv).")]
TargetOption = Annotated[Literal["czar", "mono"], typer.Option("--target", help="The cluster, or its oracle.")]


BytesOption = Annotated[int | None, typer.Option("--max-bytes", help="Refuse more bytes of partial results than this.")]
PartialOption = Annotated[
    bool, typer.Option("--allow-partial", help="Leave out chunks of which no replica answers, and say which share.")
]


def query(
    sql: SqlArgument = "-",
    database: DatabaseOption = "",
    format: FormatOption = "table",
    out: OutOption = None,
    no_header: HeaderOption = False,
    target: TargetOption = "czar",
    max_bytes: BytesOption = None,
    allow_partial: PartialOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Answer one SQL statement."""
    form = form_of(format, out)
    with skyshard.Testbed(cluster) as testbed:
        if target == "mono":
            found = testbed.query(statement_of(sql), database=database, target=target)
            write_answer(found.as_answer(), form, out, header=not no_header)
            return
        opened = testbed.czar.open(statement_of(sql), database, limit_bytes=max_bytes, allow_partial=allow_partial)
        with opened as answer:
            write_answer(answer, form, out, header=not no_header)
            stats = answer.stats()
    if stats.lost:
        shown = ", ".join(map(str, stats.lost[:5])) + (", ..." if len(stats.lost) > 5 else "")
        typer.echo(f"skyshard: this answer covers {stats.coverage:.1%} of the chunks; without {shown}", err=True)


def explain(
    sql: SqlArgument = "-",
    database: DatabaseOption = "",
    json: JsonOption = False,
    analyze: Annotated[bool, typer.Option("--analyze", help="Answer it, too, and say where the time went.")] = False,
    server: Annotated[
        bool, typer.Option("--server", help="With --analyze: how each node carried out its slowest statement.")
    ] = False,
    flame: Annotated[
        Path | None,
        typer.Option(help="With --analyze: a flame graph of the nodes' servers, .svg or folded stacks."),
    ] = None,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Show how a statement would be answered: chunks and why, statements, merge."""
    if (server or flame) and not analyze:
        option = "--server" if server else "--flame"
        raise UserError(f"{option} is about a statement that is answered", remedy="give --analyze, too")
    statement = statement_of(sql)
    with skyshard.Testbed(cluster) as testbed:
        explanation = testbed.explain(statement, database=database)
        analysis = testbed.czar.analyze(statement, database, on_servers=server) if analyze else None
        burning = skyshard.scenarios.record_flame(testbed, statement, database, flame) if flame else None
    if burning is not None:
        told = f"{burning.samples:,} samples, answered {burning.answered} times: {flame}"
        typer.echo(f"no flame graph: {burning.fault}" if burning.fault else f"flame graph of {told}", err=True)
    if json:
        print_json(explanation.as_dict() | ({"analysis": analysis.as_dict()} if analysis is not None else {}))
        return
    typer.echo(explanation.as_text())
    if analysis is not None:
        typer.echo(analysis.as_text())
