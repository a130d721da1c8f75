"""Names that catalogs cannot have are refused by the plan, whoever gives them; near misses are taken."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.csv_catalog import OBJECT, director, table, write_mapping, write_table
from tests.support.kill_catalog import write_catalog
from tests.support.small_catalog import write_small_catalog
from tests.support.small_metadata import edit_json, write_metadata_folder

from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Column, Key, Table
from skyshard.ingest.plan.ingest_plan import make_plan
from skyshard.ingest.source import Source
from skyshard.ingest.sources.open_source import open_source
from skyshard.rowimage.sqltype import parse_type
from skyshard.testbed import source_at


def source_of(folder: Path, tables: dict[str, Any], database: str = "made") -> Source:
    path = write_mapping(folder, database, tables)
    for described in tables.values():
        columns = [column["name"] for column in described["declare"]]
        write_table(folder, described["files"][0].removesuffix(".csv").replace("*", ""), columns, [])
    return open_source(path)


OURS = ["skyshard_registry", "Skyshard_Director_Index", "skyshard_scratch", "SKYSHARD", "skyshard_anything"]
SERVERS = ["mysql", "MySQL", "sys", "Information_Schema", "performance_schema", "ibdata1", "ib_buffer_pool", "undo001"]


@pytest.mark.parametrize("name", OURS + SERVERS)
def test_names_of_other_databases_are_refused(tmp_path: Path, name: str) -> None:
    """Our own databases, the server's, and files of its data folder are no catalogs, in whatever case."""
    source = source_of(tmp_path, {"Object": director()})
    with pytest.raises(UserError, match=rf"'{name}' is a name of .* own.*; use --database"):
        make_plan(source, database=name)


@pytest.mark.parametrize("name", ["a__b", "a_", "caf\xe9", "con-1", "a$", "a.b", "a@b", "\u03b1", "a/b", "..", "a\n"])
def test_names_that_cannot_be_told_apart_are_refused(tmp_path: Path, name: str) -> None:
    """Letters that files spell otherwise, and what could be the director index of another database."""
    source = source_of(tmp_path, {"Object": director()})
    with pytest.raises(UserError, match="is no usable database name"):
        make_plan(source, database=name)


@pytest.mark.parametrize("name", ["con", "NUL", "lpt1", "mysql2", "my_sky", "sysadmin", "skyshards", "x_1"])
def test_names_that_only_look_taken_are_taken(tmp_path: Path, name: str) -> None:
    """What merely resembles such a name is a name like any other."""
    assert make_plan(source_of(tmp_path, {"Object": director()}), database=name).database == name


def test_every_kind_of_source_is_refused(tmp_path: Path) -> None:
    """A mapping, a test catalog, a folder with metadata, a synthetic one and a recipe propose names alike."""
    synthetic = write_catalog(tmp_path / "synthetic", objects=10)
    manifest = json.loads((synthetic / "manifest.json").read_text())
    manifest["recipe"]["name"] = "skyshard-registry"
    (synthetic / "manifest.json").write_text(json.dumps(manifest))
    recipe = tmp_path / "sky.yaml"
    shipped = yaml.safe_load((Path(__file__).parents[4] / "synth" / "recipes" / "tiny.yaml").read_text())
    recipe.write_text(yaml.safe_dump(shipped | {"name": "skyshard-registry"}))
    metadata = write_metadata_folder(tmp_path / "metadata")
    edit_json(next(metadata.glob("database*.json")), database="skyshard_registry")
    sources = [
        write_mapping(tmp_path, "skyshard_registry", {"Object": director()}),
        write_small_catalog(tmp_path / "small", objects=10, database="skyshard_registry"),
        metadata,
        synthetic,
        recipe,
    ]
    write_table(tmp_path, "Object", list(OBJECT), [])
    for path in sources:
        with pytest.raises(UserError, match="'skyshard_registry' is a name of Skyshard's own databases"):
            make_plan(source_at(path))


@pytest.mark.parametrize("name", ["a-b", "a b", "a.b", "\xdf", "a$b", "../a", "`", ""])
def test_table_names_that_files_spell_otherwise_are_refused(tmp_path: Path, name: str) -> None:
    """Tables are files on the nodes: letters, digits and underscores."""
    source = source_of(tmp_path, {"Object": director(), name: table({"n": "int"}, files="x.csv")})
    with pytest.raises(UserError, match="is no usable table name"):
        make_plan(source)


@pytest.mark.parametrize(
    "name",
    ["Object_150", "Object_1234567890", "Object_7_p3", "Object_7_g12", "ObjectFullOverlap", "ObjectFullOverlap_7",
     "ObjectFullOverlap_7_g2", "Source_150", "Source_1_p7", "Filter_p2", "Filter_g11"],
)  # fmt: skip
def test_a_whole_table_called_like_one_of_ours_is_refused(tmp_path: Path, name: str) -> None:
    """Chunk tables, overlap, parts and generations of other tables stand under these names."""
    tables = {
        "Object": director(),
        "Source": table({"id": "bigint"}, files="Source.csv", role="dependent", director="Object", key="id"),
        "Filter": table({"n": "int"}, files="Filter.csv"),
        name: table({"n": "int"}, files="x.csv"),
    }
    with pytest.raises(UserError, match=rf"table '{name}' has a name that .* of '{name.split('_')[0][:6]}.*' have"):
        make_plan(source_of(tmp_path, tables))


@pytest.mark.parametrize(
    "name",
    ["Object_", "Object_x", "Object_p3", "object_150", "Objects_150", "SourceFullOverlap", "SourceFullOverlap_7",
     "Filter_150", "Filter_p", "Filter_1_p2", "FilterFullOverlap", "Object_150_p"],
)  # fmt: skip
def test_whole_tables_of_like_names_are_taken(tmp_path: Path, name: str) -> None:
    """What no table of ours is ever called may stand beside them."""
    tables = {
        "Object": director(),
        "Source": table({"id": "bigint"}, files="Source.csv", role="dependent", director="Object", key="id"),
        "Filter": table({"n": "int"}, files="Filter.csv"),
        name: table({"n": "int"}, files="x.csv"),
    }
    assert name in [planned.name for planned in make_plan(source_of(tmp_path, tables)).tables]


def test_chunked_tables_called_like_ours(tmp_path: Path) -> None:
    """A director called like another's overlap, or like a part of its index, is refused; a number does no harm."""
    for name, role in (
        ("ObjectFullOverlap", "director"),
        ("Object_p3", "director"),
        ("ObjectFullOverlap", "dependent"),
    ):
        extra = director(files="x.csv") if role == "director" else table(
            {"id": "bigint"}, files="x.csv", role="dependent", director="Object", key="id"
        )  # fmt: skip
        with pytest.raises(UserError, match=f"table '{name}' has a name that chunk tables of 'Object' have"):
            make_plan(source_of(tmp_path, {"Object": director(), name: extra}))
    for name in ("Object_150", "Object_150_p3"):
        assert len(make_plan(source_of(tmp_path, {"Object": director(), name: director(files="x.csv")})).tables) == 2


@pytest.mark.parametrize("name", ["chunkId", "subChunkId", "CHUNKID", "subchunkid"])
@pytest.mark.parametrize("role", ["director", "dependent"])
def test_columns_that_would_be_overwritten_are_refused(tmp_path: Path, name: str, role: str) -> None:
    """A chunked table's chunk numbers are ours; a whole table may call a column so."""
    more = {name: "int"}
    dependent = {"role": "dependent", "director": "Object", "key": "id"}
    tables = {
        "Object": director(OBJECT | (more if role == "director" else {})),
        "Source": table({"id": "bigint"} | (more if role == "dependent" else {}), files="Source.csv", **dependent),
        "Chunks": table(more, files="Chunks.csv"),
    }
    source = source_of(tmp_path, tables)
    with pytest.raises(UserError, match=f"column '{name}': {role} tables have a column of this name"):
        make_plan(source)
    assert [planned.name for planned in make_plan(source, tables=["Chunks"]).tables] == ["Chunks"]


def test_catalogs_that_carry_chunk_numbers_are_taken(tmp_path: Path) -> None:
    """Folders of data centres have chunk columns in their files, which are checked and not the user's own."""
    assert make_plan(open_source(write_metadata_folder(tmp_path / "metadata"))).tables


@pytest.mark.parametrize("name", ["a/b", "a\x01b", "\u03b1", "a ", "a\nb"])
def test_columns_that_no_statement_can_name_are_refused(tmp_path: Path, name: str) -> None:
    """A column's name is printable and of latin1 letters, as statements are."""
    source = source_of(tmp_path, {"T": table({"n": "int"}, files="x.csv")})
    wrong = Table("T", (Column(name, parse_type("int")),))
    tables = {"T": type(source.tables["T"])(wrong, *_rest(source))}
    with pytest.raises(UserError, match=r"table 'T', column "):
        make_plan(type(source)(source.path, source.kind, source.database, source.layout, tables))


def _rest(source: Source) -> tuple[Any, ...]:
    found = source.tables["T"]
    return found.layout, found.slices, found.reader


@pytest.mark.parametrize(("name", "is_taken"), [("x" * 37, True), ("x" * 45, False)])
def test_names_have_room_for_what_is_added(tmp_path: Path, name: str, is_taken: bool) -> None:
    """A director's overlap of a late transaction is still a name that the server takes."""
    source = source_of(tmp_path, {name: director(files="x.csv")})
    if is_taken:
        assert make_plan(source, database="d").tables
    else:
        with pytest.raises(UserError, match="where the server takes 64; give it a name that is"):
            make_plan(source, database="d")


def test_index_and_database_share_the_room(tmp_path: Path) -> None:
    """The director index is called after both."""
    source = source_of(tmp_path, {"Object": director()})
    assert make_plan(source, database="d" * 48).tables
    with pytest.raises(UserError, match=r"names like 'd+__Object_p999999', of 65 characters"):
        make_plan(source, database="d" * 49)


def test_file_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """A file of whatever bytes as its name is refused by name, as the registry keeps the names of parts."""
    path = write_mapping(tmp_path, "made", {"Object": director()})
    (tmp_path / os.fsdecode(b"Object\xff.csv")).write_text("id,ra,decl\n")
    with pytest.raises(UserError, match=r"the name of file '.*Object\\udcff.csv' is not UTF-8"):
        make_plan(open_source(path))


def test_indexes_get_names_of_their_own() -> None:
    """Indexes of the user's that are called like ours, or like each other, keep their columns under other names."""
    columns = tuple(Column(name, parse_type("bigint")) for name in ("id", "a", "b"))
    keys = (Key("subChunkId", ("a",)), Key("SUBCHUNKID", ("b",)), Key("PRIMARY", ("a", "b")))
    layout = TableLayout(role=Role.DIRECTOR, key="id", position=("a", "b"))
    stored = stored_table(Table("T", columns, (), keys), layout)
    assert {(key.name, key.columns) for key in stored.keys} == {
        ("subChunkId", ("a",)), ("SUBCHUNKID_2", ("b",)), ("PRIMARY_2", ("a", "b")), ("subChunkId_3", ("subChunkId",)),
    }  # fmt: skip


def test_a_unique_index_is_no_matter_of_a_layout(tmp_path: Path) -> None:
    """Chunk tables would have one each, and two of them the same values; a plain one is taken."""
    source = source_of(tmp_path, {"Object": director()})
    table, named = source.tables["Object"].layout, {"byid": ["id"]}
    plain = {"Object": table.model_copy(update={"named_indexes": named})}
    unique = {"Object": table.model_copy(update={"named_indexes": named, "unique_indexes": ["byid"]})}
    assert make_plan(source, override=source.layout.model_copy(update={"tables": plain})).database == "made"
    with pytest.raises(UserError, match="table 'Object': its layout has a unique index 'byid'"):
        make_plan(source, override=source.layout.model_copy(update={"tables": unique}))
