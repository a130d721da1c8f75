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

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from skyshard.basics.errors import UserError
from skyshard.catalog.strict_files import Strict, broken_rule, find_key, load_yaml, read_located
from skyshard.cluster.private_cluster import CZAR_NAME, MAX_NODES, MONO_NAME
from skyshard.cluster.setting_names import SettingError, plain_name, require_choosable
from skyshard.cluster.settings import NODES, ClusterDescription, require_value

OF_NAMED_CLUSTERS = ("czar", "defaults", "tls", "passwords", "ray", "silence_s", "replicas", "hosts")
"""Keys of files for clusters on many machines."""
_PLACE = re.compile(rf"{NODES}|{CZAR_NAME}|{MONO_NAME}|node[1-9]\d*")
_NAMED = "needs a named cluster, not in this release"
_DOCUMENTED = "see docs/reference/cluster.md for the keys"


def _as_written(value: Any) -> Any:
    """YAML reads ON and OFF as truth values and 8388608 as a number: both are values of settings."""
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    return str(value) if isinstance(value, int | float) else value


Options = dict[str, Annotated[str, BeforeValidator(_as_written)]]


class ClusterFile(Strict):
    """A cluster file of a private cluster."""

    version: Literal[1]
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")] = ""
    nodes: Annotated[int, Field(ge=1, le=MAX_NODES)] | None = None
    """Their number; a list of their names means as many."""
    options: dict[str, Options] = Field(default_factory=dict)
    """Settings by role (nodes, czar, mono) or node (node2): name → value."""

    @model_validator(mode="before")
    @classmethod
    def refuse_keys_of_named_clusters(cls, content: Any) -> Any:
        """They are known, so that the error is not that there is no such key."""
        if isinstance(content, Mapping):
            for key in OF_NAMED_CLUSTERS:
                if key in content:
                    raise broken_rule(_NAMED, (key,), "leave it out: a private cluster is on this machine")
        return content

    @field_validator("nodes", mode="before")
    @classmethod
    def count_names(cls, nodes: Any) -> Any:
        """A list of names is their number; private nodes are node1, node2 and so on."""
        if not isinstance(nodes, list):
            return nodes
        for position, name in enumerate(nodes):
            if name != f"node{position + 1}":
                remedy = f"name it node{position + 1}, or write the number of nodes"
                raise broken_rule(f"node {name!r} {_NAMED}", (position,), remedy)
        return len(nodes)

    @field_validator("options")
    @classmethod
    def check_options(cls, options: dict[str, Options]) -> dict[str, Options]:
        """Places that there are, settings that may be chosen."""
        found: dict[str, Options] = {}
        for place, settings in options.items():
            if not _PLACE.fullmatch(place):
                raise broken_rule("there is no such server", (place,), "write nodes, node1, node2 ..., czar or mono")
            for name, value in settings.items():
                try:
                    require_choosable(plain_name(name))
                    require_value(name, value)
                except SettingError as error:
                    raise broken_rule(error.what, (place, name), error.remedy) from None
                found.setdefault(place, {})[plain_name(name)] = value
        return found

    @property
    def description(self) -> ClusterDescription:
        """What ``Cluster.start`` takes."""
        return ClusterDescription(self.name, self.nodes, self.options)


def read_cluster_file(path: Path | str) -> ClusterFile:
    """Read a cluster file.

    Raises:
        UserError: unreadable, not YAML, or a wrong key: file, line, key, remedy.
    """
    return read_located(ClusterFile, Path(path))


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
