"""A small catalog with two directors and a ref-match table, by a mapping file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

BORDER = 30 * 180 / 85 - 90
"""Declination where two stripes meet."""


def position(name: str, key: str) -> list[dict[str, Any]]:
    return [{"name": key, "type": "bigint"}, {"name": f"ra{name}", "type": "double"},
            {"name": f"dec{name}", "type": "double"}]  # fmt: skip


def write_catalog(folder: Path, *, by: str = "key", **match: Any) -> Path:
    """Two directors and a match table; two objects and two references on either side of a stripe's border."""
    tables: dict[str, Any] = {}
    dec = np.array([BORDER - 0.001, BORDER + 0.001])
    for name, keys in (("Object", [1, 2]), ("RefObject", [11, 12])):
        rows = {"id": pa.array(keys), "ra": pa.array([10.0, 10.0]), "dec": pa.array(dec)}
        pq.write_table(pa.table(rows), folder / f"{name}.parquet")
        tables[name] = {"files": [f"{name}.parquet"], "role": "director", "key": "id", "position": ["ra", "dec"],
                        "declare": position("", "id")}  # fmt: skip
    tables["Match"] = {
        "files": ["Match.parquet"], "role": "ref-match", "director": "Object", "director2": "RefObject", "flag": "flag",
        "declare": [*position("1", "id1"), *position("2", "id2")],
    }  # fmt: skip
    if by == "key":
        tables["Match"] |= {"key": "id1", "key2": "id2"}
    else:
        tables["Match"] |= {"position": ["ra1", "dec1"], "position2": ["ra2", "dec2"]}
    rows = {"id1": [1, 1, 2, None, 2], "id2": [11, 12, 12, 11, None],
            "dec1": [dec[0], dec[0], dec[1], None, dec[1]], "dec2": [dec[0], dec[1], dec[1], dec[0], None]}  # fmt: skip
    rows |= {f"ra{i}": [None if v is None else 10.0 for v in rows[f"dec{i}"]] for i in (1, 2)} | match
    types = {"id1": pa.int64(), "id2": pa.int64()}
    table = pa.table({k: pa.array(v, types.get(k, pa.float64())) for k, v in rows.items()})
    pq.write_table(table, folder / "Match.parquet")
    striping = {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}
    path = folder / "mapping.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "database": "m", "striping": striping, "tables": tables}))
    return path
