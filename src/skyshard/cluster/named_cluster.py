"""The named cluster: servers on hosts that a cluster file lists. They are run by others (``skyshard node run`` on each
host, ``skyshard head run`` on the czar's); here they are only reached.

Rules: ``cluster.json`` holds what the file said when it was last given (``describe``), so that no command reads half a
file; a node that has rows does not leave the description; nothing here asks one host after another.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path

from skyshard.basics.ask_at_once import AskedAtOnce
from skyshard.basics.errors import ClusterError, UserError
from skyshard.cluster.cluster import CZAR_NAME, LOG_FOLDER, MONO_NAME, Cluster, run_by_others
from skyshard.cluster.cluster_folder import (
    NamedRecord,
    exclusive,
    is_free,
    private_folder,
    require_text,
    socket_folder,
)
from skyshard.cluster.installation import find_mariadbd
from skyshard.cluster.named_description import NamedDescription
from skyshard.cluster.node import Node
from skyshard.cluster.require_servers import REACH_S, ask, require_servers
from skyshard.cluster.run_servers import Report, silent, start_servers, stop_servers
from skyshard.cluster.server import Server
from skyshard.cluster.server_options import node_tuning
from skyshard.cluster.server_status import NodeStatus, ServerState, reached_status, status_of
from skyshard.db.connection import Endpoint
from skyshard.host.memory import memory_bytes
from skyshard.runtime.ray_address import RayAddress

STATUS_S = 10.0
"""All servers together have so long to answer."""


class NamedCluster(Cluster):
    """The named cluster of a folder."""

    @property
    def exists(self) -> bool:
        return NamedRecord.file_in(self.folder).is_file()

    @property
    def description(self) -> NamedDescription:
        """What the cluster file said when it was last given. UserError when there is no cluster here."""
        if not self.exists:
            raise UserError(
                f"there is no cluster in {self.folder}",
                remedy=f"run `skyshard cluster start --file FILE --cluster {self.folder}`",
            )
        return _description(self.folder, *_state_of(NamedRecord.file_in(self.folder)))

    def start(self, nodes: int | None = None, settings: Sequence[str] = (), *, report: Report = silent) -> None:
        """Make sure that every server answers.

        Raises:
            UserError: a number of nodes, or settings: both are those of the hosts.
            UserError, ClusterError: servers that do not answer or refuse, by name, and why the first one does.
        """
        if nodes is not None or settings:
            what = "its number of nodes is that of its cluster file" if settings == () else "others run its servers"
            raise UserError(f"cluster {self.description.name} is on many machines: {what}", remedy="change the file")
        endpoints = {CZAR_NAME: self.description.czar_endpoint} | {n: one.sql for n, one in self.nodes.items()}
        require_servers(self.description.name, endpoints)

    def describe(self, description: NamedDescription, *, has_rows: Iterable[str] = (), report: Report = silent) -> None:
        """Make the folder a named cluster, or give the one that it is a new description. Starts no server.

        Args:
            has_rows: nodes that the registry knows rows of; they must stay.

        Raises:
            UserError: another cluster's folder; a node with rows that the description lacks.
        """
        require_text(self.folder)
        if not self.exists and not is_free(self.folder):
            raise UserError(f"{self.folder} holds something that is no named cluster", remedy="name another folder")
        private_folder(self.folder)
        with exclusive(self.folder):
            before = NamedRecord.read(self.folder) if self.exists else None
            if before and before.description.name != description.name:
                raise UserError(
                    f"{self.folder} is cluster {before.description.name!r}, not {description.name!r}",
                    remedy="name another folder with --cluster",
                )
            missing = [name for name in has_rows if name not in description.node_names]
            if missing:
                raise UserError(
                    f"node {missing[0]!r} has rows, and the cluster file does not name it",
                    remedy="give it its name back; a node keeps its name while it has rows",
                )
            private_folder(self.folder / LOG_FOLDER)
            created = before.created if before else datetime.now(UTC).isoformat(timespec="seconds")
            NamedRecord(version=2, kind="named", created=created, description=description).write(self.folder)
        report(f"cluster {description.name}: {len(description.nodes)} nodes")

    def leave_out(self, name: str, *, report: Report = silent) -> None:
        """Take a node out of what the cluster file said; its server and its data are left as they are."""
        with exclusive(self.folder):
            record = NamedRecord.read(self.folder)
            nodes = tuple(node for node in record.description.nodes if node.name != name)
            options = {scope: chosen for scope, chosen in record.description.options.items() if scope != name}
            description = record.description.model_copy(update={"nodes": nodes, "options": options})
            record.model_copy(update={"description": description}).write(self.folder)
        report(f"cluster {description.name}: {len(nodes)} nodes; take {name} out of its cluster file, too")

    @property
    def node_names(self) -> tuple[str, ...]:
        return self.description.node_names

    def node(self, name: str) -> Node:
        return self.description.node(name)

    @property
    def nodes(self) -> dict[str, Node]:
        return self.description.by_name

    def endpoint(self, name: str) -> Endpoint:
        if name == MONO_NAME:
            if not self._mono.is_running():
                raise UserError(f"{MONO_NAME} is not running", remedy="run skyshard mono load DATABASE")
            return self._mono.endpoint
        return self.description.czar_endpoint if name == CZAR_NAME else self.description.node(name).sql

    def data_dir(self, name: str) -> Path:
        if name == MONO_NAME:
            return self._mono.data
        if name == CZAR_NAME:
            return self.description.czar.data
        self.description.named(name)
        raise UserError(f"the data folder of {name} is on another host", remedy="work with it on its host")

    @property
    def is_running(self) -> bool:
        """Whether the czar's server answers; nodes are not asked."""
        if not self.exists:
            return False
        with contextlib.suppress(ClusterError):
            ask(self.description.czar_endpoint)
            return True
        return False

    def require_running(self) -> None:
        try:
            ask(self.description.czar_endpoint)
        except ClusterError as error:
            raise ClusterError(
                f"the czar's server of cluster {self.description.name} does not answer: {error.what}",
                remedy="start `skyshard head run` on this host",
                retryable=True,
            ) from error

    def running_endpoints(self) -> list[Endpoint]:
        found = [self.description.czar_endpoint, *(node.sql for node in self.nodes.values())]
        return [*found, self._mono.endpoint] if self._mono.is_running() else found

    def status(self) -> list[NodeStatus]:
        description = self.description
        endpoints = {CZAR_NAME: description.czar_endpoint}
        endpoints |= {name: node.sql for name, node in self.nodes.items()}
        asked = AskedAtOnce(
            {
                name: partial(reached_status, name, endpoint, description.options_of(name), within_s=REACH_S)
                for name, endpoint in endpoints.items()
            }
        )
        answers = asked.answers(STATUS_S)
        found = [answers.get(name) or _unheard(name, endpoint) for name, endpoint in endpoints.items()]
        return [*found, status_of(self._mono)] if self._mono.is_initialised else found

    def start_mono(self, *, report: Report = silent) -> Endpoint:
        with exclusive(self.folder):
            mono = self._mono
            if not mono.settle():
                installation = find_mariadbd()
                report(f"starting {MONO_NAME} (MariaDB {installation.version_text})")
                private_folder(self.folder / "servers")
                socket_folder(self.folder, create=True)
                mono.initialise(installation)
                start_servers([mono], installation, self.events)
            return mono.endpoint

    def stop_server(self, name: str) -> None:
        if name != MONO_NAME:
            raise run_by_others(name)
        with exclusive(self.folder):
            stop_servers([self._mono], self.events)

    def change_settings(self, settings: Sequence[str], *, report: Report = silent) -> None:
        raise UserError(
            f"cluster {self.description.name} is on many machines: others run its servers",
            remedy="write settings under `options` of the cluster file on every host, restart `skyshard node run` and "
            "`skyshard head run` there, then run `skyshard cluster start --file FILE`",
        )

    def stop(self, *, report: Report = silent) -> None:
        """Stop mono, the only server that is run from here, and say so."""
        with exclusive(self.folder):
            self._stop_mono(report)
        name = self.description.name
        report(f"the servers of cluster {name} go on; end `skyshard node run` and `skyshard head run` on their hosts")

    def destroy(self, *, report: Report = silent) -> None:
        """Remove the folder, with mono; what the servers of the hosts hold stays."""
        with exclusive(self.folder):
            self._stop_mono(report)
            marker = NamedRecord.file_in(self.folder)
            for entry in self.folder.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                elif entry != marker:
                    entry.unlink()
            marker.unlink()
            self.folder.rmdir()
        report(f"removed {self.folder}; the data folders of its hosts stay")

    @property
    def ray(self) -> RayAddress | None:
        return self.description.ray_address

    @property
    def silence_s(self) -> float:
        return self.description.silence_s

    @property
    def _mono(self) -> Server:
        chosen: Mapping[str, str] = self.chosen.settings.of_server(MONO_NAME)
        socket = socket_folder(self.folder, create=False) / f"{MONO_NAME}.sock"
        return Server(self.folder / "servers" / MONO_NAME, socket, node_tuning(1, memory_bytes()), chosen)

    def _stop_mono(self, report: Report) -> None:
        if self._mono.is_running():
            report(f"stopping {MONO_NAME}")
            stop_servers([self._mono], self.events, report)
        shutil.rmtree(socket_folder(self.folder, create=False), ignore_errors=True)


def _state_of(file: Path) -> tuple[int, int]:
    """What changes when a file is replaced."""
    found = file.stat()
    return found.st_ino, found.st_mtime_ns


@lru_cache(maxsize=8)
def _description(folder: Path, inode: int, changed_ns: int) -> NamedDescription:
    """What a folder's record says; every look at one of 150 nodes would read it anew."""
    return NamedRecord.read(folder).description


def _unheard(name: str, endpoint: Endpoint) -> NodeStatus:
    """Of a server that was not even reached in time, as where its name cannot be looked up."""
    return NodeStatus(name, ServerState.STOPPED, None, endpoint.socket or f"{endpoint.host}:{endpoint.port}", 0, 0, "")
