"""What a server of a cluster does at the moment, and with which caches and settings."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.cluster.apply_settings import unlike, values_in_force
from skyshard.cluster.server import Server
from skyshard.cluster.settings import byte_count
from skyshard.cluster.settings_check import CACHES
from skyshard.db.connection import Account, Connection, Endpoint, connect


class ServerState(StrEnum):
    """What a server of a cluster does at the moment."""

    RUNNING = "running"
    STOPPED = "stopped"
    CRASHED = "crashed"
    SILENT = "silent"
    """Its process is there, but it does not answer."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One server: ``memory_bytes`` is its resident memory, ``data_bytes`` the space its data folder takes."""

    name: str
    state: ServerState
    pid: int | None
    socket: str
    memory_bytes: int
    data_bytes: int
    log: str
    caches: dict[str, int] = field(default_factory=dict)
    """Size in bytes of each engine's cache, by the name of its setting; of a server that is down, from its next start
    on."""
    settings: dict[str, str] = field(default_factory=dict)
    """What was chosen for it: name → value; all else is as Skyshard sets it."""
    not_in_force: dict[str, str] = field(default_factory=dict)
    """Chosen settings that a running server does not follow: name → value in force."""


def status_of(server: Server) -> NodeStatus:
    """What one server does at the moment."""
    import psutil  # only this command needs it

    pid = server.pid()
    if pid is None:
        state = ServerState.CRASHED if server.is_crashed else ServerState.STOPPED
    else:
        state = ServerState.RUNNING if server.is_ready() else ServerState.SILENT
    memory_bytes = 0
    with contextlib.suppress(psutil.Error):
        memory_bytes = psutil.Process(pid).memory_info().rss if pid else 0
    caches, unlike = _in_force(server) if state == ServerState.RUNNING else (_planned_caches(server), {})
    return NodeStatus(
        name=server.name,
        state=state,
        pid=pid,
        socket=str(server.socket),
        memory_bytes=memory_bytes,
        data_bytes=_disk_bytes(server.data),
        log=str(server.log),
        caches=caches,
        settings=server.settings,
        not_in_force=unlike,
    )


def _in_force(server: Server) -> tuple[dict[str, int], dict[str, str]]:
    try:
        with connect(server.endpoint, Account.ADMIN) as connection:
            return caches_of(connection), _not_in_force(connection, server.name, server.settings)
    except ClusterError:  # it stopped meanwhile
        return _planned_caches(server), {}


def reached_status(name: str, endpoint: Endpoint, settings: Mapping[str, str], *, within_s: float) -> NodeStatus:
    """What a server that others run does at the moment, as far as it says so itself.

    Args:
        settings: what the cluster file has for it.
        within_s: how long it may take to be reached, and for each answer.
    """
    place = endpoint.socket or f"{endpoint.host}:{endpoint.port}"
    found = NodeStatus(name, ServerState.RUNNING, None, place, 0, 0, "", settings=dict(settings))
    try:
        with connect(endpoint, Account.ADMIN, connect_timeout_s=within_s, answer_timeout_s=within_s) as connection:
            not_in_force = _not_in_force(connection, name, settings)
            return replace(found, caches=caches_of(connection), not_in_force=not_in_force)
    except ClusterError:
        return replace(found, state=ServerState.STOPPED)
    except SkyshardError:  # it answers, and refuses
        return replace(found, state=ServerState.SILENT)


def caches_of(connection: Connection) -> dict[str, int]:
    """Sizes in bytes of a server's caches, by the names of their settings."""
    values = values_in_force(connection, CACHES)
    return {name: int(values[name]) for name in CACHES if name in values}


def _not_in_force(connection: Connection, name: str, settings: Mapping[str, str]) -> dict[str, str]:
    return {one.name: one.found for one in unlike(connection, name, settings)}


def _planned_caches(server: Server) -> dict[str, int]:
    options = {**server.own_options, **server.settings}
    return {name: byte_count(options[name]) or 0 for name in CACHES if name in options}


def _disk_bytes(folder: Path) -> int:
    """The space that the files below a folder take; files that vanish meanwhile count as nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
    return total
