"""Checks a cluster: asks all its servers, and all workers beside them, at once.

Rules: a server or a host that is gone takes seconds; what is wrong with the cluster is a fault or a remark, never an
exception; nothing is changed but tables in the scratch databases, which are removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from skyshard.basics.ask_at_once import AskedAtOnce
from skyshard.basics.errors import SkyshardError, words_of
from skyshard.cluster.cluster import CZAR_NAME, Cluster
from skyshard.cluster.named_description import NamedDescription
from skyshard.cluster.node import Node
from skyshard.cluster.server_check import REACH_S, ServerCheck, check_server
from skyshard.testbed.check.ask_workers import ask_workers
from skyshard.testbed.check.asked_workers import AskedWorkers
from skyshard.testbed.check.cluster_check import CheckedCluster, compared, together, why_no_ray
from skyshard.testbed.start_cluster import nodes_with_rows

SERVERS_S = 10.0
"""All servers together have so long to answer, after the workers; one that cannot be reached has said so before."""
NO_ANSWER = ServerCheck(faults=(f"no answer in {SERVERS_S:.0f} s; is its host known, and up?",))
NO_RAY = "the cluster file names no Ray: folders, users, disks and versions of workers were not looked at"


def check_cluster(cluster: Cluster) -> CheckedCluster:
    """Check a cluster, whatever of it runs.

    Raises:
        UserError: there is no cluster in the folder.
    """
    names = (CZAR_NAME, *cluster.node_names)
    asked = AskedAtOnce({name: partial(_server, cluster, name) for name in names})
    with_rows = AskedAtOnce({CZAR_NAME: partial(_with_rows, cluster)})
    nodes = cluster.nodes
    workers = ask_workers(cluster, nodes, partial(_silent, asked))
    answers = asked.answers(SERVERS_S)
    found = {name: together(name, _place(nodes.get(name)), answers.get(name, NO_ANSWER), workers) for name in names}
    renamed = [name for name in with_rows.answers(SERVERS_S).get(CZAR_NAME, []) if name not in found]
    is_blind = cluster.ray is None and not all(node.is_here for node in nodes.values())
    return CheckedCluster(
        compared(found, CZAR_NAME),
        str(cluster.ray or ""),
        faults=(
            *filter(None, [why_no_ray(workers.ray_fault, found[CZAR_NAME].facts if workers.is_retryable else None)]),
            *(f"node '{name}' has rows and is not in the cluster file; give it its name back" for name in renamed),
        ),
        remarks=(NO_RAY,) if is_blind else (),
    )


def check_nodes(cluster: Cluster, described: NamedDescription, names: Sequence[str]) -> list[str]:
    """What is wrong with nodes that a cluster file names, a sentence each; they need not belong to the cluster yet.

    Their servers are compared with all others that the file names.
    """
    new = {name: described.node(name) for name in names}
    asked = AskedAtOnce({name: partial(check_server, node.sql) for name, node in described.by_name.items()})
    czar = AskedAtOnce({CZAR_NAME: partial(_server, cluster, CZAR_NAME)})
    workers = ask_workers(cluster, new, partial(_silent, asked))
    answers = {**czar.answers(SERVERS_S), **asked.answers(SERVERS_S)}
    known = [name for name in described.node_names if name not in new]
    found = {
        name: together(name, "", answers.get(name, NO_ANSWER), workers if name in new else AskedWorkers())
        for name in (CZAR_NAME, *known, *names)
    }
    return [fault for server in compared(found, CZAR_NAME) if server.name in new for fault in server.faults]


def _server(cluster: Cluster, name: str) -> ServerCheck:
    try:
        endpoint = cluster.endpoint(name)
    except SkyshardError as error:
        return ServerCheck(faults=(words_of(error),))
    return check_server(endpoint, is_here=name == CZAR_NAME)


def _with_rows(cluster: Cluster) -> list[str]:
    with suppress(SkyshardError):
        return nodes_with_rows(cluster.endpoint(CZAR_NAME))
    return []


def _silent(asked: AskedAtOnce[ServerCheck]) -> set[str]:
    """The servers that were not reached in time; one that may only wait for its turn is none of them."""
    return {name for name, answer in asked.answers(2 * REACH_S).items() if answer.is_silent}


def _place(node: Node | None) -> str:
    """Where a node is reached; empty for the czar's server."""
    return "" if node is None else node.sql.socket or f"{node.sql.host}:{node.sql.port}"
