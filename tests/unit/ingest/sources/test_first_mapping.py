"""A first mapping: the folder's tables by name and columns, what it does not take, and a file that opens as it is."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.support.butler_trees import CHAIN, objects, put, put_tract

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role
from skyshard.ingest.plan.ingest_plan import make_plan
from skyshard.ingest.sources.first_mapping import first_mapping
from skyshard.ingest.sources.folder_mapping import map_folder
from skyshard.ingest.sources.mapping_source import open_mapping

RUN = f"{CHAIN}/20260613T101500Z"


def write(path: Path, content: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(content, path)


@pytest.mark.timeout(20)
def test_export_of_butler_becomes_a_mapping_that_opens(tmp_path: Path) -> None:
    """Dataset types are tables, patches stand behind tracts; text and torn files are named with the reason."""
    tree = tmp_path / "tree"
    put_tract(tree, RUN, 9813, objects(1, 3, band=["i"] * 3))
    put_tract(tree, RUN, 9813, objects(1, 3), "objectTable")
    put(tree, RUN, "photoZ", pa.table({"objectId": [1], "z": [0.5]}), folders="9813", middle="9813_rings")
    put(tree, RUN, "visitTable", pa.table({"visitId": [1], "ra": [1.0], "dec": [1.0]}), middle="HSC")
    (tree / "readme.txt").write_text("x")
    (tree / "torn.parq").write_bytes(b"PAR1")
    found = first_mapping(tree)
    (tmp_path / "m.yaml").write_text(found.text)
    opened = open_mapping(tmp_path / "m.yaml")
    roles = {name: (t.layout.role, t.layout.key, t.layout.director) for name, t in opened.tables.items()}
    assert roles == {
        "Object": (Role.DIRECTOR, "objectId", ""), "photoZ": (Role.DEPENDENT, "objectId", "Object"),
        "Visit": (Role.REGULAR, "", ""),
    }  # fmt: skip
    assert [Path(piece.path).parts[-3] for piece in opened.tables["Object"].slices] == ["objectTable_tract"]
    assert make_plan(opened).database == "tree"
    left = {entry["file"]: entry["why"] for entry in found.summary()["not_understood"]}
    assert left["readme.txt"] == "no Parquet file: columns of text files are declared by hand"
    assert left["torn.parq"].endswith("copy it again")


@pytest.mark.timeout(20)
def test_columns_are_annotated_by_the_nearest_schema(tmp_path: Path) -> None:
    """Unit and description of a column that a shipped schema has, case aside; types stay the files'."""
    content = pa.table(
        {"visitId": [1], "band": ["g"], "RA": [1.0], "dec": [1.0], "skyRotation": pa.array([1], pa.int8())}
    )
    write(tmp_path / "Visit" / "v.parquet", content)
    (table,) = first_mapping(tmp_path, "named").summary()["tables"]
    columns = {column["name"]: column for column in table["columns"]}
    assert (table["like"].partition(".")[2], columns["RA"]["unit"]) == ("Visit", "deg")
    assert (columns["skyRotation"]["type"], bool(columns["skyRotation"]["description"])) == ("tinyint(4)", True)


def test_folders_and_stems_are_tables(tmp_path: Path) -> None:
    """Without Butler each folder is a table, and files of the folder itself are by their stems without numbers."""
    for name in ("Object/visit=1/a.parquet", "my stars!/x.parq", "light_1.parquet", "light_2.parquet", "[odd].parquet"):
        write(tmp_path / name, objects(1, 1))
    tables = map_folder(tmp_path).content["tables"]
    assert {name: table["files"] for name, table in tables.items()} == {
        "Object": ["Object/**/*.parquet"], "my_stars": ["my stars!/**/*.parq"],
        "light": ["light_1.parquet", "light_2.parquet"], "odd": ["[[]odd].parquet"],
    }  # fmt: skip


def test_a_folder_of_which_other_files_are_taken_is_given_by_file(tmp_path: Path) -> None:
    """A pattern would find the Butler's files, or a torn one, once more."""
    put_tract(tmp_path, RUN, 9813, objects(1, 3))
    top = RUN.split("/")[0]
    write(tmp_path / top / "plain.parq", objects(9, 1))
    (tmp_path / "Stars").mkdir()
    (tmp_path / "Stars" / "torn.parq").write_bytes(b"PAR1")
    write(tmp_path / "Stars" / "x.parq", objects(20, 1))
    tables = map_folder(tmp_path).content["tables"]
    assert {name: tables[name]["files"] for name in (top, "Stars")} == {
        top: [f"{top}/plain.parq"], "Stars": ["Stars/x.parq"],
    }  # fmt: skip
    assert tables["Object"]["files"] == ["**/objectTable_tract/**/*.parq*"]


def test_names_differ_though_folders_are_alike(tmp_path: Path) -> None:
    """Two folders whose names make one table name are two tables; the database's name is a usable one."""
    for name in ("a b", "a-b", "A_B"):
        write(tmp_path / "2026__week" / name / "x.parquet", objects(1, 1))
    content = map_folder(tmp_path / "2026__week").content
    assert len({name.lower() for name in content["tables"]}) == 3
    assert content["database"] == "d_2026_week"


def test_folder_without_parquet_is_refused(tmp_path: Path) -> None:
    """Nothing to map, or nothing there."""
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(UserError, match="no Parquet file or FITS table under"):
        first_mapping(tmp_path)
    with pytest.raises(UserError, match="is no folder"):
        first_mapping(tmp_path / "a.csv")


def test_files_of_gen2_are_found_by_their_names(tmp_path: Path) -> None:
    """Gen2 has no folders of dataset types; both generations may lie in one folder."""
    rerun = "rerun/RC/w_2020_19/DM-24822"
    write(tmp_path / rerun / "deepCoadd-results/merged/9813/objectTable-9813.parq", objects(1, 2))
    write(tmp_path / rerun / "0123/HSC-I/output/sourceTable-0001228.parq", objects(1, 3))
    write(tmp_path / RUN / "objectTable/9813/80/objectTable_9813_80_rings.parq", objects(5, 1))
    tables = map_folder(tmp_path).content["tables"]
    assert tables["Object"]["files"] == ["**/objectTable-*.parq*", "**/objectTable/**/*.parq*"]
    assert tables["Source"]["files"] == ["**/sourceTable-*.parq*"]
