"""Rows that occur twice are named by the files and rows that hold them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from skyshard.ingest.partition.doubled_input import where_rows_stand
from skyshard.ingest.source import SourceTable
from skyshard.ingest.sources.open_source import open_source

COLUMNS = [("id", "bigint unsigned"), ("name", "varchar(8)"), ("size", "decimal(6,2)"), ("x", "double")]


def table(folder: Path, **files: str) -> SourceTable:
    declared = [{"name": name, "type": kind} for name, kind in COLUMNS]
    tables = {"Note": {"files": ["*.csv"], "role": "regular", "declare": declared}}
    content = {
        "version": 1, "database": "notes", "striping": {"stripes": 18, "substripes": 4, "overlap_deg": 0.1},
        "tables": tables,
    }  # fmt: skip
    (folder / "mapping.yaml").write_text(yaml.safe_dump(content))
    for name, rows in files.items():
        (folder / f"{name}.csv").write_text("id,name,size,x\n" + rows)
    return open_source(folder).tables["Note"]


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ({"id": 18446744073709551615}, "row 1"),
        ({"name": "b"}, "rows 2 and 3"),  # there is a fourth; two are enough
        ({"name": "b", "size": Decimal("2.50")}, "row 3"),
        ({"x": 0.5, "id": 3}, "row 4"),
    ],
)
def test_rows_are_found_by_the_values_of_several_columns(tmp_path: Path, values: dict[str, Any], rows: str) -> None:
    """Rows count from 1; the other file, which has none such, is not named."""
    source = table(tmp_path, a="18446744073709551615,a,1,1\n2,b,2,2\n3,b,2.5,3\n3,b,4,0.5\n", b="9,z,9,9\n")
    paths = [piece.path for piece in source.slices]
    assert where_rows_stand(source, paths, values) == f"'{tmp_path / 'a.csv'}', {rows}"


def test_files_are_named_where_no_row_is_found(tmp_path: Path) -> None:
    """A value that the input writes in another way still leads to the files."""
    source = table(tmp_path, a="1,a,1,1\n", b="2,b,2,2\n")
    paths = [piece.path for piece in source.slices]
    assert where_rows_stand(source, paths, {"name": "A"}) == f"'{tmp_path / 'a.csv'}' and '{tmp_path / 'b.csv'}'"
    assert where_rows_stand(source, [paths[0], paths[0]], {"id": 1}) == f"'{tmp_path / 'a.csv'}', row 1"
