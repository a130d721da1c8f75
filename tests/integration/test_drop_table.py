"""One table of a published database that is dropped: nothing else changes, and one of its name may come again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.kill_catalog import write_catalog
from tests.support.killing import leftovers
from tests.support.lost_czar import forget_all
from tests.support.stepping import Fuse, Stopped, fused, steps_on

from skyshard.basics.errors import UserError
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.ingest import drop_table
from skyshard.releases import previous_release
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
TABLES = ("Cutout", "Object", "Source", "Visit")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_catalog(tmp_path / "first", objects=40, side_deg=4)


@pytest.fixture
def database(testbed: Testbed, folder: Path) -> Iterator[str]:
    name = f"x{uuid.uuid4().hex[:10]}"
    testbed.ingest(folder, database=name, columns="all")
    yield name
    testbed.drop(name)


def rows(testbed: Testbed, database: str) -> dict[str, int]:
    """The rows of all tables, as a query counts them."""
    tables = testbed.registry.published.catalog(database).tables
    counts = {name: testbed.query(f"SELECT COUNT(*) FROM {name}", database=database).table for name in tables}
    return {name: count.column(0)[0].as_py() for name, count in counts.items()}


def assert_sound(testbed: Testbed, database: str) -> None:
    assert [check for check in testbed.verify(database) if not check.is_good] == []
    assert list(leftovers(testbed, database)) == []


@pytest.mark.parametrize("table", ["Source", "Visit", pytest.param("Cutout", marks=pytest.mark.deep)])
def test_it_is_gone_and_the_others_stay(testbed: Testbed, database: str, table: str) -> None:
    """Of nodes, registry, and what contributions say."""
    before, catalog = rows(testbed, database), testbed.registry.published.catalog(database)
    other = catalog.layout.model_copy(update={"tables": {table.upper(): catalog.tables[table].layout}})
    assert previous_release(testbed.registry, "further", other) == database
    number = testbed.drop_table(database, table)
    assert previous_release(testbed.registry, "further", other) != database
    del before[table]
    assert rows(testbed, database) == before
    with pytest.raises(UserError, match=table):
        testbed.query(f"SELECT COUNT(*) FROM {table}", database=database)
    assert_sound(testbed, database)
    assert {row["table"] for row in testbed.registry.contributions.all(database)} == before.keys()
    assert testbed.registry.transactions.dropped_tables(database) == {table: number}
    with pytest.raises(UserError, match=f"no table {database}.{table}"):
        testbed.drop_table(database, table)


def test_a_director_goes_after_those_that_follow_it(testbed: Testbed, database: str) -> None:
    """With its overlap, its index, and its keys; down to the last table."""
    with pytest.raises(UserError, match=f"table '{database}.Cutout' follows it; drop '{database}.Cutout' first"):
        testbed.drop_table(database, "Object")
    assert sorted(rows(testbed, database)) == list(TABLES)
    for table in ("Cutout", "Source", "Object"):
        testbed.drop_table(database, table)
    assert rows(testbed, database) == {"Visit": 50}
    assert_sound(testbed, database)
    assert not (testbed.cluster.folder / "director-keys" / database / "Object").exists()
    testbed.drop_table(database, "Visit")
    assert rows(testbed, database) == {}
    assert_sound(testbed, database)


def test_a_director_that_another_database_follows_stays(testbed: Testbed, database: str, tmp_path: Path) -> None:
    other = f"{database}y"
    (tmp_path / "more.csv").write_text("objectId,n\n1000000000000,1\n")
    (tmp_path / "mapping.yaml").write_text(
        f"version: 1\ndatabase: {other}\nstriping: {{stripes: 85, substripes: 12, overlap_deg: 0.01667}}\n"
        "tables:\n  More:\n"
        f"    {{files: [more.csv], role: dependent, key: objectId, director: {database}.Object,\n"
        "     declare: [{name: objectId, type: bigint}, {name: n, type: int}]}\n"
    )
    testbed.ingest(tmp_path / "mapping.yaml")
    for table in ("Cutout", "Source"):
        testbed.drop_table(database, table)
    with pytest.raises(UserError, match=f"table '{other}.More' follows it"):
        testbed.drop_table(database, "Object")
    testbed.drop(other)
    testbed.drop_table(database, "Object")
    assert_sound(testbed, database)
    with pytest.raises(UserError, match=rf"'{database}\.Object' is no director; directors there: none"):
        testbed.ingest(tmp_path / "mapping.yaml")


def test_the_same_rows_come_again(testbed: Testbed, database: str, folder: Path) -> None:
    """Under other names on the nodes, which no query that began before can meet; and further rows after them."""
    before, names = rows(testbed, database), {one.name for one in testbed.registry.replicas.all(database)}
    for table in ("Cutout", "Source", "Object", "Visit"):
        testbed.drop_table(database, table)
    testbed.ingest(folder, database=database)
    assert rows(testbed, database) == before
    assert not names & {one.name for one in testbed.registry.replicas.all(database)}
    assert_sound(testbed, database)
    more = write_catalog(folder.with_name("second"), objects=20, seed=2, side_deg=4)
    testbed.ingest(more, database=database)
    assert rows(testbed, database)["Source"] == before["Source"] + 60
    testbed.compact(database, grace_s=0.0)
    assert_sound(testbed, database)


def test_stopped_at_steps_on_the_way(testbed: Testbed, database: str, folder: Path) -> None:
    """The table is there as it was, or gone; asked again, nothing of it is left."""
    before, stops = rows(testbed, database), 0
    for table in ("Cutout", "Source", "Object"):
        for step in steps_on(2):
            try:
                drop_table(fused(testbed, Fuse(step)), database, table)
                break
            except Stopped:
                stops += 1
                now = rows(testbed, database)
                assert now == before or now == {name: n for name, n in before.items() if name != table}
            except UserError:  # it had come to its end
                break
        del before[table]
        assert rows(testbed, database) == before
        assert_sound(testbed, database)
    assert stops > 0
    testbed.ingest(folder, database=database)
    assert sorted(rows(testbed, database)) == list(TABLES)
    assert_sound(testbed, database)


def test_one_that_was_interrupted_is_ended_by_the_next_ingest(testbed: Testbed, database: str, folder: Path) -> None:
    """Killed right after no query sees the table any more."""
    with pytest.raises(Stopped):
        drop_table(fused(testbed, Fuse(_step_of_the_registry(testbed))), database, "Source")
    assert "Source" not in rows(testbed, database)
    testbed.ingest(folder, database=database)
    assert rows(testbed, database)["Source"] == 120
    assert_sound(testbed, database)


def _step_of_the_registry(testbed: Testbed) -> int:
    """The step after the registry's: each node is held and asked when it was started before it."""
    return 4 * len(testbed.nodes) + 2


@pytest.mark.timeout(600)
def test_a_registry_that_is_made_of_records_knows_what_was_dropped(short_folder: Path, folder: Path) -> None:
    """And what came again under the name: nodes keep records of both."""
    cluster, database = PrivateCluster(short_folder / "dropped"), "lost"
    try:
        cluster.start(2)
        with Testbed(cluster.folder) as testbed:
            testbed.ingest(folder, database=database)
            before = rows(testbed, database)
            for table in ("Cutout", "Source", "Visit"):
                testbed.drop_table(database, table)
            forget_all(testbed, database)
        with Testbed(cluster.folder) as testbed:
            assert testbed.backup.rebuild().after.differences == []
            assert rows(testbed, database) == {"Object": before["Object"]}
            assert_sound(testbed, database)
            testbed.ingest(folder, database=database)
            assert rows(testbed, database) == before
            forget_all(testbed, database)
        with Testbed(cluster.folder) as testbed:
            assert testbed.backup.rebuild().after.differences == []
            assert rows(testbed, database) == before
            assert_sound(testbed, database)
    finally:
        cluster.destroy()
