"""Weeklies of the generator, from tree to database by inferred schemas; what changed equals the generator's truth."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.cli.app import app
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
RUNS = "HSC/runs/RC2"


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trees")
    for weekly in ("1", "2"):
        words = ["--weekly", weekly, "--objects", "200", "--columns", "few", "--out", str(folder)]
        made = CliRunner().invoke(app, ["synth", "--as", "hsc-gen3", *words])
        assert made.exit_code == 0, made.output
    return folder


def write_mapping(folder: Path, database: str, root: Path) -> Path:
    path = folder / f"{database}.yaml"
    path.write_text(
        f"version: 1\nextends: hsc-gen3\ninput: {root}\ndatabase: {database}\nlayout: kpm-85-12\n"
        "tables: {Object: {duplicates: keep-first, bad_positions: skip}}\n"
    )
    return path


@pytest.fixture(scope="module")
def first(testbed: Testbed, trees: Path) -> str:
    """The first weekly as a database."""
    database = f"r{uuid.uuid4().hex[:8]}x_w20"
    testbed.ingest(write_mapping(trees, database, trees / RUNS / "w_2026_20"))
    return database


def truth(trees: Path) -> dict[str, dict[str, object]]:
    content = json.loads((trees / "truth" / "hsc-gen3_w_2026_24.json").read_text())
    return {name: kind["changes"] for name, kind in content["dataset_types"].items() if kind["changes"]}


def test_first_mapping_of_a_tree_is_ingested_and_verified(testbed: Testbed, trees: Path, tmp_path: Path) -> None:
    """mapping, plan, ingest, verify: the file is not touched in between, every row is there and checked."""
    database = f"r{uuid.uuid4().hex[:8]}"
    out = tmp_path / "m.yaml"
    tree = tmp_path / "tree"
    rows = {"id": [1, 2], "ra": [359.9, 0.1], "dec": [-1.0, 1.0], "name": ["a", "λ"], "spans": [[1], [2, 3]]}
    tree.mkdir()
    pq.write_table(pa.table(rows), tree / "stars.parquet")
    made = CliRunner().invoke(app, ["mapping", str(tree), "--out", str(out), "--database", database])
    assert made.exit_code == 0, made.output
    planned = CliRunner().invoke(app, ["plan", str(out), "--json", "--cluster", str(testbed.cluster.folder)])
    assert planned.exit_code == 0, planned.output
    (table,) = testbed.ingest(out).tables
    assert (table.rows, table.role, [note for note in table.notes if "left out" in note]) == (
        2, "director", ["1 columns left out, of types that no column takes: spans list<element: int64>"],
    )  # fmt: skip
    assert all(check.is_good for check in testbed.verify(database))
    assert testbed.query("SELECT name FROM stars WHERE id = 2", database=database).table.to_pylist() == [{"name": "λ"}]


def test_changes_of_a_weekly_equal_the_truth(testbed: Testbed, trees: Path, first: str) -> None:
    """Database against tree, and the plan of the second weekly: added, removed, retyped, and renamed by value."""
    second = write_mapping(trees, first.replace("w20", "w24"), trees / RUNS / "w_2026_24")
    options = ["--no-survey", "--json", "--cluster", str(testbed.cluster.folder)]
    planned = CliRunner().invoke(app, ["plan", str(second), *options])
    assert planned.exit_code == 0, planned.output
    for found in (
        testbed.schema_diff(f"db:{first}", str(second)).model_dump(mode="json"),
        json.loads(planned.stdout)["changes"],
    ):
        tables = {table["table"]: table for table in found["tables"]}
        known = truth(trees)["objectTable_tract"]
        change = tables.pop("Object")
        assert [column.partition(" ")[0] for column in change["added"]] == known["added_columns"]
        assert [column.partition(" ")[0] for column in change["removed"]] == known["removed_columns"]
        assert {column["old"]: column["new"] for column in change["renamed"]} == known["renamed_columns"]
        assert {column["by"] for column in change["renamed"]} == {"value"}
        assert {column["column"]: [column["old"], column["new"]] for column in change["retyped"]} == known[
            "retyped_columns"
        ]
        assert not any(table["added"] or table["removed"] or table["retyped"] for table in tables.values())


def test_database_has_the_schema_of_its_files(testbed: Testbed, trees: Path, first: str) -> None:
    """Nothing changed on the way from a tree to its database."""
    assert testbed.schema_diff(str(trees / RUNS / "w_2026_20"), f"db:{first}").is_equal


def test_later_files_fit_into_the_database(testbed: Testbed, trees: Path, tmp_path: Path, first: str) -> None:
    """A longer text, a narrower number and a lost column are taken in; a new column is refused, and nothing is left."""
    mapping = tmp_path / "later.yaml"
    (tmp_path / "in").mkdir()
    old = pq.read_table(next((trees / RUNS / "w_2026_20").rglob("visitTable_*.parq")))
    table = old.slice(0, 1).set_column(old.schema.get_field_index("visit"), "visit", pa.array([99], pa.int16()))
    table = table.set_column(table.schema.get_field_index("band"), "band", pa.array(["narrowband-9"]))
    dropped = next(name for name in table.column_names if name not in ("visit", "visitId", "band", "ra", "dec"))
    pq.write_table(table.drop_columns([dropped]), tmp_path / "in" / "visit.parquet")
    text = f"version: 1\ndatabase: {first}\nschema: infer\nlayout: kpm-85-12\ninput: in\ntables: "
    mapping.write_text(f"{text}{{Visit: {{files: [visit.parquet], role: regular}}}}\n")
    before = testbed.query("SELECT COUNT(*) AS n FROM Visit", database=first).table.to_pylist()[0]["n"]
    report = testbed.ingest(mapping)
    assert report.tables[0].conversions[f"{dropped}: not in the file → NULL"] == 1
    answer = testbed.query(f"SELECT band, {dropped} FROM Visit WHERE visit = 99", database=first).table.to_pylist()
    assert answer == [{"band": "narrowband-9", dropped: None}]
    pq.write_table(table.append_column("fresh", pa.array([1])), tmp_path / "in" / "visit.parquet")
    with pytest.raises(UserError, match=r"column 'fresh' that table '\w+.Visit' does not have"):
        testbed.ingest(mapping)
    after = testbed.query("SELECT COUNT(*) AS n FROM Visit", database=first).table.to_pylist()[0]["n"]
    assert after == before + 1
