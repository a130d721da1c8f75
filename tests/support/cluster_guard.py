"""Clears away what killed tests leave: ``cluster_guard.py FOLDER`` waits until no one holds its input open.

Then the clusters below the folder are destroyed, folders that were named on its input are removed, and the shared
memory of libfaketime that nobody has mapped: a process with a wrong clock that is killed leaves some.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
NAME = re.compile(r"(?:sem\.)?faketime_s[eh]m_\d+")
YOUNG_S = 60.0
"""Younger ones may be about to be mapped."""


def main(folder: Path) -> None:
    others = [Path(line) for line in sys.stdin.read().splitlines() if line]
    if folder.exists():  # else tests that ended by themselves have removed it
        destroy_clusters(folder)
        for one in (folder, *others):
            shutil.rmtree(one, ignore_errors=True)
    for left in unmapped(SHARED_MEMORY):
        left.unlink(missing_ok=True)


def destroy_clusters(folder: Path) -> None:
    from skyshard.basics.errors import SkyshardError
    from skyshard.cluster.private_cluster import PrivateCluster

    for record in list(folder.rglob("cluster.json")):
        with suppress(SkyshardError):
            PrivateCluster(record.parent).destroy()


def unmapped(folder: Path, proc: Path = Path("/proc"), young_s: float = YOUNG_S) -> list[Path]:
    """Shared memory and semaphores of libfaketime, by the numbers of their processes, that no process has mapped."""
    found = [file for file in folder.glob("*faketime_s*") if NAME.fullmatch(file.name)]
    with suppress(FileNotFoundError):
        found = [file for file in found if time.time() - file.stat().st_mtime > young_s]
        used = {name for maps in proc.glob("[0-9]*/maps") for name in _mapped(maps)} if found else set()
        return [file for file in found if file.name not in used]
    return []


def _mapped(maps: Path) -> set[str]:
    try:
        return set(NAME.findall(maps.read_text()))
    except OSError:
        return set()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
