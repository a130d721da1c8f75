"""Rows that no node has any more: brought again from their input, else dropped where that is asked for."""

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
from tests.support.killing import digests
from tests.support.replica_faults import damage
from tests.support.same_answer import rows_in
from tests.support.stepping import Fuse, Fused, Stopped, fused, some_steps, steps_on
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import DUMMY_CHUNK
from skyshard.cli.app import app
from skyshard.db.connection import Account, connect
from skyshard.ingest.upkeep.drop_lost import drop_lost
from skyshard.registry.stored.lifecycle import ReplicaState
from skyshard.registry.stored.records import Replica
from skyshard.replicate.place import NodePlace
from skyshard.replicate.repair import repair_replicas
from skyshard.testbed import Testbed

STATEMENTS = (
    "SELECT COUNT(*), SUM(objectId), MIN(ra), SUM(flag) FROM Object",
    "SELECT COUNT(*), SUM(sourceId), SUM(objectId) FROM Source",
    "SELECT COUNT(*) FROM Object o JOIN Source s ON o.objectId = s.objectId",
    "SELECT COUNT(*), SUM(night) FROM Visit",
    "SELECT COUNT(*), SUM(LENGTH(image)) FROM Cutout",
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("skies")
    return [write_catalog(folder / str(seed), objects=60, seed=seed, side_deg=4) for seed in (1, 2)]


@pytest.fixture
def database(testbed: Testbed, sources: list[Path]) -> str:
    """Two transactions, each chunk on one node only."""
    name = f"l{uuid.uuid4().hex[:10]}"
    for source in sources:
        testbed.ingest(source, database=name, replicas=1)
    return name


def answers(testbed: Testbed, database: str) -> list[object]:
    return [rows_in(testbed.query(sql, database=database).table) for sql in STATEMENTS]


def lose(testbed: Testbed, database: str, replicas: list[Replica]) -> None:
    """Have the data of replicas gone, and the registry know it."""
    for replica in replicas:
        damage(testbed, replica.node, database, replica.name, "no table")
    testbed.replicas.verify(database)


def of(testbed: Testbed, database: str, table: str, *, is_overlap: bool = False) -> list[Replica]:
    """Replicas with rows, by chunk and part."""
    found = [r for r in testbed.registry.replicas.all(database, table) if r.rows and r.is_overlap is is_overlap]
    return sorted(found, key=lambda r: (r.chunk, r.part, r.node))


def faults_of(testbed: Testbed, database: str) -> list[object]:
    return [check for check in testbed.verify(database) if not check.is_good]


def test_lost_tables_of_every_kind_come_again_from_their_input(testbed: Testbed, database: str) -> None:
    """Own and overlap, dependent, with BLOBs, regular, first part and later one: all is as it was."""
    before, found = answers(testbed, database), digests(testbed.registry.replicas.all(database))
    overlap = of(testbed, database, "Object", is_overlap=True)
    lost = [of(testbed, database, "Object")[0], of(testbed, database, "Object")[-1], of(testbed, database, "Source")[2]]
    lost += [of(testbed, database, "Cutout")[0], *of(testbed, database, "Visit"), *overlap[:1]]
    lose(testbed, database, lost)
    (done,) = testbed.replicas.repair(database)
    assert (done.replayed, done.mended, done.lost, done.failed) == (len(lost), len(lost), [], {})
    assert testbed.replicas.status(database).is_whole
    assert answers(testbed, database) == before
    assert digests(testbed.registry.replicas.all(database)) == found
    assert faults_of(testbed, database) == []
    assert not (testbed.cluster.folder / "staging" / database).exists()


def test_a_node_with_the_only_copies_that_lost_its_folder_gets_all_from_the_input(
    testbed: Testbed, database: str
) -> None:
    """Every table of a node, merged ones among them, lists of parts and the dummy chunk."""
    testbed.compact(database)
    before, node = answers(testbed, database), testbed.nodes[0]
    with connect(testbed.cluster.endpoint(node), Account.ADMIN) as connection:
        connection.execute(f"DROP DATABASE {database}")
    (scrubbed,) = testbed.replicas.verify(database)
    (done,) = testbed.replicas.repair(database)
    assert (done.mended, done.is_done) == (len(scrubbed.faults), True)
    assert done.replayed > 10
    assert answers(testbed, database) == before
    assert faults_of(testbed, database) == []


def test_input_that_is_gone_or_changed_is_named_and_what_is_elsewhere_is_found(
    testbed: Testbed, tmp_path: Path
) -> None:
    """Nothing is made of other rows; with the place where the input is now, all comes again."""
    source = write_catalog(tmp_path / "sky", objects=60, seed=1, side_deg=4)
    database = f"l{uuid.uuid4().hex[:10]}"
    testbed.ingest(source, database=database, replicas=1)
    before, lost = answers(testbed, database), of(testbed, database, "Object")[0]
    lose(testbed, database, [lost])
    moved = tmp_path / "elsewhere"
    shutil.move(source, moved)
    (done,) = testbed.replicas.repair(database)
    (one,) = done.lost
    assert (one.table, one.chunk, one.rows, done.replayed) == ("Object", lost.chunk, lost.rows, 0)
    assert str(source) in one.why
    other = write_catalog(tmp_path / "sky", objects=61, seed=1, side_deg=4)
    (done,) = testbed.replicas.repair(database)
    assert "has changed since" in done.lost[0].why
    assert [r.state for r in testbed.registry.replicas.all(database) if r.name == lost.name] == [ReplicaState.BAD]
    shutil.rmtree(other)
    (done,) = testbed.replicas.repair(database, sources=[str(moved)])
    assert (done.replayed, done.is_done) == (1, True)
    assert answers(testbed, database) == before
    assert faults_of(testbed, database) == []


def test_rows_of_both_replicas_that_are_lost_come_again_on_both(testbed: Testbed, sources: list[Path]) -> None:
    """The level is whole afterwards."""
    database = f"l{uuid.uuid4().hex[:10]}"
    testbed.ingest(sources[0], database=database, replicas=2)
    before, first = answers(testbed, database), of(testbed, database, "Source")[0]
    both = [r for r in of(testbed, database, "Source") if r.target == first.target]
    lose(testbed, database, both)
    (done,) = testbed.replicas.repair(database)
    assert (done.replayed, done.is_done) == (2, True)
    assert testbed.replicas.status(database).is_whole
    assert answers(testbed, database) == before


def test_a_replay_that_is_killed_at_any_step_is_ended_by_the_next_one(testbed: Testbed, database: str) -> None:
    """Stopped before or after each registry write and call to a node: the next run makes the same of it."""
    before, place = answers(testbed, database), testbed.wiring.replica_place()
    stored = testbed.registry.published.names().stored(database)

    def stopped_after(steps: int) -> Fuse:
        lose(testbed, database, [of(testbed, database, "Object")[0], of(testbed, database, "Source")[0]])
        fuse = Fuse(steps)

        def node_of(name: str) -> NodePlace:
            node = place.node(name)
            loader, files = (cast(Any, Fused(handle, fuse)) for handle in (node.loader, node.files))
            return replace(node, loader=loader, files=files)

        replicas = testbed.replicas
        with suppress(Stopped):
            registry = cast(Any, Fused(place.registry, fuse))
            struck = replace(place, registry=registry, node=node_of, replay=replicas.replay())
            repair_replicas(struck, stored)
        return fuse

    total = stopped_after(0).burnt
    for steps in some_steps(total):
        stopped_after(steps)
        (done,) = testbed.replicas.repair(database)
        assert done.is_done
        assert answers(testbed, database) == before
    assert faults_of(testbed, database) == []
    assert not (testbed.cluster.folder / "staging" / database).exists()


# dropped


def without_source(testbed: Testbed, folder: Path, *, transactions: int = 1, replicas: int = 1) -> str:
    """A database whose input is gone."""
    database = f"l{uuid.uuid4().hex[:10]}"
    for seed in range(1, transactions + 1):
        source = write_catalog(folder / str(seed), objects=200, seed=seed, side_deg=4)
        testbed.ingest(source, database=database, replicas=replicas)
        shutil.rmtree(source)
    return database


def rows_without(testbed: Testbed, database: str, sql: str, chunks: set[int]) -> list[object]:
    found = testbed.query(sql, database=database).table
    return [row for row in rows_in(found) if row[0] not in chunks]


@pytest.mark.parametrize("transactions", [pytest.param(1, marks=pytest.mark.deep), 2])
def test_dropped_rows_are_gone_everywhere_and_nothing_else_is(
    testbed: Testbed, tmp_path: Path, transactions: int
) -> None:
    """Own rows of a director: index, keys, copies around and counts are as if they had never come; dependents stay;
    the oracle says that it is older; the registry says what was dropped."""
    database = without_source(testbed, tmp_path, transactions=transactions)
    testbed.load_mono(database)
    lost = max(of(testbed, database, "Object"), key=lambda r: (r.part, r.rows))
    where = f"chunkId = {lost.chunk}" if transactions == 1 else f"chunkId = {lost.chunk} AND objectId >= 2000000000000"
    keys = [
        row[0] for row in rows_in(testbed.query(f"SELECT objectId FROM Object WHERE {where}", database=database).table)
    ]
    assert len(keys) == lost.rows
    gone = ", ".join(map(str, keys))
    near = (
        "SELECT COUNT(*) FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.016"
        f" AND a.objectId NOT IN ({gone}) AND b.objectId NOT IN ({gone})"
    )
    kept = [f"SELECT COUNT(*), SUM(objectId), SUM(flag) FROM Object WHERE objectId NOT IN ({gone})", near]
    kept += ["SELECT COUNT(*), SUM(sourceId), SUM(objectId) FROM Source", "SELECT COUNT(*) FROM Cutout"]
    before = [rows_in(testbed.query(sql, database=database).table) for sql in kept]
    own = f"SELECT COUNT(*) FROM Source WHERE objectId = {keys[0]}"
    sources_before = rows_in(testbed.query(own, database=database).table)
    lose(testbed, database, [lost])
    (repaired,) = testbed.replicas.repair(database)
    assert len(repaired.lost) == 1
    done = testbed.replicas.drop_lost(database, repaired.lost)
    assert (done.rows, done.transaction > 0) == (lost.rows, True)
    assert [rows_in(testbed.query(sql, database=database).table) for sql in kept] == before
    assert rows_in(testbed.query(near.partition(" AND a.objectId")[0], database=database).table) == before[1]
    assert rows_in(testbed.query(f"SELECT ra FROM Object WHERE objectId = {keys[0]}", database=database).table) == []
    assert rows_in(testbed.query(own, database=database).table) == sources_before
    assert faults_of(testbed, database) == []
    assert testbed.replicas.status(database).is_whole
    assert testbed.replicas.repair(database)[0].is_done
    with pytest.raises(UserError, match="the oracle has"):
        testbed.query("SELECT COUNT(*) FROM Object", database=database, target="mono")
    testbed.load_mono(database)
    for sql in STATEMENTS:
        one, other = (rows_in(testbed.query(sql, database=database, target=t).table) for t in ("czar", "mono"))
        assert one == other
    assert sum(one.rows for _, one in testbed.registry.transactions.dropped(database)) == lost.rows
    testbed.rebuild_indexes(database)
    assert faults_of(testbed, database) == []
    testbed.compact(database)
    assert faults_of(testbed, database) == []


def test_lost_copies_are_made_again_of_the_rows_around_and_no_row_is_dropped(testbed: Testbed, tmp_path: Path) -> None:
    """Rows of an overlap table are those of other chunks, which have them."""
    database = without_source(testbed, tmp_path, replicas=2)
    before, found = answers(testbed, database), digests(testbed.registry.replicas.all(database))
    lost = of(testbed, database, "Object", is_overlap=True)[:2]
    assert lost[0].target == lost[1].target
    lose(testbed, database, lost)
    (repaired,) = testbed.replicas.repair(database)
    done = testbed.replicas.drop_lost(database, repaired.lost)
    assert (done.rows, done.overlap_tables) == (0, 1)
    assert answers(testbed, database) == before
    after = digests(testbed.registry.replicas.all(database))
    assert {digest for one in after.values() for digest in one} == {digest for one in found.values() for digest in one}
    assert faults_of(testbed, database) == []


def test_lost_rows_of_dependents_regular_and_blob_tables_are_dropped_and_counted(
    testbed: Testbed, tmp_path: Path
) -> None:
    """Exactly these rows go."""
    database = without_source(testbed, tmp_path)
    sources, cutouts, (visits, *_) = (
        of(testbed, database, "Source"),
        of(testbed, database, "Cutout"),
        of(testbed, database, "Visit"),
    )
    whole = of(testbed, database, "Visit")
    before = {name: rows_in(testbed.query(f"SELECT COUNT(*) FROM {name}", database=database).table)[0][0]
              for name in ("Object", "Source", "Cutout", "Visit")}  # fmt: skip
    lose(testbed, database, [sources[0], cutouts[0], *whole])
    (repaired,) = testbed.replicas.repair(database)
    done = testbed.replicas.drop_lost(database, repaired.lost)
    assert done.rows == sources[0].rows + cutouts[0].rows + visits.rows
    for name, rows in (("Object", 0), ("Source", sources[0].rows), ("Cutout", cutouts[0].rows), ("Visit", visits.rows)):
        found = rows_in(testbed.query(f"SELECT COUNT(*) FROM {name}", database=database).table)[0][0]
        assert found == before[name] - rows
    assert faults_of(testbed, database) == []


def test_a_table_without_some_of_its_rows_may_be_dropped_and_come_again_whole(testbed: Testbed, tmp_path: Path) -> None:
    """What was lost of it then counts no more, neither in checks nor in what status and databases tell."""
    database, source = f"l{uuid.uuid4().hex[:10]}", write_catalog(tmp_path / "sky", objects=60, seed=1, side_deg=4)
    testbed.ingest(source, database=database, replicas=1)
    away, lost = source.rename(tmp_path / "away"), of(testbed, database, "Source")[0]
    lose(testbed, database, [lost])
    (repaired,) = testbed.replicas.repair(database)
    assert testbed.replicas.drop_lost(database, repaired.lost).rows == lost.rows
    testbed.drop_table(database, "Source")
    assert faults_of(testbed, database) == []
    away.rename(source)
    testbed.ingest(source, database=database)
    assert faults_of(testbed, database) == []
    assert testbed.registry.transactions.dropped(database) == []
    assert testbed.replicas.status(database).databases[0].dropped_rows == 0
    assert next(one for one in testbed.databases() if one.stored_as == database).dropped_rows == 0


def test_a_drop_of_lost_rows_that_is_stopped_at_any_step_changes_all_or_nothing(
    testbed: Testbed, tmp_path: Path
) -> None:
    """Stopped before or after each registry write and call to a node: the next run makes the same of it."""
    database = without_source(testbed, tmp_path)
    for steps in steps_on():
        copy = f"{database}_{steps}"
        source = write_catalog(tmp_path / copy, objects=60, seed=1, side_deg=4)
        testbed.ingest(source, database=copy)
        shutil.rmtree(source)
        lost = of(testbed, copy, "Object")[0]
        lose(testbed, copy, [lost])
        (repaired,) = testbed.replicas.repair(copy)
        rows = [(one.table, one.chunk, one.is_overlap, one.transaction) for one in repaired.lost]
        fuse = Fuse(steps)
        with suppress(Stopped):
            drop_lost(fused(testbed, fuse), copy, rows)
        assert testbed.replicas.repair(copy)[0].lost in ([], repaired.lost)
        testbed.replicas.drop_lost(copy, repaired.lost)
        assert testbed.query("SELECT COUNT(*) FROM Object", database=copy).table.column(0)[0].as_py() == 60 - lost.rows
        assert faults_of(testbed, copy) == []
        assert sum(one.rows for _, one in testbed.registry.transactions.dropped(copy)) == lost.rows
        if fuse.burnt < steps:
            break


def test_the_command_drops_lost_rows_when_it_is_told_so_and_says_it_ever_after(
    testbed: Testbed, tmp_path: Path
) -> None:
    """Without --yes nobody is there to be asked: exit 2, nothing done. With it exit 0; status and databases tell."""
    database = without_source(testbed, tmp_path)
    lost = of(testbed, database, "Source")[0]
    lose(testbed, database, [lost])
    where = ["--cluster", str(testbed.cluster.folder)]
    refused = CliRunner().invoke(app, ["replicas", "repair", database, "--drop-lost", *where])
    assert isinstance(refused.exception, UserError)
    assert testbed.registry.transactions.dropped(database) == []
    found = CliRunner().invoke(app, ["replicas", "repair", database, "--json", *where])
    assert found.exit_code == 1
    assert "no source" in json.loads(found.stdout)[0]["lost"][0]["why"]
    found = CliRunner().invoke(app, ["replicas", "repair", database, "--drop-lost", "--yes", "--json", *where])
    assert found.exit_code == 0, found.output
    (said,) = json.loads(found.stdout)
    assert said["dropped"]["rows"] == lost.rows
    (health,) = testbed.replicas.status(database).databases
    assert (health.dropped_rows, health.dropped_s > 0) == (lost.rows, True)
    assert (
        f"{lost.rows} rows that were lost were dropped"
        in CliRunner().invoke(app, ["replicas", "status", "--database", database, *where]).stdout
    )
    assert next(one for one in testbed.databases() if one.stored_as == database).dropped_rows == lost.rows


@pytest.mark.parametrize("kind", ["no table", pytest.param("no definition", marks=pytest.mark.deep), "not empty"])
def test_a_table_of_the_dummy_chunk_that_is_not_as_it_was_is_found_and_made_again(
    testbed: Testbed, database: str, kind: str
) -> None:
    """The registry keeps nothing of it: verify names it, repair makes it."""
    node, name = testbed.nodes[1], f"Source_{DUMMY_CHUNK}"
    if kind == "not empty":
        full = next(r.name for r in of(testbed, database, "Source") if r.node == node)
        with connect(testbed.cluster.endpoint(node), Account.ADMIN, database) as connection:
            connection.execute(f"INSERT INTO {name} SELECT * FROM {full}")
    else:
        damage(testbed, node, database, name, kind)
    (scrubbed,) = testbed.replicas.verify(database)
    assert [(one.table, one.chunk, one.node) for one in scrubbed.faults] == [("Source", DUMMY_CHUNK, node)]
    (done,) = testbed.replicas.repair(database)
    assert (done.mended, done.is_done) == (1, True)
    assert testbed.replicas.verify(database)[0].is_good
    assert faults_of(testbed, database) == []


def test_a_node_that_is_verified_alone_is_read_again_the_next_time(testbed: Testbed, database: str) -> None:
    """Its round is over when it was read to its end: what is damaged after that is found."""
    node = testbed.nodes[0]
    assert testbed.replicas.verify(database, nodes=[node])[0].is_good
    bad = next(r for r in of(testbed, database, "Source") if r.node == node)
    damage(testbed, node, database, bad.name, "no data")
    (found,) = testbed.replicas.verify(database, nodes=[node])
    assert [(one.table, one.chunk) for one in found.faults] == [("Source", bad.chunk)]
