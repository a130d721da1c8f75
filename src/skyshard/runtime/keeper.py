"""Ends what a process started when that is gone, however it went: a private Ray, the services of a host. Standard
library only: it runs alone.

    python keeper.py FOLDER [OPTION]   reads stdin to its end, asks processes with --OPTION in their command line to
                                       end, then kills all that have to do with FOLDER, and removes it

A driver that is killed leaves Ray's workers behind: an actor goes on with its calls for seconds, a task until its end,
agents for minutes. The pipe to this process closes with the driver, and nothing is left a moment later.
"""

from __future__ import annotations

import contextlib
import fcntl
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
GENTLE_S = 60.0


class Keeper:
    """The process that watches over one folder for the process that made it."""

    def __init__(self, folder: str, option: str = "", *, lock: str = "") -> None:
        """
        Args:
            option: without its dashes, of processes that may take a minute for a proper end.
            lock: a file that the keeper holds until it has ended all; empty for a folder that no other keeper has.

        Raises:
            BlockingIOError: an earlier keeper holds that file: it would end what is started now, too.
        """
        command = [sys.executable, "-I", "-S", __file__, folder, *([option] if option else [])]
        with contextlib.ExitStack() as held:
            passed = [held.enter_context(open(lock, "a"))] if lock else []
            for file in passed:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=[file.fileno() for file in passed],
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


def end_gently(word: str) -> None:
    """Ask the processes with this word in their command line to end; those that do not in time are killed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in processes_with(word):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        deadline = time.monotonic() + GENTLE_S
        while list(processes_with(word)) and time.monotonic() < deadline:
            time.sleep(PAUSE_S)


def processes_with(word: str) -> Iterator[int]:
    """Processes that have exactly this word in their command line; not this one and its parent."""
    for entry in PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) not in (os.getpid(), os.getppid()):
            with contextlib.suppress(OSError):
                if os.fsencode(word) in (entry / "cmdline").read_bytes().split(b"\0"):
                    yield int(entry.name)


def main() -> None:
    sys.stdin.buffer.read()
    if len(sys.argv) > 2:
        end_gently(f"--{sys.argv[2]}")
    sweep(sys.argv[1])


if __name__ == "__main__":
    main()
