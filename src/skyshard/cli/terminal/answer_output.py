"""Answers to the terminal and to files: the format from the option or the file's name; files are written atomically."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from skyshard.basics.errors import UserError
from skyshard.basics.readable import human_bytes
from skyshard.cli.terminal.answer_screen import head_of, show_answer
from skyshard.host.atomic_files import new_file

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Table

    from skyshard.czar.result.answer import Answer, ReadyAnswer
    from skyshard.czar.result.query_progress import Running

ENDINGS = {
    ".csv": "csv", ".tsv": "tsv", ".json": "json", ".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow",
}  # fmt: skip
PACKINGS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
"""A second ending, for compressed text."""
TEXTS = ("csv", "tsv", "json")
PROGRESS_AFTER_S = 2.0


def form_of(form: str, out: Path | None) -> str:
    """The format of an answer: the given one; by default "table", or for a file that of its ending, else CSV.

    Raises:
        UserError: a format that is not for a terminal, a missing folder, an unknown ending.
    """
    if out is None:
        if form in ("parquet", "arrow"):
            raise UserError(f"{form} is not for a terminal", remedy="give --out FILE")
        return form
    if out.is_dir() or not out.parent.is_dir():
        what = "is a folder" if out.is_dir() else f"cannot be written: there is no folder {out.parent}"
        raise UserError(f"{out} {what}", remedy="give --out a file in a folder that exists")
    found = form if form != "table" else _named_form(out)
    if _packing(out) and found not in TEXTS:
        raise UserError(f"--out {out}: {found} is compressed already", remedy=f"leave {out.suffix} out")
    return found


def _named_form(out: Path) -> str:
    """The format by a file's name; CSV for a name without an ending, and for pipes and devices."""
    ending = Path(out.stem).suffix if _packing(out) else out.suffix
    if not ending or (out.exists() and not out.is_file()):
        return "csv"
    if ending.lower() not in ENDINGS:
        known = f"{', '.join(ENDINGS)}, and {', '.join(PACKINGS)} after one of a text"
        raise UserError(f"--out {out}: no format is known by the ending '{ending}'", remedy=f"use {known}, or --format")
    return ENDINGS[ending.lower()]


def _packing(out: Path) -> str:
    """The compression of a file, by its name; none for a pipe or a device."""
    is_file = out.is_file() or not out.exists()
    return PACKINGS.get(out.suffix.lower(), "") if is_file else ""


def write_answer(answer: Answer | ReadyAnswer, form: str, out: Path | None, *, header: bool) -> None:
    """Write rows as they arrive, so that a result may be larger than memory."""
    from skyshard.czar.result.output import write_arrow, write_parquet

    if out is None:
        if form == "table":
            with _shown_progress(answer):
                rows = head_of(answer)
            show_answer(rows, answer.columns, answer.stats())
        else:
            _write_text(answer, form, sys.stdout.buffer, header=header)
            sys.stdout.buffer.flush()
        return
    with _whole(out) as path, _shown_progress(answer):
        if form in ("parquet", "arrow"):
            (write_parquet if form == "parquet" else write_arrow)(answer, path)
            return
        with _written(path, _packing(out)) as stream:
            _write_text(answer, form, stream, header=header)


@contextlib.contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A file to write, moved to its place when complete; a pipe or a device is written directly."""
    if out.exists() and not out.is_file():
        yield out
        return
    draft = out
    try:
        with new_file(out) as draft:
            yield draft
    except OSError as error:
        if error.filename not in (None, str(draft), str(out)):
            raise  # an error of another file
        raise UserError(f"{out} cannot be written: {error.strerror or error}", remedy="choose another place") from error


@contextlib.contextmanager
def _written(path: Path, packing: str) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        if not packing:
            yield file
            return
        import pyarrow as pa

        with pa.CompressedOutputStream(file, packing) as packed:
            yield packed


def _write_text(answer: Answer | ReadyAnswer, form: str, stream: BinaryIO, *, header: bool) -> None:
    from skyshard.czar.result.output import write_csv, write_json, write_tsv

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


@contextlib.contextmanager
def _shown_progress(answer: Answer | ReadyAnswer) -> Iterator[None]:
    """Shows a line with chunks, rows and time left while an answer takes long, if standard error is a terminal."""
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
    """The progress of a query, in one line.

    >>> from skyshard.czar.result.query_progress import Running
    >>> describe(Running("q", chunks=100, chunks_done=25, rows=3_000_000, bytes=150_000_000), 10.0)
    '25/100 chunks, 3,000,000 rows came (150.0 MB, 300 krow/s), 10 s, about 30 s to go'
    """
    from skyshard.czar.result.query_progress import left_of

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
