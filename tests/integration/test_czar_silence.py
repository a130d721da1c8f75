"""A server that is stopped (SIGSTOP) keeps its connections open and says nothing: no query waits for it for ever."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.half_locked import half_locked
from tests.support.mag_catalog import ROWS, make_catalog

from skyshard.basics.errors import ClusterError
from skyshard.basics.progress import Progress
from skyshard.cluster.cluster import Cluster
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.czar import Czar
from skyshard.db.sessions import Sessions
from skyshard.db.silence_watch import SILENCE_VARIABLE
from skyshard.registry.catalog_cache import CatalogCache
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
SILENCE_S = 5.0
"""Longer than a server that lives says nothing on a busy machine."""


@pytest.fixture(scope="module")
def testbed(short_folder: Path) -> Iterator[Testbed]:
    """Two nodes; database ``twice`` has two replicas, ``once`` one."""
    cluster = PrivateCluster(short_folder / "silent")
    cluster.start(2)
    source = make_catalog(short_folder / "silence")
    with Testbed(cluster.folder) as opened:
        opened.ingest(source, database="twice", replicas=2)
        opened.ingest(source, database="once")
        yield opened
    cluster.destroy()


@pytest.fixture
def czar(testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Czar]:
    """A czar that is out of patience soon; it has met the nodes before."""
    monkeypatch.setenv(SILENCE_VARIABLE, str(SILENCE_S))
    cluster = testbed.cluster
    with Czar(
        CatalogCache(testbed.registry, cluster.endpoint("czar")),
        cluster.endpoint("czar"),
        cluster.nodes,
        cluster.data_dir("czar"),
    ) as czar:
        for database in ("once", "twice"):
            czar.execute("SELECT MAX(mag) FROM Object", database)
        yield czar


@contextlib.contextmanager
def stopped(cluster: Cluster, name: str) -> Iterator[None]:
    """The server's process is stopped meanwhile, as a debugger or a frozen host would."""
    (pid,) = (status.pid for status in cluster.status() if status.name == name)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_another_replica_answers_for_a_stopped_node(testbed: Testbed, czar: Czar) -> None:
    """Scans and look-ups get all rows; once found silent the node is not waited for again; later it is back."""
    with stopped(testbed.cluster, "node1"):
        begun = time.monotonic()
        assert czar.execute("SELECT COUNT(*) FROM Object WHERE mag > 0", "twice").table.column(0)[0].as_py() == ROWS
        assert time.monotonic() - begun > SILENCE_S / 3
        for number in range(0, ROWS, ROWS // 10):
            assert czar.execute(f"SELECT ra FROM Object WHERE objectId = {number}", "twice").rows == 1
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(ClusterError):
            assert czar.execute("SELECT COUNT(*) FROM Object WHERE mag > 0", "once").table.column(0)[0].as_py() == ROWS
            break
        time.sleep(0.1)
    else:
        pytest.fail("the node is not asked again")


def test_rows_come_once_when_a_node_stops_in_the_middle(testbed: Testbed, czar: Czar) -> None:
    """A node that stops after its first rows: the other replica gives the rest, each row once."""
    with (
        half_locked(testbed, "node1", "twice"),
        czar.open("SELECT objectId FROM Object WHERE mag < 99", "twice") as answer,
    ):
        first = next(answer.batches)
        with stopped(testbed.cluster, "node1"):
            rest = list(answer.batches)
    ids = np.concatenate([batch.column(0).to_numpy() for batch in [first, *rest]])
    assert answer.running.retried > 0
    assert np.array_equal(np.sort(ids), np.arange(ROWS))


@pytest.mark.parametrize(
    ("name", "sql"), [("node1", "SELECT COUNT(*) FROM Object WHERE mag > 0"), ("czar", "SELECT MAX(mag) FROM Object")]
)
def test_silence_without_replica_is_an_error_that_names_the_server(
    testbed: Testbed, czar: Czar, name: str, sql: str
) -> None:
    """The query fails with the server, how long it was silent, and what to do."""
    with (
        stopped(testbed.cluster, name),
        pytest.raises(ClusterError, match=rf"{name}.*no answer for {SILENCE_S:g} s.*its process stopped"),
    ):
        czar.execute(sql, "once")


def test_long_statement_on_a_living_server_is_let_be(testbed: Testbed) -> None:
    """A statement that takes many times the silence that is allowed comes to its end."""
    sessions = Sessions(testbed.cluster.endpoint("node1"), silence_s=2.0)
    with sessions.lease("long") as connection:
        assert connection.value("SELECT SLEEP(6)") == 0
    sessions.close()


def test_ingest_and_verification_name_a_stopped_node(
    testbed: Testbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither waits for ever; the ingest goes on when the node does."""
    monkeypatch.setenv(SILENCE_VARIABLE, str(SILENCE_S))
    source = make_catalog(tmp_path / "later")
    with Testbed(testbed.cluster.folder) as mine:
        stop = contextlib.ExitStack()

        def stop_node(progress: Progress) -> None:
            if progress.stage == "prepare" and progress.done:
                stop.enter_context(stopped(testbed.cluster, "node1"))

        with stop, pytest.raises(ClusterError, match=r"node1.*no answer for"):
            mine.ingest(source, database="later", watcher=stop_node)
        with stopped(testbed.cluster, "node1"), pytest.raises(ClusterError, match="node1"):
            mine.verify("once")
        mine.ingest(source, database="later")
        assert [check for check in mine.verify("later") if not check.is_good] == []
