"""Names of processes, and whether a process still runs: what a process leaves on servers carries its name.

Rules: a process is identified by its number and its start time, because numbers are used again. One that has ended but
was not waited for (a zombie) counts as gone. Read from /proc. A process of another host, or of another PID namespace,
is never taken for gone.
"""

from __future__ import annotations

import os
import zlib
from functools import lru_cache
from pathlib import Path

PROC = Path("/proc")
_GONE = "ZX"


def began(process: int) -> int:
    """When a process began, in clock ticks since the host's start; 0 if there is none."""
    try:
        after_name = (PROC / str(process) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if after_name[0].decode() in _GONE else int(after_name[19])


def is_there(process: int, begun: int) -> bool:
    """Whether the process that began then still runs."""
    return began(process) == begun != 0


def own_name() -> str:
    """The name of this process: its host, its number, its start."""
    return _name_of(os.getpid())


@lru_cache(maxsize=1)
def host_id() -> str:
    """Identifies host, boot and PID namespace: 8 hexadecimal digits, or ``unknown``."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_bytes().strip()
        space = os.stat(PROC / "self/ns/pid").st_ino
    except OSError:
        return "unknown"
    return f"{zlib.crc32(boot + str(space).encode()):08x}"


def is_left(name: str) -> bool:
    """Whether a name, as :func:`own_name` gives it, is that of a process of this host that is gone.

    >>> is_left(own_name()), is_left("elsewhere 1 1"), is_left("no name")
    (False, False, False)
    """
    words = name.split()
    if len(words) != 3 or words[0] != host_id() or not (words[1].isdigit() and words[2].isdigit()):
        return False
    return not is_there(int(words[1]), int(words[2]))


def is_running_here(name: str) -> bool:
    """Whether a name, as :func:`own_name` gives it, is that of a process of this host that runs.

    >>> is_running_here(own_name()), is_running_here("elsewhere 1 1"), is_running_here("")
    (True, False, False)
    """
    return name.split()[:1] == [host_id()] and not is_left(name)


@lru_cache(maxsize=1)
def _name_of(process: int) -> str:
    return f"{host_id()} {process} {began(process)}"
