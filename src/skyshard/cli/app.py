"""The command ``skyshard``: registers the commands, and turns every error into one line and an exit code.

Exit codes: 0 good, 1 a failed check or a bug, 2 wrong input, 3 the cluster or the machine failed, 130 Ctrl-C, 141 a
closed pipe, 143 SIGTERM, 129 SIGHUP.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated

import typer

from skyshard.cli.commands.bench import bench_app
from skyshard.cli.commands.cluster import cluster_app
from skyshard.cli.commands.demo import demo
from skyshard.cli.commands.ingest import compact, contributions, index_app, ingest, mono_app, plan, verify
from skyshard.cli.commands.locate import locate
from skyshard.cli.commands.queries import cancel, queries, result, run_query, status, submit
from skyshard.cli.commands.query import explain, query
from skyshard.cli.commands.schema import schema_app
from skyshard.cli.commands.synth import synth
from skyshard.cli.commands.transactions import transactions_app
from skyshard.cli.terminal.standard_streams import STREAMS, give_up, prepare_streams
from skyshard.cli.terminal.system_errors import trouble_of
from skyshard.errors import SkyshardError, notes_of, text_of
from skyshard.host.interrupts import interruptible, signal_of

app = typer.Typer(
    name="skyshard",
    help="A testbed for survey databases: synthetic skies, sharded MariaDB, honest benchmarks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

app.command()(demo)
app.add_typer(cluster_app, name="cluster")
app.command()(synth)
app.command()(plan)
app.command()(ingest)
app.add_typer(transactions_app, name="transactions")
app.command()(contributions)
app.command()(query)
app.command()(explain)
app.command()(submit)
app.command()(status)
app.command()(result)
app.command()(cancel)
app.command()(queries)
app.command(name="run-query", hidden=True)(run_query)
app.command()(verify)
app.command()(compact)
app.add_typer(index_app, name="index")
app.add_typer(mono_app, name="mono")
app.add_typer(bench_app, name="bench")
app.add_typer(schema_app, name="schema")
app.command()(locate)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"skyshard {version('skyshard')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Version.")] = False,
) -> None:
    """A testbed for survey databases: synthetic skies, sharded MariaDB, honest benchmarks."""


def main() -> None:
    """Run a command; the one place where errors become text."""
    prepare_streams()
    ended = _run()
    try:
        sys.exit(_exit_code(ended))
    except OSError:  # not even standard error can be written
        give_up(sys.stderr.fileno())
        sys.exit(1)


def _run() -> BaseException:
    """Run a command, write out what it printed, and say what ended it."""
    try:
        with interruptible():
            app()
    except SystemExit as leaving:
        foreign = _behind(leaving)
        if foreign is not None:
            return foreign
        try:
            sys.stdout.flush()
        except OSError as error:
            return error
        return leaving
    except BaseException as error:
        return error
    return SystemExit(0)


def _behind(leaving: SystemExit) -> BaseException | None:
    """The interruption or the closed pipe that Typer made an exit code of; None if it was none of them."""
    error: BaseException | None = leaving
    while error is not None and not isinstance(error, KeyboardInterrupt | BrokenPipeError):
        error = error.__cause__ or error.__context__
    return error


def _exit_code(ended: BaseException) -> int | str | None:
    """The exit code for what ended a command, after a line that says so."""
    if isinstance(ended, SystemExit):
        return ended.code
    if isinstance(ended, BrokenPipeError):
        give_up(1)
        return 128 + signal.SIGPIPE
    if isinstance(ended, KeyboardInterrupt):
        number = signal_of(ended)
        _say("interrupted" if number is signal.SIGINT else f"ended by {number.name}", ended)
        return 128 + number
    if os.environ.get("SKYSHARD_TRACEBACK") and not isinstance(ended, SkyshardError):
        raise ended
    error = ended if isinstance(ended, SkyshardError) else trouble_of(ended)
    if isinstance(ended, OSError) and ended.filename == STREAMS[1]:
        give_up(1)
    if error is None:
        words = text_of(ended)[:300]
        _say(f"bug: {type(ended).__name__}: {words}; set SKYSHARD_TRACEBACK=1 and tell us what it prints", ended)
        return 1
    _say(str(error), ended)
    return error.exit_code


def _say(words: str, ended: BaseException) -> None:
    print("; ".join([f"skyshard: {words}", *notes_of(ended)]), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
