"""Lists what differs between the manifests of two sides of a comparison, by weight. No I/O.

``breaks``: the sides measured different things (data, layout, hardware ...), so the comparison is not clean.
``changed``: what a comparison of releases is about (revision, packages, server version). Different workloads are
refused in ``comparison``, unless ``--anyway`` is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from skyshard.bench.compare.server_differences import is_unknown, server_texts
from skyshard.bench.model.observations import CACHE
from skyshard.bench.record.trial_manifest import TrialManifest


class Weight(StrEnum):
    """What a difference means for a comparison."""

    BREAKS = "breaks"
    CHANGED = "changed"


class Difference(BaseModel):
    """One fact that differs between trials."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    weight: Weight
    new: list[str]
    """Distinct values on the new side."""
    old: list[str]


OF_ONE_SERVER = "server variables"
"""All that trials of version 1 kept."""

Fact = Callable[[TrialManifest], object]


def _catalog(*names: str) -> Fact:
    def fact(manifest: TrialManifest) -> object:
        value: object = manifest.catalog
        for name in names:
            value = value.get(name, "") if isinstance(value, Mapping) else ""
        return value

    return fact


def _of_target(name: str) -> Fact:
    return lambda manifest: manifest.target_facts.get(name, "")


def _variables(manifest: TrialManifest) -> object:
    """Some variables of one server except the version, which a release may change."""
    variables = manifest.target_facts.get("variables")
    return {k: v for k, v in variables.items() if k != "version"} if isinstance(variables, Mapping) else ""


def _server_version(manifest: TrialManifest) -> object:
    if manifest.servers:
        return " and ".join(sorted({server.version for server in manifest.servers.values()}))
    variables = manifest.target_facts.get("variables")
    return variables.get("version", "") if isinstance(variables, Mapping) else ""


BREAKING: dict[str, Fact] = {
    "workload digest": lambda m: m.workload_digest,
    "data digest": _catalog("data_digest"),
    "rows": _catalog("rows"),
    "profile": _catalog("made", "profile"),
    "fraction": _catalog("made", "fraction"),
    "way of shrinking": _catalog("made", "shrink"),
    "layout family": _catalog("family"),
    "replicas": _catalog("replicas"),
    "nodes": _catalog("nodes"),
    "engine": _catalog("engine"),
    "storage": _catalog("storage"),
    "target": lambda m: m.target,
    "way of scanning": _of_target("scan"),
    "scan threads": _of_target("scan_threads"),
    "caches before queries": lambda m: m.target_facts.get(CACHE, "warm"),
    "scenario": lambda m: m.scenario.name if m.scenario else "none",
    OF_ONE_SERVER: _variables,
    "processor": lambda m: f"{m.environment.cpu_model}, {m.environment.cores} cores",
    "memory": lambda m: round(m.environment.memory_bytes / 2**30),
    "machines of nodes": lambda m: {name: one.hardware for name, one in m.environment.nodes.items()},
    "stopped early": lambda m: m.is_partial,
}
NOT_ALWAYS_KNOWN = (
    "profile", "fraction", "way of shrinking", "storage", "way of scanning", "scan threads",
)  # fmt: skip
"""Facts that a trial lacks whose sky was removed, or of an earlier release: those that know them are compared."""
SEEDS = "seed"
CHANGED: dict[str, Fact] = {
    "Skyshard": lambda m: m.environment.skyshard,
    "revision": lambda m: m.environment.revision,
    "server version": _server_version,
    "Python": lambda m: m.environment.python,
    "packages": lambda m: m.environment.packages,
    "kernel": lambda m: m.environment.kernel,
    "software of nodes": lambda m: {name: one.software for name, one in m.environment.nodes.items()},
}


def differences(new: Sequence[TrialManifest], old: Sequence[TrialManifest]) -> list[Difference]:
    """The facts that are not equal in all trials of both sides; the breaking ones first."""
    found = [*_of_servers(new, old), *_of_seeds(new, old)]
    for weight, facts in ((Weight.BREAKS, BREAKING), (Weight.CHANGED, CHANGED)):
        for what, fact in facts.items():
            if what == OF_ONE_SERVER and all(one.servers for one in (*new, *old)):
                continue  # those of all servers are compared
            sides = [[fact(manifest) for manifest in side] for side in (new, old)]
            known = [one for side in sides for one in side if one != "" or what not in NOT_ALWAYS_KNOWN]
            if any(value != known[0] for value in known):
                texts = [list(dict.fromkeys(_texts(side, sides[0] + sides[1]))) for side in sides]
                found.append(Difference(what=what, weight=weight, new=texts[0], old=texts[1]))
    return found


def _of_seeds(new: Sequence[TrialManifest], old: Sequence[TrialManifest]) -> list[Difference]:
    """Seeds decide the statements: the trials of each side may differ in them, if both sides have the same ones."""
    sides = [sorted({one.seed for one in side}) for side in (new, old)]
    if sides[0] == sides[1]:
        return []
    return [Difference(what=SEEDS, weight=Weight.BREAKS, new=list(map(str, sides[0])), old=list(map(str, sides[1])))]


def _of_servers(new: Sequence[TrialManifest], old: Sequence[TrialManifest]) -> list[Difference]:
    """Variables of all servers that differ, or that a trial of an earlier release did not keep."""
    sides = server_texts(new, old)
    found = [Difference(what="variables of servers", weight=Weight.BREAKS, new=sides[0], old=sides[1])]
    unknown = [["unknown" if is_unknown(one) else "known" for one in side] for side in (new, old)]
    if len({*unknown[0], *unknown[1]}) > 1:
        texts = [list(dict.fromkeys(side)) for side in unknown]
        found.append(Difference(what="variables of the nodes", weight=Weight.BREAKS, new=texts[0], old=texts[1]))
    return [one for one in found if one.new or one.old]


def _texts(side: Sequence[object], everything: Sequence[object]) -> list[str]:
    """Values as text; of mappings only the keys that differ."""
    if not all(isinstance(value, Mapping) for value in everything):
        return [str(value) or "unknown" for value in side]
    maps = [value for value in everything if isinstance(value, Mapping)]
    keys = dict.fromkeys(key for value in maps for key in value)
    uneven = [key for key in keys if len({str(value.get(key)) for value in maps}) > 1]
    return [
        ", ".join(f"{key} {value.get(key, 'absent')}" for key in uneven) for value in side if isinstance(value, Mapping)
    ]
