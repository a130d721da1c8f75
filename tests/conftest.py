"""Shared fixtures: time limits by folder, and one private cluster for all integration tests of a session."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from skyshard.cluster import Cluster

UNIT_LIMIT_S = 2
INTEGRATION_LIMIT_S = 120
NODES = int(os.environ.get("SKYSHARD_NODES", "2"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests come first, and one that needs more than two seconds is none; integration tests are marked as such."""
    items.sort(key=lambda item: "integration" in item.path.parts)
    for item in items:
        folders = item.path.parts
        if "integration" in folders:
            item.add_marker(pytest.mark.integration)
        limit_s = UNIT_LIMIT_S if "unit" in folders else INTEGRATION_LIMIT_S
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(limit_s))


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder with a short path, removed at the end, also when the tests are killed."""
    folder = Path(tempfile.mkdtemp(prefix="skyshard-test-", dir="/tmp"))
    script = Path(__file__).with_name("guard.py")
    guard = subprocess.Popen([sys.executable, script, folder], stdin=subprocess.PIPE, start_new_session=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
    guard.communicate()


@pytest.fixture(scope="session")
def private_cluster(short_folder: Path) -> Iterator[Cluster]:
    """A running cluster of two nodes and the czar, destroyed at the end; tests clean up the databases they make."""
    cluster = Cluster.at(short_folder / "cluster")
    try:
        cluster.start(NODES)
        yield cluster
    finally:
        if cluster.exists:
            cluster.destroy()
