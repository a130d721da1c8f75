"""Synthetic catalogs with all columns of a schema, and dirty ones, ingested: the rows stored are those promised."""

import json
import zlib
from collections.abc import Iterator
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.felis_skies import felis_recipe
from tests.support.recipes import changed
from tests.support.same_answer import rows_in

from skyshard.basics.errors import UserError
from skyshard.bench.check.compare_answers import compare_answers
from skyshard.catalog.layout import Layout
from skyshard.catalog.synth_manifest import SynthManifest, read_manifest
from skyshard.cluster.private_cluster import Cluster
from skyshard.db.connection import Account, connect
from skyshard.ingest.check.check_truth import KnownRows
from skyshard.ingest.transaction.kept_truth import Known
from skyshard.registry.stored.records import WHOLE
from skyshard.synth.recipe.recipe import Recipe, read_recipe
from skyshard.synth.rows.generate import open_sky
from skyshard.synth.write.dirty_input import parse_dirt, write_dirty
from skyshard.synth.write.synth_plan import plan
from skyshard.synth.write.write_catalog import write_catalog
from skyshard.testbed import Testbed, source_at

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def testbed(private_cluster: Cluster) -> Iterator[Testbed]:
    with Testbed(private_cluster.folder) as testbed:
        yield testbed


def test_all_columns_of_a_schema_are_stored(testbed: Testbed, tmp_path: Path) -> None:
    """Every table of DP2, regular ones with text too, is ingested with the rows of the manifest, and verifies."""
    recipe = felis_recipe("dp2")
    recipe = recipe.model_copy(update={"visits": recipe.visits.model_copy(update={"detectors_per_side": 3})})
    chunks = list(open_sky(recipe).expected_objects())[4:6]
    manifest = write_catalog(recipe, tmp_path, chunks, fraction=0.1, shrink="thinning")
    testbed.ingest(str(tmp_path), database="synth_dp2")
    failed = [check for check in testbed.verify("synth_dp2") if not check.is_good]
    assert not failed
    for name, rows in manifest.known_truth.rows.items():
        found = testbed.query(f"SELECT COUNT(*) FROM {name}", database="synth_dp2")
        assert found.table.column(0).to_pylist() == [rows], name


def test_answers_of_the_truth_are_returned(testbed: Testbed, tmp_path: Path) -> None:
    """Each statement in the manifest, near-neighbour pairs among them, has the row that it promises."""
    content = changed(
        neighbours={"radii_deg": [0.004, 0.016]},
        aggregates=[{"table": "Source", "column": "psfFlux"}, {"table": "Object", "column": "objectId"}],
    )
    manifest: SynthManifest = write_catalog(Recipe.model_validate(content), tmp_path, fraction=0.5)
    testbed.ingest(str(tmp_path), database="synth_truth")
    for answer in read_manifest(tmp_path).known_truth.answers:
        found = testbed.query(answer.sql, database="synth_truth").table
        assert rows_in(found) == [pytest.approx(answer.row, rel=1e-12)], answer.sql
    assert manifest.known_truth.answers


def test_rows_and_answers_that_the_generator_did_not_make_are_found(testbed: Testbed, tmp_path: Path) -> None:
    """One flux changed on a node: verify names chunk and statement, from what the generator knows alone."""
    write_catalog(read_recipe("mini"), tmp_path, fraction=0.2)
    testbed.ingest(str(tmp_path), database="synth_harmed")
    mine = [
        one for one in testbed.registry.replicas.all("synth_harmed") if one.table == "Object" and not one.is_overlap
    ]
    replica = max(mine, key=lambda one: one.rows)
    where = "WHERE z_apFlux NOT BETWEEN 1 AND 2 ORDER BY objectId LIMIT 1"
    with connect(testbed.cluster.endpoint(replica.node), Account.ADMIN, "synth_harmed") as connection:
        connection.execute(f"UPDATE Object_{replica.chunk} SET z_apFlux = 1.5 {where}")
    checks = {check.name: check for check in testbed.verify("synth_harmed")}
    assert f"first: Object, chunk {replica.chunk})" in checks["generator's rows"].found
    assert "WHERE z_apFlux BETWEEN 1.0 AND 2.0" in checks["generator's answers"].found
    assert not checks["generator's rows"].is_good
    assert not checks["generator's answers"].is_good


LAYOUTS: dict[str, dict[str, Any]] = {
    "finer": {"striping": {"stripes": 340, "substripes": 3, "overlap_deg": 0.01667}},
    "coarse": {"striping": {"stripes": 18, "substripes": 40, "overlap_deg": 0.1}},
    "narrow": {"striping": {"stripes": 85, "substripes": 30, "overlap_deg": 0.005}},
    "regular": {
        "striping": {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667},
        "tables": {"ForcedSource": {"role": "regular"}},
    },
}
"""Of a sky whose recipe says 85 stripes, 12 sub-stripes, 0.01667 degrees."""


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe that declares pairs of two radii, and its rows beside it."""
    folder = tmp_path_factory.mktemp("paired")
    content = changed(neighbours={"radii_deg": [0.004, 0.016]})
    (folder / "paired.yaml").write_text(yaml.safe_dump(content))
    write_catalog(Recipe.model_validate(content), folder / "rows", fraction=0.3)
    return folder


@pytest.mark.parametrize("name", LAYOUTS)
def test_truth_does_not_depend_on_the_layout(testbed: Testbed, paired: Path, name: str) -> None:
    """The same rows spread another way verify, from a folder and in place, with every answer that is known."""
    layout = Layout.model_validate(LAYOUTS[name])
    testbed.ingest(str(paired / "rows"), database=f"rows_{name}", layout=layout)
    testbed.ingest(source_at(paired / "paired.yaml", fraction=0.3), database=f"made_{name}", layout=layout)
    for database in (f"rows_{name}", f"made_{name}"):
        checks = {check.name: check for check in testbed.verify(database)}
        assert not [check for check in checks.values() if not check.is_good]
    known = testbed.known(f"rows_{name}")
    assert known is not None
    assert known == testbed.known(f"made_{name}")
    asked = [float(one.sql.rpartition(" < ")[2]) for one in known.answers if "angSep" in one.sql]
    assert asked == [radius for radius in (0.004, 0.016) if radius <= layout.striping.overlap_deg]
    by_chunk = {table for table, chunks in known.digests.items() if set(chunks) != {WHOLE}}
    chunked = {"Object", "Source", "ForcedSource"} - set(LAYOUTS[name].get("tables", {}))
    assert by_chunk == (chunked if layout.striping.stripes == 85 else set())
    assert len([one for one in known.answers if "GROUP BY chunkId" in one.sql]) == len(by_chunk) + (
        "Object" in by_chunk
    )


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ("DELETE FROM Source_{chunk} LIMIT 1", "Source"),
        ("UPDATE Source_{chunk} SET psfFlux = psfFlux + 1 LIMIT 1", "Source"),
        (
            "UPDATE Source_{chunk} a JOIN Source_{chunk} b ON b.sourceId = a.sourceId + 1 SET a.psfFlux = b.psfFlux",
            "Source",
        ),
    ],
)
def test_harm_is_found_in_another_layout(testbed: Testbed, paired: Path, change: str, table: str) -> None:
    """A row lost or changed on a node makes the table as a whole another one."""
    database = f"harmed_{zlib.crc32(change.encode())}"
    testbed.ingest(str(paired / "rows"), database=database, layout=Layout.model_validate(LAYOUTS["finer"]))
    mine = [one for one in testbed.registry.replicas.all(database) if one.table == "Source" and not one.is_overlap]
    replica = max(mine, key=lambda one: one.rows)
    with connect(testbed.cluster.endpoint(replica.node), Account.ADMIN, database) as connection:
        connection.execute(change.format(chunk=replica.chunk))
    found = next(check for check in testbed.verify(database) if check.name == "generator's rows")
    assert not found.is_good
    assert "(first: Source as a whole)" in found.found


def test_truth_of_one_transaction_among_several_is_not_compared_and_says_so(testbed: Testbed, tmp_path: Path) -> None:
    """What a generator knows of the first tables is no truth about the database once others have come."""
    write_catalog(read_recipe("mini"), tmp_path, fraction=0.2)
    for tables in (["Object"], None):
        testbed.ingest(str(tmp_path), database="synth_grown", tables=tables)
    checks = {check.name: check.found for check in testbed.verify("synth_grown")}
    assert checks["generator's rows"].startswith("not compared")


def test_file_with_other_rows_than_the_manifest_says_is_refused(testbed: Testbed, tmp_path: Path) -> None:
    """The rows of each file are compared with their digest in the manifest; the file is named."""
    manifest = write_catalog(read_recipe("mini"), tmp_path, fraction=0.2)
    content = json.loads((tmp_path / "manifest.json").read_text())
    one = content["tables"]["Object"]["files"][0]
    one["digest"] = one["digest"][:-1] + ("0" if one["digest"][-1] != "0" else "1")
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=manifest.tables["Object"].files[0].path):
        testbed.ingest(str(tmp_path), database="synth_other")


def stored_digests(testbed: Testbed, database: str) -> dict[str, str]:
    """Digest of each table as it stands on the nodes, without chunk numbers."""
    tables = testbed.registry.published.catalog(database).tables
    definitions = {name: (entry.table, entry.layout) for name, entry in tables.items()}
    nodes = {node: testbed.wiring.loader(node) for node in testbed.nodes}
    rows, replicas = KnownRows(Known({}, ()), definitions, nodes), testbed.registry.replicas.all(database)
    return {name: str(reduce(add, rows.found(database, name, replicas).values())) for name in tables}


def test_dirty_files_are_stored_clean(testbed: Testbed, tmp_path: Path) -> None:
    """After ingest every table has the rows of the note; a file cut off is refused by name."""
    planned = plan(read_recipe("mini"), tmp_path, fraction=0.3)
    write_dirty(planned, tmp_path / "dirty", parse_dirt("nan,inf,empty,sentinel,unsorted,mixed,tract"))
    testbed.ingest(str(tmp_path / "dirty" / "mapping.yaml"), database="synth_dirty")
    noted = json.loads((tmp_path / "dirty" / "dirt.json").read_text())["tables"]
    for name, table in noted.items():
        found = testbed.query(f"SELECT COUNT(*) FROM {name}", database="synth_dirty")
        assert found.table.column(0).to_pylist() == [table["rows"]]
        for column, kinds in table["dirt"].items():
            if "nan" in kinds:
                sql = f"SELECT COUNT(*) FROM {name} WHERE {column} = -999"
                assert testbed.query(sql, database="synth_dirty").table.column(0).to_pylist() == [0]
    assert not [check for check in testbed.verify("synth_dirty") if not check.is_good]
    assert stored_digests(testbed, "synth_dirty") == {name: table["digest"] for name, table in noted.items()}
    write_dirty(planned, tmp_path / "cut", parse_dirt("corrupt"))
    with pytest.raises(UserError, match=r"\.parquet"):
        testbed.ingest(str(tmp_path / "cut" / "mapping.yaml"), database="synth_cut")


@pytest.mark.parametrize("name", ["mini", "dp1"])
def test_recipe_made_in_place_is_the_one_through_parquet(testbed: Testbed, tmp_path: Path, name: str) -> None:
    """All tables have the rows and digests that they have by way of Parquet; a second run finds nothing to do."""
    content = (read_recipe("mini") if name == "mini" else felis_recipe(name)).model_dump(mode="json", by_alias=True)
    if name == "dp1":
        content["schema"]["tables"] = ["Object", "Source", "ForcedSource", "Visit"]
        content["sky"]["footprint"] = [{"ra_deg": [150.0, 150.4], "dec_deg": [1.9, 2.3]}]
    recipe = Recipe.model_validate(content)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    source = source_at(tmp_path / "mine.yaml", fraction=0.1, shrink="thinning")
    report = testbed.ingest(source, database=f"place_{name}")
    write_catalog(recipe, tmp_path / "rows", fraction=0.1, shrink="thinning")
    testbed.ingest(tmp_path / "rows", database=f"parquet_{name}")
    assert testbed.registry.contributions.data_digest(f"place_{name}") == testbed.registry.contributions.data_digest(
        f"parquet_{name}"
    )
    assert {table.table: table.rows for table in report.tables} == read_manifest(tmp_path / "rows").known_truth.rows
    for database in (f"place_{name}", f"parquet_{name}"):
        checks = {check.name: check for check in testbed.verify(database)}
        assert not [check for check in checks.values() if not check.is_good]
        assert {"generator's rows", "generator's answers"} <= set(checks)
    assert testbed.known(f"place_{name}") == testbed.known(f"parquet_{name}")
    assert not testbed.ingest(source, database=f"place_{name}").transaction


def test_reference_catalog_is_matched_by_queries(testbed: Testbed, tmp_path: Path) -> None:
    """A second director and its ref-match table, in place as through Parquet; a join over both has mono's answers."""
    content = changed(tables__Reference={"share": 0.4, "scatter_arcsec": 0.2, "unmatched": 0.1})
    (tmp_path / "ref.yaml").write_text(yaml.safe_dump(content))
    names = ["Object", "RefObject", "RefMatch"]
    source = source_at(tmp_path / "ref.yaml", fraction=0.3)
    testbed.ingest(source, database="ref_place", tables=names)
    manifest = write_catalog(Recipe.model_validate(content), tmp_path / "rows", fraction=0.3)
    testbed.ingest(tmp_path / "rows", database="ref_parquet", tables=names)
    assert testbed.registry.contributions.data_digest("ref_place") == testbed.registry.contributions.data_digest(
        "ref_parquet"
    )
    assert not [check for check in testbed.verify("ref_place") if not check.is_good]
    testbed.load_mono("ref_place")
    join = "FROM Object o JOIN RefMatch m ON m.objectId = o.objectId JOIN RefObject r ON r.refObjectId = m.refObjectId"
    far = "3600 * scisql_angSep(o.ra, o.decl, r.ra, r.decl)"
    for sql in (
        f"SELECT COUNT(*), SUM(ABS({far} - m.separation) > 0.001), MAX(m.separation), SUM(m.flag) {join}",
        "SELECT COUNT(*), COUNT(objectId), COUNT(refObjectId) FROM RefMatch",
        f"SELECT o.objectId, r.refObjectId, r.mag {join} WHERE m.separation > 0.5",
    ):
        mine, truth = (testbed.query(sql, database="ref_place", target=target).table for target in ("czar", "mono"))
        assert compare_answers(mine, truth).is_equal, sql
        assert mine.num_rows
    count = testbed.query(f"SELECT COUNT(*), SUM({far} > 3) {join}", database="ref_place").table
    matched, apart = rows_in(count)[0]
    assert apart == 0
    assert 0.8 < matched / manifest.known_truth.rows["RefMatch"] < 0.97


def test_fraction_is_of_recipes_only(tmp_path: Path) -> None:
    """A folder of files has no fraction."""
    with pytest.raises(UserError, match="is not a recipe"):
        source_at(tmp_path, fraction=0.5)
