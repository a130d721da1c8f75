"""A disk that runs full during an ingest or a query: said in one line, and all goes on when there is room."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.kill_catalog import write_catalog
from tests.support.stepping import assert_right

from skyshard.basics.errors import ClusterError, NoRoom
from skyshard.cluster.private_cluster import Cluster
from skyshard.host.disk_space import RESERVE_BYTES
from skyshard.testbed import Testbed


@pytest.fixture
def small_disk(short_folder: Path) -> Iterator[Path]:
    """A file system of its own with room for a cluster and little else."""
    folder = Path(tempfile.mkdtemp(prefix="disk-", dir=short_folder))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk is not permitted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_said_and_the_ingest_goes_on_when_there_is_room(small_disk: Path, tmp_path: Path) -> None:
    """However little is left when it begins: one line, exit code 3, nothing visible; with more room it goes on."""
    source = write_catalog(tmp_path / "source", objects=8_000)
    cluster = Cluster.at(small_disk / "cluster")
    cluster.start(1)
    try:
        with Testbed(cluster.folder) as testbed:
            testbed.ingest(source, database="roomy")
            errors: list[str] = []
            while not errors or "tight" not in testbed.registry.published.databases():
                leave(small_disk, RESERVE_BYTES + (len(errors) << 20) if errors else 0)
                try:
                    testbed.ingest(source, database="tight")
                except ClusterError as error:
                    errors.append(str(error))
            assert len(testbed.registry.transactions.all("tight")) == 1
            assert_right(testbed, "tight", "roomy")
    finally:
        cluster.destroy()
    pattern = (
        r"(?:node 'node1': )?the disk of '.*' is full: .* MiB are free, .* free disk space, then run the ingest again.*"
    )
    assert [error for error in errors if not re.fullmatch(pattern, error)] == []
    assert any("/staging/" in error for error in errors)
    assert any("/data'" in error for error in errors)


def test_a_query_that_finds_no_room_says_so(small_disk: Path, tmp_path: Path) -> None:
    """It does not wait for ever, what needs no room is answered meanwhile, and with room again it is answered, too."""
    source = write_catalog(tmp_path / "source", objects=60_000)
    cluster = Cluster.at(small_disk / "cluster")
    cluster.start(1)
    try:
        with Testbed(cluster.folder) as testbed:
            testbed.ingest(source, database="roomy")
            ordered, counted = "SELECT * FROM Object ORDER BY flux", "SELECT COUNT(*) AS n FROM Object WHERE flag = 1"
            whole = testbed.query(ordered, database="roomy").rows
            for free in (0, 300 << 10, 1 << 20):
                leave(small_disk, free)
                with pytest.raises(NoRoom, match="make room on"):
                    testbed.query(ordered, database="roomy")
                if free:
                    leave(small_disk, free)
                    assert testbed.query(counted, database="roomy").table[0].to_pylist() == [20_000]
            leave(small_disk, 60 << 20)
            assert testbed.query(ordered, database="roomy").rows == whole == 60_000
    finally:
        cluster.destroy()


def leave(folder: Path, free: int) -> None:
    """Fill a disk until so many bytes are free."""
    found = os.statvfs(folder)
    excess = found.f_bavail * found.f_frsize - free
    ballast = folder / "ballast"
    size = ballast.stat().st_size if ballast.exists() else 0
    with ballast.open("ab") as file:
        if excess > 0:
            os.posix_fallocate(file.fileno(), size, excess)
        else:
            file.truncate(max(0, size + excess))
