"""What changed before a czar's server is lost: drains, nodes that are gone, rows that were dropped, faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.lost_czar import History, forget_all
from tests.support.replica_faults import damage
from tests.support.tract_files import answers, first_files, right_answers
from typer.testing import CliRunner

from skyshard.backup import rebuild_registry
from skyshard.basics.errors import ClusterError
from skyshard.cli.app import app
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.ingest.upkeep.drop_lost import drop_lost
from skyshard.registry.stored.lifecycle import NodeState, ReplicaState
from skyshard.registry.stored.records import Replica
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def history(short_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """A cluster of its own with two transactions, each chunk on one node, which goes on from test to test."""
    cluster = PrivateCluster(short_folder / "changes")
    try:
        cluster.start(3)
        history = History(first_files(tmp_path_factory.mktemp("tracts")), cluster)
        with Testbed(cluster.folder) as testbed:
            testbed.ingest(history.files.mapping, replicas=1)
            more(history, testbed, 3)
        yield history
    finally:
        cluster.destroy()


def more(history: History, testbed: Testbed, tract: int) -> None:
    history.files.write("Object", tract, [(1000 + tract, 10.3 + tract / 1000, 5.35, 1.25)])
    testbed.ingest(history.files.mapping)
    is_right(history, testbed)


def is_right(history: History, testbed: Testbed) -> None:
    assert answers(testbed, history.files.database) == right_answers(history.files.rows)


def replicas(history: History, testbed: Testbed) -> list[tuple[Any, ...]]:
    found = testbed.registry.replicas.all(history.files.database)
    return sorted((one.name, one.node, one.rows, one.digest, str(one.state)) for one in found)


def on_chunks(history: History, testbed: Testbed) -> set[str]:
    return {one.node for one in testbed.registry.replicas.all(history.files.database) if one.chunk >= 0}


def test_chunks_of_a_node_that_was_drained_and_removed_are_found(history: History, tmp_path: Path) -> None:
    """By a dump from before, by one from after, and by records: none is lost, none is doubled, and ingests go on."""
    early, drained, database = tmp_path / "early.dump", tmp_path / "drained.dump", history.files.database
    with Testbed(history.cluster.folder) as testbed:
        *stay, left = testbed.nodes
        assert left in on_chunks(history, testbed)
        testbed.jobs.run(testbed.jobs.begin(testbed.replicas.plan_drain(left), rate_bytes_s=0))
        before = replicas(history, testbed)
        assert any(testbed.registry.transactions.retired_tables(database).values())
        testbed.backup.dump(drained)
        forget_all(testbed, database)
    with Testbed(history.cluster.folder) as testbed:  # what the drained node still has, for a time, is no replica
        assert testbed.backup.restore(drained).after.differences == []
        assert replicas(history, testbed) == before
        is_right(history, testbed)
        testbed.node_life.enable(left)
        testbed.jobs.run(testbed.jobs.begin(testbed.replicas.plan_rebalance(), rate_bytes_s=0, grace_s=0.0))
        before = replicas(history, testbed)
        assert left in on_chunks(history, testbed)
        forget_all(testbed, database)
    with Testbed(history.cluster.folder) as testbed:  # the dump says that it is drained, and chunks are on it
        (found,) = testbed.backup.restore(drained).after.differences
        assert (found.gone, found.strays) == ({}, {})
        assert replicas(history, testbed) == before
        assert testbed.registry.nodes.state(left) is NodeState.READ_ONLY
        more(history, testbed, 9)
        testbed.backup.dump(early)
        testbed.jobs.run(testbed.jobs.begin(testbed.replicas.plan_drain(left), rate_bytes_s=0))
        testbed.node_life.remove(left)
        before = replicas(history, testbed)
        forget_all(testbed, database)
    with Testbed(history.cluster.folder) as testbed:
        assert testbed.backup.rebuild().after.differences == []
        assert replicas(history, testbed) == before
        is_right(history, testbed)
        forget_all(testbed, database)
    with Testbed(history.cluster.folder) as testbed:
        (found,) = testbed.backup.restore(early).after.differences
        assert (found.gone, found.strays) == ({}, {})
        assert replicas(history, testbed) == before
        assert set(stay) == on_chunks(history, testbed)
        more(history, testbed, 4)
        assert [check for check in testbed.verify(database) if not check.is_good] == []


def test_regular_tables_grow_after_a_drain_that_no_record_tells(history: History) -> None:
    """A drained node is active after a rebuild, without regular tables: rows that come, and files that are replaced, do
    not come to it, and a fill brings it the whole tables."""
    files = history.files
    with Testbed(history.cluster.folder) as testbed:
        node = testbed.nodes[-1]
        testbed.jobs.run(testbed.jobs.begin(testbed.replicas.plan_drain(node), rate_bytes_s=0, grace_s=0.0))
        forget_all(testbed, files.database)
    with Testbed(history.cluster.folder) as testbed:
        testbed.backup.rebuild()
        testbed.replicas.verify(files.database)
        told = CliRunner().invoke(app, ["replicas", "status", "--cluster", str(history.cluster.folder)])
        count = len(testbed.nodes)
        assert f"whole on {count - 1} of {count} nodes; `skyshard replicas fill`" in told.stdout
        files.write("Visit", 71, [(8, "u")])
        more(history, testbed, 71)
        assert [check for check in testbed.verify(files.database) if not check.is_good] == []
        testbed.ingest(files.mapping, replace=[str(files.write("Visit", 1, [(1, "y"), (9, "u")]))])
        is_right(history, testbed)
        testbed.jobs.run(testbed.jobs.begin(testbed.replicas.plan_fill(), rate_bytes_s=0, grace_s=0.0))
        holders = {one.node for one in testbed.registry.replicas.all(files.database, "Visit")}
        assert holders == set(testbed.nodes)
        is_right(history, testbed)


def lose(history: History, testbed: Testbed, kind: str) -> Replica:
    """Have the oldest own rows of Object in a chunk table damaged, and the registry know it."""
    rows = testbed.registry.replicas.all(history.files.database, "Object")
    one = min((one for one in rows if one.rows and not one.is_overlap), key=lambda one: (one.part, one.chunk, one.node))
    damage(testbed, one.node, history.files.database, one.name, kind)
    testbed.replicas.verify(history.files.database)
    return one


def contributions(history: History, testbed: Testbed) -> list[tuple[Any, ...]]:
    names = ("transaction_id", "table", "part", "chunk", "is_overlap", "rows", "digest", "state")
    found = testbed.registry.contributions.all(history.files.database)
    return sorted(tuple(one[name] for name in names) for one in found)


def test_a_replica_that_is_known_to_be_bad_stays_so(history: History) -> None:
    """Its table is there, with other rows: a rebuild must not show them, nor forget that a repair made it good."""
    with Testbed(history.cluster.folder) as testbed:
        one = lose(history, testbed, "swapped")
        before = replicas(history, testbed)
        forget_all(testbed, history.files.database)
    with Testbed(history.cluster.folder) as testbed:
        testbed.backup.rebuild()
        assert replicas(history, testbed) == before
        assert [str(state) for name, *_, state in before if name == one.name] == [ReplicaState.BAD]
        testbed.replicas.repair(history.files.database)
        before = replicas(history, testbed)
        forget_all(testbed, history.files.database)
    with Testbed(history.cluster.folder) as testbed:
        testbed.backup.rebuild()
        assert replicas(history, testbed) == before
        is_right(history, testbed)


def test_an_old_dump_does_not_take_away_what_nodes_know(history: History, tmp_path: Path) -> None:
    """A repair and another name after it leave their records of later transactions, of which a rebuild is made."""
    dump, database = tmp_path / "old.dump", history.files.database
    with Testbed(history.cluster.folder) as testbed:
        testbed.backup.dump(dump)
        more(history, testbed, 5)
        before = replicas(history, testbed)
        testbed.backup.restore(dump, force=True)
        assert replicas(history, testbed) != before
        testbed.replicas.repair(database)
        testbed.alias("early", database)
        testbed.backup.rebuild(force=True)
        assert replicas(history, testbed) == before
        is_right(history, testbed)
        testbed.alias("late", database)  # nothing keeps later records back any more
        testbed.backup.rebuild(force=True)
        assert list(testbed.aliases()) == ["late"]


def test_an_ingest_after_an_old_dump_takes_the_place_of_what_nodes_know(history: History, tmp_path: Path) -> None:
    """It has swept the tables of later transactions; a rebuild is made of what came then."""
    dump = tmp_path / "old.dump"
    with Testbed(history.cluster.folder) as testbed:
        testbed.backup.dump(dump)
        more(history, testbed, 6)
        testbed.backup.restore(dump, force=True)
        more(history, testbed, 7)
        before = replicas(history, testbed)
        testbed.backup.rebuild(force=True)
        assert replicas(history, testbed) == before
        is_right(history, testbed)


def test_rows_of_a_node_that_is_gone_with_them_are_missed(history: History) -> None:
    """Their replicas are bad, so that queries fail: they do not answer without the rows."""
    with Testbed(history.cluster.folder) as testbed:
        before, left = replicas(history, testbed), max(on_chunks(history, testbed))
        place = testbed.wiring.backup_place()
        others = {name: server for name, server in place.nodes.items() if name != left}
        (found,) = rebuild_registry(replace(place, nodes=others), force=True).after.differences
        lost = [one for one in testbed.registry.replicas.all(history.files.database) if one.node == left]
        assert found.gone == {left: len(lost)}
        assert {one.state for one in lost} == {ReplicaState.BAD}
        assert any(one.rows and one.chunk >= 0 for one in lost)
        with pytest.raises(ClusterError):
            is_right(history, testbed)
        testbed.backup.rebuild(force=True)
        assert replicas(history, testbed) == before
        is_right(history, testbed)


def test_a_rebuilt_database_asks_for_as_many_replicas_as_before(history: History) -> None:
    """Another level is in the records, too."""
    with Testbed(history.cluster.folder) as testbed:
        testbed.replicas.set_level(history.files.database, 2)
        testbed.backup.rebuild(force=True)
        layout = testbed.registry.databases.layout(history.files.database)
        assert layout is not None
        assert layout.replicas == 2
        testbed.replicas.set_level(history.files.database, 1)


def test_rows_that_were_dropped_as_lost_stay_dropped(history: History) -> None:
    """What is left counts once, and what brought the lost rows counts no more, before and after a later ingest."""
    database = history.files.database
    with Testbed(history.cluster.folder) as testbed:
        lose(history, testbed, "no table")
        bad = testbed.registry.replication.not_good(database)
        lost = [(one.replica.table, one.replica.chunk, one.replica.is_overlap, one.transaction) for one in bad]
        assert drop_lost(testbed.wiring.site(), database, lost).rows > 0
        found = answers(testbed, database)
        for kept in ("drop", "ingest"):
            if kept == "ingest":
                history.files.write("Object", 8, [(1008, 200.0, 45.0, 1.25)])
                testbed.ingest(history.files.mapping)
                found = answers(testbed, database)
            before = replicas(history, testbed), contributions(history, testbed)
            assert testbed.backup.rebuild(force=True).after.differences == []
            assert (replicas(history, testbed), contributions(history, testbed)) == before
            assert answers(testbed, database) == found
            assert [check for check in testbed.verify(database) if not check.is_good] == []
