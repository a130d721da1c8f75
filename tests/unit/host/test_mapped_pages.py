"""Pages of a mapped file: what cannot be read is an error before anybody looks at it."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from skyshard.host.mapped_pages import are_in_memory, require_pages, tells_pages

PAGES = 8


def test_pages_behind_the_end_of_a_cut_file_are_an_error(tmp_path: Path) -> None:
    """Those before it are given; to look at the others would end the process."""
    path = tmp_path / "mapped"
    path.write_bytes(bytes(PAGES * mmap.PAGESIZE))
    with path.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        address = pa.py_buffer(mapped).address
        require_pages(address + 100, len(mapped) - 100)
        os.truncate(path, 4 * mmap.PAGESIZE)
        require_pages(address, 4 * mmap.PAGESIZE)
        with pytest.raises(OSError, match="pages cannot be read"):
            require_pages(address + 3 * mmap.PAGESIZE, 2 * mmap.PAGESIZE)


def test_pages_that_are_in_memory_are_known(tmp_path: Path) -> None:
    """Of the places that are asked about, however they lie in pages; not those that were left by the system, or cut."""
    path = tmp_path / "mapped"
    with path.open("wb") as file:
        file.write(bytes(PAGES * mmap.PAGESIZE))
        os.fsync(file.fileno())
    with path.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        mapped.madvise(mmap.MADV_RANDOM)
        address = pa.py_buffer(mapped).address
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        require_pages(address + 3 * mmap.PAGESIZE, 10)
        require_pages(address + 5 * mmap.PAGESIZE - 1, 2)
        known = [are_in_memory(address + page * mmap.PAGESIZE, mmap.PAGESIZE) for page in range(PAGES)]
        assert known[3:6] == [True] * 3
        if not all(known):  # a file system in memory has nothing to leave
            assert known == [False] * 3 + [True] * 3 + [False] * 2
            assert are_in_memory(address + 4 * mmap.PAGESIZE - 1, 2 * mmap.PAGESIZE + 1)
            assert not are_in_memory(address + 4 * mmap.PAGESIZE - 1, 2 * mmap.PAGESIZE + 2)
        require_pages(address, len(mapped))
        assert are_in_memory(address, len(mapped))
        os.truncate(path, 6 * mmap.PAGESIZE)
        assert are_in_memory(address, 6 * mmap.PAGESIZE)
        assert not are_in_memory(address + 6 * mmap.PAGESIZE, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_nothing_is_told_of_a_file_that_is_somebody_elses(tmp_path: Path) -> None:
    """The system says that all of it is in memory; so it is asked for, as if nothing were known."""
    path = tmp_path / "mapped"
    path.write_bytes(b"1")
    assert tells_pages(path)
    code = (
        "import os, sys; from pathlib import Path; from skyshard.host.mapped_pages import tells_pages; "
        "os.fchdir(int(sys.argv[1])); os.seteuid(65534); print(tells_pages(Path('mapped')))"
    )
    place = os.open(tmp_path, os.O_RDONLY)
    try:
        for mode, told in ((0o644, "False"), (0o666, "True")):
            path.chmod(mode)
            tmp_path.chmod(0o755)
            command = [sys.executable, "-c", code, str(place)]
            said = subprocess.run(command, pass_fds=[place], capture_output=True, text=True, check=True)
            assert said.stdout.strip() == told
    finally:
        os.close(place)
