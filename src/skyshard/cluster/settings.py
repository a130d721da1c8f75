"""Settings of servers that a user chose: ``[SERVER:]NAME=VALUE``, for all nodes or for one server. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from skyshard.basics.errors import UserError
from skyshard.cluster.setting_names import SettingError, is_choosable, plain_name, require_choosable

NODES = "nodes"
"""The scope of a setting for every node."""
UNSET = "default"
"""The value that takes a setting back."""
AT_CREATION = frozenset({"innodb_page_size", "innodb_undo_tablespaces", "innodb_checksum_algorithm", "aria_block_size"})
"""Settings that a data folder keeps from the moment it is made."""

_SETTING = re.compile(r"(?:(?P<scope>[A-Za-z0-9]+):)?(?P<name>[A-Za-z][A-Za-z0-9_-]*)=(?P<value>.*)", re.DOTALL)
_VALUE = re.compile(r"[\w.,:=+%/-]{1,500}")
_BYTES = re.compile(r"\+?(\d+)([KMGTPE]?)")
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40, "P": 50, "E": 60}

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
"""It becomes a word of the server's command line."""
ByScope = Mapping[str, Mapping[str, str]]
"""Scope (``nodes``, ``node2``, ``czar``, ``mono``) → name → value, as written."""


class ServerSettings(BaseModel):
    """The chosen settings by scope, each name → value, as written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by_scope: dict[str, dict[Name, str]] = {}

    def __bool__(self) -> bool:
        return any(self.by_scope.values())

    def of_server(self, server: str) -> dict[str, str]:
        """What was chosen for one server; its own settings win over those of all nodes.

        >>> chosen = ServerSettings(by_scope={"nodes": {"flush": "ON"}, "node2": {"flush": "OFF"}})
        >>> chosen.of_server("node1"), chosen.of_server("node2"), chosen.of_server("czar")
        ({'flush': 'ON'}, {'flush': 'OFF'}, {})
        """
        of_all = self.by_scope.get(NODES, {}) if server.startswith("node") else {}
        return {**of_all, **self.by_scope.get(server, {})}

    def changed(self, more: ByScope) -> ServerSettings:
        """These settings with others on top; the value ``default`` takes one back.

        >>> ServerSettings(by_scope={"nodes": {"flush": "ON"}}).changed({"nodes": {"flush": "default"}}).by_scope
        {}
        """
        merged = {scope: dict(settings) for scope, settings in self.by_scope.items()}
        for scope, settings in more.items():
            merged.setdefault(scope, {}).update(settings)
        kept = {
            scope: {name: value for name, value in settings.items() if value.lower() != UNSET}
            for scope, settings in merged.items()
        }
        return ServerSettings(by_scope={scope: settings for scope, settings in kept.items() if settings})

    def words(self) -> list[str]:
        """As a user would write them.

        >>> ServerSettings(by_scope={"nodes": {"flush": "ON"}, "czar": {"flush": "OFF"}}).words()
        ['flush=ON', 'czar:flush=OFF']
        """
        return [
            f"{'' if scope == NODES else f'{scope}:'}{name}={value}"
            for scope, settings in self.by_scope.items()
            for name, value in settings.items()
        ]


@dataclass(frozen=True, slots=True)
class ClusterDescription:
    """What a cluster file says of a private cluster; its settings are all that hold, not some on top of others."""

    name: str = ""
    nodes: int | None = None
    settings: ByScope = field(default_factory=dict)


def parse_settings(words: Iterable[str], servers: Iterable[str]) -> dict[str, dict[str, str]]:
    """``[SERVER:]NAME=VALUE`` words as scope → name → value; hyphens in names are underscores.

    Raises:
        UserError: a word of another form, a server that the cluster lacks, a setting that may not be chosen.

    >>> parse_settings(["key-buffer-size=1G", "czar:sort_buffer_size=8M"], ["czar", "node1"])
    {'nodes': {'key_buffer_size': '1G'}, 'czar': {'sort_buffer_size': '8M'}}
    """
    scopes = (NODES, *servers)
    found: dict[str, dict[str, str]] = {}
    for word in words:
        match = _SETTING.fullmatch(word.strip())
        if not match:
            raise UserError(
                f"setting '{word}' is not NAME=VALUE", remedy="write key_buffer_size=1G or node2:key_buffer_size=1G"
            )
        scope, name, value = (match["scope"] or NODES).lower(), plain_name(match["name"]), match["value"].strip()
        require_scope(scope, name, scopes)
        require_choosable(name)
        require_value(name, value)
        settings = found.setdefault(scope, {})
        if settings.get(name, value) != value:
            raise SettingError(
                f"setting '{name}' is given twice, as {settings[name]} and as {value}",
                remedy="give it once",
                name=name,
                scope=scope,
            )
        settings[name] = value
    return found


def require_scope(scope: str, name: str, scopes: Iterable[str]) -> None:
    """SettingError when the cluster has no such server."""
    known = tuple(scopes)
    if scope not in known:
        raise SettingError(
            f"setting '{name}': the cluster has no server '{scope}'",
            remedy=f"name one of {', '.join(known)}",
            name=name,
            scope=scope,
        )


def require_value(name: str, value: str) -> None:
    """SettingError for a text that cannot be the value of any setting."""
    if not _VALUE.fullmatch(value):
        found = f"value '{value[:40]}' cannot be one" if value else "it has no value"
        raise SettingError(f"setting '{name}': {found}", remedy=f"write {name}=VALUE, without spaces", name=name)


def require_plain(settings: ServerSettings) -> None:
    """SettingError for what may not be chosen: a file that was changed by hand opens no cluster either."""
    for of_scope in settings.by_scope.values():
        for name, value in of_scope.items():
            if not is_choosable(name):
                raise SettingError(f"setting '{name}' cannot be chosen", remedy="take it out", name=name)
            require_value(name, value)


def byte_count(value: str) -> int | None:
    """A size as MariaDB writes it, in bytes; None for what is no size.

    >>> byte_count("8M"), byte_count("4096"), byte_count("ON")
    (8388608, 4096, None)
    """
    match = _BYTES.fullmatch(value.upper())
    return int(match[1]) << _UNITS[match[2]] if match else None
