"""``skyshard query``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

import skyshard
from skyshard.cli.terminal.answer_output import form_of, write_answer
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption
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

ScanOption = Annotated[
    Literal["auto", "rows", "columns"] | None,
    typer.Option(
        "--scan",
        help="Scan column images where these are and the proof holds; auto: if it reads many rows. If absent, as was "
        "chosen for the cluster.",
    ),
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
    scan: ScanOption = None,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Answer one SQL statement."""
    form = form_of(format, out)
    with skyshard.Testbed(cluster) as testbed:
        if target == "mono":
            found = testbed.query(statement_of(sql), database=database, target=target)
            write_answer(found.as_answer(), form, out, header=not no_header)
            return
        opened = testbed.czar.open(
            statement_of(sql), database, limit_bytes=max_bytes, allow_partial=allow_partial, scan=scan
        )
        with opened as answer:
            write_answer(answer, form, out, header=not no_header)
            stats = answer.stats()
    if stats.lost:
        shown = ", ".join(map(str, stats.lost[:5])) + (", ..." if len(stats.lost) > 5 else "")
        typer.echo(f"skyshard: this answer covers {stats.coverage:.1%} of the chunks; without {shown}", err=True)
