"""Every file under ingest/ loads, is valid, and renders: layouts to a chunker, mappings to tables of whole schemas."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from tests.support.butler_trees import put
from tests.support.schema_parquet import make_rows, write_rows

from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import create_table, stored_table
from skyshard.catalog.felis_schemas import read_schema
from skyshard.catalog.layout import Role, read_layout
from skyshard.chunking import Chunker
from skyshard.host.shipped_data import data_folder
from skyshard.ingest.sources.mapping import MappedTable, read_mapping
from skyshard.ingest.sources.mapping_source import open_mapping
from skyshard.ingest.sources.open_source import open_source

LAYOUTS = sorted(data_folder("ingest", "layouts").glob("*"))
MAPPINGS = sorted(data_folder("ingest", "mappings").glob("*"))

SCHEMAS = {"hsc": "hsc", "dp1": "dp1", "dp02": "dp02_dc2", "dp2": "dp2"}
"""Mappings by TAP names, and the schema of their release."""


def test_nothing_else_is_shipped() -> None:
    """Each file is one that a model reads: of this test, or of those of scenarios and of ObsCore's constants."""
    files = {path for path in data_folder("ingest").rglob("*") if path.is_file() and not path.name.startswith(".")}
    others = (path for folder in ("scenarios", "obscore") for path in data_folder("ingest", folder).glob("*"))
    known = {*LAYOUTS, *MAPPINGS, *others}
    assert files == known
    assert {path.stem for path in MAPPINGS} == {"hsc", "hsc-gen2", "hsc-gen3", "dp1", "dp02", "dp2"}


@pytest.mark.parametrize("path", LAYOUTS, ids=lambda path: path.stem)
def test_layout_makes_a_chunker(path: Path) -> None:
    """The striping is one that geometry takes."""
    striping = read_layout(path).striping
    assert len(Chunker(striping.stripes, striping.substripes, striping.overlap_deg).chunk_ids()) > 1000


@pytest.mark.timeout(20)
@pytest.mark.parametrize("path", [path for path in MAPPINGS if path.stem in SCHEMAS], ids=lambda path: path.stem)
def test_mapping_covers_its_schema(path: Path, tmp_path: Path) -> None:
    """Every table opens over Parquet with all columns of the schema, and renders as CREATE TABLE."""
    mapping = read_mapping(path)
    schema = {item.table.name: item.table for item in read_schema(SCHEMAS[path.stem])}
    for also, name in (("DiaSourceOnDiaObject", "DiaSource"), ("DiaSourceOnSSObject", "DiaSource")):
        schema |= {also: replace(schema[name], name=also)} if also in mapping.tables else {}
    for name in mapping.tables:
        write_rows(tmp_path / "data" / name / "visit=1" / "one.parquet", make_rows(schema[name], 2, 1))
    (tmp_path / "mapping.yaml").write_text(f"version: 1\nextends: {path.stem}\ninput: data\n")
    source = open_source(tmp_path)
    assert set(source.tables) == set(mapping.tables)
    for name, table in source.tables.items():
        assert table.table.column_names == schema[name].column_names
        assert {c.name: c.type.type_class for c in table.table} == {c.name: c.type.type_class for c in schema[name]}
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
    example, extending, fits = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert MappedTable.model_validate(yaml.safe_load(fits)["tables"]["PhotoObj"]).fits.hdu == "SWEEP"
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


RUNS = [f"HSC/runs/RC2/w_2026_24/DM-50001/2026061{day}T101500Z" for day in (2, 3, 4)]
"""A chain root's runs: each step of a processing writes its own."""
IDS = {"Object": {"objectId": [1], "coord_ra": [1.0], "coord_dec": [1.0]}}
IDS |= {
    "Source": {"sourceId": [2], **{name: [1.0] for name in ("coord_ra", "coord_dec", "ra", "dec")}, "visit": [1228]}
}
IDS |= {
    "ForcedSource": {"objectId": [1], "visit": [1228]},
    "Visit": {"visit": [1228]},
    "VisitDetector": {"visitId": [1]},
}
IDS |= {"DiaObject": {"diaObjectId": [3], "ra": [1.0], "dec": [1.0]}}
IDS |= {
    "DiaSource": {"diaSourceId": [4], "diaObjectId": [3], "ssObjectId": [0], "visit": [1228], "ra": [1.0], "dec": [1.0]}
}
VISIT = ("20140421/g/HSC-G/1228", "HSC_g_HSC-G_1228")
TRACT, PATCH = ("9813", "9813_hsc_rings_v1"), ("9813/40", "9813_40_hsc_rings_v1")
LISTINGS: dict[str, dict[str, tuple[str, tuple[str, str]]]] = {
    "hsc-gen3": {
        "Object": ("objectTable_tract", TRACT), "Source": ("sourceTable_visit", VISIT),
        "Visit": ("visitTable", ("", "HSC")),
        "ForcedSource": ("forcedSourceTable", PATCH), "VisitDetector": ("ccdVisitTable", ("", "HSC")),
    },
    "dp2": {
        "Object": ("object", TRACT), "Source": ("source", VISIT), "ForcedSource": ("object_forced_source", PATCH),
        "DiaObject": ("dia_object", TRACT), "DiaSource": ("dia_source", TRACT), "Visit": ("visit_table", ("", "HSC")),
    },
}  # fmt: skip


@pytest.mark.parametrize("mapping", LISTINGS)
def test_chain_root_of_butler_is_found(mapping: str, tmp_path: Path) -> None:
    """Every dataset type below its own RUN folder; the tract that two runs wrote comes from the newer one."""
    for at, (name, (kind, (folders, middle))) in enumerate(LISTINGS[mapping].items()):
        put(tmp_path, RUNS[at % 3], kind, pa.table(IDS[name]), folders=folders, middle=middle)
    kind, (folders, middle) = LISTINGS[mapping]["Object"]
    newer = put(tmp_path, RUNS[2], kind, pa.table(IDS["Object"]), folders=folders, middle=middle)
    (tmp_path / "mapping.yaml").write_text(f"version: 1\nextends: {mapping}\n")
    found = open_source(tmp_path).tables
    assert set(found) == set(LISTINGS[mapping])
    assert [piece.path for piece in found["Object"].slices] == [str(newer)]
    assert found["Object"].notes[-1].startswith(f"run {RUNS[0]}: 1 files left out")


@pytest.mark.parametrize("kinds", [("_tract", "_primary", "_nonprimary"), ("_primary", "_nonprimary"), ("",)])
def test_objects_are_taken_once(kinds: tuple[str, ...], tmp_path: Path) -> None:
    """A whole tract goes before its primary and other rows, these before patches; what is left out is said."""
    for kind in (*kinds, ""):
        put(tmp_path, RUNS[0], f"objectTable{kind}", pa.table(IDS["Object"]), folders=PATCH[0], middle=PATCH[1])
    (tmp_path / "mapping.yaml").write_text("version: 1\nextends: hsc-gen3\n")
    table = open_source(tmp_path).tables["Object"]
    taken = {kind for kind in kinds for piece in table.slices if f"/objectTable{kind}/" in piece.path}
    assert taken == ({"_tract"} if "_tract" in kinds else set(kinds))
    left = ["objectTable_primary", "objectTable/"][kinds[0] != "_tract" :] if kinds != ("",) else []
    assert [next(name for name in left if name in note) for note in table.notes if "left out" in note] == left


def test_reruns_of_gen2_are_found(tmp_path: Path) -> None:
    """The layouts of 2020: objects by tract, sources by pointing and filter; the later weekly counts."""
    for weekly in ("w_2020_16", "w_2020_19"):
        rerun = tmp_path / "rerun" / "RC" / weekly / "DM-24822"
        write_rows(rerun / "deepCoadd-results" / "merged" / "9813" / "objectTable-9813.parq", pa.table(IDS["Object"]))
        write_rows(rerun / "00533" / "HSC-R" / "output" / "sourceTable-0011690.parq", pa.table(IDS["Source"]))
    (tmp_path / "mapping.yaml").write_text("version: 1\nextends: hsc-gen2\n")
    found = open_source(tmp_path).tables
    assert {name: table.layout.key for name, table in found.items()} == {"Object": "objectId", "Source": "sourceId"}
    assert all("w_2020_19" in piece.path for table in found.values() for piece in table.slices)
