"""``skyshard cluster``: start, stop, show, upgrade and destroy the private cluster."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import skyshard
from skyshard.cli.terminal.show import print_table
from skyshard.host.interrupts import interruptible

DEFAULT_FOLDER = Path(".skyshard")
ClusterFolder = Annotated[
    Path, typer.Option("--cluster", envvar="SKYSHARD_CLUSTER", help="The cluster's folder.", metavar="DIR")
]


def start(
    nodes: Annotated[int | None, typer.Option(help="Number of nodes; 3 for a new cluster.")] = None,
    cluster: ClusterFolder = DEFAULT_FOLDER,
) -> None:
    """Make the cluster if there is none, and start servers that are not running."""
    with interruptible():
        skyshard.Cluster.at(cluster).start(nodes, report=_tell)
    _tell(f"cluster {cluster} is running")


def stop(cluster: ClusterFolder = DEFAULT_FOLDER) -> None:
    """Stop every server; the data stays."""
    skyshard.Cluster.at(cluster).stop(report=_tell)
    _tell(f"cluster {cluster} is stopped")


def status(
    cluster: ClusterFolder = DEFAULT_FOLDER,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every server: its state, process, memory and data."""
    found = skyshard.Cluster.at(cluster)
    servers = found.status()
    if as_json:
        print(json.dumps({"cluster": str(found.folder), "servers": [asdict(server) for server in servers]}, indent=2))
    else:
        _show(servers)


def upgrade(
    cluster: ClusterFolder = DEFAULT_FOLDER,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring what an older release left in a cluster to this release's formats.

    Run it again to go on after an interruption. The cluster has to run, and no ingest may be under way.
    """
    from skyshard.cluster.private_cluster import CZAR_NAME
    from skyshard.registry.schema.upgrade import upgrade as upgrade_registry

    found = skyshard.Cluster.at(cluster)
    found.require_running()
    done = upgrade_registry(found.endpoint(CZAR_NAME), found.folder, dry_run=dry_run, report=_tell)
    if as_json:
        print(json.dumps({"cluster": str(found.folder), **asdict(done)}, indent=2))
    elif done.before == done.after:
        _tell(f"cluster {cluster} has version {done.after}: nothing to do")
    else:
        _tell(f"cluster {cluster} {'would go' if dry_run else 'went'} from version {done.before} to {done.after}")


def destroy(cluster: ClusterFolder = DEFAULT_FOLDER) -> None:
    """Stop every server and remove the cluster with all its data."""
    skyshard.Cluster.at(cluster).destroy(report=_tell)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _show(servers: list[skyshard.NodeStatus]) -> None:
    rows = []
    for server in servers:
        megabytes = (round(size / 1e6) for size in (server.memory_bytes, server.data_bytes))
        rows.append((server.name, server.state, str(server.pid or "-"), *megabytes, server.socket))
    print_table(("server", "state", "process", "memory MB", "data MB", "socket"), rows)
