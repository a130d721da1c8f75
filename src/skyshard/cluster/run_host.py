"""What runs on a host of a named cluster, kept running in the foreground: its MariaDB, and Ray.

For systemd, for a pod, for tests: it ends on SIGTERM or SIGINT, with all that it started; when it is killed, what it
started ends too (``runtime/keeper``).
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Literal

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.cluster.claimed_data import claimed, note_version
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.installation import find_mariadbd
from skyshard.cluster.named_description import NamedDescription, NamedNode
from skyshard.cluster.network_server import NetworkServer, ServerService, run_folder
from skyshard.cluster.run_servers import Report
from skyshard.cluster.server_options import Listening, czar_tuning, node_tuning
from skyshard.db.connection import Account, Endpoint, connect
from skyshard.db.endpoint import LOOPBACK
from skyshard.db.tls import context_of
from skyshard.host.memory import memory_bytes
from skyshard.host.secret_files import read_secret
from skyshard.host.supervise import Service, supervise
from skyshard.runtime.ray_commands import RayStart, start_head, start_node
from skyshard.runtime.ray_service import RayService

ServerKind = Literal["own", "given"]


def run_node(described: NamedDescription, name: str, *, server: ServerKind, ip: str, report: Report) -> None:
    """Run a node on this host until this process is asked to end.

    Args:
        server: ``own`` runs MariaDB too; with ``given`` somebody else does.
        ip: this host's address, as the other hosts reach it; found out if empty.

    Raises:
        UserError: no such node; a data folder of another one, or of another user; unreadable passwords or token.
    """
    node, ray = described.named(name), described.ray
    beside, tuning = described.node(name).beside, node_tuning(1, memory_bytes())
    own = NetworkServer(beside, node.data, _listening(described, node), tuning, described.options_of(name))
    services: list[Service] = []
    with claimed(node.data, described.name, name):
        node.staging.mkdir(mode=0o700, parents=True, exist_ok=True)
        services += _mariadb(own, described, server, report)
        if ray is not None:
            read_secret(ray.token, "token")
            head, token, cores = ray.host, ray.token, node.cores or os.cpu_count() or 1

            def start_in(folder: Path) -> RayStart:
                place = f"{address_of(head)}:{ray.port}"
                return start_node(name, cores, place, folder, ip or address_towards(head, ray.port), token)

            services.append(RayService(start_in, run_folder(node.data) / "ray.log", (head, ray.port)))
        _supervise(f"node {name}", described, services, report)


def run_head(described: NamedDescription, *, server: ServerKind, ip: str, report: Report) -> None:
    """Run the czar's server and the Ray head on this host until this process is asked to end.

    Raises:
        UserError: as for a node; ``ray.address`` is not one of this host.
    """
    data, ray = described.czar.data, described.ray
    tuning = czar_tuning(memory_bytes())
    own = NetworkServer(described.czar_endpoint, data, None, tuning, described.options_of(CZAR_NAME))
    services: list[Service] = []
    with claimed(data, described.name, CZAR_NAME):
        services += _mariadb(own, described, server, report)
        if ray is not None:
            read_secret(ray.token, "token")
            own_ip = ip or _own_address(ray.host)

            def start_in(folder: Path) -> RayStart:
                return start_head(folder, own_ip, ray.port, ray.token)

            services.append(RayService(start_in, run_folder(data) / "ray.log"))
        _supervise("head", described, services, report)


def address_of(host: str) -> str:
    """The address of a host's name. ClusterError when it is not known now."""
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        why = error.strerror or error
        raise ClusterError(f"the host {host} of the Ray head is not known ({why})", retryable=True) from error


def address_towards(host: str, port: int) -> str:
    """The address of this host that packets to another one leave from. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect((address_of(host), port))
        except OSError as error:
            raise ClusterError(f"no way leads to {host} ({error.strerror or error})", retryable=True) from error
        return str(asked.getsockname()[0])


def _own_address(host: str) -> str:
    try:
        address = address_of(host)
        with socket.socket() as tried:
            tried.bind((address, 0))
    except (ClusterError, OSError) as error:
        raise UserError(
            f"`ray.address` of the cluster file names the host {host}, which is not this one",
            remedy="run this on that host, or give --ip",
        ) from error
    return address


def _listening(described: NamedDescription, node: NamedNode) -> Listening | None:
    if not node.host:
        return None
    if node.host in LOOPBACK or described.tls is None:
        return Listening("127.0.0.1", node.port, None)
    return Listening("*", node.port, described.tls.of_server)


def _mariadb(own: NetworkServer, described: NamedDescription, kind: ServerKind, report: Report) -> list[Service]:
    if kind == "given":
        _check_given(own.endpoint, own.data, report)
        return []
    if described.tls is not None:
        context_of(described.tls.of_server)  # the server says less
    own.require_passwords()
    installation = find_mariadbd()
    if not own.is_initialised:
        report(f"making the data folder {own.data}")
    own.prepare(installation)
    version = installation.version_text
    before = note_version(own.data, described.name, own.name, version)
    if before and before != version:
        report(f"warning: {own.data} was last used by MariaDB {before}, this is {version}; see mariadb-upgrade")
    return [ServerService(own)]


def _check_given(endpoint: Endpoint, data: Path, report: Report) -> None:
    """UserError when the server at the socket has another data folder; one that does not answer yet is only told."""
    try:
        with connect(endpoint, Account.READER) as connection:
            theirs = Path(str(connection.value("SELECT @@datadir")))
    except SkyshardError as error:
        report(f"warning: the server does not answer: {error}")
        return
    with contextlib.suppress(OSError):
        if theirs.samefile(data):
            return
    raise UserError(
        f"the server at {endpoint} has its data in {theirs}, the cluster file says {data}",
        remedy="correct `data` in the cluster file",
    )


def _supervise(what: str, described: NamedDescription, services: list[Service], report: Report) -> None:
    if not services:
        remedy = "give the cluster file `ray`, or --server own"
        raise UserError(f"{what} of cluster {described.name} has nothing to run", remedy=remedy)
    report(f"{what} of cluster {described.name}: {' and '.join(service.name for service in services)}")
    supervise(services, report)
