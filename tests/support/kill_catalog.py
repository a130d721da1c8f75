"""A catalog with every kind of table and loader, as a synth folder of Parquet files; quick to write at any size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

STRIPING = {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}


def write_catalog(folder: Path, *, objects: int, seed: int = 1, side_deg: float = 12.0) -> Path:
    """A synth folder: two-part director, dependent by key, dependent with BLOBs (LOAD DATA), regular table.

    Args:
        side_deg: width and height of the field, of chunks 2.1 degrees high: 12 degrees touch 42 chunks, 4 degrees 10.
    """
    random_numbers = np.random.default_rng(seed)
    keys = seed * 10**12 + np.arange(objects, dtype=np.int64) * 7
    half = side_deg / 2
    ra, dec = random_numbers.uniform(16 - half, 16 + half, objects), random_numbers.uniform(-half, half, objects)
    owner = np.repeat(np.arange(objects), 3)
    blobbed = owner[:: max(1, len(owner) // 2_000)]
    tables = {
        "Object": {"objectId": keys, "ra": ra, "decl": dec, "flux": random_numbers.normal(size=objects),
                   "flag": (keys % 3).astype(np.int8)},
        "Source": {"sourceId": keys[0] + np.arange(len(owner)), "objectId": keys[owner],
                   "raObject": ra[owner], "declObject": dec[owner], "psfFlux": random_numbers.normal(size=len(owner))},
        "Cutout": {"cutoutId": keys[0] + np.arange(len(blobbed)), "objectId": keys[blobbed],
                   "raObject": ra[blobbed], "declObject": dec[blobbed],
                   "image": pa.array([bytes([i % 256]) * (i % 40) for i in range(len(blobbed))], pa.binary())},
        "Visit": {"visitId": keys[0] + np.arange(50, dtype=np.int64), "night": np.arange(50, dtype=np.int32)},
    }  # fmt: skip
    manifest = {name: _write_table(folder, name, pa.table(columns)) for name, columns in tables.items()}
    content = {"version": 1, "recipe": {"name": "kill"}, "striping": STRIPING, "tables": manifest}
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder


def _write_table(folder: Path, name: str, content: pa.Table) -> dict[str, object]:
    (folder / name).mkdir(parents=True)
    parts = 2 if name in ("Object", "Source") else 1
    size = -(-content.num_rows // parts)
    files = []
    for number in range(parts):
        path = folder / name / f"part{number}.parquet"
        part = content.slice(number * size, size)
        pq.write_table(part, path)
        files.append({"path": f"{name}/{path.name}", "chunk": None, "rows": len(part), "bytes": path.stat().st_size})
    types = {"int64": "bigint", "int32": "int", "int8": "tinyint", "double": "double", "binary": "blob"}
    columns = [
        {"name": entry.name, "type": types[str(entry.type)], "nullable": entry.name in ("flux", "psfFlux", "image")}
        for entry in content.schema
    ]
    role, key, director, position = _ROLES[name]
    return {
        "role": role, "key": key, "director": director, "position": position, "columns": columns,
        "primary_key": [content.schema.names[0]], "indexes": [], "rows": content.num_rows, "files": files,
    }  # fmt: skip


_ROLES = {
    "Object": ("director", "objectId", "", ["ra", "decl"]),
    "Source": ("dependent", "objectId", "Object", ["raObject", "declObject"]),
    "Cutout": ("dependent", "objectId", "Object", ["raObject", "declObject"]),
    "Visit": ("regular", "", "", None),
}
