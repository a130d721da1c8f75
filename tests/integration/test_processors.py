"""The server threads of scan sessions are moved, and no others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.scan.cpu_affinity import Processors
from skyshard.db.connection import Account, Connection, connect

MINE = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
pytestmark = pytest.mark.skipif(len(MINE) < 2, reason="needs two processors, and a system that lets threads be moved")


def where(session: Connection, node: int) -> set[int]:
    """The processors that a session's thread may use."""
    thread = int(session.value("SELECT TID FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()"))
    assert Path(f"/proc/{node}/task/{thread}").exists()
    return os.sched_getaffinity(thread)


def test_scan_sessions_keep_to_their_side(private_cluster: PrivateCluster) -> None:
    """A scan's thread leaves the czar's side and comes back; other sessions, and later ones, may run anywhere."""
    (node,) = (status.pid for status in private_cluster.status() if status.name == "node1")
    assert node is not None
    endpoint, processors = private_cluster.endpoint("node1"), Processors()
    with connect(endpoint, Account.READER) as other:
        with connect(endpoint, Account.READER) as scan:
            processors.add_scans(scan)
            assert where(scan, node) == MINE
            processors.separate()
            apart = where(scan, node)
            assert apart < MINE
            with connect(endpoint, Account.READER) as late:
                processors.add_scans(late)
                assert where(late, node) == apart
            assert where(other, node) == MINE
            processors.share()
            assert where(scan, node) == MINE
            processors.separate()
        with connect(endpoint, Account.READER) as next_one:
            assert where(next_one, node) == MINE
