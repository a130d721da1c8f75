"""``skyshard query`` and ``skyshard explain``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import typer

from skyshard.cli.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json
from skyshard.errors import UserError

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Table

    from skyshard.czar.answer import Answer, QueryResult, QueryStats

SqlArgument = Annotated[str, typer.Argument(help="One statement; '-' or nothing reads it from standard input.")]
DatabaseOption = Annotated[str, typer.Option("--database", "-d", help="Database of names that give none.")]
FormatOption = Annotated[
    Literal["table", "csv", "tsv", "json", "parquet"],
    typer.Option("--format", "-f", help="csv and tsv: NULL is \\N."),
]
OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="Write here instead of to the terminal.")]
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
    from skyshard.testbed import Testbed

    if format == "parquet" and out is None:
        raise UserError("parquet is not for a terminal", remedy="give --out FILE")
    with Testbed(cluster) as testbed:
        if target == "mono":
            write(testbed.query(statement_of(sql), database=database, target=target), format, out, header=not no_header)
            return
        limits = {"limit_bytes": max_bytes, "allow_partial": allow_partial}
        with testbed.czar.open(statement_of(sql), database, **limits) as answer:  # type: ignore[arg-type]
            stats = _write_answer(answer, format, out, header=not no_header)
    if stats.lost:
        shown = ", ".join(map(str, stats.lost[:5])) + (", ..." if len(stats.lost) > 5 else "")
        typer.echo(f"skyshard: this answer covers {stats.coverage:.1%} of the chunks; without {shown}", err=True)


def explain(
    sql: SqlArgument = "-",
    database: DatabaseOption = "",
    json: JsonOption = False,
    analyze: Annotated[bool, typer.Option("--analyze", help="Answer it, too, and say where the time went.")] = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Show how a statement would be answered: chunks and why, statements, merge."""
    from skyshard.testbed import Testbed

    statement = statement_of(sql)
    with Testbed(cluster) as testbed:
        explanation = testbed.explain(statement, database=database)
        analysis = testbed.czar.analyze(statement, database) if analyze else None
    if json:
        print_json(explanation.as_dict() | ({"analysis": analysis.as_dict()} if analysis is not None else {}))
        return
    typer.echo(explanation.as_text())
    if analysis is not None:
        typer.echo(analysis.as_text())


def statement_of(sql: str) -> str:
    """A statement as given, or from standard input."""
    return sys.stdin.read() if sql == "-" else sql


def _write_answer(answer: Answer, form: str, out: Path | None, *, header: bool) -> QueryStats:
    """Write rows as they come, so that a result may be larger than memory."""
    from skyshard.czar.life import write_parquet
    from skyshard.czar.output import write_csv, write_json, write_tsv

    if form == "parquet" and out is not None:
        write_parquet(answer, out)
        return answer.stats()
    if form == "table" and out is None:
        head = _head(answer)
        _print(answer.columns, head, answer.stats())
        return answer.stats()
    put = write_tsv if form == "tsv" else write_csv
    with _stream(out) as stream:
        if form == "json":
            write_json(map(_as_table, answer.batches), answer.columns, stream)
            return answer.stats()
        put(answer.schema.empty_table(), answer.columns, stream, header=header)
        for batch in answer.batches:
            put(_as_table(batch), answer.columns, stream, header=False)
    return answer.stats()


def _head(answer: Answer) -> Table:
    """The first rows of an answer, which is read to its end: a table for a terminal says how many there are."""
    import pyarrow as pa

    from skyshard.czar.output import SHOWN_ROWS

    head: list[RecordBatch] = []
    for batch in answer.batches:
        missing = SHOWN_ROWS - sum(one.num_rows for one in head)
        if missing > 0:
            head.append(batch.slice(0, missing))
    return pa.Table.from_batches(head, answer.schema)


def _as_table(batch: RecordBatch) -> Table:
    """A batch as a table."""
    import pyarrow as pa

    return pa.Table.from_batches([batch])


@contextmanager
def _stream(out: Path | None) -> Iterator[BinaryIO]:
    """Standard output, or a file."""
    stream = sys.stdout.buffer if out is None else out.open("wb")
    try:
        yield stream
        stream.flush()
    finally:
        if out is not None:
            stream.close()


def write(result: QueryResult, form: str, out: Path | None, *, header: bool) -> None:
    """Write rows that are all here."""
    from skyshard.czar.output import write_csv, write_json, write_tsv

    if form == "table" and out is None:
        _print(result.columns, result.table, result.stats)
        return
    if form == "parquet" and out is not None:
        import pyarrow.parquet as pq

        pq.write_table(result.named(), out)
        return
    with _stream(out) as stream:
        if form == "json":
            write_json([result.table], result.columns, stream)
        else:
            put = write_tsv if form == "tsv" else write_csv
            put(result.table, result.columns, stream, header=header)


def _print(columns: Sequence[str], rows: Table, stats: QueryStats) -> None:
    from rich.console import Console
    from rich.table import Table as Lines

    from skyshard.czar.output import SHOWN_ROWS, shown

    table = Lines()
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in shown(rows):
        table.add_row(*row)
    console = Console(markup=False)
    console.print(table)
    more = f"; the first {SHOWN_ROWS} are shown, --format csv gives all" if stats.rows > SHOWN_ROWS else ""
    chunks = f", {stats.chunks} of {stats.total_chunks} chunks" if stats.total_chunks else ""
    console.print(f"{stats.rows:,} rows in {stats.elapsed_s:.3f} s ({stats.kind}{chunks}){more}")
