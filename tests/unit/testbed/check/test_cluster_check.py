"""What is wrong between the servers of a cluster."""

from __future__ import annotations

from dataclasses import replace

from skyshard.cluster.server_check import ServerCheck, ServerFacts
from skyshard.node.messages import Hello
from skyshard.testbed.check.asked_workers import AskedWorkers
from skyshard.testbed.check.cluster_check import (
    WORKER_OF_HERE,
    CheckedCluster,
    CheckedServer,
    compared,
    together,
)

SKYSHARD, PYTHON = WORKER_OF_HERE
HELLO = Hello(
    skyshard=SKYSHARD, python=PYTHON, ray="2", server="10.11.19-MariaDB", user="sky", umask=0o007, data_dir="/data",
    data_free_bytes=1 << 40, staging_free_bytes=1 << 40, cores=16, memory_bytes=1 << 36, clock_s=0.0, started_s=0.0,
    kernel="Linux", cpu_model="x", key="k",
)  # fmt: skip


def server(name: str, **facts: str) -> CheckedServer:
    """A server without a fault of its own."""
    said = ServerFacts(1.0, "10.11.19", f"host-{name}", "/data", f"key-{name}", 0.0, 100.0)
    return CheckedServer(name, f"{name}:3306", replace(said, **facts))  # type: ignore[arg-type]


def faults_of(*servers: CheckedServer) -> dict[str, tuple[str, ...]]:
    found = compared({one.name: one for one in servers}, "czar")
    return {one.name: one.faults for one in found if one.faults}


def test_servers_of_one_series_are_alike() -> None:
    assert not faults_of(server("czar"), server("node1", version="10.11.9"), server("node2"))


def test_another_series_is_named() -> None:
    found = faults_of(server("czar"), server("node1", version="11.8.2"))
    assert found == {
        "node1": (
            "node1: its server is MariaDB 11.8.2, the czar's is 10.11; install the same series on every host",
        )
    }  # fmt: skip


def test_one_folder_of_two_nodes_is_named_at_the_second() -> None:
    found = faults_of(server("czar"), server("node1"), server("node2", key="key-node1", host="host-node1"))
    assert list(found) == ["node2"]
    assert "its data folder is that of node1 (host-node1:/data)" in found["node2"][0]


def test_a_copied_folder_is_named() -> None:
    found = faults_of(server("czar"), server("node1"), server("node2", key="key-node1"))
    assert "its data folder is a copy of that of node1" in found["node2"][0]


def test_servers_that_were_not_reached_are_compared_with_none() -> None:
    assert not faults_of(CheckedServer("czar", ""), server("node1"), CheckedServer("node2", ""))


def test_a_worker_of_another_release_is_named() -> None:
    older = replace(server("node1"), hello=replace(HELLO, skyshard="0.1.0"))
    [fault] = faults_of(server("czar"), older, replace(server("node2"), hello=HELLO))["node1"]
    assert f"its worker is Skyshard 0.1.0 on Python {PYTHON}, here it is Skyshard {SKYSHARD}" in fault


def test_a_cluster_is_good_without_faults() -> None:
    """Remarks do not count."""
    good = CheckedCluster((server("czar"), replace(server("node1"), remarks=("slow",))))
    assert good.is_good
    assert not replace(good, faults=("no Ray",)).is_good
    assert not CheckedCluster((server("czar").with_faults("down"),)).is_good


def test_a_host_that_has_not_joined_is_named() -> None:
    """With what starts it there; the czar's host has no worker."""
    workers = AskedWorkers(joined=frozenset({"node1"}))
    facts = server("node2").facts
    assert facts is not None
    reached = ServerCheck(replace(facts, uptime_s=3600.0))
    found = together("node2", "db2:3306", reached, workers)
    what = "node2: its host does not belong to the Ray"
    assert found.faults == (f"{what}; start `skyshard node run node2` there, or see what it wrote",)
    young = ServerCheck(replace(facts, uptime_s=8.0))
    assert together("node2", "", young, workers).faults == (
        f"{what} yet, its server started 8 s ago; check again in a minute",
    )
    assert (found.has_joined, together("node1", "", reached, workers).faults) == (False, ())
    assert together("czar", "", reached, workers).has_joined is None


def test_a_worker_without_an_answer_is_named_where_its_server_has_one() -> None:
    """Where the server has none either, that says it all."""
    workers = AskedWorkers(unheard={"node1": "no answer"}, joined=frozenset({"node1"}))
    assert together("node1", "", ServerCheck(server("node1").facts), workers).faults == ("node1: no answer",)
    down = ServerCheck(faults=("node1 (db1:3306): no server answers",))
    assert together("node1", "", down, workers).faults == down.faults


def test_what_a_worker_says_is_wrong_is_a_fault() -> None:
    said = replace(HELLO, key="", faults=("node 'node1': another folder",))
    found = together("node1", "", ServerCheck(server("node1").facts), AskedWorkers(hellos={"node1": said}))
    assert (found.faults, found.is_proved) == (("node 'node1': another folder",), False)
