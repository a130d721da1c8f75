"""Output that commands share: progress on a terminal, tables, JSON. No logic."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from skyshard.basics.progress import Progress, Watcher, unwatched
from skyshard.basics.readable import human_bytes
from skyshard.cli.terminal.tell_left_faults import tell_left_faults

ClusterOption = Annotated[
    Path,
    typer.Option(
        "--cluster", envvar="SKYSHARD_CLUSTER", help="The cluster's folder.", show_default=True,
        callback=tell_left_faults,
    ),
]  # fmt: skip
DEFAULT_CLUSTER = Path(".skyshard")
_LONGEST_LINE = 1 << 16
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=1, default=str))


def print_table(
    headers: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str = "", is_folded: bool = True
) -> None:
    """A table for people: numbers are right-aligned, with thousands separators.

    ``is_folded`` False makes lines as long as they need, so that what is in them, such as a path, can be copied.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for i, header in enumerate(headers):
        numeric = all(isinstance(row[i], int | float) or row[i] in (None, "") for row in rows)
        table.add_column(header, justify="right" if numeric and rows else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    if is_folded:
        Console(width=None if sys.stdout.isatty() else 160).print(table)
        return
    console = Console(width=_LONGEST_LINE)
    with console.capture() as made:
        console.print(table)
    typer.echo("\n".join(line.rstrip() for line in made.get().splitlines()))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _print_note(note: str) -> None:
    typer.echo(note, err=True)


@contextmanager
def progress_bars(
    *, as_json: bool = False, quiet: bool = False, notes: Callable[[str], None] = _print_note
) -> Iterator[Watcher]:
    """Bars with rate and ETA on a terminal; a line per finished stage elsewhere; JSON events with ``as_json``.

    ``notes`` takes the sentences that come with progress; they are shown with ``quiet`` too.
    """
    with _counts(as_json=as_json, quiet=quiet) as counts:

        def watcher(progress: Progress) -> None:
            if progress.note:
                notes(progress.note)
            else:
                counts(progress)

        yield watcher


@contextmanager
def _counts(*, as_json: bool, quiet: bool) -> Iterator[Watcher]:
    if quiet:
        yield unwatched
    elif as_json:
        yield _print_event
    elif not sys.stderr.isatty():
        yield _print_finished
    else:
        yield from _bars()


def _print_event(progress: Progress) -> None:
    event = {
        "stage": progress.stage, "done": progress.done, "total": progress.total, "rows": progress.rows,
        "bytes": progress.bytes, "elapsed_s": round(progress.elapsed_s, 3), "eta_s": progress.eta_s,
    }  # fmt: skip
    print(json.dumps(event), file=sys.stderr, flush=True)


def _print_finished(progress: Progress) -> None:
    if progress.done == progress.total:
        print(f"{progress.stage}: {describe(progress)}", file=sys.stderr, flush=True)


def describe(progress: Progress) -> str:
    """How much was processed and how fast, in a few words."""
    words = [f"{progress.done}/{progress.total}"]
    if progress.rows:
        words.append(f"{progress.rows:,} rows".replace(",", " "))
    if progress.bytes:
        words.append(human_bytes(progress.bytes))
    if progress.rows and progress.elapsed_s > 0:
        words.append(f"{progress.rows_per_s / 1e3:,.0f} krow/s")
    return ", ".join(words)


def _bars() -> Iterator[Watcher]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<28}"), BarColumn(24), TextColumn("{task.fields[words]}"),
        TimeElapsedColumn(), TextColumn("ETA"), TimeRemainingColumn(),
    )  # fmt: skip
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}
        elapsed_s: dict[str, float] = {}

        def watch(progress: Progress) -> None:
            if progress.stage not in tasks:
                tasks[progress.stage] = bars.add_task(progress.stage, total=progress.total, words="")
            elif progress.elapsed_s < elapsed_s[progress.stage]:  # a later stage of the same name
                bars.reset(tasks[progress.stage], total=progress.total)
            elapsed_s[progress.stage] = progress.elapsed_s
            bars.update(tasks[progress.stage], completed=progress.done, total=progress.total, words=describe(progress))

        yield watch
