"""Qserv test catalogs: what their JSON, DDL and first lines say is what is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.partitioned import digests_of, partition_all

from skyshard.errors import UserError
from skyshard.ingest.sources import open_source
from skyshard.layout import Role

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
