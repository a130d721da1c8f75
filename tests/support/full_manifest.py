"""A manifest that has every fact a trial can have, and the paths of all facts of a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.support.bench_trials import made_manifest, made_workload

from skyshard.bench.record.environment import NodeMachine
from skyshard.bench.record.machine_probe import MachineReading
from skyshard.bench.record.server_variables import ServerVariables
from skyshard.bench.record.trial_manifest import IngestStage, TemplateNote, TrialManifest
from skyshard.bench.workload.fault_scenario import FaultScenario

OPEN = ("", "environment", "catalog", "catalog.made", "target_facts", "driver")
"""Mappings each of whose keys is a fact."""
_CATALOG = {
    "database": "d", "source": "sky", "family": "f", "engine": "MyISAM", "storage": {"row_format": "fixed"},
    "loader": {"Object": "image"}, "replicas": 1, "nodes": 2, "rows": {"Object": 10}, "row_bytes": {"Object": 8},
    "chunks": 3, "data_digest": "d1", "sizes": {"Object": 80},
    "made": {
        "recipe": "mini", "seed": 1, "fraction": 1.0, "shrink": "coverage", "profile": "kpm", "share_of_profile": 0.1,
    },
}  # fmt: skip
_TARGET = {
    "engine": "MariaDB", "nodes": 2, "variables": {"key_buffer_size": "1"}, "scan": "rows",
    "scan_threads": {"node1": 1}, "cache": "cold", "made_cold_by": "advice", "url": "u", "version": "1",
    "format": "BINARY2", "packages": {"lsdb": "1"}, "scheduler": "threads", "partitions": {"object": 1},
    "partition_rows": 9, "margin_arcsec": 1.0, "import_s": 1.0, "backend": "sqlite", "upsert": "replace",
    "pixels": "chunks", "partition": "month",
}  # fmt: skip
_DRIVER = {
    "runtime": "threads", "processes": 1, "target": "sqlite:f", "resumed": [1], "stores_found_done": 0,
    "tiles_given_up": 0,
}  # fmt: skip


def full_manifest() -> TrialManifest:
    """Nothing of it is empty."""
    base = made_manifest(made_workload())
    machine = NodeMachine(skyshard="0", python="3", ray="2", cpu_model="E", cores=4, memory_bytes=1 << 34, kernel="L")
    environment = base.environment.model_copy(update={"nodes": {"node1": machine}, "packages": {"numpy": "2"}})
    return base.model_copy(
        update={
            "label": "new", "catalog": _CATALOG, "target_facts": _TARGET, "driver": _DRIVER, "environment": environment,
            "templates": {"LV/a": TemplateNote(description="", digest="1")}, "oracle": "mono", "known_answers": 1,
            "servers": {"node1": ServerVariables(version="10.11", variables={})},
            "ingest": [IngestStage(stage="load", elapsed_s=1.0)], "scenario": scenario("one"),
            "machine": [MachineReading(when="before", cpu_s=1.0, memory_s=1.0, disk_s=1.0)],
        }
    )  # fmt: skip


def scenario(description: str) -> FaultScenario:
    """One that has a single event."""
    return FaultScenario.model_validate(
        {"version": 1, "name": "s", "description": description, "events": [{"do": "verify", "at_share": 0.5}]}
    )


def leaves(value: Any, path: str = "") -> list[str]:
    """Paths of facts: each field of the manifest, and each key of what is open."""
    if path not in OPEN:
        return [path]
    items = value.items() if isinstance(value, Mapping) else [(name, getattr(value, name)) for name in _names(value)]
    return [leaf for name, one in items for leaf in leaves(one, f"{path}.{name}" if path else name)]


def _names(value: Any) -> list[str]:
    return list(type(value).model_fields)


def changed_at(value: Any, path: str) -> Any:
    """A copy in which the fact at this path is another one."""
    name, _, rest = path.partition(".")
    old = value[name] if isinstance(value, Mapping) else getattr(value, name)
    new = changed_at(old, rest) if rest else _another(name, old)
    return {**value, name: new} if isinstance(value, Mapping) else value.model_copy(update={name: new})


def _another(name: str, old: Any) -> Any:
    special = {
        "scenario": scenario("two"),
        "servers": {"node1": ServerVariables(version="10.12", variables={})},
        "workload": made_workload(2),
        "nodes": {} if isinstance(old, Mapping) else 7,
    }
    if name in special:
        return special[name]
    if isinstance(old, bool):
        return not old
    if isinstance(old, Mapping):
        return dict.fromkeys(old, "other")
    if isinstance(old, list):
        return []
    if isinstance(old, datetime):
        return datetime(2027, 1, 1, tzinfo=UTC)
    return old + 2**31 if isinstance(old, (int, float)) else f"{old}x"
