"""Files on their way to the disk: written beside, and what cannot be written is said."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from functools import partial
from pathlib import Path

import pytest

from skyshard.basics.errors import ClusterError
from skyshard.host.write_back import write_back
from skyshard.ingest.on_nodes.disk_writer import MANY_BYTES, DiskWriter

CACHESTAT = 451
"""Number of the system call, since Linux 6.5."""


def dirty_pages(path: Path) -> int:
    """Pages of a file that are in memory only."""
    everything, found = (ctypes.c_uint64 * 2)(0, 0), (ctypes.c_uint64 * 5)()
    with path.open("rb") as file:
        if ctypes.CDLL(None).syscall(CACHESTAT, file.fileno(), everything, found, 0):
            pytest.skip("this system does not tell what is not on the disk yet")
    return found[1] + found[2]


def write(path: Path) -> Path:
    path.write_bytes(bytes(range(256)) * (1 << 12))
    return path


def written(path: Path) -> Path:
    """The same file, on a disk: skipped where the folder is in memory."""
    os.sync()
    if dirty_pages(path):
        pytest.skip("the folder for temporary files is in memory")
    return path


def test_files_that_were_begun_are_on_the_disk_when_the_rest_is(tmp_path: Path) -> None:
    """Once what was begun later is done, nothing of an earlier file is left to write."""
    written(write(tmp_path / "a.rows"))
    files = [write(tmp_path / f"{number}.rows") for number in range(3)]
    to_disk = DiskWriter(partial(write_back, tmp_path))
    to_disk.begin(files)
    to_disk.begin_rest().result()
    to_disk.end()
    assert not any(dirty_pages(file) for file in files)


def test_few_bytes_are_left_for_the_end_and_many_are_not() -> None:
    """What is made is begun once it is many bytes together: the system is asked to write then, and not before."""
    called = threading.Event()
    to_disk = DiskWriter(called.set)
    to_disk.made(MANY_BYTES - 1)
    assert not called.wait(0.1)
    to_disk.made(1)
    assert called.wait(60)
    to_disk.end()


def test_everything_that_is_there_is_written_where_the_rest_is_begun(tmp_path: Path) -> None:
    """Files that nobody named are written too."""
    path = written(write(tmp_path / "a.MYI"))
    write(path)
    to_disk = DiskWriter(partial(write_back, tmp_path))
    to_disk.begin_rest()
    to_disk.begin_rest().result()
    to_disk.end()
    assert not dirty_pages(path)


def test_file_that_is_gone_is_nobodys(tmp_path: Path) -> None:
    """A table that was made anew took its file along."""
    to_disk = DiskWriter(partial(write_back, tmp_path))
    to_disk.begin([tmp_path / "gone.rows"])
    to_disk.begin_rest().result()
    to_disk.end()


def test_file_that_cannot_be_written_is_named_at_the_end() -> None:
    """What the disk did not take is not published."""
    name = Path("/tmp") / f"skyshard-test-{os.getpid()}.rows"  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as it:
        it.bind(str(name))
        try:
            to_disk = DiskWriter(os.sync)
            to_disk.begin([name])
            to_disk.begin_rest().result()
            with pytest.raises(ClusterError, match=rf"cannot write '{name}'"):
                to_disk.end()
        finally:
            name.unlink()
