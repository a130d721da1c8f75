"""A private cluster as it is: its servers, whether they run, where they answer. Nothing is changed here.

Rules: what a cluster is stands in its record (``cluster/cluster_folder.py``), what users chose for its servers in their
settings; a server is a value made of both, each time anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from skyshard.basics.errors import UserError
from skyshard.cluster.cluster import CZAR_NAME, MONO_NAME, Cluster
from skyshard.cluster.cluster_folder import ClusterRecord
from skyshard.cluster.node import Node
from skyshard.cluster.run_servers import names_of
from skyshard.cluster.server import Server
from skyshard.cluster.server_options import czar_tuning, node_tuning
from skyshard.cluster.settings import ServerSettings
from skyshard.db.connection import Endpoint
from skyshard.host.memory import memory_bytes

if TYPE_CHECKING:
    from skyshard.cluster.server_status import NodeStatus


class PrivateServers(Cluster):
    """The servers of a private cluster's folder."""

    @property
    def exists(self) -> bool:
        return ClusterRecord.file_in(self.folder).is_file()

    @property
    def node_names(self) -> tuple[str, ...]:
        return self._record().node_names

    @property
    def is_running(self) -> bool:
        """True when the czar and every node run."""
        return self.exists and all(server.is_running() for server in self._servers(self._record()))

    def status(self) -> list[NodeStatus]:
        from skyshard.cluster.server_status import status_of  # a query needs neither this nor changes of settings

        return [status_of(server) for server in self._servers(self._record(), with_mono=True)]

    def answering(self) -> frozenset[str]:
        servers = self._servers(self._record(), with_mono=True)
        return frozenset(server.name for server in servers if server.is_running() and server.is_ready())

    def node(self, name: str) -> Node:
        return self._node(self._server(self._record(), name))

    @property
    def nodes(self) -> dict[str, Node]:
        return {one.name: self._node(one) for one in self._servers(self._record()) if one.name != CZAR_NAME}

    def _node(self, server: Server) -> Node:
        where = server.endpoint
        return Node(server.name, where, where, server.data, self.folder / "staging", is_here=True)

    def endpoint(self, name: str) -> Endpoint:
        server = self._server(self._record(), name)
        self._require_running([server])
        return server.endpoint

    def running_endpoints(self) -> list[Endpoint]:
        return [one.endpoint for one in self._servers(self._record(), with_mono=True) if one.is_running()]

    def data_dir(self, name: str) -> Path:
        return self._server(self._record(), name).data

    def log_file(self, name: str) -> Path:
        """The log of a server; it is kept until the cluster is destroyed."""
        return self._server(self._record(), name).log

    def require_running(self) -> None:
        """UserError unless the czar and every node run."""
        self._require_running(self._servers(self._record()))

    def require_usable(self) -> None:
        servers = self._servers(self._record())
        down = [server for server in servers if not server.is_running()]
        if len(down) >= len(servers) - 1 or any(server.name == CZAR_NAME for server in down):
            self._require_running(servers)

    @property
    def next_node(self) -> str:
        """The name of the node that ``add_node`` makes next; no number is given twice."""
        return self._record().next_name

    def _require_running(self, servers: list[Server]) -> None:
        down = [server for server in servers if not server.is_running()]
        if down:
            raise UserError(
                f"cluster {self.folder} is not running ({names_of(down)} down)", remedy=self._start_remedy()
            )

    def _start_remedy(self) -> str:
        return f"run `skyshard cluster start --cluster {self.folder}`"

    def _record(self) -> ClusterRecord:
        if not self.exists:
            raise UserError(f"there is no cluster in {self.folder}", remedy=self._start_remedy())
        return ClusterRecord.read(self.folder)

    def _servers(self, record: ClusterRecord, *, with_mono: bool = False) -> list[Server]:
        settings = self.chosen.settings
        servers = [self._server(record, name, settings) for name in (CZAR_NAME, *record.node_names)]
        mono = self._server(record, MONO_NAME, settings)
        return [*servers, mono] if with_mono and mono.is_initialised else servers

    def _server(self, record: ClusterRecord, name: str, settings: ServerSettings | None = None) -> Server:
        names = all_names(record)
        if name not in names:
            raise UserError(f"cluster {self.folder} has no server {name!r}", remedy=f"it has {', '.join(names)}")
        memory = memory_bytes()
        sharers = 1 if name == MONO_NAME else len(record.node_names)  # mono has the rows of all nodes
        tuning = czar_tuning(memory) if name == CZAR_NAME else node_tuning(sharers, memory)
        chosen = (self.chosen.settings if settings is None else settings).of_server(name)
        return Server(self.folder / "servers" / name, record.sockets / f"{name}.sock", tuning, chosen)


def all_names(record: ClusterRecord) -> tuple[str, ...]:
    return (CZAR_NAME, MONO_NAME, *record.node_names)
