"""The cluster file: a private cluster's name, nodes and options of its servers, as people write it in YAML.

version: 1
name: wide-nodes
nodes: 2
options:
  nodes: {key_buffer_size: 64M}        # every node
  node2: {innodb_buffer_pool_size: 2G}
  czar: {sort_buffer_size: 8M}
  mono: {key_buffer_size: 128M}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator

from skyshard.basics.errors import UserError
from skyshard.catalog.named_cluster_file import NamedClusterFile
from skyshard.catalog.server_settings import Options, checked_options
from skyshard.catalog.strict_files import Strict, broken_rule, find_key, load_yaml, read_located
from skyshard.cluster.cluster import CZAR_NAME, MONO_NAME
from skyshard.cluster.named_description import NamedDescription
from skyshard.cluster.private_cluster import MAX_NODES
from skyshard.cluster.setting_names import SettingError, plain_name
from skyshard.cluster.settings import NODES, ClusterDescription

OF_NAMED_CLUSTERS = frozenset({"czar", "defaults", "tls", "passwords", "ray", "silence_s"})
"""Keys of files of clusters on many machines only (``named_cluster_file``)."""
_PLACE = re.compile(rf"{NODES}|{CZAR_NAME}|{MONO_NAME}|node[1-9]\d*")


class ClusterFile(Strict):
    """A cluster file of a private cluster."""

    version: Literal[1]
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")] = ""
    nodes: Annotated[int, Field(ge=1, le=MAX_NODES)] | None = None
    """Their number; a list of their names means as many."""
    options: dict[str, Options] = Field(default_factory=dict)
    """Settings, name → value, by role (nodes, czar, mono) or node (node2)."""

    @field_validator("nodes", mode="before")
    @classmethod
    def count_names(cls, nodes: Any) -> Any:
        """A list of names is their number; private nodes are node1, node2 and so on."""
        if not isinstance(nodes, list):
            return nodes
        for position, name in enumerate(nodes):
            if name != f"node{position + 1}":
                remedy = (
                    f"name it node{position + 1}, write the number of nodes, or give each node a `name` and a `host`"
                )
                raise broken_rule(f"private nodes are node1, node2 and so on, not {name!r}", (position,), remedy)
        return len(nodes)

    @field_validator("options")
    @classmethod
    def check_options(cls, options: dict[str, Options]) -> dict[str, Options]:
        """Places that there are, settings that may be chosen."""
        return checked_options(options, _PLACE.fullmatch, key=())

    @property
    def description(self) -> ClusterDescription:
        """What ``Cluster.start`` takes."""
        return ClusterDescription(self.name, self.nodes, self.options)


def read_cluster_file(path: Path | str) -> ClusterFile:
    """Read a cluster file of a private cluster.

    Raises:
        UserError: unreadable, not YAML, or a wrong key: file, line, key, remedy.
    """
    return read_located(ClusterFile, Path(path))


def describe_cluster(path: Path) -> ClusterDescription | NamedDescription:
    """What a cluster file says, be it of a private or of a named cluster. Errors as of :func:`read_cluster_file`."""
    if not is_named(load_yaml(path)):
        return read_cluster_file(path).description
    return read_named_file(path)


def read_named_file(path: Path) -> NamedDescription:
    """What a cluster file of a cluster on many machines says. Errors as of :func:`read_cluster_file`."""
    return read_located(NamedClusterFile, path).description(path.parent)


def is_named(content: Any) -> bool:
    """Whether the content of a cluster file is that of a cluster on many machines.

    >>> is_named({"nodes": 3}), is_named({"nodes": [{"name": "a", "host": "db1"}]}), is_named({"nodes": 3, "tls": {}})
    (False, True, True)
    """
    if not isinstance(content, Mapping):
        return False
    nodes = content.get("nodes")
    has_entries = isinstance(nodes, list) and any(isinstance(node, Mapping) for node in nodes)
    return has_entries or bool(OF_NAMED_CLUSTERS & content.keys())


@contextmanager
def locating_settings(path: Path | None) -> Iterator[None]:
    """Errors of settings within the block say the line of the cluster file that has the setting."""
    try:
        yield
    except SettingError as error:
        if path is None:
            raise
        scope = error.scope or NODES
        options = load_yaml(path).get("options", {}).get(scope, {})
        written = next((name for name in options if plain_name(name) == error.name), None)
        if written is None:  # it was not this file that chose it
            raise
        line, _ = find_key(path.read_text(encoding="utf-8"), ("options", scope, written))
        raise UserError(f"'{path}', line {line}: {error.what}", remedy=error.remedy) from error
