"""Variables of the servers of a trial that are not as MariaDB is built, by server; strict models, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

NODES = "nodes"


class ChangedVariable(BaseModel):
    """A variable that differs from the built-in default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: str
    default: str
    """Empty where MariaDB has none."""


class ServerVariables(BaseModel):
    """One server: its version, and the variables that differ from the built-in defaults, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    variables: dict[str, ChangedVariable]


Servers = Mapping[str, ServerVariables]
"""By name: czar, node1, node2 ..., mono."""


def nodes_of(servers: Servers) -> list[str]:
    """The names of the nodes among servers."""
    return [name for name in servers if name.startswith("node")]


def roles_of(servers: Servers) -> dict[str, list[str]]:
    """Role (czar, mono, nodes) → the servers that have it."""
    others = {name: [name] for name in servers if not name.startswith("node")}
    nodes = nodes_of(servers)
    return {**others, **({NODES: nodes} if nodes else {})}


def shown(servers: Servers, names: Sequence[str], variable: str, default: str = "") -> str:
    """The value of a variable on servers: one value, or each one's where they differ.

    Args:
        default: MariaDB's, where none of the servers says it.

    >>> changed = ServerVariables(version="", variables={"flush": ChangedVariable(value="ON", default="OFF")})
    >>> plain = ServerVariables(version="", variables={})
    >>> shown({"node1": changed, "node2": plain}, ["node1", "node2"], "flush")
    'ON on node1, OFF (default) on node2'
    >>> shown({"node1": changed}, ["node1"], "flush")
    'ON'
    """
    found = {name: servers[name].variables.get(variable) for name in names}
    default = next((one.default for one in found.values() if one), default)
    unchanged = "default" if _is_switches(default) else f"{default or 'not set'} (default)"
    texts = {name: _short(one) if one else unchanged for name, one in found.items()}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    places = {text: [name for name in names if texts[name] == text] for text in texts.values()}
    return ", ".join(f"{text} on {' and '.join(where)}" for text, where in places.items())


def _is_switches(value: str) -> bool:
    return "," in value and "=" in value


def _short(changed: ChangedVariable) -> str:
    """A value; of many switches only those that are not as MariaDB has them.

    >>> _short(ChangedVariable(value="mrr=on,semijoin=on", default="mrr=off,semijoin=on"))
    'mrr=on'
    """
    if not _is_switches(changed.value):
        return changed.value
    built_in = changed.default.split(",")
    return ",".join(part for part in changed.value.split(",") if part not in built_in) or changed.value


def uneven_nodes(servers: Servers) -> list[str]:
    """Variables in which the nodes of one trial differ from one another, with the values."""
    names = nodes_of(servers)
    variables = dict.fromkeys(variable for name in names for variable in servers[name].variables)
    values = {v: {one.value if (one := servers[name].variables.get(v)) else None for name in names} for v in variables}
    return [f"{variable} {shown(servers, names, variable)}" for variable in variables if len(values[variable]) > 1]


def variable_rows(servers: Servers) -> list[tuple[str, str]]:
    """For a page: ``role variable`` and its value, with MariaDB's default."""
    rows = []
    for role, names in roles_of(servers).items():
        changed = [servers[name].variables for name in names]
        for variable in sorted({variable for one in changed for variable in one}):
            default = next(one[variable].default for one in changed if variable in one)
            built_in = "" if _is_switches(default) else f"; built in: {default or 'none'}"
            rows.append((f"{role} {variable}", shown(servers, names, variable) + built_in))
    return rows
