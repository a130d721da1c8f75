"""The cluster file of a cluster on many machines, as people write it in YAML.

version: 1
name: survey-a
czar: {socket: /run/mysqld/mysqld.sock, data: /var/lib/skyshard/mysql}     # its server is on the host of the commands
defaults: {port: 3306, socket: /run/mysqld/mysqld.sock, data: /var/lib/skyshard/mysql, cores: 16}
nodes:
  - {name: node1, host: db1.survey-a.internal}
  - {names: "store-{0..2}", host: "{name}.store"}                          # three nodes
tls: {ca: tls/ca.crt, cert: tls/tls.crt, key: tls/tls.key}
passwords: passwords                                                       # a folder of files, see db/password_files.py
ray: {address: "czar.survey-a.internal:6379", token: ray/auth_token}
silence_s: 30

Relative paths are relative to the file, which lies at the same place on every host.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from skyshard.catalog.server_settings import Options, checked_options
from skyshard.catalog.strict_files import Strict, broken_rule
from skyshard.cluster.cluster import CZAR_NAME, MONO_NAME
from skyshard.cluster.named_description import (
    CzarServer,
    NamedDescription,
    NamedNode,
    Port,
    RayHead,
    TlsFiles,
)
from skyshard.cluster.settings import NODES
from skyshard.db.endpoint import LOOPBACK

RAY_PORT = 6379
MOST_NODES = 10_000
_NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"
_RANGE = re.compile(r"\{(\d{1,6})\.\.(\d{1,6})\}")
_RESERVED = (CZAR_NAME, MONO_NAME, NODES, "all")
Name = Annotated[str, StringConstraints(pattern=_NAME)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Cores = Annotated[int, Field(ge=0, le=4096)]


class _Server(Strict):
    """How and where a node's server runs; what is left out is as ``defaults`` says."""

    port: Port | None = None
    socket: Text | None = None
    data: Text | None = None
    staging: Text | None = None
    """Beside ``data`` if left out, so that files need not be copied."""
    cores: Cores | None = None
    scan_threads: Cores | None = None


class Nodes(_Server):
    """One node, or several whose names and hosts follow a pattern."""

    name: Name | None = None
    names: Text | None = None
    """``store-{0..2}`` is store-0, store-1 and store-2."""
    host: Annotated[str, StringConstraints(max_length=255)] = ""
    """``{name}`` stands for the node's name; empty for a node on the czar's host that is reached by its socket."""

    @model_validator(mode="after")
    def require_name(self) -> Nodes:
        """Either ``name`` or ``names``."""
        if (self.name is None) == (self.names is None):
            raise broken_rule("a node has either `name` or `names`", (), "write one of the two")
        return self

    def each_name(self) -> Iterator[str]:
        """The names of the nodes."""
        if self.name is not None:
            yield self.name
            return
        pattern = self.names or ""
        found = _RANGE.search(pattern)
        if found is None:
            raise broken_rule(f"`{pattern}` has no {{0..2}} in it", ("names",), "write `name` for a single node")
        first, last = int(found[1]), int(found[2])
        if not first <= last < first + MOST_NODES:
            raise broken_rule(f"{found[0]} is no range of up to {MOST_NODES} numbers", ("names",), "write {0..2}")
        digits = len(found[1]) if found[1].startswith("0") and len(found[1]) > 1 else 1
        for number in range(first, last + 1):
            yield f"{pattern[: found.start()]}{number:0{digits}d}{pattern[found.end() :]}"


class CzarPlace(Strict):
    """Where the czar's own server is, on the host where commands run."""

    socket: Text = "/run/mysqld/mysqld.sock"
    data: Text = "/var/lib/skyshard/mysql"


class TlsPlace(Strict):
    """Files of each host."""

    ca: Text
    cert: Text
    key: Text


class RayPlace(Strict):
    """The head of the Ray cluster and the file of its token."""

    address: Annotated[str, StringConstraints(pattern=r"^[^\s:/]+(:\d{1,5})?$")]
    token: Text


class NamedClusterFile(Strict):
    """A cluster file of a cluster on many machines."""

    version: Literal[1]
    name: Name
    czar: CzarPlace = CzarPlace()
    defaults: _Server = _Server()
    nodes: Annotated[list[Nodes], Field(min_length=1)]
    tls: TlsPlace | None = None
    passwords: Text | None = None
    ray: RayPlace | None = None
    silence_s: Annotated[float, Field(ge=0.5, le=3600)] = 30.0
    options: dict[str, Options] = Field(default_factory=dict)
    """Settings of servers that Skyshard runs, by role (nodes, czar, mono) or node."""

    @field_validator("nodes")
    @classmethod
    def check_names(cls, nodes: list[Nodes]) -> list[Nodes]:
        """Names that can be node names, each once."""
        names = Counter[str]()
        for position, entry in enumerate(nodes):
            for name in entry.each_name():
                names[name] += 1
                if not re.fullmatch(_NAME, name) or name in _RESERVED:
                    remedy = f"use letters, digits, - and _, and none of {', '.join(_RESERVED)}"
                    raise broken_rule(f"{name!r} cannot be a node's name", (position,), remedy)
                if names[name] > 1:
                    raise broken_rule(f"node {name!r} is named twice", (position,), "name each node once")
        if sum(names.values()) > MOST_NODES:
            raise broken_rule(f"more than {MOST_NODES} nodes", (), "name fewer")
        return nodes

    @model_validator(mode="after")
    def check_places(self) -> NamedClusterFile:
        """No two nodes at one place; nothing off this host without TLS and passwords."""
        self._require_apart()
        for position, entry in enumerate(self.nodes):
            if entry.host and entry.host not in LOOPBACK and not (self.tls and self.passwords):
                lacks = "tls" if self.tls is None else "passwords"
                raise broken_rule(
                    f"host {entry.host!r} is off this machine and `{lacks}` is missing", ("nodes", position, "host"),
                    "give `tls` and `passwords`; without them only sockets and 127.0.0.1 are possible",
                )  # fmt: skip
        names = {name for entry in self.nodes for name in entry.each_name()}
        object.__setattr__(self, "options", checked_options(self.options, {NODES, CZAR_NAME, MONO_NAME, *names}))
        return self

    def _require_apart(self) -> None:
        base = Path("/")
        places: dict[Any, str] = {}
        for position, entry in enumerate(self.nodes):
            for node in self._of(entry, base):
                where = (node.host, node.port) if node.host else ("", str(node.socket))
                for place, what in ((where, "one server"), ((node.host, str(node.data)), "one data folder")):
                    if place in places:
                        said = f"nodes {places[place]!r} and {node.name!r} have {what}"
                        raise broken_rule(said, ("nodes", position), "give each node its own")
                    places[place] = node.name

    def description(self, base: Path) -> NamedDescription:
        """What the cluster is told, with absolute paths.

        Args:
            base: the folder that relative paths are relative to: the file's.
        """
        base = base.resolve()
        ray, tls = None, None
        if self.tls:
            tls = TlsFiles(ca=base / self.tls.ca, cert=base / self.tls.cert, key=base / self.tls.key)
        if self.ray:
            host, _, port = self.ray.address.partition(":")
            ray = RayHead(host=host, port=int(port or RAY_PORT), token=base / self.ray.token)
        return NamedDescription(
            name=self.name,
            czar=CzarServer(socket=base / self.czar.socket, data=base / self.czar.data),
            nodes=tuple(node for entry in self.nodes for node in self._of(entry, base)),
            tls=tls,
            passwords=base / self.passwords if self.passwords else None,
            ray=ray,
            silence_s=self.silence_s,
            options=self.options,
        )

    def _of(self, entry: Nodes, base: Path) -> Iterator[NamedNode]:
        """The nodes of an entry; ``{name}`` in a path or host is the node's name."""
        given = {**self.defaults.model_dump(exclude_none=True), **entry.model_dump(exclude_none=True)}
        for name in entry.each_name():
            socket = base / str(given.get("socket", "/run/mysqld/mysqld.sock")).replace("{name}", name)
            data = base / str(given.get("data", "/var/lib/skyshard/mysql")).replace("{name}", name)
            staging = str(given.get("staging", "")).replace("{name}", name)
            yield NamedNode(
                name=name,
                host=entry.host.replace("{name}", name),
                port=given.get("port", 3306),
                socket=socket,
                data=data,
                staging=base / staging if staging else data.parent / "staging",
                cores=given.get("cores", 0),
                scan_threads=given.get("scan_threads", 0),
            )
