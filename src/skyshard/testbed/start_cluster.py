"""Starts a private cluster, or takes up one on many machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skyshard.basics.errors import ClusterError, UserError
from skyshard.cluster.cluster import CZAR_NAME, Cluster
from skyshard.cluster.left_faults import take_back_left, thaw_left
from skyshard.cluster.named_cluster import NamedCluster
from skyshard.cluster.named_description import NamedDescription
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.cluster.run_servers import Report, silent
from skyshard.cluster.settings import ClusterDescription
from skyshard.db.connection import Account, Endpoint, connect
from skyshard.registry.registry import Registry
from skyshard.registry.stored.database_names import REGISTRY_DATABASE


def start_cluster(
    folder: Path,
    nodes: int | None = None,
    settings: Sequence[str] = (),
    described: ClusterDescription | NamedDescription | None = None,
    *,
    report: Report = silent,
) -> None:
    """Have all servers of a cluster run; of a named one they have to run already.

    Args:
        described: what a cluster file says; None for the cluster as it is.

    Raises:
        UserError: a file of the other kind of cluster; what a start of either kind refuses.
        ClusterError: a server that does not answer, or does not start; a fault that a scenario left and that cannot be
            undone.
    """
    found = Cluster.at(folder)
    if isinstance(described, NamedDescription):
        if isinstance(found, PrivateCluster) and found.exists:
            raise UserError(f"{folder} is a private cluster", remedy="name another folder with --cluster")
        named = NamedCluster(folder)
        has_rows = nodes_with_rows(described.czar_endpoint, is_known=named.exists)
        before = set(named.node_names) if named.exists else set(described.node_names)
        _begin_joining(named, [name for name in described.node_names if name not in before], report)
        named.describe(described, has_rows=has_rows, report=report)
        named.start(nodes, settings, report=report)
        found = named
    elif described is None:
        thaw_left(found)
        found.start(nodes, settings, report=report)
    elif isinstance(found, PrivateCluster):
        thaw_left(found)
        found.start(nodes, settings, described=described, report=report)
    else:
        raise UserError(f"{folder} is a cluster on many machines", remedy="give its own cluster file")
    take_back_left(found, report)


def _begin_joining(cluster: NamedCluster, names: Sequence[str], report: Report) -> None:
    """New nodes of a cluster that has databases are not asked before they have what every node has.

    Raises:
        UserError: a node of one of these names was removed.
    """
    if not names or not has_registry(cluster):
        return
    registry = Registry(cluster.endpoint(CZAR_NAME), cluster.folder)
    try:
        registry.prepare()
        if registry.life.rows():
            for name in names:
                registry.nodes.join(name)
                report(f"{name} is new: run `skyshard nodes add` to have it used")
    finally:
        registry.close()


def has_registry(cluster: Cluster) -> bool:
    """Whether the czar's server has a registry; a cluster that has just been made has none."""
    with connect(cluster.endpoint(CZAR_NAME), Account.ADMIN) as connection:
        return bool(connection.rows("SHOW DATABASES LIKE %s", [REGISTRY_DATABASE]))


def nodes_with_rows(czar: Endpoint, *, is_known: bool = False) -> list[str]:
    """The nodes that the registry of a czar's server knows replicas on; none where the server does not answer.

    Raises:
        ClusterError: it does not answer, and ``is_known``: it may have a registry.
    """
    try:
        with connect(czar, Account.ADMIN) as connection:
            known = "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = 'replicas'"
            if not connection.rows(known, [REGISTRY_DATABASE]):
                return []
            found = connection.rows(f"SELECT DISTINCT node FROM {REGISTRY_DATABASE}.replicas ORDER BY node")
            return [str(name) for (name,) in found]
    except ClusterError:
        if is_known:
            raise
        return []
