"""Shared fixtures: time limits by folder, and one private cluster for all integration tests of a session."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from skyshard.cluster.private_cluster import Cluster

UNIT_LIMIT_S = 4
"""Of processor time: two seconds on an idle machine. A busy one makes a test wait, which is no fault of the test."""
HANGS_AFTER_S = 120
NODES = int(os.environ.get("SKYSHARD_NODES", "2"))
os.environ.setdefault("SKYSHARD_MEMORY", "4G")
"""Several clusters run at once: their caches are small, so that they start fast."""
settings.register_profile("skyshard", deadline=None)
settings.load_profile("skyshard")
"""An example may take any time: how long it takes says more about the machine than about the code."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Integration tests are not even imported where they are not wanted: reading them takes as long as a few tests."""
    is_wanted = config.option.markexpr.strip() != "not integration"
    return None if is_wanted or collection_path.name != "integration" else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests come first; integration tests are marked as such; each ends after a time, be it stuck or not."""
    items.sort(key=lambda item: "integration" in item.path.parts)
    for item in items:
        if "integration" in item.path.parts:
            item.add_marker(pytest.mark.integration)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(HANGS_AFTER_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A unit test that takes the processor for long is none, unless it says itself how long it may take."""
    start = time.process_time()
    result = yield
    used_s = time.process_time() - start
    limit = item.get_closest_marker("timeout")
    own_limit = limit is not None and limit.args != (HANGS_AFTER_S,)
    if "unit" in item.path.parts and used_s > UNIT_LIMIT_S and not own_limit:
        pytest.fail(f"a unit test may take {UNIT_LIMIT_S} s of processor time; this one took {used_s:.1f} s")
    return result


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder with a short path, removed at the end, also when the tests are killed."""
    folder = Path(tempfile.mkdtemp(prefix="skyshard-test-", dir="/tmp"))
    script = Path(__file__).parent / "support" / "cluster_guard.py"
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
