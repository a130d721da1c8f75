"""What each side of a comparison was: its label, trials, revisions, dates, machine and settings. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from skyshard.bench.record.server_variables import variable_rows
from skyshard.bench.record.trial_folder import Trial
from skyshard.bench.record.trial_manifest import TrialManifest
from skyshard.catalog.strict_files import Strict


class TrialNote(Strict):
    """One trial of a side."""

    name: str
    label: str
    started: str
    """UTC."""
    skyshard: str
    revision: str


class SideFacts(Strict):
    """One side. Every fact has the distinct values of its trials, in their order."""

    label: str = ""
    """What the side is called; empty where neither the command nor all its trials name it."""
    trials: list[TrialNote] = Field(default_factory=list)
    facts: dict[str, list[str]] = Field(default_factory=dict)
    """Release, dates, machine, data."""
    settings: dict[str, list[str]] = Field(default_factory=dict)
    """Of the target: versions, and the variables of all its servers that differ from the built-in defaults."""


def side_facts(trials: Sequence[tuple[str, Trial]], label: str = "") -> SideFacts:
    """The facts of one side, given as (name, trial); ``label`` replaces what the trials are called."""
    manifests = [trial.manifest for _, trial in trials]
    return SideFacts(
        label=label or shared_label(manifests),
        trials=[trial_note(name, trial.manifest) for name, trial in trials],
        facts=_distinct([_facts(one) for one in manifests]),
        settings=_distinct([_settings(one) for one in manifests]),
    )


def shared_label(manifests: Sequence[TrialManifest]) -> str:
    """The label of all trials; empty where they differ or one has none."""
    labels = {one.label for one in manifests}
    return labels.pop() if len(labels) == 1 else ""


def trial_note(name: str, manifest: TrialManifest) -> TrialNote:
    environment = manifest.environment
    return TrialNote(
        name=name, label=manifest.label, started=f"{manifest.started:%Y-%m-%d %H:%M:%S}",
        skyshard=environment.skyshard, revision=environment.revision,
    )  # fmt: skip


def _facts(manifest: TrialManifest) -> dict[str, str]:
    environment, catalog = manifest.environment, dict(_flat(manifest.catalog))
    shown = {name: catalog[key] for name, key in _CATALOG.items() if key in catalog}
    return {
        "label": manifest.label,
        "Skyshard": environment.skyshard,
        "revision": environment.revision,
        "run on": f"{manifest.started:%Y-%m-%d}",
        "processor": f"{environment.cpu_model}, {environment.cores} cores",
        "memory": f"{environment.memory_bytes / 2**30:.3g} GiB",
        "kernel": environment.kernel,
        "Python": environment.python,
        "target": manifest.target,
        "database": manifest.database,
        **shown,
        "seed": str(manifest.seed),
        "driver": ", ".join(f"{name} {value}" for name, value in manifest.driver.items()),
    }


def _settings(manifest: TrialManifest) -> dict[str, str]:
    facts = dict(_flat(manifest.target_facts))
    if not manifest.servers:  # a trial of an earlier release, or an engine without servers of ours
        return facts
    version = " and ".join(sorted({server.version for server in manifest.servers.values()}))
    kept = {name: value for name, value in facts.items() if not name.startswith("variables.")}
    return {**kept, "version": version, **dict(variable_rows(manifest.servers))}


_CATALOG = {
    "recipe": "made.recipe",
    "fraction": "made.fraction",
    "share of DR1": "made.share_of_profile",
    "layout family": "family",
    "engine": "engine",
    "replicas": "replicas",
    "nodes": "nodes",
    "chunks": "chunks",
    "data digest": "data_digest",
}


def _flat(facts: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested facts as (dotted name, text)."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, str(value)


def _distinct(facts: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    names = dict.fromkeys(name for one in facts for name in one)
    found = {name: list(dict.fromkeys(one[name] for one in facts if one.get(name))) for name in names}
    return {name: values for name, values in found.items() if values}
