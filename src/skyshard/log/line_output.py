"""Where log lines go when a command asks for them: standard error, a file, as text or as JSON.

Rules: a line is one ``write`` to a file opened for appending, so that several processes may share it. Child processes
(actors, driver processes, queries that were submitted) find the same choice in the environment:

    SKYSHARD_LOG        ``info`` or ``debug``: lines go to standard error, as with -v and -vv
    SKYSHARD_LOG_FILE   a file that lines are appended to, as with --log-file
    SKYSHARD_LOG_JSON   1: each line is a JSON object, as with --log-json

Standard error is looked up for each line: where progress bars are on the terminal, they have put themselves in its
place and keep lines apart.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skyshard.log.event_files import level_name

LEVEL_VARIABLE = "SKYSHARD_LOG"
FILE_VARIABLE = "SKYSHARD_LOG_FILE"
JSON_VARIABLE = "SKYSHARD_LOG_JSON"
_LEVELS = {"info": logging.INFO, "debug": logging.DEBUG}


@dataclass(frozen=True, slots=True)
class LogOutput:
    """What a command asks for: ``level`` of the lines on standard error (0: none there), and a file."""

    level: int = 0
    file: Path | None = None
    is_json: bool = False

    @classmethod
    def of_options(cls, verbose: int, file: Path | None, is_json: bool) -> LogOutput:
        """From the command line.

        >>> LogOutput.of_options(1, None, False).level, LogOutput.of_options(3, None, False).level
        (20, 10)
        """
        level = 0 if not verbose else logging.INFO if verbose == 1 else logging.DEBUG
        return cls(level, file.absolute() if file is not None else None, is_json)

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> LogOutput:
        file = environment.get(FILE_VARIABLE, "")
        return cls(
            _LEVELS.get(environment.get(LEVEL_VARIABLE, "").lower(), 0),
            Path(file).absolute() if file else None,
            environment.get(JSON_VARIABLE, "") not in ("", "0"),
        )

    def or_else(self, other: LogOutput) -> LogOutput:
        """This choice, and another one's where this one says nothing."""
        return LogOutput(self.level or other.level, self.file or other.file, self.is_json or other.is_json)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that tell child processes."""
        names = {level: name for name, level in _LEVELS.items()}
        wanted = {LEVEL_VARIABLE: names.get(self.level, ""), FILE_VARIABLE: str(self.file or "")}
        wanted[JSON_VARIABLE] = "1" if self.is_json else ""
        return {name: value for name, value in wanted.items() if value}


def write_logs(output: LogOutput) -> None:
    """Send the lines of the logger ``skyshard`` where ``output`` says, in place of what was said before.

    The file has lines of level INFO and up, or what standard error has if that is more.

    Raises:
        OSError: the file cannot be opened.
    """
    logger = logging.getLogger("skyshard")
    for old in [one for one in logger.handlers if isinstance(one, _Lines)]:
        logger.removeHandler(old)
        old.close()
    file_level = min(output.level or logging.INFO, logging.INFO)
    handlers: list[_Lines] = []
    if output.level:
        handlers.append(_Lines(output.level))
    if output.file is not None:
        handlers.append(_FileLines(output.file, file_level))
    if not handlers:
        return
    for handler in handlers:
        handler.setFormatter(_JsonLine() if output.is_json else _TextLine())
        logger.addHandler(handler)
    logger.setLevel(min(handler.level for handler in handlers))
    logger.propagate = False


def write_logs_of_environment() -> None:
    """In a child process: log where its parent does, as far as that can be; once is enough."""
    if any(isinstance(one, _Lines) for one in logging.getLogger("skyshard").handlers):
        return
    with contextlib.suppress(OSError):
        write_logs(LogOutput.of_environment())


class _Lines(logging.Handler):
    """Writes lines to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.write(f"{self.format(record)}\n")
        except Exception:  # a log that cannot be written must not fail the work
            return

    def write(self, line: str) -> None:
        sys.stderr.write(line)
        sys.stderr.flush()


class _FileLines(_Lines):
    """Appends lines to a file."""

    def __init__(self, path: Path, level: int) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        super().__init__(level)  # logging closes in the end what has come as far as here

    def write(self, line: str) -> None:
        os.write(self._handle, line.encode(errors="backslashreplace"))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._handle)
        super().close()


def utc(time_s: float) -> str:
    """A moment in UTC, to the millisecond.

    >>> utc(1_000_000_000.0625)
    '2001-09-09T01:46:40.062Z'
    """
    whole, part = divmod(int(time_s * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{part:03d}Z"


class _TextLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        name = getattr(record, "event", record.name.removeprefix("skyshard."))
        text = " ".join(record.getMessage().split())
        return f"{utc(record.created)} {record.levelname:<7} [{record.process}] {name}: {text}"


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        content = {
            "time": utc(record.created), "level": level_name(record.levelno), "logger": record.name,
            "process": record.process, "event": getattr(record, "event", ""), "text": record.getMessage(),
            "fields": getattr(record, "fields", {}),
        }  # fmt: skip
        return json.dumps(content, default=str)
