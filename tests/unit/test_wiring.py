"""The parts of a cluster are made once, and those that were made are closed."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

import skyshard.node
import skyshard.registry
from skyshard import wiring
from skyshard.basics.errors import ClusterError
from skyshard.cluster.node import Node
from skyshard.db.connection import Endpoint
from skyshard.node.host_files import HostFiles
from skyshard.runtime.inline import InlineRuntime
from skyshard.wiring import Wiring


class Opened:
    """Stands for a part that takes a moment to open."""

    made = 0

    def __init__(self, *_: Any) -> None:
        time.sleep(0.01)
        type(self).made += 1
        self.is_closed = False

    def prepare(self) -> None:
        """Nothing to prepare."""

    def wait(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        self.is_closed = True


class ClusterStub:
    """A cluster of no servers that says that it runs."""

    events = None
    ray = None
    node_names = ("node1",)
    folder = Path("cluster")

    def require_usable(self) -> None:
        """It runs."""

    def running_endpoints(self) -> list[Any]:
        return []

    def folder_for(self, name: str) -> Path:
        return Path(name)

    def endpoint(self, name: str) -> str:
        return name

    def data_dir(self, name: str) -> Path:
        return Path(name)

    def node(self, name: str) -> Node:
        here = Endpoint(socket=name)
        return Node(name, here, here, Path(name), Path("staging"), is_here=True)

    @property
    def nodes(self) -> dict[str, Node]:
        return {name: self.node(name) for name in self.node_names}


class Mortal:
    """Stands for a node's loader that can be ended."""

    def __init__(self, *_: Any) -> None:
        """Whatever a loader is made of."""

    def end(self) -> None:
        raise SystemExit(1)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Wiring:
    monkeypatch.setattr(skyshard.registry, "Registry", Opened, raising=False)
    monkeypatch.setattr(wiring, "Ending", Opened)
    cluster: Any = ClusterStub()
    return Wiring(cluster)


def test_threads_that_come_at_once_share_one_registry(opened: Wiring) -> None:
    """Nobody's sessions are left open because two threads asked first."""
    before, found = Opened.made, []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        found.append(opened.registry)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Opened.made - before == 1
    assert len(set(map(id, found))) == 1


def test_what_was_never_asked_for_is_not_made_to_be_closed(opened: Wiring) -> None:
    """Closing a testbed that did nothing opens nothing."""
    before = Opened.made
    opened.close()
    assert Opened.made == before


def test_the_parts_that_were_made_are_closed(opened: Wiring) -> None:
    """The registry's sessions end with the testbed."""
    registry: Any = opened.registry
    opened.close()
    assert registry.is_closed


def test_a_loader_that_has_died_is_made_anew(opened: Wiring, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next operation of the same testbed has one that lives; one that lives is kept."""
    monkeypatch.setattr(skyshard.node, "MariaDBLoader", Mortal, raising=False)
    first = opened.loader("node1")
    assert opened.loader("node1") is first
    with pytest.raises(ClusterError, match="loader-node1 on node1 died"):
        first.call(cast(Any, Mortal.end)).result(30)
    second = opened.loader("node1")
    assert second is not first
    assert not second.is_dead
    opened.close()


class HeadThatEnds(InlineRuntime):
    """A Ray on other hosts, whose head may be lost."""

    is_lost = False


class FarNode(ClusterStub):
    """Its node is on another host."""

    ray: Any = object()

    def node(self, name: str) -> Node:
        return replace(super().node(name), is_here=False)


def test_files_of_another_host_are_reached_again_when_another_ray_is_there(
    opened: Wiring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whether anyone had asked for them on the one that was lost, or not."""
    rays: list[HeadThatEnds] = []

    def open_one(_: str, nodes: tuple[str, ...], **__: object) -> HeadThatEnds:
        rays.append(HeadThatEnds(nodes))
        return rays[-1]

    monkeypatch.setattr(wiring, "open_runtime", open_one)
    monkeypatch.setattr(skyshard.node, "MariaDBLoader", Mortal, raising=False)
    cluster: Any = FarNode()
    wired = Wiring(cluster)
    for was_asked in (False, True):
        files = wired._node_place("node1").files
        if was_asked:
            files.call(HostFiles.prepare, str(tmp_path / "kept")).result(30)
        rays[-1].is_lost = True
        assert wired._node_place("node1").files.call(HostFiles.states, []).result(30) == []
    assert len(rays) == 3
    wired.close()
