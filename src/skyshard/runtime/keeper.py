"""Ends a private Ray when the process that opened it is gone, however it went. Standard library only: it runs alone.

    python keeper.py FOLDER        reads stdin to its end, then kills all processes that have to do with FOLDER

A driver that is killed leaves Ray's workers behind: an actor goes on with its calls for seconds, a task until its end,
agents for minutes. The pipe to this process closes with the driver, and nothing is left a moment later.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
ROUNDS = 50
PAUSE_S = 0.02


class Keeper:
    """The process that watches over one folder for the process that made it."""

    def __init__(self, folder: str) -> None:
        command = [sys.executable, "-I", "-S", __file__, folder]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def end(self) -> None:
        """Kill what is left, remove the folder, and wait until that is done."""
        self._process.communicate()


def processes_of(folder: str) -> Iterator[int]:
    """Processes that name a file of the folder in their command line or have one open; not this one and its parent."""
    for entry in PROC.iterdir():
        is_other = entry.name.isdigit() and int(entry.name) not in (os.getpid(), os.getppid())
        if is_other and _has_to_do_with(entry, f"{folder}/"):
            yield int(entry.name)


def _has_to_do_with(process: Path, place: str) -> bool:
    try:
        if os.fsencode(place) in (process / "cmdline").read_bytes():
            return True
        return any(_target(file).startswith(place) for file in (process / "fd").iterdir())
    except OSError:
        return False


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def sweep(folder: str) -> None:
    """Kill the processes of a folder until there are none (a killed one may just have started another), remove it."""
    for _ in range(ROUNDS):
        found = list(processes_of(folder))
        if not found:
            break
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(PAUSE_S)
    shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    sys.stdin.buffer.read()
    sweep(sys.argv[1])


if __name__ == "__main__":
    main()
