"""``schema: infer``: columns and roles are the files' own; what the mapping says goes before them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from astropy.table import MaskedColumn
from astropy.table import Table as MaskedTable
from tests.support.butler_trees import objects

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role
from skyshard.ingest.plan.ingest_plan import make_plan
from skyshard.ingest.source import Source, SourceTable
from skyshard.ingest.sources.open_source import open_source


def opened(folder: Path, *files: pa.Table, only: list[str] | None = None, **table: Any) -> Source:
    """A mapping of table Object over some files, and of a table Light over ``light.parquet`` if there is one."""
    for number, content in enumerate(files):
        pq.write_table(content, folder / f"o{number}.parquet")
    tables = {"Object": {"files": ["o*.parquet"], **table}}
    if (folder / "light.parquet").exists():
        tables["Light"] = {"files": ["light.parquet"]}
    content = {
        "version": 1, "database": "made", "schema": "infer", "tables": tables,
        "striping": {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667},
    }  # fmt: skip
    (folder / "mapping.yaml").write_text(yaml.safe_dump(content))
    return open_source(folder / "mapping.yaml", only)


def types(table: SourceTable) -> dict[str, str]:
    return {column.name: column.type.text + " NOT NULL" * (not column.is_nullable) for column in table.table}


def rows(table: SourceTable) -> list[dict[str, Any]]:
    read = [batch for piece in table.slices for batch in table.reader.batches(piece, table.table, table.layout)]
    return [row for batch in read for row in batch.batch.to_pylist()]


def test_columns_are_those_of_all_files(tmp_path: Path) -> None:
    """Types widen, a column that a file lacks is NULL there and counted, and all of it is said."""
    one = objects(1, 2, flux=pa.array([1.5, 2.5], pa.float32()), flag=[True, False], band=["i", "z"])
    two = objects(3, 1, flux=[0.1], n=pa.array([7], pa.uint16()), flag=[True])
    table = opened(tmp_path, one, two).tables["Object"]
    assert types(table) == {
        "objectId": "bigint(20) NOT NULL", "coord_ra": "double", "coord_dec": "double", "flux": "double",
        "flag": "tinyint(1)", "band": "varchar(16)", "n": "smallint unsigned",
    }  # fmt: skip
    assert [(row["flux"], row["band"], row["n"]) for row in rows(table)] == [
        (1.5, b"i", None), (2.5, b"z", None), (0.1, None, 7),
    ]  # fmt: skip
    assert table.notes == (
        "director by its columns: objectId with coord_ra and coord_dec",
        "1 columns whose type differs between files: flux float and double → double",
        "2 columns that some files lack, NULL there: band in 1 of 2, n in 1 of 2",
    )


def test_a_column_that_another_file_spells_in_another_case_is_one(tmp_path: Path) -> None:
    """It has the values and the type of both; two of one file are two, of which the first one counts."""
    first = objects(1, 1, Flux=pa.array([1.5], pa.float32()), band=["i"])
    second = objects(2, 1, flux=[0.1], BAND=["x" * 50]).rename_columns(["objectid", "RA", "Dec", "flux", "BAND"])
    first = first.rename_columns(["objectId", "ra", "dec", "Flux", "band"])
    table = opened(tmp_path, first, second).tables["Object"]
    assert [row["Flux"] for row in rows(table)] == [1.5, 0.1]
    assert [row["band"] for row in rows(table)] == [b"i", b"x" * 50]
    assert (types(table)["Flux"], types(table)["band"]) == ("double", "varchar(255)")
    assert table.notes[1:] == ("1 columns whose type differs between files: Flux float and double → double",)


@pytest.mark.parametrize("spelled", ["FLUX", "flux"])
def test_what_is_declared_or_omitted_may_be_spelled_in_another_case(tmp_path: Path, spelled: str) -> None:
    """The file's column is the one that is meant, and no second one of that name."""
    content = objects(1, 1, flux=[0.5])
    (row,) = rows(opened(tmp_path, content, declare=[{"name": spelled, "type": "float"}]).tables["Object"])
    assert {name: value for name, value in row.items() if name.lower() == "flux"} == {spelled: 0.5}
    assert "flux" not in types(opened(tmp_path, content, omit=[spelled]).tables["Object"])


def test_types_that_no_column_holds_are_refused(tmp_path: Path) -> None:
    """Both files, the column and both types are named, before anything is read."""
    with pytest.raises(UserError, match=r"column 'x' is string in '.*o0.parquet' and int64 in '.*o1.parquet'"):
        opened(tmp_path, objects(1, 1, x=["a"]), objects(2, 1, x=[1]))


@pytest.mark.parametrize(("value", "is_taken"), [(2**53, True), (-(2**53), True), (2**53 + 1, False)])
def test_whole_numbers_of_one_file_are_floats_of_another(value: int, is_taken: bool, tmp_path: Path) -> None:
    """Pandas writes whole numbers with NULLs as floats; the footers say whether a DOUBLE holds the others."""
    files = (objects(1, 1, n=[value]), objects(2, 2, n=[5.0, float("nan")]))
    if not is_taken:
        with pytest.raises(UserError, match=r"column 'n' is int64 in .* and double in"):
            opened(tmp_path, *files)
        return
    table = opened(tmp_path, *files).tables["Object"]
    assert types(table)["n"] == "double"
    assert [row["n"] for row in rows(table)] == [float(value), 5.0, None]


def test_statistics_are_those_of_the_column_after_a_struct(tmp_path: Path) -> None:
    """A struct has several columns in a file: the numbers behind it are looked at, not its own."""
    pair = pa.array([{"a": 1, "b": 2}], pa.struct([("a", pa.int64()), ("b", pa.int64())]))
    first = objects(1, 1).append_column("pair", pair).append_column("n", pa.array([2**60 + 1]))
    with pytest.raises(UserError, match=r"column 'n' is int64 in .* and double in"):
        opened(tmp_path, first, objects(2, 1, n=[0.5]))


def test_what_no_column_takes_is_left_out_and_said(tmp_path: Path) -> None:
    """A list, a twin in another case, chunk numbers; the rest is taken."""
    content = objects(1, 1, spans=[[1, 2]], Flux=[1.0], flux=[2.0], chunkId=[3], empty=pa.nulls(1))
    table = opened(tmp_path, content).tables["Object"]
    assert list(types(table)) == ["objectId", "coord_ra", "coord_dec", "Flux", "empty"]
    assert table.notes[1:] == (
        "1 columns without any value, taken for DOUBLE: empty",
        "1 columns left out, of types that no column takes: spans list<element: int64>",
        "1 columns left out, another differs in case only: flux",
        "1 columns left out, no column may have their names: chunkId",
    )


def test_texts_have_room_for_longer_ones(tmp_path: Path) -> None:
    """Four times the longest, in steps; what latin1 has not is utf8mb4; long texts are TEXT."""
    content = objects(1, 2, a=["", None], b=["x" * 5, ""], c=["ÿ€", ""], d=["λ", ""], e=["x" * 65, None])
    assert list(types(opened(tmp_path, content).tables["Object"]).values())[3:] == [
        "varchar(16)", "varchar(64)", "varchar(16)", "varchar(16) character set utf8mb4", "longtext",
    ]  # fmt: skip


def test_rules_of_the_mapping_go_first(tmp_path: Path) -> None:
    """Declared types, renamed and derived columns, constants, omitted columns; the input of a new name is gone."""
    content = objects(1, 1, coord_ra=None, alpha=[2.5], g=[-99.0], i=[1.0], junk=["x"], n=[1])
    table = opened(
        tmp_path, content, declare=[{"name": "n", "type": "decimal(5,1)"}], omit=["junk"],
        columns={
            "coord_ra": {"from": "alpha"}, "gi": {"derive": "g - i"}, "g": {"null_at": [-99]}, "run": {"constant": "a"},
        },
    ).tables["Object"]  # fmt: skip
    assert types(table) == {
        "objectId": "bigint(20) NOT NULL", "coord_dec": "double", "coord_ra": "double", "g": "double", "i": "double",
        "gi": "double", "run": "varchar(255)", "n": "decimal(5,1)",
    }  # fmt: skip
    assert (table.layout.position, rows(table)[0]["g"], rows(table)[0]["gi"]) == (
        ("coord_ra", "coord_dec"),
        None,
        -100.0,
    )


def test_given_role_goes_first(tmp_path: Path) -> None:
    """A role, key and position of the mapping stay, and are checked against the columns."""
    table = opened(tmp_path, objects(1, 1), role="director", key="objectId", position=["coord_ra", "coord_dec"])
    assert table.tables["Object"].notes == ()
    with pytest.raises(UserError, match="no column 'no'"):
        opened(tmp_path, role="director", key="no", position=["coord_ra", "coord_dec"])


def test_role_is_the_same_if_its_director_is_not_asked_for(tmp_path: Path) -> None:
    """A dependent ingested alone, later, still follows; of its director a footer is read, and no more."""
    pq.write_table(pa.table({"objectId": [1], "flux": [1.0]}), tmp_path / "light.parquet")
    source = opened(tmp_path, objects(1, 1), only=["Light"])
    assert list(source.tables) == ["Light"]
    assert source.tables["Light"].layout.director == "Object"
    (tmp_path / "o0.parquet").write_bytes(b"torn")
    assert open_source(tmp_path / "mapping.yaml", ["Light"]).tables["Light"].layout.role is Role.REGULAR


def test_inferred_tables_make_a_plan(tmp_path: Path) -> None:
    """What is inferred is what an ingest takes: roles, loader, columns."""
    pq.write_table(pa.table({"objectId": [1], "flux": [1.0]}), tmp_path / "light.parquet")
    plan = make_plan(opened(tmp_path, objects(1, 3)))
    assert [(table.name, table.source.layout.role, table.why_loader) for table in plan.tables] == [
        ("Object", Role.DIRECTOR, ""), ("Light", Role.DEPENDENT, ""),
    ]  # fmt: skip
    assert plan.summary()["tables"][1]["notes"] == ["dependent by its columns: objectId of Object"]


def test_text_files_need_declared_columns(tmp_path: Path) -> None:
    """A CSV file has no types to infer from."""
    (tmp_path / "a.csv").write_text("objectId\n1\n")
    with pytest.raises(UserError, match="types are inferred from Parquet"):
        opened(tmp_path, files=["a.csv"])
    found = opened(tmp_path, files=["a.csv"], declare=[{"name": "objectId", "type": "bigint"}])
    assert (types(found.tables["Object"]), found.tables["Object"].layout.role) == ({"objectId": "bigint"}, Role.REGULAR)


def test_other_files_are_called_what_they_are(tmp_path: Path) -> None:
    """Nobody is asked to declare the columns of a database."""
    (tmp_path / "a.db").write_bytes(b"SQLite format 3\0")
    with pytest.raises(UserError, match=r"a\.db' is an SQLite database, no text"):
        opened(tmp_path, files=["a.db"])


def test_masked_values_of_astropy_are_null(tmp_path: Path) -> None:
    """Under a mask a file has any number; flags that astropy did not write are columns like others."""
    table = MaskedTable({"objectId": [1, 2, 3], "n": MaskedColumn([7, 8, 9], mask=[False, True, False])})
    table["s"] = MaskedColumn(["a", "b", "c"], mask=[True, False, False])
    table.write(tmp_path / "a.parquet")
    found = opened(tmp_path, files=["a.parquet"], where="n is null or n > 8").tables["Object"]
    (batch,) = found.reader.batches(found.slices[0], found.table, found.layout)
    assert batch.batch.select(["objectId", "n", "s"]).to_pydict() == {
        "objectId": [2, 3], "n": [None, 9], "s": [b"b", b"c"],
    }  # fmt: skip
    assert [text for text in batch.conversions if "masked" in text] == ["n: masked → NULL", "s: masked → NULL"]
    pq.write_table(pq.read_table(tmp_path / "a.parquet").replace_schema_metadata(), tmp_path / "a.parquet")
    found = opened(tmp_path, files=["a.parquet"]).tables["Object"]
    (batch,) = found.reader.batches(found.slices[0], found.table, found.layout)
    assert batch.batch["n"].to_pylist() == [7, 8, 9]


def test_role_is_needed_where_nothing_is_inferred(tmp_path: Path) -> None:
    """A mapping by a schema says the role of each table."""
    text = "version: 1\ndatabase: d\nschema: hsc\nlayout: qserv-340-3\ntables: {Object: {files: [a.parquet]}}\n"
    (tmp_path / "mapping.yaml").write_text(text)
    with pytest.raises(UserError, match="table 'Object' has no role"):
        open_source(tmp_path)


def test_policies_hold_for_an_inferred_role(tmp_path: Path) -> None:
    """They are checked with the role that the columns give: kept for a director, refused for a regular table."""
    table = opened(tmp_path, objects(1, 1), duplicates="keep-all").tables["Object"]
    assert (table.layout.role, table.layout.unique_key, table.layout.duplicates) == (Role.DIRECTOR, False, "keep-all")
    pq.write_table(pa.table({"visit": [1]}), tmp_path / "o0.parquet")
    with pytest.raises(UserError, match="duplicates: keep-all is for directors with a key"):
        opened(tmp_path, duplicates="keep-all")
