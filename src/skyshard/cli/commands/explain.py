"""``skyshard explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import skyshard
import skyshard.scenarios
from skyshard.basics.errors import UserError
from skyshard.cli.commands.query import DatabaseOption, ScanOption, SqlArgument
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json
from skyshard.cli.terminal.statement_input import statement_of


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
    scan: ScanOption = None,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Show how a statement would be answered: chunks and why, statements, merge."""
    if (server or flame) and not analyze:
        option = "--server" if server else "--flame"
        raise UserError(f"{option} is about a statement that is answered", remedy="give --analyze, too")
    statement = statement_of(sql)
    with skyshard.Testbed(cluster) as testbed:
        explanation = testbed.explain(statement, database=database, scan=scan)
        analysis = testbed.czar.analyze(statement, database, on_servers=server, scan=scan) if analyze else None
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
