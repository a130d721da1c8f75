"""Small trees as a Butler exports them: Parquet files below RUN folders, named by its template."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

CHAIN = "HSC/runs/RC2/w_2026_24/DM-50001"


def put(root: Path, run: str, kind: str, content: pa.Table, *, folders: str = "", middle: str = "") -> Path:
    """Write a dataset of a run; ``folders`` and ``middle`` are its dimensions in the path and in the file's name."""
    name = "_".join(part for part in (kind, middle, run.replace("/", "_")) if part)
    path = root / run / kind / folders / f"{name}.parq"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(content, path)
    return path


def put_tract(root: Path, run: str, tract: int, content: pa.Table, kind: str = "objectTable_tract") -> Path:
    """Write a table of one tract."""
    return put(root, run, kind, content, folders=str(tract), middle=f"{tract}_hsc_rings_v1")


def objects(first: int, rows: int, **more: object) -> pa.Table:
    """Objects at positions near (150, 2), a hundredth of a degree apart."""
    numbers = list(range(first, first + rows))
    ra, dec = [150 + 0.01 * (n % 50) for n in numbers], [2 + 0.01 * (n % 40) for n in numbers]
    columns = {"objectId": numbers, "coord_ra": ra, "coord_dec": dec, **more}
    return pa.table({name: value for name, value in columns.items() if value is not None})
