"""A disk that runs full during an ingest or a query: said in one line, and all goes on when there is room."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.support.kill_catalog import write_catalog
from tests.support.stepping import assert_right

from skyshard.basics.errors import ClusterError, NoRoom
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.columns.segment_folder import columns_folder
from skyshard.host.disk_space import RESERVE_BYTES
from skyshard.registry.stored.job_rows import StepState
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
    cluster = PrivateCluster(small_disk / "cluster")
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
        r"(?:node 'node1': )?the disk of '.*' is full: .* MiB are free, "
        r".* free disk space, then run the command again.*"
    )
    assert [error for error in errors if not re.fullmatch(pattern, error)] == []
    assert any("/staging/" in error for error in errors)
    assert any("/data'" in error for error in errors)


def test_a_node_that_is_drained_keeps_what_finds_no_room_elsewhere(small_disk: Path, tmp_path: Path) -> None:
    """Refused before anything moves; when the disk fills up later, chunks stay where they are, and move with room."""
    source = write_catalog(tmp_path / "source", objects=20_000)
    cluster = PrivateCluster(small_disk / "cluster")
    cluster.start(2)
    try:
        with Testbed(cluster.folder) as testbed:
            testbed.ingest(source, database="sky")
            count = "SELECT COUNT(*), SUM(objectId) FROM Object"
            before = testbed.query(count, database="sky").table
            plan = testbed.replicas.plan_drain("node1")
            leave(small_disk, 0)
            with pytest.raises(ClusterError, match=r"the disk of '.*' is full"):
                testbed.jobs.begin(plan, grace_s=0)
            assert testbed.jobs.list() == []
            leave(small_disk, RESERVE_BYTES + 3 * plan.moves.bytes)
            number = testbed.jobs.begin(plan, rate_bytes_s=0, grace_s=0)
            leave(small_disk, RESERVE_BYTES)
            failed = testbed.jobs.run(number)
            assert failed.job.steps.get(StepState.FAILED)
            assert all("is full" in ended.error for _, ended in failed.left)
            assert testbed.query(count, database="sky").table == before
            leave(small_disk, RESERVE_BYTES + 4 * plan.moves.bytes)
            done = testbed.jobs.run(testbed.jobs.begin(testbed.replicas.plan_drain("node1"), rate_bytes_s=0, grace_s=0))
            assert done.is_whole
            assert testbed.query(count, database="sky").table == before
            assert [check for check in testbed.verify("sky") if not check.is_good] == []
    finally:
        cluster.destroy()


def test_what_makes_room_needs_none(small_disk: Path, tmp_path: Path) -> None:
    """A table, a database and an open transaction go from a disk that has less than what is kept free for servers."""
    source = write_catalog(tmp_path / "source", objects=8_000)
    cluster = PrivateCluster(small_disk / "cluster")
    cluster.start(1)
    try:
        with Testbed(cluster.folder) as testbed:
            testbed.ingest(source, database="one")
            testbed.ingest(source, database="other")
            leave(small_disk, RESERVE_BYTES + (1 << 20))
            with pytest.raises(ClusterError, match="is full"):
                testbed.ingest(source, database="tight")
            free = RESERVE_BYTES // 2
            leave(small_disk, free)
            (row,) = testbed.registry.transactions.all("tight")
            testbed.abort_transaction(row["id"])
            testbed.drop_table("one", "Source")
            testbed.drop("other")
            assert testbed.registry.published.databases() == ["one"]
            leave(small_disk, 60 << 20)
            assert [check for check in testbed.verify("one") if not check.is_good] == []
    finally:
        cluster.destroy()


def test_a_restore_that_finds_no_room_says_so(small_disk: Path, tmp_path: Path) -> None:
    """In one line, and goes on when there is some; so does what is made of the nodes' records."""
    source = write_catalog(tmp_path / "source", objects=2_000)
    cluster = PrivateCluster(small_disk / "cluster")
    cluster.start(1)
    try:
        with Testbed(cluster.folder) as testbed:
            testbed.ingest(source, database="sky")
            testbed.backup.dump(tmp_path / "dump")
            count = "SELECT COUNT(*), SUM(objectId) FROM Object"
            before = testbed.query(count, database="sky").table
            for bring in (partial(testbed.backup.restore, tmp_path / "dump"), testbed.backup.rebuild):
                leave(small_disk, 0)
                with pytest.raises(ClusterError, match=r"cannot write '.*': No space left .*free disk space"):
                    bring(force=True)
                leave(small_disk, 2 * RESERVE_BYTES)
                bring(force=True)
                assert testbed.query(count, database="sky").table == before
    finally:
        cluster.destroy()


def test_a_query_that_finds_no_room_says_so(small_disk: Path, tmp_path: Path) -> None:
    """It does not wait for ever, what needs no room is answered meanwhile, and with room again it is answered, too."""
    source = write_catalog(tmp_path / "source", objects=60_000)
    cluster = PrivateCluster(small_disk / "cluster")
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


def test_column_images_that_find_no_room(small_disk: Path, tmp_path: Path) -> None:
    """Refused before anything is written, in one line that names the node; with room they are made."""
    source = write_catalog(tmp_path / "source", objects=20_000)
    cluster = PrivateCluster(small_disk / "cluster")
    cluster.start(1)
    try:
        with Testbed(cluster.folder) as testbed:
            testbed.ingest(source, database="sky")
            leave(small_disk, RESERVE_BYTES + (100 << 10))
            with pytest.raises(ClusterError, match=r"node 'node1': the disk of '.*' is full: .*nothing was written"):
                testbed.columns.build("sky")
            assert not columns_folder(cluster.data_dir("node1")).exists()
            assert testbed.query("SELECT COUNT(*) AS n FROM Object", database="sky").table.to_pylist() == [{"n": 20000}]
            leave(small_disk, RESERVE_BYTES + (50 << 20))
            done = testbed.columns.build("sky")
            assert [one for one in done.tables if one.imaged < one.tables] == []
    finally:
        cluster.destroy()
