"""A mapping for the tree of a weekly: every column declared as its file has it, the newest run's files only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from skyshard.synth.weeklies.weekly_truth import DatasetTypeTruth, WeeklyTruth

_TYPES = {
    "bool": "tinyint(1)", "int8": "tinyint", "int16": "smallint", "int32": "int", "int64": "bigint", "float": "float",
    "double": "double", "string": "varchar(32)", "timestamp[us]": "datetime(6)",
}  # fmt: skip
_ROLES: dict[str, dict[str, Any]] = {
    "Object": {"role": "director", "key": "objectId", "position": ["coord_ra", "coord_dec"]},
    "Source": {"role": "director", "key": "sourceId", "position": ["coord_ra", "coord_dec"]},
    "ForcedSource": {"role": "dependent", "director": "Object", "key": "objectId"},
}


def write_mapping(path: Path, out: Path, truth: WeeklyTruth, names: list[str], **more: Any) -> Path:
    """Write a mapping of the named dataset types of a weekly below ``out``; ``more`` are keys of every table."""
    tables = {truth.dataset_types[name].table: _table(out, truth.dataset_types[name]) | more for name in names}
    content = {"version": 1, "database": truth.name, "layout": "qserv-340-3", "input": str(out), "tables": tables}
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def _table(out: Path, what: DatasetTypeTruth) -> dict[str, Any]:
    files = [one.path for one in what.files if not one.is_superseded]
    role = _ROLES.get(what.table, {"role": "regular"})
    fixed = {role.get("key"), *role.get("position", ())}
    schema = pq.read_schema(out / files[0])
    declared = [
        {"name": field.name, "type": _TYPES[str(field.type)], "nullable": field.name not in fixed} for field in schema
    ]
    return {"files": files, **role, "declare": declared}
