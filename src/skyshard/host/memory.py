"""How much memory clusters on this host may plan with: what it has, the limit of a container, or what the user says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from skyshard.basics.errors import UserError

VARIABLE = "SKYSHARD_MEMORY"
CONTROL_GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
_SIZE = re.compile(r"(\d+)([MG])")


def memory_bytes() -> int:
    """Bytes of memory that processes here may use together: $SKYSHARD_MEMORY (``8G``, ``512M``), else the host's.

    Raises:
        UserError: the variable is no size.
    """
    wanted = os.environ.get(VARIABLE, "").strip().upper()
    if not wanted:
        return _unchosen_bytes()
    found = _SIZE.fullmatch(wanted)
    if found is None or int(found[1]) == 0:
        raise UserError(f"${VARIABLE}={wanted} is no amount of memory", remedy="write it as 8G or 512M")
    return int(found[1]) << (30 if found[2] == "G" else 20)


@cache
def _unchosen_bytes() -> int:
    """What host and control groups allow, read once: it is asked for with every server of a cluster."""
    return min((host_memory_bytes(), *limits()))


def host_memory_bytes() -> int:
    """What the host has, whatever a container may use of it."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def limits(groups: Path = CONTROL_GROUPS, own: Path = OWN_GROUPS) -> Iterator[int]:
    """The limits in bytes of the control groups that this process is in, of both versions; none where there are none.

    Args:
        groups: where the system shows control groups.
        own: the file that names this process's groups, ``ID:CONTROLLERS:PATH`` in each line.
    """
    for base, name, place in _places(groups, own):
        parts = [part for part in place.split("/") if part not in ("", "..")]
        for depth in range(len(parts), -1, -1):
            try:
                yield int(base.joinpath(*parts[:depth], name).read_text())
            except (OSError, ValueError):  # no limit here, or "max"
                continue


def _places(groups: Path, own: Path) -> Iterator[tuple[Path, str, str]]:
    """Base folder, name of the file with the limit, and path of the group below the base."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = []
    for line in [*lines, "0::/", "1:memory:/"]:
        _, controllers, place = (*line.split(":", 2), "", "")[:3]
        if not controllers:
            yield groups, "memory.max", place
        elif "memory" in controllers.split(","):
            yield groups / "memory", "memory.limit_in_bytes", place
