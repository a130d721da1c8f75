"""Mutable databases: made, written to, asked by the czar, their months dropped."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.tile_writer import TileWriter, apdb_object, apdb_source
from tests.support.warm_processes import start_warm

from skyshard.basics.errors import ClusterError, Refusal, UserError
from skyshard.catalog.layout import Layout
from skyshard.db.connection import Account, connect, quote_name
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
DATABASE = "visits"
LAYOUT: dict[str, Any] = {
    "striping": {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}, "mutable": True, "engine": "InnoDB",
}  # fmt: skip
NIGHT = 60_000.0
PLACES = {1: (10.0, -5.0), 2: (359.9999, 0.0), 3: (0.0001, 0.0), 4: (80.0, 89.9), 5: (200.0, 30.0)}
"""Objects, on both sides of RA 0 and near the pole."""


@pytest.fixture(scope="module")
def writer(testbed: Testbed) -> Iterator[TileWriter]:
    """Two visits of five objects; a third one, of two objects, was interrupted."""
    made = TileWriter(testbed.apdb.create(DATABASE, Layout.model_validate(LAYOUT)))
    for visit in (1, 2):
        time = NIGHT + 40 * visit
        objects = [apdb_object(key, *place, time, visit) for key, place in PLACES.items()]
        sources = [apdb_source(10 * visit + key, key, *place, time, visit, 0) for key, place in PLACES.items()]
        made.store(visit, 0, time, objects, [*sources, apdb_source(visit, None, 10.001, -5.0, time, visit, 0)])
    half = [apdb_object(key, *PLACES[key], NIGHT + 81, 3) for key in (1, 6 - 1)]
    made.store(3, 0, NIGHT + 81, half, [apdb_source(31, 1, *PLACES[1], NIGHT + 81, 3, 0)], is_whole=False)
    yield made
    testbed.drop(DATABASE)


def ask(testbed: Testbed, sql: str) -> list[tuple[Any, ...]]:
    """The rows of an answer, in order."""
    table = testbed.query(sql, database=DATABASE).table
    return sorted(zip(*(column.to_pylist() for column in table.columns), strict=True))


def test_rows_of_a_tile_that_is_not_whole_are_not_seen(testbed: Testbed, writer: TileWriter) -> None:
    """Its sources and versions are left out, though they are on the nodes."""
    assert ask(testbed, "SELECT COUNT(*) FROM DiaSource") == [(12,)]
    assert ask(testbed, "SELECT COUNT(*), MAX(validityStartMjdTai) FROM DiaObject") == [(10, NIGHT + 80)]


def test_an_object_that_half_a_tile_has_replaced_has_its_version_before(testbed: Testbed, writer: TileWriter) -> None:
    """DiaObjectLast has one row an object, of the newest store that is whole."""
    found = ask(testbed, "SELECT diaObjectId, nDiaSources, validityStartMjdTai FROM DiaObjectLast")
    assert found == [(key, 2, NIGHT + 80) for key in PLACES]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT diaSourceId FROM DiaSource WHERE qserv_areaspec_circle(0.0, 0.0, 0.01)", [(12,), (13,), (22,), (23,)]),
        ("SELECT diaObjectId FROM DiaObjectLast WHERE qserv_areaspec_circle(300.0, 90.0, 0.2)", [(4,)]),
        ("SELECT diaSourceId FROM DiaSource WHERE diaObjectId = 5", [(15,), (25,)]),
        ("SELECT diaSourceId FROM DiaSource WHERE diaObjectId IS NULL", [(1,), (2,)]),
        (
            "SELECT o.diaObjectId, s.diaSourceId FROM DiaObjectLast o JOIN DiaSource s ON "
            "o.diaObjectId = s.diaObjectId WHERE o.diaObjectId < 3 AND s.visit = 2",
            [(1, 21), (2, 22)],
        ),
        ("SELECT visit, COUNT(*) FROM DiaSource GROUP BY visit", [(1, 6), (2, 6)]),
        (
            "SELECT diaObjectId, MAX(validityStartMjdTai) FROM DiaObject WHERE validityStartMjdTai < 60080 "
            "AND diaObjectId < 3 GROUP BY diaObjectId",
            [(1, NIGHT + 40), (2, NIGHT + 40)],
        ),
    ],
)
def test_statements_have_the_rows_of_whole_tiles(
    testbed: Testbed, writer: TileWriter, sql: str, expected: list[tuple[Any, ...]]
) -> None:
    """Areas, also around RA 0 and the pole; ids; joins; groups; versions as of a time."""
    assert ask(testbed, sql) == expected
    assert ask(testbed, sql) == expected


def test_a_chunk_that_is_new_is_seen_by_a_plan_that_was_kept(testbed: Testbed, writer: TileWriter) -> None:
    """The generation goes up before its first row."""
    sql = "SELECT COUNT(*) FROM DiaSource WHERE psfFlux >= 400"
    assert ask(testbed, sql) == [(0,)]
    writer.store(4, 0, NIGHT + 82, [], [apdb_source(400, None, 120.0, 45.0, NIGHT + 82, 4, 0)])
    assert ask(testbed, sql) == [(1,)]
    writer.store(5, 0, NIGHT + 83, [], [apdb_source(500, None, 120.0, 45.0, NIGHT + 83, 5, 0)])
    assert ask(testbed, sql) == [(2,)]


def test_tables_are_described_without_what_only_nodes_need(testbed: Testbed, writer: TileWriter) -> None:
    """The month and the store of a row are no columns of its."""
    columns = {row[0] for row in ask(testbed, "DESCRIBE DiaForcedSource")}
    assert {"diaForcedSourceId", "chunkId", "subChunkId"} <= columns
    assert not columns & {"month", "storedBy"}
    assert ask(testbed, "SHOW TABLES") == [("DiaForcedSource",), ("DiaObject",), ("DiaObjectLast",), ("DiaSource",)]


def test_pairs_by_position_are_refused(testbed: Testbed, writer: TileWriter) -> None:
    """There is no overlap to find them in."""
    sql = (
        "SELECT COUNT(*) FROM DiaObjectLast a, DiaObjectLast b WHERE scisql_angSep(a.ra, a.`dec`, b.ra, b.`dec`) < 0.01"
    )
    with pytest.raises(Refusal, match="keeps no overlap"):
        ask(testbed, sql)


def test_an_explanation_says_which_rows_are_seen(testbed: Testbed, writer: TileWriter) -> None:
    """Which stores are whole is known when the statement begins."""
    text = testbed.czar.explain("SELECT COUNT(*) FROM DiaSource", DATABASE).as_text()
    assert "storedBy IN (stores that are whole)" in text


def test_the_writing_account_makes_and_drops_no_tables(testbed: Testbed, writer: TileWriter) -> None:
    """It changes rows."""
    [node] = writer.database.nodes_of(writer.database.chunker.locate([10.0], [-5.0])[0].tolist())
    with writer.database.connect(node) as session, pytest.raises(UserError, match="denied"):
        session.execute("DROP TABLE DiaSource")


def test_a_month_that_visits_read_is_not_dropped(testbed: Testbed, writer: TileWriter) -> None:
    """They go back twelve months from the newest store; with force it goes, and no other one does."""
    month = int((NIGHT + 40) // 30)
    with pytest.raises(UserError, match="read month"):
        testbed.apdb.drop_month(DATABASE, month)
    before = ask(testbed, "SELECT visit, COUNT(*) FROM DiaSource GROUP BY visit")
    assert testbed.apdb.drop_month(DATABASE, month, force=True) == 6
    assert testbed.apdb.drop_month(DATABASE, month, force=True) == 0
    assert ask(testbed, "SELECT visit, COUNT(*) FROM DiaSource GROUP BY visit") == before[1:]


def test_a_database_whose_ledger_was_lost_with_the_czar_is_named(testbed: Testbed) -> None:
    """A registry that was restored from a dump knows the database; what a dump does not hold is said, and it can go."""
    made = testbed.apdb.create("lost", Layout.model_validate(LAYOUT))
    with connect(made.ledger, Account.ADMIN) as admin:
        admin.execute(f"DROP DATABASE {quote_name(made.database)}")
    for ask_it in (
        lambda: testbed.query("SELECT COUNT(*) FROM DiaSource", database="lost"),
        lambda: testbed.apdb.status("lost"),
    ):
        with pytest.raises(
            ClusterError, match=r"'lost': the czar's server was lost with .* its ledger; `skyshard drop"
        ):
            ask_it()
    testbed.drop("lost")
    assert "lost" not in testbed.registry.published.databases()


def test_a_dropped_database_leaves_nothing(testbed: Testbed) -> None:
    """On no node, and another one may have its name."""
    for _ in range(2):
        made = testbed.apdb.create("gone", Layout.model_validate(LAYOUT))
        made.nodes_of(made.chunker.locate([10.0], [-5.0])[0].tolist())
        assert testbed.drop("gone").is_gone
        for endpoint in (made.ledger, *made.nodes.values()):
            with connect(endpoint) as reader:
                assert made.database not in {str(name) for (name,) in reader.rows("SHOW DATABASES")}


@pytest.mark.parametrize(
    "asked",
    [
        lambda testbed: testbed.verify(DATABASE),
        lambda testbed: testbed.compact(DATABASE),
        lambda testbed: testbed.load_mono(DATABASE),
        lambda testbed: testbed.columns.build(DATABASE),
        lambda testbed: testbed.quality(DATABASE),
        lambda testbed: testbed.diff(DATABASE, DATABASE),
        lambda testbed: testbed.where_from(DATABASE, "DiaSource", "11"),
        lambda testbed: testbed.input_files(DATABASE),
        lambda testbed: testbed.rebuild_indexes(DATABASE),
        lambda testbed: testbed.indexes(DATABASE, "DiaSource"),
        lambda testbed: testbed.add_index(DATABASE, "DiaSource", "by_x", ["x"]),
        lambda testbed: testbed.replicas.set_level(DATABASE, 2),
        lambda testbed: testbed.replicas.plan_repair(DATABASE),
        lambda testbed: testbed.ingest("synth/recipes/tiny.yaml", database=DATABASE),
        lambda testbed: testbed.replicas.plan_drain("node1"),
        lambda testbed: testbed.node_life.remove("node1"),
    ],
)
def test_what_needs_replicas_is_refused(testbed: Testbed, writer: TileWriter, asked: Callable[[Testbed], Any]) -> None:
    """By name, before anything is changed."""
    with pytest.raises(UserError, match="mutable database"):
        asked(testbed)
    assert ask(testbed, "SELECT COUNT(*) FROM DiaObjectLast") == [(5,)]


def test_a_creation_that_was_killed_is_made_whole_or_undone(testbed: Testbed, tmp_path: Path) -> None:
    """kill -9 at drawn moments; until the last step no query sees it, and the same command ends it."""
    command = ["apdb", "create", "young", "--cluster", str(testbed.cluster.folder)]
    moments = random.Random(5)
    for _ in range(3):
        process = start_warm(command, tmp_path / "said")
        while not testbed.registry.published.names().find("young") and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0.0, 0.2))
        process.kill()
        process.wait()
        if "young" in testbed.registry.published.databases():
            testbed.drop("young")
    made = testbed.apdb.create("young")
    TileWriter(made).store(1, 0, NIGHT, [], [apdb_source(1, None, 10.0, -5.0, NIGHT, 1, 0)])
    assert testbed.query("SELECT COUNT(*) FROM DiaSource", database="young").table.column(0).to_pylist() == [1]
    testbed.drop("young")
