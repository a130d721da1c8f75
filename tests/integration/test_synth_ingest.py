"""Synthetic catalogs with all columns of a schema, and dirty ones, ingested: the rows stored are those promised."""

import contextlib
import json
from collections.abc import Iterator
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from tests.support.felis_skies import felis_recipe
from tests.support.recipes import changed
from tests.support.same_answer import rows_in

from skyshard.basics.errors import UserError
from skyshard.bench.check.compare_answers import compare_answers
from skyshard.catalog.layout import Layout
from skyshard.catalog.synth_manifest import SynthManifest, read_manifest
from skyshard.db.connection import Account, connect
from skyshard.ingest.check.check_truth import KnownRows
from skyshard.ingest.transaction.kept_truth import Known
from skyshard.registry.stored.records import WHOLE, Replica
from skyshard.scenarios.catalog_facts import true_answers
from skyshard.synth.recipe.recipe import Recipe, read_recipe
from skyshard.synth.rows.generate import open_sky
from skyshard.synth.write.dirty_input import parse_dirt, write_dirty
from skyshard.synth.write.synth_plan import plan
from skyshard.synth.write.write_catalog import write_catalog
from skyshard.testbed import Testbed, source_at

pytestmark = pytest.mark.integration


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


SPREADS: dict[str, dict[str, Any]] = {
    "same": {"striping": {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}},
    "finer": {"striping": {"stripes": 340, "substripes": 3, "overlap_deg": 0.01667}},
    "coarse": {"striping": {"stripes": 18, "substripes": 10, "overlap_deg": 0.05}},
    "odd": {"striping": {"stripes": 60, "substripes": 18, "overlap_deg": 0.0}},
    "regular": {
        "striping": {"stripes": 85, "substripes": 30, "overlap_deg": 0.005},
        "tables": {"ForcedSource": {"role": "regular"}},
    },
}
"""Of skies whose recipe says 85 stripes, 12 sub-stripes, 0.01667 degrees."""
CHUNKED = {"Object", "RefMatch", "RefObject", "Source", "ForcedSource"}
STATEMENTS = [
    "SELECT COUNT(*), chunkId FROM Object GROUP BY chunkId",
    "SELECT COUNT(*) AS n, AVG(ra), AVG(decl), chunkId FROM Object GROUP BY chunkId",
    "SELECT s.chunkId, s.subChunkId, COUNT(*), MAX(o.decl) FROM Object o JOIN Source s ON o.objectId = s.objectId "
    "WHERE s.flux_sinc > 1 GROUP BY s.chunkId, s.subChunkId",
    "SELECT * FROM Object WHERE chunkId = {chunk} ORDER BY y_psfFlux DESC, objectId LIMIT 7",
    "SELECT objectId, psfFlux FROM Source WHERE chunkId IN ({chunk}, 3, -1) AND subChunkId > 2",
    "SELECT objectId, ra, decl, u_psfFlux FROM Object WHERE qserv_areaspec_circle({ra}, {decl}, 0.6)",
    "SELECT o.objectId, s.sourceId, s.flux_sinc FROM Object o, Source s "
    "WHERE qserv_areaspec_box({ra}, {south}, {east}, {north}) AND o.objectId = s.objectId",
    "SELECT psfFlux, visitId FROM Source WHERE objectId = {key}",
    "SELECT COUNT(*), SUM(visitId), MIN(psfFlux) FROM Source WHERE objectId IN ({key}, 5) AND psfFlux > 0.1",
    "SELECT COUNT(*) FROM Object WHERE ra > 400",
    "SELECT objectId FROM Object WHERE ra > 400",
]


@pytest.fixture(scope="module", params=["zero-hours", "poles"])
def paired(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe with pairs and a reference catalog, and its rows beside it: across 0 h, or around both poles."""
    folder = tmp_path_factory.mktemp(request.param)
    content = changed(neighbours={"radii_deg": [0.004, 0.016]}, tables__Reference={"share": 0.4})
    if request.param == "poles":
        boxes = [{"ra_deg": [0.0, 360.0], "dec_deg": dec} for dec in ([-90.0, -88.8], [88.8, 90.0])]
        content["sky"] |= {"footprint": boxes, "objects_per_sqdeg": 150, "plane": None}
    (folder / "paired.yaml").write_text(yaml.safe_dump(content))
    write_catalog(Recipe.model_validate(content), folder / "rows", fraction=0.3)
    return folder


@pytest.mark.parametrize("name", SPREADS)
def test_truth_does_not_depend_on_the_layout(testbed: Testbed, paired: Path, name: str) -> None:
    """The same rows spread another way verify, chunk by chunk and with their overlap, and so do answers."""
    layout = Layout.model_validate(SPREADS[name])
    database = f"{paired.name.replace('-', '_')}_{name}"
    tables = CHUNKED if layout.striping.overlap_deg else CHUNKED - {"RefMatch"}
    testbed.ingest(str(paired / "rows"), database=database, layout=layout, tables=sorted(tables))
    checks = {check.name: check for check in testbed.verify(database)}
    assert not [check for check in checks.values() if not check.is_good]
    assert ("in overlap" in checks["generator's rows"].found) == (layout.striping.overlap_deg > 0)
    known = testbed.known(database)
    assert known is not None
    asked = [float(one.sql.rpartition(" < ")[2]) for one in known.answers if "angSep" in one.sql]
    assert asked == [radius for radius in (0.004, 0.016) if radius <= layout.striping.overlap_deg]
    by_chunk = {table for table, chunks in known.digests.items() if set(chunks) != {WHOLE}}
    assert by_chunk == tables - set(SPREADS[name].get("tables", {}))
    check_known_answers(testbed, database)


def check_known_answers(testbed: Testbed, database: str) -> None:
    """What the czar answers is what is worked out from the rows, and not what it answers to anything else."""
    truth = true_answers(testbed, database)
    assert truth is not None
    sample = testbed.query(
        "SELECT objectId, ra, decl, chunkId FROM Object ORDER BY objectId LIMIT 1", database=database
    )
    key, ra, decl, chunk = rows_in(sample.table)[0]
    values = {"key": key, "ra": ra, "decl": decl, "chunk": chunk, "south": max(-90.0, decl - 0.5)}
    values |= {"east": (ra + 0.5) % 360.0, "north": min(90.0, decl + 0.5)}
    for text in STATEMENTS:
        sql = text.format(**values)
        found, answer = truth.answer(sql), testbed.query(sql, database=database).table
        assert found is not None, sql
        assert found.difference(answer) == "", sql
        assert found.difference(pa.concat_tables([answer, answer.slice(0, 1)])) or not answer.num_rows, sql


@pytest.mark.parametrize("name", ["finer", "regular"])
def test_truth_of_rows_made_in_place_is_that_of_a_folder(testbed: Testbed, paired: Path, name: str) -> None:
    """The recipe says what its rows would: digests by chunk, overlap and answers."""
    layout = Layout.model_validate(SPREADS[name])
    databases = [f"{what}_{paired.name.replace('-', '_')}_{name}" for what in ("folder", "place")]
    testbed.ingest(str(paired / "rows"), database=databases[0], layout=layout)
    testbed.ingest(source_at(paired / "paired.yaml", fraction=0.3), database=databases[1], layout=layout)
    assert testbed.known(databases[0]) == testbed.known(databases[1])


@pytest.fixture(scope="module")
def sound(testbed: Testbed, paired: Path) -> str:
    """A database in another layout than its recipe's; who harms it brings it back."""
    database = f"{paired.name.replace('-', '_')}_sound"
    testbed.ingest(str(paired / "rows"), database=database, layout=Layout.model_validate(SPREADS["finer"]))
    return database


@contextlib.contextmanager
def harmed(testbed: Testbed, replica: Replica, database: str, change: str) -> Iterator[None]:
    """Inside, a table is changed by a statement on its node; then its files are as before."""
    folder = testbed.cluster.data_dir(replica.node) / database
    with connect(testbed.cluster.endpoint(replica.node), Account.ADMIN, database) as connection:
        connection.execute(f"FLUSH TABLES {replica.name}")
        kept = {path: path.read_bytes() for path in folder.glob(f"{replica.name}.MY?")}
        assert len(kept) == 2
        connection.execute(change)
        try:
            yield
        finally:
            connection.execute(f"FLUSH TABLES {replica.name}")
            for path, content in kept.items():
                path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ("DELETE FROM Source_{chunk} LIMIT 1", "Source, chunk {chunk}"),
        ("UPDATE Source_{chunk} SET psfFlux = psfFlux + 1 LIMIT 1", "Source, chunk {chunk}"),
        (
            "UPDATE Source_{chunk} a JOIN Source_{chunk} b ON b.sourceId = a.sourceId + 1 SET a.psfFlux = b.psfFlux",
            "Source, chunk {chunk}",
        ),
        ("DELETE FROM ObjectFullOverlap_{chunk} LIMIT 1", "Object, overlap of chunk {chunk}"),
        ("UPDATE ObjectFullOverlap_{chunk} SET ra = ra + 0.001 LIMIT 1", "Object, overlap of chunk {chunk}"),
    ],
)
def test_harm_is_found_in_another_layout(testbed: Testbed, sound: str, change: str, place: str) -> None:
    """A row lost or changed on a node, overlap copies too: the chunk is named."""
    is_overlap = "overlap" in place
    mine = [
        one
        for one in testbed.registry.replicas.all(sound)
        if one.table == place.partition(",")[0] and one.is_overlap is is_overlap
    ]
    replica = max(mine, key=lambda one: one.rows)
    with harmed(testbed, replica, sound, change.format(chunk=replica.chunk)):
        found = next(check for check in testbed.verify(sound) if check.name == "generator's rows")
    assert not found.is_good
    assert f"(first: {place.format(chunk=replica.chunk)})" in found.found


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


@pytest.mark.parametrize("name", [pytest.param("mini", marks=pytest.mark.deep), "dp1"])
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
