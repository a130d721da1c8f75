"""Small releases of one catalog, as Parquet with a mapping, for comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

STRIPING = {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}
OTHER_STRIPING = {"stripes": 18, "substripes": 4, "overlap_deg": 0.5}
COLUMNS = {"objectId": "bigint", "ra": "double", "decl": "double", "flux": "double", "name": "varchar(8)"}
Row = tuple[int, float, float, float | None, str | None]
"""objectId, ra, decl in degrees, flux, name."""
EDGES: list[Row] = [
    (1, 0.00001, 0.0, 1.0, "a"),
    (2, 359.9999, 10.0, None, ""),
    (3, 12.0, 89.99999, 3.0, None),
    (4, 200.0, -90.0, 4.0, "d"),
    (5, 45.0, 2.1176470588, 5.0, "e"),
    (6, 45.2, -2.0, 6.0, "f"),
]
"""Rows on both sides of right ascension 0, at both poles, at an edge of chunks."""


def write_release(
    folder: Path, database: str, rows: Sequence[Row], *, striping: Mapping[str, Any] = STRIPING, engine: str = "MyISAM",
    bands: str = "varchar(2)", **director: Any,
) -> Path:  # fmt: skip
    """A folder that can be ingested: ``Object``, a regular ``Band`` with a primary key, an empty ``Nothing``."""
    folder.mkdir(parents=True)
    kinds = [pa.int64(), pa.float64(), pa.float64(), pa.float64(), pa.string()]
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, names=list(COLUMNS)), folder / "object.parquet")
    pq.write_table(pa.table({"band": ["g", "\xfc"], "zero": [1.0, 2.0]}), folder / "band.parquet")
    pq.write_table(pa.table({"id": pa.array([], pa.int32())}), folder / "nothing.parquet")
    (folder / "layout.yaml").write_text(yaml.safe_dump({"version": 1, "striping": dict(striping), "engine": engine}))
    tables: dict[str, Any] = {
        "Object": _table("object", COLUMNS, role="director", key="objectId", position=["ra", "decl"], **director),
        "Band": _table("band", {"band": bands, "zero": "double"}, role="regular", primary_key=["band"]),
        "Nothing": _table("nothing", {"id": "int"}, role="regular"),
    }
    content = {"version": 1, "database": database, "layout": "layout.yaml", "tables": tables}
    (folder / "mapping.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder


def _table(file: str, columns: Mapping[str, str], **more: Any) -> dict[str, Any]:
    declared = [{"name": name, "type": kind, "nullable": name in ("flux", "name")} for name, kind in columns.items()]
    return {"files": [f"{file}.parquet"], "declare": declared, **more}
