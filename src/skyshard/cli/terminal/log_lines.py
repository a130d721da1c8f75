"""Logging of a command, as its options and the environment say; its child processes log alike."""

from __future__ import annotations

import os
from pathlib import Path

from skyshard.basics.errors import UserError


def write_log(verbose: int, file: Path | None, *, is_json: bool) -> None:
    """Begin to log, if an option or the environment asks for it; ``verbose`` is the number of -v.

    Raises:
        UserError: the file cannot be opened.
    """
    if not (verbose or file or is_json or any(name.startswith("SKYSHARD_LOG") for name in os.environ)):
        return
    from skyshard.log.line_output import LogOutput, write_logs  # imported only when something is logged

    output = LogOutput.of_options(verbose, file, is_json).or_else(LogOutput.of_environment())
    try:
        write_logs(output)
    except OSError as error:
        raise UserError(
            f"cannot write the log {output.file}: {error.strerror}", remedy="name another file with --log-file"
        ) from error
    os.environ.update(output.environment)
