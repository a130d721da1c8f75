"""The machines of nodes on other hosts, for the environment of a trial."""

from __future__ import annotations

from skyshard.bench.record.environment import NodeMachine
from skyshard.cluster.cluster import Cluster
from skyshard.testbed.check.ask_workers import ask_workers


def node_machines(cluster: Cluster) -> dict[str, NodeMachine]:
    """What the workers beside nodes on other hosts say, of those that say it; empty where all nodes are here.

    Ray is joined for it, and left before anything is measured.
    """
    away = {name: node for name, node in cluster.nodes.items() if not node.is_here}
    if not away or cluster.ray is None:
        return {}
    return {
        name: NodeMachine(
            skyshard=said.skyshard, python=said.python, ray=said.ray, cpu_model=said.cpu_model, cores=said.cores,
            memory_bytes=said.memory_bytes, kernel=said.kernel,
        )
        for name, said in ask_workers(cluster, away).hellos.items()
    }  # fmt: skip
