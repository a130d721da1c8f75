"""Two sides of any kind: what is added, removed, retyped and renamed, and which names mean which side."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from tests.support.butler_trees import CHAIN, objects, put_tract
from tests.support.schema_parquet import make_rows, write_rows

from skyshard.basics.errors import UserError
from skyshard.catalog.felis_schemas import read_schema
from skyshard.catalog.schema import Column, Table
from skyshard.cli.commands.schema import diff_schemas
from skyshard.cli.terminal.json_outputs import validate_output
from skyshard.cli.terminal.schema_lines import difference_rows
from skyshard.releases import SchemaDifference, compare_schemas, open_side
from skyshard.releases.schema_changes.schema_side import SchemaSide, SideTable
from skyshard.rowimage.sqltype import parse_type

FELIS = """\
name: mine
"@id": "#mine"
tables:
- name: Object
  "@id": "#Object"
  columns:
  - {name: objectId, "@id": "#Object.objectId", datatype: long, nullable: false}
  - {name: coord_ra, "@id": "#Object.coord_ra", datatype: double}
  - {name: coord_dec, "@id": "#Object.coord_dec", datatype: double}
  - {name: flux, "@id": "#Object.flux", datatype: double}
"""


def compared(old: str | Path, new: str | Path) -> SchemaDifference:
    return compare_schemas(open_side(str(old), None), open_side(str(new), None))


def table_side(**tables: Table) -> SchemaSide:
    return SchemaSide("made", {name: SideTable(table) for name, table in tables.items()}, is_declared=True)


@pytest.fixture
def weeklies(tmp_path: Path) -> tuple[Path, Path]:
    """Two weeklies of one sky: a renamed, a retyped, a new and a lost column."""
    flux = [0.5 * n for n in range(20)]
    old = objects(1, 20, ebv=[0.01 * n for n in range(20)], flux=flux, lost=flux)
    new = objects(1, 20, dust=[0.01 * n for n in range(20)], flux=pa.array(flux, pa.float32()), extra=[1] * 20)
    for weekly, content in (("w20", old), ("w24", new)):
        put_tract(tmp_path / weekly, f"{CHAIN}/20260613T101500Z", 9813, content)
    return tmp_path / "w20", tmp_path / "w24"


def test_folders_of_two_weeklies(weeklies: tuple[Path, Path]) -> None:
    """Each change once, the renamed column by its values, and what the narrower type loses."""
    (table,) = compared(*weeklies).tables
    assert (table.added, table.removed) == (("extra bigint",), ("lost double",))
    assert [(c.old, c.new, c.by, c.rows) for c in table.renamed] == [("ebv", "dust", "value", 20)]
    assert [(c.column, c.old, c.new, c.loss) for c in table.retyped] == [
        ("flux", "double", "float", "digits beyond the 7th, numbers beyond 3.4e38")
    ]


@pytest.mark.parametrize("kind", ["varchar(9)", "datetime", "decimal(9,1)", "double", "bigint"])
def test_only_keys_of_whole_numbers_bring_rows_together(tmp_path: Path, kind: str) -> None:
    """Rows of tables with another primary key are not compared, and their columns told by name alone."""
    keys = [f"2026-01-{n} 00:00:00" if kind == "datetime" else f"{n}.5" for n in range(10, 22)]
    keys = [key[:2] for key in keys] if kind == "bigint" else keys
    for side, column in (("old", "first"), ("new", "other")):
        lines = [f"k,{column}", *(f"{key},{n * n}" for n, key in enumerate(keys))]
        declared = [{"name": "k", "type": kind}, {"name": column, "type": "int"}]
        table = {"role": "regular", "primary_key": ["k"], "files": ["k.csv"], "declare": declared}
        striping = {"stripes": 18, "substripes": 4, "overlap_deg": 0.5}
        mapping = {"version": 1, "database": side, "striping": striping, "tables": {"Names": table}}
        (tmp_path / side).mkdir()
        (tmp_path / side / "k.csv").write_text("\n".join(lines))
        (tmp_path / side / "mapping.yaml").write_text(yaml.safe_dump(mapping))
    (names,) = compared(tmp_path / "old", tmp_path / "new").tables
    assert [one.by for one in names.renamed] == (["value"] if kind == "bigint" else [])


def test_side_is_equal_to_itself(weeklies: tuple[Path, Path], tmp_path: Path) -> None:
    """Folder, the mapping over it, and a single file of it are one schema."""
    folder = weeklies[0]
    (tmp_path / "m.yaml").write_text("version: 1\nextends: hsc-gen3\ninput: w20\n")
    file = next(folder.rglob("*.parq"))
    for side in (folder, tmp_path / "m.yaml", file):
        found = compared(folder, side)
        assert (found.is_equal, [table.table for table in found.tables]) == (True, ["Object"])


@pytest.mark.timeout(20)
def test_single_file_stands_for_the_table_it_is_most_like(weeklies: tuple[Path, Path], tmp_path: Path) -> None:
    """A file without a telling name; tables that it is not are not missed."""
    write_rows(tmp_path / "x.parquet", objects(1, 20, flux=[0.1] * 20))
    found = compared(tmp_path / "x.parquet", "felis:hsc")
    assert [table.table for table in found.tables] == ["Object"]


def test_felis_file_is_a_side(weeklies: tuple[Path, Path], tmp_path: Path) -> None:
    """By its path; a broken one is refused in one line."""
    (tmp_path / "mine.yaml").write_text(FELIS)
    (table,) = compared(tmp_path / "mine.yaml", weeklies[1]).tables
    assert [column.column for column in table.retyped] == ["flux"]
    (tmp_path / "mine.yaml").write_text(FELIS.replace("datatype: long", "datatype: longer"))
    with pytest.raises(UserError, match=r"mine.yaml' is no Felis schema: Unknown felis type 'longer'"):
        compared(tmp_path / "mine.yaml", weeklies[1])


class _Databases:
    """A cluster with one database."""

    def names(self) -> list[str]:
        return ["hsc"]

    def tables(self, database: str) -> dict[str, SideTable]:
        return {"Object": SideTable(Table("Object", (Column("a", parse_type("int")),)))}


@pytest.mark.timeout(20)
def test_name_of_two_things_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema, a database and a folder called hsc: prefixes tell them apart."""
    monkeypatch.chdir(tmp_path)
    assert open_side("hsc", None).what == "schema hsc"
    with pytest.raises(UserError, match="'hsc' is a shipped schema and a database; say which: felis:hsc or db:hsc"):
        open_side("hsc", _Databases())
    assert open_side("db:hsc", _Databases()).what == "database hsc"
    write_rows(tmp_path / "hsc" / "Object" / "a.parquet", objects(1, 1))
    with pytest.raises(UserError, match="a file or folder and a shipped schema; say which: file:hsc or felis:hsc"):
        open_side("hsc", None)
    assert open_side("file:hsc", None).what == "folder hsc"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nix", "'nix' is no file or folder, no schema, and no database of the cluster"),
        ("db:x", "no cluster is running"),
        ("felis:x", "no Felis file 'x'"), ("file:x", "no file or folder 'x'"), ("pyproject.toml", "is no Parquet file"),
    ],
)  # fmt: skip
def test_name_of_nothing_is_refused(name: str, words: str) -> None:
    """In one line, with what was looked for."""
    with pytest.raises(UserError, match=words) as caught:
        open_side(name, None)
    assert "\n" not in str(caught.value)


def test_tables_come_and_go() -> None:
    """Whole tables are one change each; case of names is none; columns that Skyshard adds do not count."""
    one = Table("Object", (Column("a", parse_type("int")),))
    two = Table("OBJECT", (Column("A", parse_type("int(11)")), Column("chunkId", parse_type("int"))))
    found = compare_schemas(table_side(Object=one, CcdVisit=one), table_side(OBJECT=two, VisitDetector=one))
    assert [(table.table, table.state, table.is_equal) for table in found.tables] == [
        ("Object", "both", True), ("CcdVisit", "removed", False), ("VisitDetector", "added", False),
    ]  # fmt: skip
    assert not found.is_equal


def test_hundreds_of_retyped_columns_are_one_line() -> None:
    """535 in one row, or a row each; 1,400 columns with 700 renamed ones on either side."""
    names = [f"{band}_{what}{n}" for band in "grizy" for what in ("psfFlux", "cModelFlux") for n in range(140)]
    old = Table("Object", tuple(Column(name, parse_type("double")) for name in names))
    new = Table(
        "Object", tuple(Column(name, parse_type("float" if n < 535 else "double")) for n, name in enumerate(names))
    )
    found = compare_schemas(table_side(Object=old), table_side(Object=new))
    (row,) = difference_rows(found, is_whole=False)
    assert row[:3] == ["Object", "double → float", 535]
    assert len(difference_rows(found, is_whole=True)) == 535
    other = Table("Object", tuple(Column(name.replace("_", ""), parse_type("double")) for name in names))
    (table,) = compare_schemas(table_side(Object=old), table_side(Object=other)).tables
    assert {change.old.replace("_", "") == change.new for change in table.renamed} == {True}
    assert len(table.renamed) == len(names)


def test_null_counts_where_both_sides_declare_it() -> None:
    """Files promise nothing about NULL: a NOT NULL that they do not have is no change; one that is new is."""
    free = SideTable(Table("T", (Column("a", parse_type("int")),)))
    bound = SideTable(Table("T", (Column("a", parse_type("int"), is_nullable=False),)))
    declared = [SchemaSide("made", {"T": side}, is_declared=True) for side in (free, bound)]
    files = SchemaSide("files", {"T": free}, is_declared=False)
    assert [compare_schemas(declared[1], side).is_equal for side in (declared[0], files)] == [False, True]
    (table,) = compare_schemas(files, declared[1]).tables
    assert table.retyped[0].loss == "NULL"


def test_command_says_and_exits(
    weeklies: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 0 when equal, 1 when not; JSON is as described."""
    import typer

    nowhere = tmp_path / "no-cluster"
    diff_schemas(str(weeklies[0]), str(weeklies[0]), cluster=nowhere)
    assert "1 of 1 tables have equal columns: Object" in capsys.readouterr().out
    with pytest.raises(typer.Exit) as caught:
        diff_schemas(str(weeklies[0]), str(weeklies[1]), json=True, cluster=nowhere)
    printed = capsys.readouterr().out
    validate_output("schema diff", printed)
    assert (caught.value.exit_code, json.loads(printed)["is_equal"]) == (1, False)


@pytest.mark.timeout(20)
def test_all_columns_of_hsc(tmp_path: Path) -> None:
    """1,038 columns of files and schema: every one by name, of one kind."""
    schema = {item.table.name: item.table for item in read_schema("hsc")}
    write_rows(
        tmp_path / "Object" / "a.parquet", make_rows(schema["Object"], 20, 1, {"objectId": pa.array(np.arange(20))})
    )
    table = next(table for table in compared("felis:hsc", tmp_path).tables if table.table == "Object")
    assert (table.old_columns, table.new_columns, table.added, table.removed) == (1038, 1038, (), ())
    assert {change.column for change in table.retyped} <= {"refBand", "objectId"}
