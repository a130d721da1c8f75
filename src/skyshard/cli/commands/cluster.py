"""``skyshard cluster``: start, set, stop, show, upgrade and destroy the private cluster."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

import skyshard
from skyshard.cli.terminal.show import print_table
from skyshard.cli.terminal.tell_left_faults import tell_left_faults
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.cluster_folder import is_named
from skyshard.host.interrupts import interruptible

DEFAULT_FOLDER = Path(".skyshard")
ClusterFolder = Annotated[
    Path,
    typer.Option(
        "--cluster", envvar="SKYSHARD_CLUSTER", help="The cluster's folder.", metavar="DIR", callback=tell_left_faults
    ),
]


def start(
    nodes: Annotated[int | None, typer.Option(help="Number of nodes; 3 for a new cluster.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="[SERVER:]NAME=VALUE",
            help="A server setting for all nodes, or for node1, node2 ..., czar or mono; can be repeated.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="A cluster file: nodes and settings of a private cluster, or the hosts of a named one."),
    ] = None,
    scan: Annotated[
        Literal["auto", "rows", "columns"] | None,
        typer.Option(help="How scans are answered where a query does not say; kept until it is chosen again."),
    ] = None,
    cluster: ClusterFolder = DEFAULT_FOLDER,
) -> None:
    """Make the cluster if there is none, and start servers that are not running.

    Of a cluster on many machines no server is started: its cluster file says where they run, and all have to answer.
    """
    from skyshard.catalog.cluster_file import describe_cluster, locating_settings
    from skyshard.testbed.start_cluster import start_cluster

    described = describe_cluster(file) if file else None
    with interruptible(), locating_settings(file):
        start_cluster(cluster, nodes, settings or (), described, report=_tell)
        if scan is not None:
            skyshard.Cluster.at(cluster).choose_scan(scan)
        _finish_drops(cluster)
    _tell(f"cluster {cluster} is running")


def _finish_drops(cluster: Path) -> None:
    """End drops of databases that were interrupted; a cluster without registry, or with an older one, has none."""
    from skyshard.testbed.start_cluster import has_registry

    if not has_registry(skyshard.Cluster.at(cluster)):
        return
    with suppress(skyshard.SkyshardError), skyshard.Testbed(cluster) as testbed:
        for name in testbed.finish_drops():
            _tell(f"database {name}, whose drop was interrupted, is gone")


def set_settings(
    settings: Annotated[list[str], typer.Argument(metavar="[SERVER:]NAME=VALUE...", show_default=False)],
    cluster: ClusterFolder = DEFAULT_FOLDER,
) -> None:
    """Change settings of servers: at once where MariaDB can, else by restarting one server after another.

    NAME=VALUE is for all nodes; node2:NAME=VALUE, czar:NAME=VALUE and mono:NAME=VALUE are for one server. The value
    `default` takes a setting back. All of a change holds, or none of it; it is kept until it is changed again.
    """
    found = skyshard.Cluster.at(cluster)
    with interruptible():
        found.change_settings(settings, report=_tell)
    _tell(f"cluster {cluster} has the settings: {' '.join(found.chosen.settings.words()) or 'defaults'}")


def stop(cluster: ClusterFolder = DEFAULT_FOLDER) -> None:
    """Stop every server; the data stays."""
    found = skyshard.Cluster.at(cluster)
    found.stop(report=_tell)
    if not is_named(found.folder):  # others run the servers of a named one, and it has said so
        _tell(f"cluster {cluster} is stopped")


def status(
    cluster: ClusterFolder = DEFAULT_FOLDER,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every server: its state, process, memory, data, caches and settings."""
    from skyshard.host.memory import memory_bytes

    found = skyshard.Cluster.at(cluster)
    servers, chosen, memory = found.status(), found.chosen, memory_bytes()
    interrupted = chosen.pending.words() or ["default"] if chosen.pending is not None else []
    if as_json:
        facts = {"cluster": str(found.folder), "name": chosen.name, "planned_memory_bytes": memory}
        facts |= {
            "interrupted_change": interrupted,
            "scan": chosen.scan,
            "servers": [asdict(server) for server in servers],
        }
        print(json.dumps(facts, indent=2))
    else:
        _show(servers)
        _show_settings(servers, memory if servers[0].log else None)
    if interrupted:
        _tell(f"a change of settings was interrupted (to {' '.join(interrupted)}); run `skyshard cluster start`")


def upgrade(
    cluster: ClusterFolder = DEFAULT_FOLDER,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring what an older release left in a cluster to this release's formats.

    Run it again to go on after an interruption. The cluster has to run, and no ingest may be under way.
    """
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
        known = [round(size / 1e6) for size in (server.memory_bytes, server.data_bytes)]
        megabytes = known if server.log else ["-", "-"]  # others run it, on their hosts
        rows.append((server.name, server.state, str(server.pid or "-"), *megabytes, server.socket))
    print_table(("server", "state", "process", "memory MB", "data MB", "socket"), rows)


def _show_settings(servers: list[skyshard.NodeStatus], memory_bytes: int | None) -> None:
    """The caches of each server, of so much memory where they share it, and what was chosen for it."""
    print("\ncaches:" if memory_bytes is None else f"\ncaches, from {memory_bytes / 2**30:.1f} GiB of memory:")
    names = list(dict.fromkeys(name for server in servers for name in server.caches))
    rows = [(server.name, *(_mebibytes(server.caches.get(name)) for name in names)) for server in servers]
    print_table(("server", *(f"{name} MiB" for name in names)), rows)
    chosen = [
        (server.name, name, value, server.not_in_force.get(name, "") and f"{server.not_in_force[name]} is in force")
        for server in servers
        for name, value in server.settings.items()
    ]
    if chosen:
        print("\nsettings other than the defaults:")
        print_table(("server", "setting", "value", ""), chosen)


def _mebibytes(size: int | None) -> str:
    return "-" if size is None else f"{size / 2**20:g}"
