"""Indexes of published tables: added, dropped, and kept by all that comes after, while rows and answers stay."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.kill_catalog import write_catalog
from tests.support.same_answer import rows_in
from tests.support.stepping import Fuse, Stopped, assert_right, fused, steps_on, stop_at

from skyshard.basics.errors import ClusterError, UserError
from skyshard.db.connection import Account, connect
from skyshard.ingest import add_index
from skyshard.testbed import Testbed, survey_source

STATEMENTS = (
    "SELECT COUNT(*), SUM(objectId), MIN(ra) FROM Object",
    "SELECT COUNT(*), SUM(sourceId) FROM Source",
    "SELECT COUNT(*) FROM Object o JOIN Source s ON o.objectId = s.objectId",
    "SELECT COUNT(*) FROM Object o1, Object o2 WHERE o1.objectId <> o2.objectId "
    "AND scisql_angSep(o1.ra, o1.decl, o2.ra, o2.decl) < 0.016",
)
NAME = "by_place"
COLUMNS = ["decl", "ra"]


@pytest.fixture
def database(testbed: Testbed, tmp_path: Path) -> Iterator[str]:
    """Two transactions, so that some chunk tables have two parts; dropped at the end."""
    name = f"x{uuid.uuid4().hex[:10]}"
    for seed in (1, 2):
        testbed.ingest(write_catalog(tmp_path / str(seed), objects=30, seed=seed, side_deg=4), database=name)
    yield name
    testbed.drop(name)


def answers(testbed: Testbed, database: str) -> list[Any]:
    return [rows_in(testbed.query(sql, database=database).table) for sql in STATEMENTS]


def sums(testbed: Testbed, database: str) -> dict[Any, int]:
    """Rows of each chunk table on each node, whatever parts they are in."""
    found: dict[Any, int] = {}
    for one in testbed.registry.replicas.all(database):
        found[one.node, one.target] = found.get((one.node, one.target), 0) + one.rows
    return found


def with_index(testbed: Testbed, database: str, columns: list[str]) -> tuple[set[Any], set[Any]]:
    """Of the tables of Object that queries read, by node: those that have an index of these columns, and all."""
    wanted = {(one.node, one.name) for one in testbed.registry.replicas.all(database) if one.table == "Object"}
    sql = (
        "SELECT TABLE_NAME, INDEX_NAME, GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX) FROM "
        f"information_schema.STATISTICS WHERE TABLE_SCHEMA = '{database}' GROUP BY TABLE_NAME, INDEX_NAME"
    )
    have = set()
    for node in {node for node, _ in wanted}:
        with connect(testbed.cluster.endpoint(node), Account.READER) as connection:
            have |= {(node, str(t)) for t, _, those in connection.rows(sql) if str(those).split(",") == columns}
    return have & wanted, wanted


def bad_checks(testbed: Testbed, database: str) -> list[Any]:
    return [check for check in testbed.verify(database) if not check.is_good]


def test_every_chunk_table_has_an_index_that_was_added(testbed: Testbed, database: str) -> None:
    """Overlap tables, too; rows and answers are the same, and so they are when it is dropped."""
    before, rows = answers(testbed, database), sums(testbed, database)
    assert with_index(testbed, database, COLUMNS)[0] == set()
    done = testbed.add_index(database, "Object", NAME, ["DECL", "ra"], grace_s=0.0)
    have, wanted = with_index(testbed, database, COLUMNS)
    assert have == wanted
    assert done.tables > 0
    assert (answers(testbed, database), sums(testbed, database)) == (before, rows)
    assert bad_checks(testbed, database) == []
    (listed,) = [one for one in testbed.indexes(database, "Object") if one.can_drop]
    assert (listed.name, listed.columns, listed.is_unique) == (NAME, ("decl", "ra"), False)
    assert testbed.add_index(database, "Object", NAME.upper(), COLUMNS).transaction == 0
    assert testbed.rebuild_indexes(database)["Object"] == 60
    assert (answers(testbed, database), bad_checks(testbed, database)) == (before, [])
    assert testbed.drop_index(database, "Object", NAME, grace_s=0.0).tables == done.tables
    assert with_index(testbed, database, COLUMNS)[0] == set()
    assert (answers(testbed, database), sums(testbed, database)) == (before, rows)
    assert bad_checks(testbed, database) == []


def test_later_parts_have_it(testbed: Testbed, database: str, tmp_path: Path) -> None:
    """Of an ingest whose layout knows nothing of it, and those that a compaction makes."""
    testbed.add_index(database, "Object", NAME, COLUMNS, grace_s=0.0)
    testbed.ingest(write_catalog(tmp_path / "third", objects=60, seed=3, side_deg=4), database=database)
    before = answers(testbed, database)
    have, wanted = with_index(testbed, database, COLUMNS)
    assert have == wanted
    assert len({one.part for one in testbed.registry.replicas.all(database) if one.table == "Object"}) > 1
    assert testbed.compact(database, grace_s=0.0).tables
    have, wanted = with_index(testbed, database, COLUMNS)
    assert have == wanted
    assert answers(testbed, database) == before
    assert bad_checks(testbed, database) == []


def test_stopped_at_steps_on_the_way(testbed: Testbed, database: str) -> None:
    """Wherever it stops, the table has the index everywhere or nowhere, and asking again brings it."""
    before = answers(testbed, database)
    stops = 0
    for step in steps_on():
        try:
            add_index(fused(testbed, Fuse(step)), database, "Object", NAME, COLUMNS, grace_s=0.0)
            break
        except Stopped:
            stops += 1
            assert answers(testbed, database) == before
            have, wanted = with_index(testbed, database, COLUMNS)
            is_listed = any(one.name == NAME for one in testbed.indexes(database, "Object"))
            assert have == (wanted if is_listed else set())
    assert stops > 0
    have, wanted = with_index(testbed, database, COLUMNS)
    assert have == wanted
    assert bad_checks(testbed, database) == []
    assert_right(testbed, database, database)


def test_one_that_was_interrupted_is_taken_back_by_an_ingest(testbed: Testbed, database: str, tmp_path: Path) -> None:
    """Nothing of it is left."""
    with pytest.raises(Stopped):
        testbed.add_index(database, "Object", NAME, COLUMNS, watcher=stop_at("compact"))
    testbed.ingest(write_catalog(tmp_path / "third", objects=60, seed=3, side_deg=4), database=database)
    assert with_index(testbed, database, COLUMNS)[0] == set()
    assert bad_checks(testbed, database) == []
    assert_right(testbed, database, database)


def test_an_index_that_is_there_already_costs_nothing(testbed: Testbed, database: str) -> None:
    """One of the same columns as the director's key is a name only; regular tables have indexes, too."""
    parts = {one.part for one in testbed.registry.replicas.all(database)}
    testbed.add_index(database, "Object", "again", ["objectId"])
    assert {one.part for one in testbed.registry.replicas.all(database)} == parts
    assert "again" in [one.name for one in testbed.indexes(database, "Object", overlap=True)]
    assert testbed.add_index(database, "Visit", "nights", ["night"], grace_s=0.0).tables == 1
    assert bad_checks(testbed, database) == []


def unique_ones(testbed: Testbed, database: str) -> set[tuple[bool, bool]]:
    """Of the chunk tables of Object: whether one is of overlap, and whether its index by name is unique."""
    found = set()
    for one in testbed.registry.replicas.all(database):
        with connect(testbed.cluster.endpoint(one.node), Account.READER) as connection:
            rows = connection.rows(f"SHOW INDEX FROM `{database}`.`{one.name}` WHERE Key_name = '{NAME}'")
            found |= {(one.is_overlap, not int(row[1])) for row in rows}
    return found


def test_a_unique_index_is_of_the_whole_table(testbed: Testbed, database: str, tmp_path: Path) -> None:
    """Refused where two rows have the same values, in whatever chunks; a table that has one takes no more rows."""
    before, tables = answers(testbed, database), testbed.registry.replicas.all(database)
    for table, columns in (("Source", ["objectId"]), ("Object", ["chunkId", "subChunkId"])):
        with pytest.raises(UserError, match=rf"no unique index: \d+ rows of {database}.{table} have {columns[0]} "):
            testbed.add_index(database, table, NAME, columns, unique=True)
    assert testbed.registry.replicas.all(database) == tables
    assert [one for one in testbed.indexes(database, "Object") if one.can_drop] == []
    testbed.add_index(database, "Object", NAME, COLUMNS, unique=True, grace_s=0.0)
    (listed,) = [one for one in testbed.indexes(database, "Object") if one.can_drop]
    assert (listed.name, listed.columns, listed.is_unique) == (NAME, ("decl", "ra"), True)
    have, wanted = with_index(testbed, database, COLUMNS)
    assert have == wanted
    assert (answers(testbed, database), bad_checks(testbed, database)) == (before, [])
    assert testbed.add_index(database, "Object", NAME, COLUMNS, unique=True).transaction == 0
    for seed in (1, 2):  # nothing of them is new
        assert testbed.ingest(tmp_path / str(seed), database=database).transaction == 0
    more = write_catalog(tmp_path / "third", objects=60, seed=3, side_deg=4)
    refused = f"table 'Object' has a unique index '{NAME}', and takes no more rows"
    with pytest.raises(UserError, match=refused):
        survey_source(testbed.plan(more, database=database), testbed.cluster.folder)
    with pytest.raises(UserError, match=refused):
        testbed.ingest(more, database=database)
    assert testbed.ingest(more, database=database, tables=["Visit"]).transaction > 0
    assert [one.is_unique for one in testbed.indexes(database, "Object") if one.can_drop] == [True]
    before = answers(testbed, database)
    assert testbed.compact(database, grace_s=0.0).database == database
    assert (answers(testbed, database), bad_checks(testbed, database)) == (before, [])
    testbed.drop_index(database, "Object", NAME, grace_s=0.0)
    testbed.add_index(database, "Object", NAME, COLUMNS, grace_s=0.0)
    with pytest.raises(UserError, match=f"has an index '{NAME}' of decl, ra"):
        testbed.add_index(database, "Object", NAME, COLUMNS, unique=True)
    testbed.drop_index(database, "Object", NAME, grace_s=0.0)
    testbed.ingest(more, database=database)
    assert bad_checks(testbed, database) == []


def test_servers_hold_a_unique_index_where_a_table_has_one_part(testbed: Testbed, tmp_path: Path) -> None:
    """Its overlap tables have copies of rows, so they have a plain one."""
    name = f"x{uuid.uuid4().hex[:10]}"
    testbed.ingest(write_catalog(tmp_path / "one", objects=30, seed=1, side_deg=4), database=name)
    try:
        testbed.add_index(name, "Object", NAME, COLUMNS, unique=True, grace_s=0.0)
        assert unique_ones(testbed, name) == {(False, True), (True, False)}
        assert bad_checks(testbed, name) == []
    finally:
        testbed.drop(name)


REFUSED: tuple[tuple[str, str, list[str], str], ...] = (
    ("Nothing", NAME, COLUMNS, "there is no table"),
    ("Object", NAME, ["nothing"], "has no column 'nothing'"),
    ("Object", NAME, [], "has no columns"),
    ("Object", NAME, ["ra", "RA"], "one of them twice"),
    ("Object", "", COLUMNS, "is no name of an index"),
    ("Object", "n" * 61, COLUMNS, "is no name of an index"),
    ("Object", NAME, ["ra(5)"], "only texts are indexed by their beginning"),
    ("Object", "primary", ["ra"], "has an index 'PRIMARY' of objectId"),
)


def test_what_cannot_be_an_index_is_refused(testbed: Testbed, database: str) -> None:
    """With what is wrong, before anything is made."""
    before = testbed.registry.replicas.all(database)
    for table, name, columns, words in REFUSED:
        with pytest.raises(UserError, match=words):
            testbed.add_index(database, table, name, columns)
    with pytest.raises(UserError, match="'PRIMARY' is a key of Object itself"):
        testbed.add_index(database, "Object", "primary", ["objectId"], unique=True)
    for name, words in (("PRIMARY", "is the table's own"), ("nothing", "has no index 'nothing'")):
        with pytest.raises(UserError, match=words):
            testbed.drop_index(database, "Object", name)
    assert testbed.registry.replicas.all(database) == before


def test_a_table_with_a_bad_replica_waits_for_its_repair(testbed: Testbed, database: str) -> None:
    """All replicas have the index, or none has."""
    index = testbed.registry.replication
    known = next(one for one in index.of_node(database, testbed.nodes[0]) if one.replica.table == "Object")
    assert index.mark(database, (), {known: "it was read wrong"}) == {known}
    with pytest.raises(ClusterError, match="do not have all replicas good"):
        testbed.add_index(database, "Object", NAME, COLUMNS)
    assert with_index(testbed, database, COLUMNS)[0] == set()
