"""Which variables of servers differ between trials, role by role (nodes, czar, mono), and between nodes. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from skyshard.bench.record.server_variables import Servers, roles_of, shown, uneven_nodes
from skyshard.bench.record.trial_manifest import TrialManifest


def server_texts(new: Sequence[TrialManifest], old: Sequence[TrialManifest]) -> tuple[list[str], list[str]]:
    """The variables that are not equal in all trials, as each trial has them; empty where all are equal.

    Only roles that all trials have are compared: an engine without nodes is another target, not another variable.
    """
    trials = [*new, *old]
    roles = [roles_of(one.servers) for one in trials]
    common = [role for role in roles[0] if all(role in one for one in roles)]
    parts: list[list[str]] = [[] for _ in trials]
    for role in common:
        places = [one[role] for one in roles]
        names = dict.fromkeys(
            name
            for one, servers in zip(trials, places, strict=True)
            for s in servers
            for name in one.servers[s].variables
        )
        for name in sorted(names):
            default = _default(trials, name)
            texts = [shown(one.servers, servers, name, default) for one, servers in zip(trials, places, strict=True)]
            if len(set(texts)) > 1:
                for part, text in zip(parts, texts, strict=True):
                    part.append(f"{role}: {name} {text}")
    sides = ["; ".join(part) for part in parts]
    if not any(sides):
        return [], []
    return list(dict.fromkeys(sides[: len(new)])), list(dict.fromkeys(sides[len(new) :]))


def is_unknown(manifest: TrialManifest) -> bool:
    """True for a trial of an earlier release, which kept some variables of the czar's server and none of the nodes'."""
    return not manifest.servers and bool(manifest.target_facts.get("variables"))


def uneven_sentences(trials: Sequence[tuple[str, Servers]]) -> list[str]:
    """A sentence for each trial whose nodes differ from one another."""
    found = ((name, uneven_nodes(servers)) for name, servers in trials)
    return [f"{name}: its nodes differ from one another: {'; '.join(uneven)}." for name, uneven in found if uneven]


def _default(trials: Sequence[TrialManifest], variable: str) -> str:
    """MariaDB's default, as the first server says that has another value."""
    servers = (server for one in trials for server in one.servers.values())
    return next((server.variables[variable].default for server in servers if variable in server.variables), "")
