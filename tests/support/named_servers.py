"""The cluster file of a named cluster whose servers are those of a private one."""

from __future__ import annotations

from pathlib import Path

from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster


def cluster_file(servers: PrivateCluster, folder: Path, name: str = "others") -> Path:
    """A cluster file of the servers of a private cluster."""
    lines = ["version: 1", f"name: {name}"]
    czar = servers.endpoint(CZAR_NAME).socket
    lines += [f"czar: {{socket: {czar}, data: {servers.data_dir(CZAR_NAME)}}}", "nodes:"]
    for node in servers.node_names:
        lines.append(f"- {{name: {node}, socket: {servers.endpoint(node).socket}, data: {servers.data_dir(node)}}}")
    file = folder / "cluster.yaml"
    file.write_text("\n".join(lines) + "\n")
    return file
