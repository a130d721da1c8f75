"""The replication index on a cluster: what it says is what is there."""

from __future__ import annotations

import json
import shutil
import uuid
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support.kill_catalog import write_catalog
from tests.support.replica_faults import FAULTS, damage
from tests.support.same_answer import rows_in
from tests.support.stepping import Fuse, Fused, Stopped, some_steps
from typer.testing import CliRunner

from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Progress
from skyshard.catalog.ddl import part_suffix, physical_name
from skyshard.cli.app import app
from skyshard.db.connection import Account, connect
from skyshard.node.messages import RepairOrder
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.stored.lifecycle import Event, ReplicaState
from skyshard.replicate.place import NodePlace
from skyshard.replicate.repair import repair_replicas
from skyshard.testbed import Testbed


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("skies")
    return [write_catalog(folder / str(seed), objects=60, seed=seed, side_deg=4) for seed in (1, 2)]


@pytest.fixture
def database(testbed: Testbed, sources: list[Path]) -> str:
    """Two transactions on two nodes."""
    name = f"r{uuid.uuid4().hex[:10]}"
    for source in sources:
        testbed.ingest(source, database=name, replicas=2)
    return name


def test_a_fresh_database_is_whole_and_every_replica_was_verified_when_it_was_made(
    testbed: Testbed, database: str
) -> None:
    """All chunks are at the level, no table is at fault, none was verified before the ingest."""
    status = testbed.replicas.status(database)
    (health,) = status.databases
    assert status.is_whole
    assert dict(health.levels) == {2: health.chunks}
    assert health.whole_on == 2
    assert sum(one.bytes for one in status.nodes) == sum(r.bytes for r in testbed.registry.replicas.all(database))
    begun_s = testbed.registry.transactions.all(database)[0]["begun_s"]
    assert all(one.oldest_s >= int(begun_s) for one in status.nodes)


def test_explain_names_every_replica_of_a_chunk_and_a_reason_for_every_node(testbed: Testbed, database: str) -> None:
    """All parts of all tables of the chunk are listed; both nodes hold it."""
    replicas = testbed.registry.replicas.all(database, "Object")
    chunk = max(replica.chunk for replica in replicas)
    found = testbed.replicas.explain(chunk, database)
    expected = {
        (r.table, r.is_overlap, r.part, r.node) for r in testbed.registry.replicas.all(database) if r.chunk == chunk
    }
    assert {(r.table, r.is_overlap, r.part, r.node) for r in found.replicas} == expected
    assert [(one.node, one.holds) for one in found.nodes] == [(node, True) for node in testbed.nodes]


def test_a_chunk_that_no_database_has_is_the_users_error(testbed: Testbed, database: str) -> None:
    """The error names the database and the chunk."""
    with pytest.raises(UserError, match=f"'{database}' has no chunk 99"):
        testbed.replicas.explain(99, database)


def test_status_as_json_is_what_python_gives(testbed: Testbed, database: str) -> None:
    """The command prints the same levels, and ends with 0 where the level is reached."""
    where = ["--cluster", str(testbed.cluster.folder)]
    found = CliRunner().invoke(app, ["replicas", "status", "--database", database, "--json", *where])
    assert found.exit_code == 0
    printed = json.loads(found.stdout)
    assert printed["is_whole"]
    assert printed["databases"][0]["levels"] == {"2": testbed.replicas.status(database).databases[0].chunks}


STATEMENTS = (
    "SELECT COUNT(*), SUM(objectId), MIN(ra), SUM(flag) FROM Object",
    "SELECT COUNT(*), SUM(sourceId), SUM(objectId) FROM Source",
    "SELECT COUNT(*) FROM Object o JOIN Source s ON o.objectId = s.objectId",
)


def answers(testbed: Testbed, database: str) -> list[object]:
    return [rows_in(testbed.query(sql, database=database).table) for sql in STATEMENTS]


def large_tables(testbed: Testbed, database: str, count: int) -> list[tuple[str, str]]:
    """Node and name of some tables of several rows; those of one chunk are on one node, so that the other has all."""
    rows = [r for r in testbed.registry.replicas.all(database) if r.rows >= 3 and r.chunk >= 0]
    chunks = sorted({r.chunk for r in rows})
    names = sorted({(r.name, r.chunk) for r in rows if r.table in ("Object", "Source")})
    assert len(names) >= count
    return [(testbed.nodes[chunks.index(chunk) % 2], name) for name, chunk in names[:count]]


def test_a_scrub_finds_every_kind_of_fault_and_only_these_and_queries_leave_them(
    testbed: Testbed, database: str
) -> None:
    """One table damaged in each way: each is marked, no other is, and answers are as before.

    A wrong index of right rows is made again by the server that meets it.
    """
    before = answers(testbed, database)
    faults = dict(zip(FAULTS, large_tables(testbed, database, len(FAULTS)), strict=True))
    for kind, (node, table) in faults.items():
        damage(testbed, node, database, table, kind)
    (found,) = testbed.replicas.verify(database)
    bad = {(r.node, r.name) for r in testbed.registry.replicas.all(database) if r.state is ReplicaState.BAD}
    mended = faults.pop("other index")
    assert bad in (set(faults.values()), {*faults.values(), mended})
    assert len(found.faults) + found.mended == len(FAULTS)
    assert not found.unread
    assert answers(testbed, database) == before
    (health,) = testbed.replicas.status(database).databases
    assert health.under > 0 == health.lost


def test_a_node_that_refuses_its_loader_is_unread_and_none_of_its_replicas_is_bad(
    testbed: Testbed, database: str
) -> None:
    """An operator's fault is none of tables."""
    node = testbed.nodes[0]
    with connect(testbed.cluster.endpoint(node), Account.ADMIN) as admin:
        admin.execute(f"ALTER USER {Account.LOADER}@localhost ACCOUNT LOCK")
        try:
            (found,) = testbed.replicas.verify(database)
        finally:
            admin.execute(f"ALTER USER {Account.LOADER}@localhost ACCOUNT UNLOCK")
    assert (list(found.unread), found.faults) == ([node], [])
    assert "locked" in found.unread[node]


def test_a_look_at_what_was_made_again_meanwhile_marks_nothing(testbed: Testbed, database: str) -> None:
    """Neither while a replica is made nor when it was; one that is gone is none of those that are bad."""
    index, name = testbed.registry.replication, testbed.registry.published.names().stored(database)
    known, other = index.of_node(name, testbed.nodes[0])[:2]
    gone = replace(other, transaction=other.transaction + 1000)
    assert index.mark(name, (), {known: "broken", gone: "broken"}) == {known}
    assert index.move(name, [known], Event.REBUILD) == {known}
    assert index.mark(name, (), {known: "broken"}) == set()
    assert index.move(name, [known], Event.BUILT) == {known}
    assert index.mark(name, (), {known: "broken"}) == set()
    assert testbed.replicas.status(database).is_whole
    assert index.mark(name, [other], {}) == {other}


def test_an_interrupted_scrub_goes_on_where_it_was(testbed: Testbed, database: str) -> None:
    """What was read before is not read again, and the round after that reads all."""
    total = len(testbed.registry.replicas.all(database))

    def stop(progress: Progress) -> None:
        if progress.done:
            raise Stopped

    with pytest.raises(Stopped):
        testbed.replicas.verify(database, watcher=stop)
    (rest,) = testbed.replicas.verify(database)
    (whole,) = testbed.replicas.verify(database)
    assert 0 < rest.tables < whole.tables == total


def test_a_replica_that_is_good_again_counts_again(testbed: Testbed, database: str) -> None:
    """An index that was made again makes the next scrub say so."""
    ((node, table),) = large_tables(testbed, database, 1)
    damage(testbed, node, database, table, "empty index")
    testbed.replicas.verify(database)
    assert not testbed.replicas.status(database).is_whole
    order = RepairOrder(database, (table,), "definition")  # as an operator would, who tells nobody
    testbed.wiring.loader(node).call(NodeLoader.repair, order).result()
    (found,) = testbed.replicas.verify(database)
    assert (found.mended, found.faults) == (1, [])
    assert testbed.replicas.status(database).is_whole


def test_replicas_count_again_when_indexes_were_rebuilt(testbed: Testbed, database: str) -> None:
    """The command that an error names as the remedy leaves nothing else to be done."""
    ((node, table),) = large_tables(testbed, database, 1)
    damage(testbed, node, database, table, "empty index")
    testbed.replicas.verify(database)
    assert not testbed.replicas.status(database).is_whole
    testbed.rebuild_indexes(database)
    assert testbed.replicas.status(database).is_whole


def test_queries_that_meet_bad_replicas_ask_others_and_mark_them(testbed: Testbed, database: str) -> None:
    """Answers are right at once, and the next query does not ask there any more; what is good is not marked."""
    before = answers(testbed, database)
    node, kinds = testbed.nodes[0], ("no table", "no data", "no index", "no definition", "empty index")
    replicas = testbed.registry.replicas.all(database, "Object")
    tables = sorted({r.name for r in replicas if r.rows and not r.is_overlap and not r.part})
    for number, table in enumerate(tables):
        damage(testbed, node, database, table, kinds[number % len(kinds)])
    with Testbed(testbed.cluster.folder) as other:
        assert answers(other, database) == before
    faulty = testbed.replicas.status(database).faulty
    names = {physical_name(one.table, one.chunk, suffix=part_suffix(one.part)) for one in faulty}
    assert names
    assert names <= set(tables)
    assert {one.node for one in faulty} == {node}
    assert answers(testbed, database) == before


def test_a_regular_table_that_is_lost_on_one_node_is_read_on_the_other(testbed: Testbed, database: str) -> None:
    """Whole tables and joins with them: the node without it is left."""
    sql = "SELECT COUNT(*), SUM(night) FROM Visit"
    joined = "SELECT COUNT(*) FROM Object o, Visit v WHERE o.flag = v.night"
    before = [rows_in(testbed.query(one, database=database).table) for one in (sql, joined)]
    node = testbed.nodes[0]
    name = next(r.name for r in testbed.registry.replicas.all(database, "Visit"))
    damage(testbed, node, database, name, "no table")
    for _ in range(4):  # nodes take turns
        with Testbed(testbed.cluster.folder) as other:
            assert [rows_in(other.query(one, database=database).table) for one in (sql, joined)] == before
    assert {(one.table, one.node) for one in testbed.replicas.status(database).faulty} == {("Visit", node)}
    assert testbed.replicas.status(database).databases[0].whole_on == 1


def test_every_kind_of_fault_is_repaired_from_the_other_node_and_all_is_as_before(
    testbed: Testbed, database: str
) -> None:
    """After verify and repair the level is whole, every check of the database is good, and answers are as before."""
    before = answers(testbed, database)
    for kind, (node, table) in zip(FAULTS, large_tables(testbed, database, len(FAULTS)), strict=True):
        damage(testbed, node, database, table, kind)
    (scrubbed,) = testbed.replicas.verify(database)
    plan = testbed.replicas.plan_repair(database)[database]
    assert len(plan.steps) == len(scrubbed.faults)
    assert all(step.source not in ("", step.node) for step in plan.steps)
    (done,) = testbed.replicas.repair(database)
    assert (done.mended, done.copied, done.is_done) == (len(plan.steps), len(plan.steps), True)
    assert testbed.replicas.status(database).is_whole
    assert answers(testbed, database) == before
    assert [check for check in testbed.verify(database) if not check.is_good] == []
    assert not (testbed.cluster.folder / "staging" / database).exists()


def test_a_database_with_bad_replicas_is_compacted_but_for_these_and_not_while_it_is_repaired(
    testbed: Testbed, database: str
) -> None:
    """One change of its tables at a time; what is repaired is merged by the next compaction."""
    before, ((node, table),) = answers(testbed, database), large_tables(testbed, database, 1)
    damage(testbed, node, database, table, "no data")
    testbed.replicas.verify(database)
    kept = {r.target for r in testbed.registry.replicas.all(database) if r.state is ReplicaState.BAD}
    stored = testbed.registry.published.names().stored(database)
    with testbed.registry.ingesting(stored), pytest.raises(ClusterError, match="under way"):
        testbed.replicas.repair(database)
    testbed.compact(database)
    assert {r.target for r in testbed.registry.replicas.all(database) if r.state is ReplicaState.BAD} == kept
    assert answers(testbed, database) == before
    assert testbed.replicas.repair(database)[0].is_done
    assert testbed.replicas.status(database).is_whole
    assert testbed.compact(database).tables == len(kept)
    assert answers(testbed, database) == before


def test_a_node_that_lost_its_whole_folder_gets_everything_again(testbed: Testbed, database: str) -> None:
    """All tables, own and overlap, regular, with BLOBs, lists of parts, and the dummy chunk."""
    before, node = answers(testbed, database), testbed.nodes[1]
    with connect(testbed.cluster.endpoint(node), Account.ADMIN) as connection:
        connection.execute(f"DROP DATABASE {database}")
    (scrubbed,) = testbed.replicas.verify(database)
    assert {one.node for one in scrubbed.faults} == {node}
    assert answers(testbed, database) == before
    (done,) = testbed.replicas.repair(database)
    assert done.is_done, done
    assert done.mended == len(scrubbed.faults) > 20
    assert [check for check in testbed.verify(database) if not check.is_good] == []
    assert answers(testbed, database) == before


def test_a_repair_keeps_to_its_rate_and_goes_on_where_it_was_interrupted(testbed: Testbed, database: str) -> None:
    """What was mended before is not copied again."""
    tables = large_tables(testbed, database, 6)
    for node, table in tables:
        damage(testbed, node, database, table, "no data")
    testbed.replicas.verify(database)

    def stop(progress: Progress) -> None:
        if progress.done >= 2:
            raise Stopped

    with pytest.raises(Stopped):
        testbed.replicas.repair(database, watcher=stop)
    left = testbed.cluster.folder / "staging" / database / ".replicas"
    left.mkdir(parents=True, exist_ok=True)
    (left / "gone_7-node1.part").write_bytes(b"of a replica that was dropped since")
    (done,) = testbed.replicas.repair(database, rate_bytes_s=1e6)
    assert not left.parent.exists()
    assert done.is_done
    assert done.mended <= len(tables)
    assert testbed.replicas.status(database).is_whole
    assert [check for check in testbed.verify(database) if not check.is_good] == []


def test_what_no_node_has_any_more_is_named_with_its_rows_and_where_they_came_from(
    testbed: Testbed, tmp_path: Path
) -> None:
    """A single replica with a damaged index is mended in place; one with lost rows, whose input is gone, is lost, its
    data file stays as it is, and no index is made of it."""
    name, source = f"r{uuid.uuid4().hex[:10]}", write_catalog(tmp_path / "sky", objects=60, seed=1, side_deg=4)
    testbed.ingest(source, database=name, replicas=1)
    shutil.rmtree(source)
    replicas = [r for r in testbed.registry.replicas.all(name, "Source") if r.rows >= 3]
    indexed, replica = sorted(replicas, key=lambda r: r.chunk)[:2]
    damage(testbed, indexed.node, name, indexed.name, "no index")
    damage(testbed, replica.node, name, replica.name, "short")
    testbed.replicas.verify(name)
    data = testbed.cluster.data_dir(replica.node) / name / f"{replica.name}.MYD"
    kept = data.read_bytes()
    (done,) = testbed.replicas.repair(name)
    assert done.mended == 1
    assert data.read_bytes() == kept
    (lost,) = done.lost
    assert (lost.table, lost.chunk, lost.rows, lost.nodes) == (
        "Source", replica.chunk, replica.rows, (replica.node,),
    )  # fmt: skip
    assert any("Source" in source for source in lost.sources)
    assert testbed.replicas.status(name).databases[0].lost == 1
    wrong = next(r for r in testbed.registry.replicas.all(name, "Object") if r.rows >= 3 and not r.is_overlap)
    damage(testbed, wrong.node, name, wrong.name, "swapped")
    testbed.replicas.verify(name)
    with pytest.raises(ClusterError, match=f"{wrong.name} has other rows than it should"):
        testbed.rebuild_indexes(name)


def test_a_repair_that_is_killed_at_any_step_is_ended_by_the_next_one(testbed: Testbed, database: str) -> None:
    """Stopped before or after each registry write and call to a node: queries are right, and the next run ends it."""
    before, place = answers(testbed, database), testbed.wiring.replica_place()
    stored = testbed.registry.published.names().stored(database)
    faults = large_tables(testbed, database, 2)

    def stopped_after(steps: int) -> Fuse:
        for node, table in faults:
            damage(testbed, node, database, table, "no data")
        testbed.replicas.verify(database)
        fuse = Fuse(steps)

        def node_of(name: str) -> NodePlace:
            node = place.node(name)
            loader, files = (cast(Any, Fused(handle, fuse)) for handle in (node.loader, node.files))
            return replace(node, loader=loader, files=files)

        with suppress(Stopped):
            registry = cast(Any, Fused(place.registry, fuse))
            repair_replicas(replace(place, registry=registry, node=node_of), stored)
        return fuse

    total = stopped_after(0).burnt
    for steps in some_steps(total):
        stopped_after(steps)
        assert answers(testbed, database) == before
        (done,) = testbed.replicas.repair(database)
        assert done.is_done
        assert testbed.replicas.status(database).is_whole
    assert [check for check in testbed.verify(database) if not check.is_good] == []
    assert not (testbed.cluster.folder / "staging" / database).exists()


@pytest.mark.parametrize("engine", ["InnoDB", "Aria"])
def test_replicas_of_other_engines_are_verified_and_repaired_by_rows(
    testbed: Testbed, sources: list[Path], engine: str
) -> None:
    """Their files are no row images: rows are exported beside the source, and loaded."""
    name = f"r{uuid.uuid4().hex[:10]}"
    layout = testbed.plan(sources[0]).layout.model_copy(update={"engine": engine, "replicas": 2})
    testbed.ingest(sources[0], database=name, layout=layout)
    before, node = answers(testbed, name), testbed.nodes[0]
    tables = sorted({r.name for r in testbed.registry.replicas.all(name) if r.rows > 2})[:3]
    with connect(testbed.cluster.endpoint(node), Account.ADMIN, name) as connection:
        connection.execute(f"DELETE FROM {tables[0]} LIMIT 1")
        connection.execute(f"DROP TABLE {tables[1]}")
    (scrubbed,) = testbed.replicas.verify(name)
    assert len(scrubbed.faults) == 2
    (done,) = testbed.replicas.repair(name)
    assert (done.copied, done.is_done) == (2, True)
    assert answers(testbed, name) == before
    assert [check for check in testbed.verify(name) if not check.is_good] == []
