"""The command ``skyshard``: runs a command, and turns every error into one line and an exit code.

Exit codes: 0 success, 1 a failed check or a bug, 2 wrong input, 3 the cluster or the machine failed, 130 Ctrl-C, 141 a
closed pipe, 143 SIGTERM, 129 SIGHUP.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from skyshard.basics.errors import SkyshardError, notes_of, spelled_out, text_of
from skyshard.basics.release import VERSION
from skyshard.cli.lazy_commands import RootGroup, named_by
from skyshard.cli.terminal.log_lines import write_log
from skyshard.cli.terminal.standard_streams import STREAMS, give_up, prepare_streams
from skyshard.cli.terminal.system_errors import trouble_of
from skyshard.cli.terminal.usage_errors import usage_error
from skyshard.host.interrupts import interruptible, signal_of
from skyshard.host.process_tuning import allow_tuning

NAME = "skyshard"
COMPLETE = "_SKYSHARD_COMPLETE"
"""Set by a shell that asks for completions."""

app = typer.Typer(
    name=NAME,
    cls=RootGroup,
    help="A testbed for survey databases: synthetic skies, sharded MariaDB, honest benchmarks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{NAME} {VERSION}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Version.")] = False,
    verbose: Annotated[
        int, typer.Option("-v", count=True, show_default=False, help="Log what happens to standard error; -vv: more.")
    ] = 0,
    log_file: Annotated[
        Path | None, typer.Option("--log-file", envvar="SKYSHARD_LOG_FILE", help="Append what happens to this file.")
    ] = None,
    log_json: Annotated[
        bool, typer.Option("--log-json", envvar="SKYSHARD_LOG_JSON", help="Log one JSON object per line.")
    ] = False,
) -> None:
    """A testbed for survey databases: synthetic skies, sharded MariaDB, honest benchmarks."""
    write_log(verbose, log_file, is_json=log_json)


def main() -> None:
    """Run a command; the one place where errors become text."""
    allow_tuning()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for them reads every installed package
    prepare_streams()
    ended = _run()
    try:
        sys.exit(_exit_code(ended))
    except OSError:  # not even standard error can be written
        give_up(sys.stderr.fileno())
        sys.exit(1)


def _run() -> BaseException:
    """Run a command, flush its output, and return what ended it."""
    try:
        with interruptible():
            code = _command(sys.argv[1:])
        sys.stdout.flush()
    except SystemExit as leaving:
        return _behind(leaving)
    except BaseException as error:
        return error
    return SystemExit(code)


def _behind(leaving: SystemExit) -> BaseException:
    """The closed pipe that Rich turned into an exit; otherwise the exit itself."""
    error: BaseException | None = leaving
    while error is not None and not isinstance(error, BrokenPipeError):
        error = error.__cause__ or error.__context__
    return error or leaving


def _command(words: list[str]) -> int:
    """Run the command that these words name; returns its exit code.

    Raises:
        UserError: an unknown command, or options that it does not have.
    """
    command = typer.main.get_command(app)
    if COMPLETE in os.environ:
        command.main(prog_name=NAME)  # prints completions for the shell, and exits
    try:
        with command.make_context(NAME, list(words)) as context:
            command.invoke(context)
    except typer.Exit as leaving:
        return leaving.exit_code
    except typer.TyperException as error:
        raise usage_error(error, named_by(words)) from None
    return 0


def _exit_code(ended: BaseException) -> int | str | None:
    """The exit code for what ended a command; prints the error first."""
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
        _say(f"bug: {type(ended).__name__}: {words}; set SKYSHARD_TRACEBACK=1 and report what it prints", ended)
        return 1
    _say(str(error), ended)
    return error.exit_code


def _say(words: str, ended: BaseException) -> None:
    print(spelled_out("; ".join([f"skyshard: {words}", *notes_of(ended)])), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
