"""Every file under ingest/ loads, is valid, and renders: layouts to a chunker, mappings to tables of whole schemas."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pyarrow as pa
import pytest
from tests.support.schema_parquet import make_rows, write_rows

from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import create_table, stored_table
from skyshard.catalog.felis_schemas import read_schema
from skyshard.catalog.layout import Role, read_layout
from skyshard.chunking import Chunker
from skyshard.host.shipped_data import data_folder
from skyshard.ingest.sources.mapping import read_mapping
from skyshard.ingest.sources.mapping_source import open_mapping
from skyshard.ingest.sources.open_source import open_source

LAYOUTS = sorted(data_folder("ingest", "layouts").glob("*"))
MAPPINGS = sorted(data_folder("ingest", "mappings").glob("*"))


def test_nothing_else_is_shipped() -> None:
    """Each file is one that a model of this test reads."""
    files = {path for path in data_folder("ingest").rglob("*") if path.is_file() and not path.name.startswith(".")}
    known = {*LAYOUTS, *MAPPINGS, *data_folder("ingest").glob("faults/*")}
    assert files == known
    assert {path.stem for path in MAPPINGS} == {"hsc", "dp1", "dp02"}


@pytest.mark.parametrize("path", LAYOUTS, ids=lambda path: path.stem)
def test_layout_makes_a_chunker(path: Path) -> None:
    """The striping is one that geometry takes."""
    striping = read_layout(path).striping
    assert len(Chunker(striping.stripes, striping.substripes, striping.overlap_deg).chunk_ids()) > 1000


@pytest.mark.timeout(20)
@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.stem)
def test_mapping_covers_its_schema(path: Path, tmp_path: Path) -> None:
    """Every table opens over Parquet with all columns of the schema, and renders as CREATE TABLE."""
    mapping = read_mapping(path)
    schema = {item.table.name: item.table for item in read_schema(mapping.catalog)}
    for name in mapping.tables:
        write_rows(tmp_path / "data" / name / "visit=1" / "one.parquet", make_rows(schema[name], 2, 1))
    (tmp_path / "mapping.yaml").write_text(f"version: 1\nextends: {path.stem}\ninput: data\n")
    source = open_source(tmp_path)
    assert set(source.tables) == set(mapping.tables)
    for name, table in source.tables.items():
        assert table.table.column_names == schema[name].column_names
        assert len(table.slices) == 1
        text = create_table(stored_table(table.table, table.layout), name)
        assert text.count("\n") > len(table.table.columns)
        assert table.layout.role is not Role.DEPENDENT or table.layout.director in source.tables


def test_optional_tables_may_be_absent(tmp_path: Path) -> None:
    """With nothing but Object files an HSC catalog is Object alone."""
    schema = {item.table.name: item.table for item in read_schema("hsc")}
    write_rows(tmp_path / "objectTable_tract" / "9813.parq", make_rows(schema["Object"], 1, 1))
    (tmp_path / "mapping.yaml").write_text("version: 1\nextends: hsc\n")
    assert list(open_mapping(tmp_path / "mapping.yaml").tables) == ["Object"]


@pytest.mark.timeout(20)
def test_mapping_in_the_documentation_works(tmp_path: Path) -> None:
    """The example of docs/reference/sources.md opens over files of its shape, and its rows can be read."""
    text = (Path(__file__).resolve().parents[4] / "docs" / "reference" / "sources.md").read_text()
    example, extending = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "mapping.yaml").write_text(example)
    schema = {item.table.name: item.table for item in read_schema("hsc")}
    content = make_rows(schema["Object"], 5, 1).drop_columns(["z_epoch"])
    for name, value in (("ra_rad", 2.6), ("dec_rad", 0.03), ("gFlux", -999.0), ("gMag", 21.0), ("iMag", 20.5)):
        content = content.append_column(name, pa.array([value] * 5))
    write_rows(tmp_path / "tracts" / "9813" / "a.parq", content)
    header = ",".join(schema["Visit"].column_names)
    (tmp_path / "visits.csv.gz").write_bytes(gzip.compress(f"{header}\n".encode()))
    source = open_source(tmp_path / "mapping.yaml")
    assert list(source.tables) == ["Object", "Visit"]
    table = source.tables["Object"]
    (batch,) = table.reader.batches(table.slices[0], table.table, table.layout)
    row = batch.batch.slice(0, 1).to_pydict()
    assert row["coord_ra"] == [pytest.approx(148.969, abs=1e-3)]
    assert (row["g_psfFlux"], row["refBand"], row["g_i"], row["z_epoch"]) == ([None], [b"i"], [0.5], [None])
    assert "sky_object" not in row
    (tmp_path / "mine.yaml").write_text(extending.replace("/data/hsc/run42", str(tmp_path)))
    with pytest.raises(UserError, match=r"table 'Object': no file Object/\*\*/\*.parq\*"):
        open_source(tmp_path / "mine.yaml")
