"""Lists what differs between the manifests of two sides of a comparison, by weight. No I/O.

``breaks``: the sides measured different things (data, layout, hardware ...), so the comparison is not clean.
``changed``: what a comparison of releases is about (revision, packages, server version). Different workloads are
refused in ``comparison``, unless ``--anyway`` is given.
"""

from __future__ import annotations

import hashlib
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


def _scenario(manifest: TrialManifest) -> object:
    """A scenario by name and content: a file may have been changed and have its name still."""
    if manifest.scenario is None:
        return "none"
    content = manifest.scenario.model_dump_json().encode()
    return f"{manifest.scenario.name} ({hashlib.sha256(content).hexdigest()[:8]})"


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
    "chunks": _catalog("chunks"),
    "bytes of a row": _catalog("row_bytes"),
    "loader": _catalog("loader"),
    "target": lambda m: m.target,
    "backend": _of_target("backend"),
    "engine of the target": _of_target("engine"),
    "nodes of the target": _of_target("nodes"),
    "upsert": _of_target("upsert"),
    "pixels": _of_target("pixels"),
    "partition of visits": _of_target("partition"),
    "form of answers": _of_target("format"),
    "scheduler": _of_target("scheduler"),
    "partitions": _of_target("partitions"),
    "rows of a partition": _of_target("partition_rows"),
    "margin": _of_target("margin_arcsec"),
    "way of scanning": _of_target("scan"),
    "scan threads": _of_target("scan_threads"),
    "caches before queries": lambda m: m.target_facts.get(CACHE, "warm"),
    "way of emptying caches": _of_target("made_cold_by"),
    "scenario": _scenario,
    "driver": lambda m: ", ".join(str(m.driver[name]) for name in ("runtime", "processes") if name in m.driver),
    OF_ONE_SERVER: _variables,
    "processor": lambda m: f"{m.environment.cpu_model}, {m.environment.cores} cores",
    "memory": lambda m: round(m.environment.memory_bytes / 2**30),
    "machines of nodes": lambda m: {name: one.hardware for name, one in m.environment.nodes.items()},
    "stopped early": lambda m: m.is_partial,
}
NOT_ALWAYS_KNOWN = frozenset(BREAKING) - {
    "workload digest", "data digest", "rows", "layout family", "replicas", "nodes", "engine", "target", "scenario",
    "caches before queries", OF_ONE_SERVER, "processor", "memory", "machines of nodes", "stopped early",
} | {"version of the target", "packages of the target"}  # fmt: skip
"""Facts that a trial lacks whose sky was removed, or of an earlier release, or of a target that has no such thing:
those that know them are compared."""
NOT_COMPARED: dict[str, str] = {
    "version": "the form of the file",
    "label": "names a side",
    "started": "the time of the trial: machine readings say what it does",
    "stopped": "the time of the trial",
    "workload": "its digest is compared",
    "templates": "are in the digest of the workload",
    "database": "a name",
    "oracle": "answers are checked after they were timed",
    "known_answers": "answers are checked after they were timed",
    "ingest": "what was measured",
    "machine": "readings are compared as times (machine_noise)",
    "catalog.database": "a name",
    "catalog.source": "a place; the data digest is compared",
    "catalog.sizes": "what was measured",
    "catalog.made.recipe": "the data digest is compared",
    "catalog.made.seed": "the data digest is compared",
    "catalog.made.share_of_profile": "rows are compared",
    "target_facts.variables": "those of all servers are compared; these only where a trial lacks them",
    "target_facts.url": "a place",
    "target_facts.import_s": "what was measured",
    "driver.target": "a place; the target is compared",
    "driver.resumed": "lists of visits are compared by the workload",
    "driver.stores_found_done": "what was measured",
    "driver.tiles_given_up": "what was measured",
}
"""Fields of a manifest that may differ, and why; a test checks that every other one is compared."""
SEEDS = "seed"
CHANGED: dict[str, Fact] = {
    "Skyshard": lambda m: m.environment.skyshard,
    "revision": lambda m: m.environment.revision,
    "server version": _server_version,
    "version of the target": _of_target("version"),
    "packages of the target": _of_target("packages"),
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
