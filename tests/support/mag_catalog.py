"""A synth folder of objects with a magnitude, as many as one asks for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 104_000


def make_catalog(folder: Path, rows: int = ROWS, first: int = 0) -> Path:
    """A synth folder: objects evenly over some sixty chunks."""
    random = np.random.default_rng(5 + first)
    data = {
        "objectId": np.arange(first, first + rows), "ra": random.uniform(10, 26, rows),
        "decl": random.uniform(-8, 8, rows), "mag": random.normal(20, 1, rows),
    }  # fmt: skip
    (folder / "Object").mkdir(parents=True)
    path = folder / "Object" / "part0.parquet"
    pq.write_table(pa.table(data), path)
    types = {"objectId": "bigint(20)", "ra": "double", "decl": "double", "mag": "double"}
    columns = [{"name": name, "type": kind, "nullable": False} for name, kind in types.items()]
    entry = {
        "role": "director", "key": "objectId", "director": "", "position": ["ra", "decl"], "columns": columns,
        "primary_key": ["objectId"], "indexes": [], "rows": rows,
        "files": [{"path": "Object/part0.parquet", "chunk": None, "rows": rows, "bytes": path.stat().st_size}],
    }  # fmt: skip
    striping = {"stripes": 85, "substripes": 12, "overlap_deg": 0.01}
    manifest = {"version": 1, "recipe": {"name": "twice"}, "striping": striping, "tables": {"Object": entry}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
