"""What clears away what killed tests leave."""

from __future__ import annotations

import mmap
import subprocess
import sys
from pathlib import Path

from tests.support import cluster_guard


def test_shared_memory_of_a_wrong_clock_goes_when_nobody_has_it(tmp_path: Path) -> None:
    """What a process has mapped stays, and so does what is young, and what another program made."""
    for name in ("faketime_shm_990001", "sem.faketime_sem_990001", "faketime_shm_990002", "faketime_shm_x", "other"):
        (tmp_path / name).write_bytes(b"x")
    with (tmp_path / "faketime_shm_990002").open("r+b") as file, mmap.mmap(file.fileno(), 0):
        left = cluster_guard.unmapped(tmp_path, young_s=-1)
        assert {one.name for one in left} == {"faketime_shm_990001", "sem.faketime_sem_990001"}
        assert cluster_guard.unmapped(tmp_path, young_s=3600) == []


def test_folders_that_killed_tests_named_go_with_theirs(tmp_path: Path) -> None:
    """Where tests have removed their folder themselves, the others are theirs to remove."""
    for has_ended in (True, False):
        own, named = tmp_path / "own", tmp_path / "named"
        named.mkdir(exist_ok=True)
        if not has_ended:
            own.mkdir()
        command = [sys.executable, cluster_guard.__file__, str(own)]
        subprocess.run(command, input=f"{named}\n", text=True, check=True)
        assert named.exists() == has_ended
        assert not own.exists()
