"""Answers on the terminal and in files: the format by option or by the file's name, a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from skyshard.cli.show import human_bytes
from skyshard.errors import UserError

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Table

    from skyshard.czar.answer import Answer, Held, QueryStats
    from skyshard.czar.running import Running

ENDINGS = {
    ".csv": "csv", ".tsv": "tsv", ".json": "json", ".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow",
}  # fmt: skip
PROGRESS_AFTER_S = 2.0


def form_of(form: str, out: Path | None) -> str:
    """The format of an answer: as asked; "table", which nobody has to ask for, gives way to a file's ending, or to CSV.

    Raises:
        UserError: a format that is not for a terminal, a folder that is not there.
    """
    if out is None:
        if form in ("parquet", "arrow"):
            raise UserError(f"{form} is not for a terminal", remedy="give --out FILE")
        return form
    if out.is_dir() or not out.parent.is_dir():
        what = "is a folder" if out.is_dir() else f"cannot be written: there is no folder {out.parent}"
        raise UserError(f"{out} {what}", remedy="give --out a file in a folder that exists")
    return ENDINGS.get(out.suffix.lower(), "csv") if form == "table" else form


def write_answer(answer: Answer | Held, form: str, out: Path | None, *, header: bool) -> None:
    """Write rows as they come, so that a result may be larger than memory."""
    from skyshard.czar.output import write_arrow, write_parquet

    if out is None:
        if form == "table":
            _print(answer)
        else:
            _write_text(answer, form, sys.stdout.buffer, header=header)
            sys.stdout.buffer.flush()
        return
    with _whole(out) as path, _shown_progress(answer):
        if form in ("parquet", "arrow"):
            (write_parquet if form == "parquet" else write_arrow)(answer, path)
            return
        with path.open("wb") as stream:
            _write_text(answer, form, stream, header=header)


@contextlib.contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A file to write, which takes its place when all is written; a pipe or a device is written to itself."""
    if out.exists() and not out.is_file():
        yield out
        return
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(out)
    except OSError as error:
        if error.filename not in (None, str(part), str(out)):
            raise  # not of this file
        raise UserError(f"{out} cannot be written: {error.strerror or error}", remedy="choose another place") from error
    finally:
        part.unlink(missing_ok=True)


def _write_text(answer: Answer | Held, form: str, stream: BinaryIO, *, header: bool) -> None:
    from skyshard.czar.output import write_csv, write_json, write_tsv

    if form == "json":
        write_json(map(_as_table, answer.batches), answer.columns, stream)
        return
    put = write_tsv if form == "tsv" else write_csv
    put(answer.schema.empty_table(), answer.columns, stream, header=header)
    for batch in answer.batches:
        put(_as_table(batch), answer.columns, stream, header=False)


def _as_table(batch: RecordBatch) -> Table:
    """A batch as a table."""
    import pyarrow as pa

    return pa.Table.from_batches([batch])


def _print(answer: Answer | Held) -> None:
    from rich.console import Console
    from rich.table import Table as Lines

    from skyshard.czar.output import shown

    with _shown_progress(answer):
        rows = _head(answer)
    table = Lines()
    for name in answer.columns:
        table.add_column(name, overflow="fold")
    for row in shown(rows):
        table.add_row(*row)
    console = Console(markup=False)
    console.print(table)
    console.print(_last_line(answer.stats()))


def _last_line(stats: QueryStats) -> str:
    from skyshard.czar.output import SHOWN_ROWS

    more = f"; the first {SHOWN_ROWS} are shown, --format csv gives all" if stats.rows > SHOWN_ROWS else ""
    chunks = f", {stats.chunks} of {stats.total_chunks} chunks" if stats.total_chunks else ""
    return f"{stats.rows:,} rows in {stats.elapsed_s:.3f} s ({stats.kind}{chunks}){more}"


def _head(answer: Answer | Held) -> Table:
    """The first rows of an answer, which is read to its end: a table for a terminal says how many there are."""
    import pyarrow as pa

    from skyshard.czar.output import SHOWN_ROWS

    head: list[RecordBatch] = []
    for batch in answer.batches:
        missing = SHOWN_ROWS - sum(one.num_rows for one in head)
        if missing > 0:
            head.append(batch.slice(0, missing))
    return pa.Table.from_batches(head, answer.schema)


@contextlib.contextmanager
def _shown_progress(answer: Answer | Held) -> Iterator[None]:
    """While an answer takes long to come, and standard error is a terminal: a line with chunks, rows, time to go."""
    running = getattr(answer, "running", None)
    if running is None or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    begun = time.monotonic()

    def line() -> Text:
        return Text(describe(running, time.monotonic() - begun))

    live = Live(
        get_renderable=line, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
    )
    start = threading.Timer(PROGRESS_AFTER_S, live.start)
    start.start()
    try:
        yield
    finally:
        start.cancel()
        start.join()
        live.stop()


def describe(running: Running, elapsed_s: float) -> str:
    """Where a query is, in a line.

    >>> from skyshard.czar.running import Running
    >>> describe(Running("q", chunks=100, chunks_done=25, rows=3_000_000, bytes=150_000_000), 10.0)
    '25/100 chunks, 3,000,000 rows came (150.0 MB, 300 krow/s), 10 s, about 30 s to go'
    """
    from skyshard.czar.running import left_of

    rate = f", {running.rows / elapsed_s / 1e3:,.0f} krow/s" if running.rows > 1000 * elapsed_s else ""
    words = [
        f"{running.chunks_done}/{running.chunks} chunks",
        f"{running.rows:,} rows came ({human_bytes(running.bytes)}{rate})",
        f"{elapsed_s:.0f} s",
    ]
    left_s = left_of(elapsed_s, running.chunks_done, running.chunks)
    if left_s:
        words.append(f"about {left_s:.0f} s to go")
    return ", ".join(words)
