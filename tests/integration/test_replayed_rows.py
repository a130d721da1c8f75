"""Rows that every node has lost come again from their input, however that was ingested, or it is said why not."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tests.support import kill_catalog, small_match
from tests.support.killing import digests, forget
from tests.support.same_answer import rows_in
from tests.support.schema_parquet import make_rows, write_rows
from tests.support.tract_files import first_files, second_state

from skyshard.catalog.felis_schemas import read_schema
from skyshard.catalog.layout import Layout
from skyshard.db.connection import Account, connect, quote_name
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
Making = Callable[[Testbed, Path, str], None]


def tracts(testbed: Testbed, folder: Path, name: str) -> None:
    """With provenance: three transactions, of which the second took the place of a file of the first."""
    files = first_files(folder)
    files.database = name
    files.write("Object", 3, [(21, 10.3, 5.3, 6.5), (22, 120.0, 30.0, 7.5)])
    testbed.ingest(files.mapping)
    second_state(files)
    testbed.ingest(files.mapping, replace=["1"])
    files.write("Object", 5, [(41, 10.25, 5.25, 3.25), (42, 300.0, 60.0, 4.25)])
    files.write("Source", 5, [(141, 41, 10.25, 5.25), (142, 2, 10.2, 5.1)])
    testbed.ingest(files.mapping)


def compacted_tracts(testbed: Testbed, folder: Path, name: str) -> None:
    tracts(testbed, folder, name)
    testbed.compact(name, grace_s=0.0)


def policies(testbed: Testbed, folder: Path, name: str) -> None:
    """Doubled keys within files and over transactions, wrong positions, unwanted rows, orphans, in two transactions."""
    columns = [("id", "bigint"), ("ra", "double"), ("decl", "double"), ("v", "int"), ("name", "varchar(8)")]
    tables: dict[str, Any] = {
        "Object": {
            "files": ["Object*.parquet"], "role": "director", "key": "id", "position": ["ra", "decl"],
            "declare": [{"name": column, "type": kind} for column, kind in columns],
            "duplicates": "keep-first", "bad_positions": "quarantine", "where": "v <> 7",
        },
        "Source": {
            "files": ["Source*.parquet"], "role": "dependent", "director": "Object", "key": "id", "orphans": "skip",
            "declare": [{"name": column, "type": "bigint"} for column in ("sid", "id")],
        },
    }  # fmt: skip
    content = {"version": 1, "database": name, "striping": {"stripes": 18, "substripes": 4, "overlap_deg": 0.5}}
    (folder / "mapping.yaml").write_text(yaml.safe_dump(content | {"tables": tables}))
    random = np.random.default_rng(5)
    for number in range(2):
        ids = random.integers(1, 60, 80)
        ra, decl = random.uniform(0, 360, 80), random.uniform(-60, 60, 80)
        decl[::9] = [np.nan, 91.0] * 4 + [np.nan]
        values = pa.array(random.integers(0, 12, 80), pa.int32())
        names = pa.array([None if one % 3 == 0 else f"n{one}é" for one in ids])
        objects = pa.table({"id": pa.array(ids, pa.int64()), "ra": ra, "decl": decl, "v": values, "name": names})
        pq.write_table(objects, folder / f"Object_{number}.parquet", row_group_size=20)
        sources = {"sid": pa.array(np.arange(200) + 1000 * number), "id": pa.array(random.integers(1, 70, 200))}
        pq.write_table(pa.table(sources), folder / f"Source_{number}.parquet", row_group_size=64)
        testbed.ingest(folder)


def matches(testbed: Testbed, folder: Path, name: str, by: str) -> None:
    testbed.ingest(small_match.write_catalog(folder, by=by), database=name)


def of_engine(testbed: Testbed, folder: Path, name: str, engine: str) -> None:
    """Two transactions, of which the parts were merged, and a third one."""
    layout = Layout.model_validate({"striping": kill_catalog.STRIPING, "engine": engine})
    for seed in (1, 2, 3):
        source = kill_catalog.write_catalog(folder / str(seed), objects=40, seed=seed, side_deg=4)
        testbed.ingest(source, database=name, layout=layout)
        if seed == 2:
            testbed.compact(name, grace_s=0.0)


def hsc(testbed: Testbed, folder: Path, name: str) -> None:
    """By the shipped mapping, every column of the schema."""
    schema = {item.table.name: item.table for item in read_schema("hsc")}
    for table, rows in {"Object": 60, "Source": 80, "Visit": 5, "VisitDetector": 20}.items():
        numbers = pa.array(9_000_000_000 + np.arange(rows, dtype=np.int64) * 7)
        keys = {{"Object": "objectId", "Source": "sourceId"}.get(table, "visitId"): numbers,
                "detector": pa.array(np.arange(rows, dtype=np.int16))}  # fmt: skip
        content = make_rows(schema[table], rows, seed=len(table), keys=keys)
        for number, piece in enumerate((content.slice(0, rows // 2), content.slice(rows // 2))):
            write_rows(folder / table / f"visit={number}" / "part.parquet", piece, row_group_rows=20)
    (folder / "mapping.yaml").write_text("version: 1\nextends: hsc\nlayout: kpm-85-12\n")
    testbed.ingest(folder, database=name)


WAYS: dict[str, Making] = {
    "provenance and replacement": tracts,
    "replaced and compacted": compacted_tracts,
    "policies": policies,
    "matches by key": partial(matches, by="key"),
    "matches by position": partial(matches, by="position"),
    "InnoDB": partial(of_engine, engine="InnoDB"),
    "Aria": partial(of_engine, engine="Aria"),
    "hsc": hsc,
}
DEEP = ("provenance and replacement", "matches by position", "Aria")
"""Ways that are another one with a little less, or in its place."""


@pytest.fixture
def name(testbed: Testbed) -> Iterator[str]:
    made = f"y{uuid.uuid4().hex[:10]}"
    yield made
    forget(testbed, made)


def all_rows(testbed: Testbed, name: str) -> dict[str, list[str]]:
    """Every row of every table, with the columns that provenance added."""
    tables = testbed.registry.databases.table_definitions(name)
    return {
        table: sorted(map(repr, rows_in(testbed.query(f"SELECT * FROM {table}", database=name).table)))
        for table in tables
    }


@pytest.mark.parametrize("way", [pytest.param(way, marks=pytest.mark.deep) if way in DEEP else way for way in WAYS])
def test_all_rows_of_a_database_come_again(way: str, testbed: Testbed, name: str, tmp_path: Path) -> None:
    """Every node lost its folder of the database: rows, digests, index and what verify checks are as before."""
    WAYS[way](testbed, tmp_path, name)
    assert [check for check in testbed.verify(name) if not check.is_good] == []
    before, made = all_rows(testbed, name), digests(testbed.registry.replicas.all(name))
    for node in testbed.nodes:
        with connect(testbed.cluster.endpoint(node), Account.ADMIN) as connection:
            connection.execute(f"DROP DATABASE {quote_name(name)}")
    testbed.replicas.verify(name)
    (done,) = testbed.replicas.repair(name)
    assert (done.failed, [(one.table, one.why) for one in done.lost]) == ({}, [])
    assert done.is_done
    assert digests(testbed.registry.replicas.all(name)) == made
    assert all_rows(testbed, name) == before
    assert [check for check in testbed.verify(name) if not check.is_good] == []
