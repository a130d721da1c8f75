"""Qserv test catalogs: what their JSON, DDL and first lines say is what is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.partitioned import digests_of, partition_all

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role
from skyshard.ingest.sources.open_source import open_source

OBJECT = "CREATE TABLE Object (id bigint NOT NULL, ra double, decl double, chunkId int, subChunkId int) ENGINE=MyISAM;"
MATCH = "CREATE TABLE Matches (oid bigint, rid bigint, flags tinyint NOT NULL);"
DIRECTOR = {"is_partitioned": 1, "director_table": "", "director_key": "id", "latitude_key": "decl",
            "longitude_key": "ra"}  # fmt: skip
PAIR = {"is_partitioned": 1, "director_table": "Object", "director_key": "oid", "director_table2": "Ref",
        "director_key2": "rid", "flag": "flags"}  # fmt: skip


def write_catalog(folder: Path, rows: str = "1\t10.0\t2.0\n2\t10.0\t2.01\n", **partition: Any) -> Path:
    data = folder / "data"
    for name in ("schema", "ingest", "partition"):
        (data / name).mkdir(parents=True, exist_ok=True)
    (data / "description.yaml").write_text("tables: {directors: [Object, Ref]}\n")
    striping = {"num_stripes": 85, "num_sub_stripes": 12, "overlap": 0.01667}
    (data / "ingest" / "database.json").write_text(json.dumps({"database": "q", **striping}))
    for name, ddl, config, content in (
        ("Object", OBJECT, DIRECTOR, rows),
        ("Ref", OBJECT.replace("Object", "Ref"), DIRECTOR, "11\t10.0\t2.0\n"),
        ("Matches", MATCH, PAIR, "1\t11\n2\t\\N\n"),
    ):
        (data / "schema" / f"{name}.schema").write_text(ddl)
        (data / "ingest" / f"{name}.json").write_text(json.dumps(config))
        (data / f"{name}.tsv").write_text(content)
    (data / "partition" / "Object.json").write_text(json.dumps(partition))
    return folder


def test_chunk_columns_of_the_ddl_need_not_be_in_the_file(tmp_path: Path) -> None:
    """They are filled in; numbers that a file holds are of no partitioning, and passed over."""
    without = digests_of(partition_all(open_source(write_catalog(tmp_path / "a")), tmp_path / "s1")["Object"])
    rows = "1\t10.0\t2.0\t77\t\\N\n2\t10.0\t2.01\t0\t0\n"
    with_numbers = open_source(write_catalog(tmp_path / "b", rows))
    assert digests_of(partition_all(with_numbers, tmp_path / "s2")["Object"]) == without
    assert with_numbers.tables["Object"].table.column_names == ["id", "ra", "decl"]


def test_fields_may_stand_in_another_order_and_dialect(tmp_path: Path) -> None:
    """The partitioner's configuration names the fields of the file; unknown ones are passed over."""
    plain = digests_of(partition_all(open_source(write_catalog(tmp_path / "a")), tmp_path / "s1")["Object"])
    fields = {"in": {"csv": {"delimiter": "|", "field": ["decl", "extra", "id", "RA"]}}}
    source = open_source(write_catalog(tmp_path / "b", "2.0|x|1|10.0\n2.01|y|2|10.0\n", **fields))
    assert digests_of(partition_all(source, tmp_path / "s2")["Object"]) == plain


def test_flag_of_a_match_table_need_not_be_in_the_file(tmp_path: Path) -> None:
    """Partitioning says it."""
    source = open_source(write_catalog(tmp_path / "a"))
    assert source.tables["Matches"].layout.role is Role.REF_MATCH
    reports = partition_all(source, tmp_path / "s")["Matches"]
    assert sum(report.rows for report in reports) == 2
    assert reports[0].conversions == {}


def test_director_of_another_database_is_refused(tmp_path: Path) -> None:
    """By name, until it is built."""
    folder = write_catalog(tmp_path / "a")
    (folder / "data" / "ingest" / "Matches.json").write_text(json.dumps({**PAIR, "director_table": "other.Object"}))
    with pytest.raises(UserError, match=r"table 'Matches' follows director 'other.Object' of another database"):
        open_source(folder)


def spoil_schema(folder: Path) -> None:
    (folder / "data" / "schema" / "Bright.schema").write_text("CREATE VIEW Bright AS SELECT id FROM Object;")


def drop_data(folder: Path) -> None:
    (folder / "data" / "Ref.tsv").unlink()


def spoil_json(folder: Path) -> None:
    (folder / "data" / "ingest" / "Matches.json").write_text("{")


@pytest.mark.parametrize("spoil", [spoil_schema, drop_data, spoil_json])
def test_tables_that_nobody_asks_for_need_not_be_right(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """A view's definition, data that were not delivered, a broken file: refused with all, passed over without."""
    folder = write_catalog(tmp_path / "a")
    whole = digests_of(partition_all(open_source(folder, ["Object"]), tmp_path / "s1")["Object"])
    spoil(folder)
    with pytest.raises(UserError):
        open_source(folder)
    source = open_source(folder, ["Object"])
    assert digests_of(partition_all(source, tmp_path / "s2")["Object"]) == whole
    assert list(source.tables) == ["Object"]
    assert source.unopened >= {"Ref", "Matches"}
    with pytest.raises(UserError, match=r"has no table 'Objekt'; it has .*Object, Ref"):
        open_source(folder, ["Objekt"])


def test_database_is_named_after_the_folder_where_nothing_else_names_it(tmp_path: Path) -> None:
    """With underscores for hyphens."""
    folder = write_catalog(tmp_path / "case-07")
    path = folder / "data" / "ingest" / "database.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "database": ""}))
    assert open_source(folder).database == "case_07"


COLUMNS = [{"name": "oid", "type": "bigint"}, {"name": "rid", "type": "bigint"}]
BARE = "CREATE TABLE Matches (oid bigint, rid bigint);"


@pytest.mark.parametrize(
    ("listed", "rows", "names"),
    [
        ([*COLUMNS, {"name": "flags", "type": "int(11) NOT NULL"}], "1\t11\t0\n2\t\\N\t0\n", ["oid", "rid", "flags"]),
        ([{"name": "flags", "type": "int(11) NOT NULL"}, *COLUMNS], "0\t1\t11\n0\t2\t\\N\n", ["flags", "oid", "rid"]),
        ([*COLUMNS, {"name": "flags", "type": "int(11) NOT NULL"}], "1\t11\n2\t\\N\n", ["oid", "rid", "flags"]),
        ([], "1\t11\n2\t\\N\n", ["oid", "rid", "flags"]),
    ],
    ids=["in the JSON", "first in the JSON", "not in the file", "in neither"],
)
def test_flag_of_a_match_table_need_not_be_in_the_ddl(
    tmp_path: Path, listed: list[dict[str, str]], rows: str, names: list[str]
) -> None:
    """The ingest JSON may have it, or nobody; the rows are the same."""
    folder = write_catalog(tmp_path / "a")
    (folder / "data" / "schema" / "Matches.schema").write_text(BARE)
    (folder / "data" / "ingest" / "Matches.json").write_text(json.dumps({**PAIR, "schema": listed}))
    (folder / "data" / "Matches.tsv").write_text(rows)
    source = open_source(folder)
    assert source.tables["Matches"].table.column_names == names
    reports = partition_all(source, tmp_path / "s")["Matches"]
    assert sum(report.rows for report in reports) == 2


def test_descriptions_that_disagree_are_settled_by_the_json_and_said(tmp_path: Path) -> None:
    """Qserv makes its tables by the ingest JSON; the plan says what the DDL had."""
    folder = write_catalog(tmp_path / "a")
    listed = [
        {"name": "id", "type": "bigint NOT NULL"}, {"name": "ra", "type": "double NOT NULL"},
        {"name": "decl", "type": "double"},
    ]  # fmt: skip
    (folder / "data" / "ingest" / "Object.json").write_text(json.dumps({**DIRECTOR, "schema": listed}))
    table = open_source(folder).tables["Object"]
    assert [column.is_nullable for column in table.table] == [False, False, True]
    assert table.conversions == ("ra: double not null by the ingest JSON, double by the .schema file",)


def test_table_that_only_the_json_describes_is_one(tmp_path: Path) -> None:
    """Where there are data of its name; without them it is none."""
    folder = write_catalog(tmp_path / "a")
    listed = [{"name": "n", "type": "int"}, {"name": "w", "type": "char(3)"}]
    for name in ("Words", "Nothing"):
        (folder / "data" / "ingest" / f"{name}.json").write_text(json.dumps({"is_partitioned": 0, "schema": listed}))
    (folder / "data" / "Words.tsv").write_text("1\tone\n")
    source = open_source(folder)
    assert source.tables["Words"].table.column_names == ["n", "w"]
    assert "Nothing" not in source.tables
