"""A catalog of CSV files and a mapping, as short as a test can say it: tables by name, columns with types, rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

STRIPING = {"stripes": 18, "substripes": 4, "overlap_deg": 0.5}
OBJECT = {"id": "bigint", "ra": "double", "decl": "double"}


def write_table(folder: Path, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """One more file of a table: ``name`` is the file's, without ending."""
    lines = [",".join(columns), *(",".join("\\N" if v is None else str(v) for v in row) for row in rows)]
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


def table(columns: dict[str, str], *, files: str, **layout: Any) -> dict[str, Any]:
    declared = [{"name": name, "type": kind} for name, kind in columns.items()]
    return {"files": [files], "role": "regular", "declare": declared, **layout}


def director(columns: dict[str, str] = OBJECT, *, files: str = "Object*.csv") -> dict[str, Any]:
    return table(columns, files=files, role="director", key="id", position=["ra", "decl"])


def write_mapping(folder: Path, database: str, tables: dict[str, Any], **content: Any) -> Path:
    """The mapping file; files are taken as they are there when it is opened."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mapping.yaml"
    whole = {"version": 1, "database": database, "striping": STRIPING, "tables": tables} | content
    path.write_text(yaml.safe_dump(whole, sort_keys=False))
    return path
