"""A cluster in a folder that was there before, open to everybody, with letters that SQL and shells dislike."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.same_answer import rows_in
from tests.support.small_catalog import write_small_catalog

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.registry.stored.lifecycle import QueryState
from skyshard.testbed import TargetName, Testbed

pytestmark = pytest.mark.integration

NAME = "Żółw 星 'q\" 100%s [a]*\n\\{x};#$(y)"
DATABASE = "odd"
TARGETS: tuple[TargetName, ...] = ("czar", "mono")


@pytest.fixture(scope="module")
def testbed(short_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """One node; a catalog with images and with BLOBs, which go through LOAD DATA."""
    folder = short_folder / NAME
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    cluster = PrivateCluster(folder)
    cluster.start(1)
    try:
        with Testbed(folder) as made:
            made.ingest(write_small_catalog(tmp_path_factory.mktemp("source"), database=DATABASE))
            made.load_mono(DATABASE)
            yield made
    finally:
        cluster.destroy()
    assert not folder.exists()


def test_every_loader_and_every_way_of_asking_works(testbed: Testbed) -> None:
    """What was ingested is verified, and czar and oracle find the BLOBs that the input has."""
    assert [check for check in testbed.verify(DATABASE) if not check.is_good] == []
    sql = "SELECT COUNT(*) AS n, COUNT(cutout) AS c FROM Source"
    for target in TARGETS:
        (row,) = rows_in(testbed.query(sql, database=DATABASE, target=target).table)
        assert row == (1202, 1030)  # each seventh of the rows has none


def test_nobody_else_reaches_what_is_kept(testbed: Testbed) -> None:
    """Results, keys, logs and data lie below a folder that only its owner may enter, made so when it was not."""
    number = testbed.submit("SELECT * FROM Object", database=DATABASE)
    deadline = time.monotonic() + 100
    while testbed.submitted.status(number).state is not QueryState.COMPLETED:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert testbed.submitted.result(number).rows == 300
    folder = testbed.cluster.folder
    private = [folder, *(folder / name for name in ("servers", "results", "director-keys", "staging", "truth"))]
    assert {path.name for path in private[1:]} <= set(os.listdir(folder))
    assert [path for path in private if stat.S_IMODE(path.stat().st_mode) != 0o700] == []


def test_a_folder_that_was_opened_is_shut_again(testbed: Testbed) -> None:
    """A start of what runs changes nothing else."""
    testbed.cluster.folder.chmod(0o777)
    (testbed.cluster.folder / "results").chmod(0o755)
    testbed.cluster.start()
    testbed.submitted.expire()
    for path in (testbed.cluster.folder, testbed.cluster.folder / "results"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
