"""The files of events that a cluster keeps: ``<cluster>/log/query.jsonl``, ``transaction.jsonl``, ``node.jsonl``.

One JSON object a line: ``version``, ``time_s`` (seconds since 1970), ``event``, ``level``, ``process``, ``text`` and
``fields``.

Rules: a line is one ``write`` to a file opened for appending, so that lines of several processes do not mix, and an
event survives the process that wrote it, even one that is killed a moment later. A file that reaches ``FILE_BYTES``
is renamed to ``<name>.1.jsonl`` and replaces the one before it, so each subject takes at most twice as much, and many
events of one subject displace none of another. An event that cannot be written is lost, and never fails the work.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from skyshard.log.events import EventKind, EventValue, Subject

FILE_BYTES = 4 << 20
VERSION = 1


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event read from a file; ``process`` is the one that wrote it."""

    time_s: float
    event: str
    level: str
    process: int
    text: str
    fields: Mapping[str, EventValue]


class EventFiles:
    """The files in one folder, which the cluster makes; constructing one touches nothing."""

    def __init__(self, folder: Path, file_bytes: int = FILE_BYTES) -> None:
        self._folder = folder
        self._file_bytes = file_bytes

    def add(self, kind: EventKind, fields: Mapping[str, EventValue]) -> None:
        """Append an event; one that cannot be written is lost."""
        record = {
            "version": VERSION, "time_s": round(time.time(), 6), "event": kind.name,
            "level": level_name(kind.level), "process": os.getpid(), "text": kind.sentence(fields),
            "fields": dict(fields),
        }  # fmt: skip
        line = json.dumps(record, ensure_ascii=True, default=str).encode() + b"\n"
        with contextlib.suppress(OSError):
            self._append(self._folder / f"{kind.subject}.jsonl", line)

    def _append(self, path: Path, line: bytes) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            is_full = os.fstat(handle).st_size >= self._file_bytes
            if not is_full:
                os.write(handle, line)
        finally:
            os.close(handle)
        if is_full:
            self._rotate(path)
            self._append(path, line)

    def _rotate(self, path: Path) -> None:
        """Give a full file the place of the one before; of several processes that see it full one does."""
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_size >= self._file_bytes:
                    path.replace(path.with_suffix(".1.jsonl"))
        finally:
            os.close(folder)

    def read(self, subject: Subject, is_wanted: Callable[[KeptEvent], bool] = lambda _: True) -> list[KeptEvent]:
        """What is kept of a subject and wanted, by time; lines that are no events of this version are passed over.

        Only what is wanted is held: all that is kept takes several times as much memory as its files.
        """
        path = self._folder / f"{subject}.jsonl"
        with contextlib.ExitStack() as stack:
            files = [_opened(one, stack) for one in (path, path.with_suffix(".1.jsonl"))]
            by_inode = {os.fstat(file.fileno()).st_ino: file for file in files if file is not None}
            kept = (event for file in reversed(by_inode.values()) for event in _events_of(file))
            return sorted(filter(is_wanted, kept), key=lambda event: event.time_s)


def level_name(level: int) -> str:
    """The level as it is written.

    >>> level_name(30)
    'warning'
    """
    return {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}.get(level, str(level))


def _opened(path: Path, stack: contextlib.ExitStack) -> IO[bytes] | None:
    """A file, if it is there. One that is full is put aside by others at any time: what is open stays what it was."""
    with contextlib.suppress(OSError):
        return stack.enter_context(path.open("rb"))
    return None


def _events_of(lines: IO[bytes]) -> Iterator[KeptEvent]:
    with contextlib.suppress(OSError):
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                record: dict[str, Any] = json.loads(line)
                if record["version"] == VERSION:
                    yield KeptEvent(
                        float(record["time_s"]), str(record["event"]), str(record["level"]), int(record["process"]),
                        str(record["text"]), dict(record["fields"]),
                    )  # fmt: skip
