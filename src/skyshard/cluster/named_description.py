"""What a cluster file says of a cluster on many machines: its nodes, how they are reached, and its secrets' places.

All paths are absolute, on the host that uses them: those of TLS, passwords and Ray's token are the same everywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from skyshard.basics.errors import UserError
from skyshard.cluster.node import Node
from skyshard.cluster.settings import NODES
from skyshard.db.connection import Endpoint
from skyshard.db.tls import Tls
from skyshard.runtime.ray_address import RayAddress

Port = Annotated[int, Field(ge=1, le=65535)]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NamedNode(_Frozen):
    """One node."""

    name: str
    host: str = ""
    """As the czar's host names it; empty for a node on that host, which is reached through its socket."""
    port: Port = 3306
    socket: Path
    """Of its server, as its worker sees it."""
    data: Path
    """The data folder of its server."""
    staging: Path
    """Where its host keeps what an ingest has under way."""
    cores: int = 0
    """For tasks and scans; 0: those of its host."""
    scan_threads: int = 0
    """At work on scans for one czar; 0: as many as cores, up to 8."""


class CzarServer(_Frozen):
    """The czar's own server, on the host where commands run."""

    socket: Path
    data: Path


class TlsFiles(_Frozen):
    """Files of each host: the authority, and the host's own certificate and key."""

    ca: Path
    cert: Path
    key: Path

    @property
    def of_server(self) -> Tls:
        """What the host's own server shows."""
        return Tls(ca=str(self.ca), cert=str(self.cert), key=str(self.key))


class RayHead(_Frozen):
    """Where the Ray cluster is joined."""

    host: str
    port: Port = 6379
    token: Path


class NamedDescription(_Frozen):
    """A cluster on many machines."""

    name: str
    czar: CzarServer
    nodes: tuple[NamedNode, ...]
    tls: TlsFiles | None = None
    passwords: Path | None = None
    ray: RayHead | None = None
    silence_s: float = 30.0
    options: dict[str, dict[str, str]] = {}
    """Settings of the servers that Skyshard runs, by scope: nodes, czar, mono, or a node's name."""

    @property
    def node_names(self) -> tuple[str, ...]:
        return tuple(node.name for node in self.nodes)

    def named(self, name: str) -> NamedNode:
        """The entry of a node.

        Raises:
            UserError: there is none of this name.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        remedy = f"it has {', '.join(self.node_names[:10])}{' ...' if len(self.nodes) > 10 else ''}"
        raise UserError(f"cluster {self.name} has no node {name!r}", remedy=remedy)

    def node(self, name: str) -> Node:
        """A node as the rest of the house sees it. Errors as of :meth:`named`."""
        return self._node(self.named(name))

    @property
    def by_name(self) -> dict[str, Node]:
        """The same of all nodes, in order."""
        return {found.name: self._node(found) for found in self.nodes}

    def _node(self, found: NamedNode) -> Node:
        name = found.name
        beside = Endpoint(socket=str(found.socket), secrets=self.secrets, label=name)
        if found.host:
            sql = Endpoint(host=found.host, port=found.port, tls=self.client_tls, secrets=self.secrets, label=name)
        else:
            sql = beside
        return Node(
            name, sql, beside, found.data, found.staging, is_here=False, cores=found.cores,
            scan_threads=found.scan_threads,
        )  # fmt: skip

    def options_of(self, server: str) -> dict[str, str]:
        """The settings of a server: a node's own win over those of all nodes."""
        of_all = self.options.get(NODES, {}) if server in self.node_names else {}
        return {**of_all, **self.options.get(server, {})}

    @property
    def czar_endpoint(self) -> Endpoint:
        return Endpoint(socket=str(self.czar.socket), secrets=self.secrets, label="czar")

    @property
    def secrets(self) -> str:
        """The folder of the password files; empty where accounts have none."""
        return str(self.passwords or "")

    @property
    def client_tls(self) -> Tls | None:
        """What connects to a server needs; servers ask for no certificate of who connects."""
        return Tls(ca=str(self.tls.ca)) if self.tls else None

    @property
    def ray_address(self) -> RayAddress | None:
        return RayAddress(self.ray.host, self.ray.port, str(self.ray.token)) if self.ray else None
