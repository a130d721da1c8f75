"""Machines of nodes on other hosts, as rows of a page."""

from __future__ import annotations

from skyshard.bench.pages.node_machines import machine_rows
from skyshard.bench.record.environment import NodeMachine, capture_environment


def machine(cores: int) -> NodeMachine:
    return NodeMachine(
        skyshard="0.3.0", python="3.11.7", ray="2.60.0", cpu_model="EPYC", cores=cores, memory_bytes=64 << 30,
        kernel="Linux 6",
    )  # fmt: skip


def test_machines_that_are_alike_share_a_row() -> None:
    """However many there are."""
    many = {f"node{number}": machine(16 if number < 150 else 32) for number in range(1, 151)}
    (first, said), (last, _) = machine_rows(capture_environment(many))
    assert (first, last) == ("Host of 149 nodes, node1 to node149", "Host of node150")
    assert said == "EPYC, 16 cores, 64 GiB; Skyshard 0.3.0 on Python 3.11.7, Ray 2.60.0, Linux 6"


def test_a_cluster_on_one_host_has_no_rows() -> None:
    assert machine_rows(capture_environment()) == []
