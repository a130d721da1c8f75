"""The private cluster: N nodes, the czar's own server and, when asked for, the unsharded one ("mono").

Rules: everything of a cluster lives below one folder, except its sockets, whose paths must be short; one command at a
time works on a cluster (a lock on the folder); a command that fails or is interrupted leaves no process behind.

``cluster.json`` makes a folder a cluster::

    cluster.json              what it is; written first, removed last
    servers/<name>/           data/, tmp/, server.log, server.pid   (cluster/server.py)
    log/                      what happened to queries, transactions, nodes   (log/event_files.py)
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from skyshard.basics.errors import SkyshardError, UserError, words_of
from skyshard.cluster.cluster_folder import (
    ClusterRecord,
    exclusive,
    is_free,
    private_folder,
    require_text,
    socket_folder,
)
from skyshard.cluster.installation import Installation, find_mariadbd
from skyshard.cluster.server import Server, end_orphans
from skyshard.cluster.server_options import CZAR, NODE
from skyshard.db.connection import Endpoint
from skyshard.host.interrupts import uninterrupted
from skyshard.log.event_log import EventLog
from skyshard.log.events import SERVER_CRASHED, SERVER_KILLED, SERVER_NOT_STARTED, SERVER_STARTED, SERVER_STOPPED

CZAR_NAME = "czar"
MONO_NAME = "mono"
LOG_FOLDER = "log"
DEFAULT_NODES = 3
MAX_NODES = 999
STOP_TIMEOUT_S = 60.0
GIVING_UP_TIMEOUT_S = 10.0

Report = Callable[[str], None]


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


def silent(_: str) -> None:
    """A report that is thrown away."""


class Cluster:
    """The cluster in a folder, whether it exists yet or not; constructing one touches nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.events = EventLog(self.folder / LOG_FOLDER)

    @classmethod
    def at(cls, folder: Path | str) -> Cluster:
        return cls(Path(folder))

    @property
    def exists(self) -> bool:
        return ClusterRecord.file_in(self.folder).is_file()

    @property
    def node_names(self) -> tuple[str, ...]:
        """The nodes in order, without czar and mono. UserError when there is no cluster here."""
        return _node_names(self._record())

    @property
    def is_running(self) -> bool:
        """True when the czar and every node run."""
        return self.exists and all(server.is_running() for server in self._servers(self._record()))

    def start(self, nodes: int | None = None, *, report: Report = silent) -> None:
        """Make the cluster if there is none, and start what does not run.

        ``nodes`` None means as many as it has, 3 for a new one; another number than it has is a UserError.
        """
        if nodes is not None and not 1 <= nodes <= MAX_NODES:
            raise UserError(f"a cluster of {nodes} nodes is not possible", remedy=f"use --nodes 1 to {MAX_NODES}")
        require_text(self.folder)
        self._require_place()
        installation = find_mariadbd()
        private_folder(self.folder)
        with exclusive(self.folder):
            if self.exists:
                self._start(self._agreed(nodes), installation, report)
            else:
                self._require_place()
                self._create(nodes or DEFAULT_NODES, installation, report)

    def stop(self, *, report: Report = silent) -> None:
        """Stop every server, mono too; the data stays. No-op when nothing runs."""
        record = self._record()
        with exclusive(self.folder):
            self._stop(record, report)

    def destroy(self, *, report: Report = silent) -> None:
        """Stop every server and remove the folder and all that is in it."""
        record = self._record()
        with exclusive(self.folder):
            self._stop(record, report)
            self._erase()
        report(f"removed {self.folder}")

    def status(self) -> list[NodeStatus]:
        """One entry for the czar, every node, and mono once it has been started."""
        return [_status(server) for server in self._servers(self._record(), with_mono=True)]

    def endpoint(self, name: str) -> Endpoint:
        """Where a node, ``czar`` or ``mono`` listens. UserError when that server does not run."""
        server = self._server(self._record(), name)
        self._require_running([server])
        return server.endpoint

    def folder_for(self, what: str) -> Path:
        """The folder below the cluster's for results, keys and the like; only its owner may enter it."""
        return private_folder(self.folder / what)

    def running_endpoints(self) -> list[Endpoint]:
        """Where every server listens that runs, mono too."""
        return [one.endpoint for one in self._servers(self._record(), with_mono=True) if one.is_running()]

    def data_dir(self, name: str) -> Path:
        """The data folder of a server: ``data_dir("node1") / database / "Object_6630.MYD"``."""
        return self._server(self._record(), name).data

    def log_file(self, name: str) -> Path:
        """The log of a server; it is kept until the cluster is destroyed."""
        return self._server(self._record(), name).log

    def require_running(self) -> None:
        """UserError unless the czar and every node run."""
        self._require_running(self._servers(self._record()))

    def start_mono(self, *, report: Report = silent) -> Endpoint:
        """Start the unsharded server, made at its first start, and say where it listens."""
        record = self._record()
        with exclusive(self.folder):
            mono = self._server(record, MONO_NAME)
            if not mono.is_running():
                installation = find_mariadbd()
                report(f"starting {MONO_NAME} (MariaDB {installation.version_text})")
                _prepare_sockets(self.folder, record)
                mono.initialise(installation)
                self._run([mono], installation)
            return mono.endpoint

    def stop_server(self, name: str) -> None:
        """Stop one server, for drills and maintenance; ``start`` brings it back."""
        record = self._record()
        with exclusive(self.folder):
            _stop_all([self._server(record, name)], STOP_TIMEOUT_S, silent, self.events)

    def kill_server(self, name: str) -> None:
        """Kill one server without a proper stop, for drills; ``start`` brings it back."""
        self._server(self._record(), name).kill()
        self.events.tell(SERVER_KILLED, node=name, reason="as it was asked for")

    def _create(self, nodes: int, installation: Installation, report: Report) -> None:
        created = datetime.now(UTC).isoformat(timespec="seconds")
        sockets = socket_folder(self.folder, create=True)
        record = ClusterRecord(version=1, nodes=nodes, created=created, sockets=sockets)
        try:
            record.write(self.folder)
            self._start(record, installation, report)
        except BaseException:
            with uninterrupted():
                self._erase()
            raise

    def _start(self, record: ClusterRecord, installation: Installation, report: Report) -> None:
        record = _prepare_sockets(self.folder, record)
        private_folder(self.folder / "servers")
        private_folder(self.folder / LOG_FOLDER)
        if count := end_orphans(self.folder):
            report(f"ended {count} servers whose data folders below {self.folder} were removed")
        missing = [server for server in self._servers(record) if not server.is_running()]
        fresh = [server for server in missing if not server.is_initialised]
        if fresh:
            report(f"initialising {len(fresh)} servers in {self.folder}")
            fresh[0].initialise(installation)
            for server in fresh[1:]:
                server.initialise(installation, template=fresh[0].data)
        if missing:
            report(f"starting {_names(missing)} (MariaDB {installation.version_text})")
            self._run(missing, installation)

    def _run(self, servers: list[Server], installation: Installation) -> None:
        """Start all at once and wait for all; when one fails or the user interrupts, none is left."""
        for server in servers:
            if server.is_crashed:
                self.events.tell(SERVER_CRASHED, node=server.name)
        try:
            for server in servers:
                server.start(installation)
            for server in servers:
                self._wait_ready(server, installation)
        except BaseException:
            with uninterrupted():
                _stop_all(servers, GIVING_UP_TIMEOUT_S, silent, self.events)
            raise

    def _wait_ready(self, server: Server, installation: Installation) -> None:
        try:
            server.wait_ready()
        except SkyshardError as error:
            self.events.tell(SERVER_NOT_STARTED, node=server.name, error=words_of(error))
            raise
        self.events.tell(SERVER_STARTED, node=server.name, pid=server.pid() or 0, version=installation.version_text)

    def _agreed(self, nodes: int | None) -> ClusterRecord:
        record = self._record()
        if nodes not in (None, record.nodes):
            raise UserError(
                f"cluster {self.folder} has {record.nodes} nodes, not {nodes}",
                remedy=f"start it without --nodes, or run `skyshard cluster destroy --cluster {self.folder}` first",
            )
        return record

    def _stop(self, record: ClusterRecord, report: Report) -> None:
        servers = self._servers(record, with_mono=True)
        running = [server for server in servers if server.is_running()]
        if running:
            report(f"stopping {_names(running)}")
        _stop_all(servers, STOP_TIMEOUT_S, report, self.events)
        _remove_sockets(record)

    def _erase(self) -> None:
        """Remove the folder, ``cluster.json`` last, so that an interrupted destroy can be repeated."""
        marker = ClusterRecord.file_in(self.folder)
        if marker.exists():
            record = self._record()
            for server in self._servers(record, with_mono=True):
                server.kill()
            _remove_sockets(record)
        for entry in self.folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry != marker:
                entry.unlink()
        marker.unlink(missing_ok=True)
        self.folder.rmdir()

    def _require_place(self) -> None:
        if not self.exists and not is_free(self.folder):
            raise UserError(f"{self.folder} holds something that is no cluster", remedy="name an empty folder")

    def _require_running(self, servers: list[Server]) -> None:
        down = [server for server in servers if not server.is_running()]
        if down:
            raise UserError(f"cluster {self.folder} is not running ({_names(down)} down)", remedy=self._start_remedy())

    def _start_remedy(self) -> str:
        return f"run `skyshard cluster start --cluster {self.folder}`"

    def _record(self) -> ClusterRecord:
        if not self.exists:
            raise UserError(f"there is no cluster in {self.folder}", remedy=self._start_remedy())
        return ClusterRecord.read(self.folder)

    def _servers(self, record: ClusterRecord, *, with_mono: bool = False) -> list[Server]:
        servers = [self._server(record, name) for name in (CZAR_NAME, *_node_names(record))]
        mono = self._server(record, MONO_NAME)
        return [*servers, mono] if with_mono and mono.is_initialised else servers

    def _server(self, record: ClusterRecord, name: str) -> Server:
        names = (CZAR_NAME, MONO_NAME, *_node_names(record))
        if name not in names:
            raise UserError(f"cluster {self.folder} has no server {name!r}", remedy=f"it has {', '.join(names)}")
        tuning = CZAR if name == CZAR_NAME else NODE
        return Server(self.folder / "servers" / name, record.sockets / f"{name}.sock", tuning)


def _node_names(record: ClusterRecord) -> tuple[str, ...]:
    return tuple(f"node{number}" for number in range(1, record.nodes + 1))


def _names(servers: list[Server]) -> str:
    return ", ".join(server.name for server in servers)


def _stop_all(servers: list[Server], timeout_s: float, report: Report, events: EventLog) -> None:
    running = {server.name for server in servers if server.is_running()}
    for server in servers:
        server.request_stop()
    for server in servers:
        if not server.stop(timeout_s):
            report(f"{server.name} did not stop within {timeout_s:.0f} s and was killed")
            events.tell(SERVER_KILLED, node=server.name, reason=f"it did not stop within {timeout_s:.0f} s")
        elif server.name in running:
            events.tell(SERVER_STOPPED, node=server.name)


def _prepare_sockets(folder: Path, record: ClusterRecord) -> ClusterRecord:
    """Make the folder for the sockets again after a stop or a reboot."""
    if record.sockets.is_dir():
        return record
    record = record.model_copy(update={"sockets": socket_folder(folder, create=True)})
    record.write(folder)
    return record


def _remove_sockets(record: ClusterRecord) -> None:
    shutil.rmtree(record.sockets, ignore_errors=True)
    with contextlib.suppress(OSError):
        record.sockets.parent.rmdir()


def _status(server: Server) -> NodeStatus:
    import psutil  # only this command needs it

    pid = server.pid()
    if pid is None:
        state = ServerState.CRASHED if server.is_crashed else ServerState.STOPPED
    else:
        state = ServerState.RUNNING if server.is_ready() else ServerState.SILENT
    memory_bytes = 0
    with contextlib.suppress(psutil.Error):
        memory_bytes = psutil.Process(pid).memory_info().rss if pid else 0
    return NodeStatus(
        name=server.name,
        state=state,
        pid=pid,
        socket=str(server.socket),
        memory_bytes=memory_bytes,
        data_bytes=_disk_bytes(server.data),
        log=str(server.log),
    )


def _disk_bytes(folder: Path) -> int:
    """The space that the files below a folder take; files that vanish meanwhile count as nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
    return total
