"""The czar's server is lost: its registry comes back from a dump, or is made of what the nodes keep."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.depth import how_many
from tests.support.lost_czar import ALIAS, GONE, RENAMED, History, forget_all, known, stepped
from tests.support.replica_faults import damage
from tests.support.stepping import STEPS_LIMIT_S, Fuse, Stopped, some_steps
from tests.support.tract_files import first_files
from tests.support.warm_processes import start_warm
from typer.testing import CliRunner

from skyshard.backup import BackupPlace, dump_registry, rebuild_registry, restore_registry
from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Progress
from skyshard.cli.app import app
from skyshard.cli.terminal.json_outputs import validate_output
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.node.node_loader import NodeLoader
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
KILLS = how_many("SKYSHARD_TEST_BACKUP_KILLS", 1)
"""Of each command, so many are killed with -9 at random instants."""


@pytest.fixture(scope="module")
def history(short_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """A cluster of its own, with its history, which goes on from test to test."""
    cluster = PrivateCluster(short_folder / "lost")
    try:
        cluster.start(3)
        history = History(first_files(tmp_path_factory.mktemp("tracts")), cluster)
        with Testbed(cluster.folder) as testbed:
            history.make(testbed)
        yield history
    finally:
        cluster.destroy()


@pytest.mark.parametrize("with_indexes", [True, False], ids=["whole", "without-indexes"])
def test_a_dump_brings_all_back(history: History, tmp_path: Path, with_indexes: bool) -> None:
    """Answers, names, files and replicas are as before; nothing on the nodes is unaccounted for; ingests go on."""
    dump = tmp_path / "registry.dump"
    with Testbed(history.cluster.folder) as testbed:
        history.is_right(testbed)
        before = known(testbed)
        testbed.backup.dump(dump, with_indexes=with_indexes)
    history.lose_czar()
    with Testbed(history.cluster.folder) as testbed:
        assert testbed.databases() == []
        done = testbed.backup.restore(dump)
        assert done.after.differences == []
        assert done.after.undone == {}
        assert done.later == {}
        assert bool(done.after.indexes) is not with_indexes
        assert known(testbed) == before
        history.is_right(testbed)
        history.is_right(testbed, ALIAS)
        more(history, testbed)


def more(history: History, testbed: Testbed) -> None:
    """Another transaction, as if nothing had been lost."""
    tract = max(tract for _, tract in history.files.rows) + 1
    history.files.write("Object", tract, [(1000 + tract, 10.3 + tract / 1000, 5.35, 1.25)])
    assert testbed.ingest(history.files.mapping, database=RENAMED).transaction > 0
    history.is_right(testbed)


def test_the_nodes_records_bring_all_back(history: History) -> None:
    """The same without any dump, and of a dropped database and an aborted ingest nothing."""
    with Testbed(history.cluster.folder) as testbed:
        before = known(testbed)
    history.lose_czar()
    with Testbed(history.cluster.folder) as testbed:
        done = testbed.backup.rebuild()
        assert done.left_out == {}
        assert done.after.differences == []
        assert done.after.undone == {}
        assert known(testbed) == before
        assert GONE not in [one.database for one in testbed.databases()]
        history.is_right(testbed, is_whole=False)
        assert done.unverified == len(before["replicas"])
        assert testbed.replicas.status(RENAMED).databases[0].lost > 0
        testbed.replicas.verify(RENAMED)
        history.is_right(testbed)
        history.is_right(testbed, ALIAS)
        assert testbed.ingest(history.files.mapping, database=RENAMED).transaction == 0
        more(history, testbed)


def generations(testbed: Testbed) -> dict[str, int]:
    """How often the chunks of each table have changed, by its name."""
    with connect(testbed.cluster.endpoint(CZAR_NAME), Account.ADMIN) as czar:
        rows = czar.rows("SELECT `database`, name, generation FROM skyshard_registry.`tables`")
    return {f"{database}.{name}": int(number) for database, name, number in rows}


@pytest.mark.parametrize("way", ["dump", "records"])
def test_tables_that_come_back_have_generations_that_they_never_had(history: History, tmp_path: Path, way: str) -> None:
    """So that nobody who was slow meanwhile keeps what it has made of their rows before."""
    with Testbed(history.cluster.folder) as testbed:
        testbed.backup.dump(tmp_path / "dump")
        before = generations(testbed)
        for _ in range(2):
            if way == "dump":
                testbed.backup.restore(tmp_path / "dump", force=True)
            else:
                testbed.backup.rebuild(force=True)
                testbed.replicas.verify(RENAMED)
            after = generations(testbed)
            assert after.keys() == before.keys()
            assert all(number > before[name] for name, number in after.items())
            before = after
        history.is_right(testbed)


def test_what_came_after_the_dump_is_said(history: History, tmp_path: Path) -> None:
    """A transaction under way goes on; later ones, and what they left and took, are named; ``rebuild`` knows them."""
    dump, cluster = tmp_path / "registry.dump", history.cluster.folder
    with Testbed(cluster) as testbed:
        history.files.write("Object", 90, [(2000, 10.36, 5.36, 1.25)])
        number = history.interrupt(testbed, "load")
        history.files.remove("Object", 90)
        testbed.backup.dump(dump)
        testbed.abort_transaction(number)
        more(history, testbed)
        testbed.compact(RENAMED, grace_s=0.0)
        before = known(testbed)
    history.lose_czar()
    with Testbed(cluster) as testbed:
        done = testbed.backup.restore(dump)
        assert done.open_transactions == [number]
        assert len(done.later[history.files.database]) == 2
        (found,) = done.after.differences
        assert found.gone
        assert found.strays
        assert not testbed.replicas.status(RENAMED).is_whole
        again = testbed.backup.restore(dump, force=True)
        assert [one.strays for one in again.after.differences] == [found.strays]
        assert again.later == done.later
        rebuilt = testbed.backup.rebuild(force=True)
        assert rebuilt.after.differences == []
        assert known(testbed) == before
        testbed.replicas.verify(RENAMED)
        history.is_right(testbed)
        more(history, testbed)


def test_an_open_transaction_goes_on_after_a_restore(history: History, tmp_path: Path) -> None:
    """The same ingest ends it; what it had recorded is read again first."""
    dump, cluster = tmp_path / "registry.dump", history.cluster.folder
    with Testbed(cluster) as testbed:
        history.files.write("Object", 91, [(2001, 10.37, 5.37, 1.25)])
        number = history.interrupt(testbed, "load")
        testbed.backup.dump(dump)
    history.lose_czar()
    with Testbed(cluster) as testbed:
        assert testbed.backup.restore(dump).open_transactions == [number]
        assert testbed.ingest(history.files.mapping, database=RENAMED).transaction == number
        history.is_right(testbed)


def test_tables_on_another_node_count_where_they_are(history: History) -> None:
    """Records say where tables were; one whose rows moved since is found, one that is gone is bad until a repair."""
    with Testbed(history.cluster.folder) as testbed:
        database = history.files.database
        node = testbed.nodes[0]
        held = [one.name for one in testbed.registry.replicas.all(database) if one.node == node and one.chunk >= 0]
        loader = testbed.wiring.loader(node)
        loader.call(NodeLoader.drop_tables, database, held[:1]).result()
        forget_all(testbed, database)
    with Testbed(history.cluster.folder) as testbed:
        done = testbed.backup.rebuild()
        (found,) = done.after.differences
        assert found.gone == {node: 1}
        assert not testbed.replicas.status(RENAMED).is_whole
        testbed.replicas.repair(RENAMED)
        testbed.replicas.verify(RENAMED)
        history.is_right(testbed)


def test_what_only_queries_knew_to_be_bad_does_not_count(history: History) -> None:
    """No record says it: a rebuild has nobody count the replica as verified, until it was read and found bad again."""
    with Testbed(history.cluster.folder) as testbed:
        database = history.files.database
        one = max(testbed.registry.replicas.all(database, "Object"), key=lambda one: (one.rows, one.node, one.name))
        damage(testbed, one.node, database, one.name, "torn")
        forget_all(testbed, database)
    with Testbed(history.cluster.folder) as testbed:
        assert testbed.backup.rebuild().unverified > 0
        assert not testbed.replicas.status(RENAMED).is_whole
        (scrubbed,) = testbed.replicas.verify(RENAMED)
        assert [(found.node, found.table, found.chunk) for found in scrubbed.faults] == [
            (one.node, "Object", one.chunk)
        ]
        testbed.replicas.repair(RENAMED)
        history.is_right(testbed)


def test_chunks_that_moved_after_the_dump_are_found(history: History, tmp_path: Path) -> None:
    """They count on the node that they went to, and what comes later goes there; records are of after the moves."""
    dump, database = tmp_path / "registry.dump", history.files.database
    with Testbed(history.cluster.folder) as testbed:
        testbed.backup.dump(dump)
        left = testbed.nodes[2]
        testbed.jobs.run(testbed.jobs.begin(testbed.replicas.plan_drain(left), rate_bytes_s=0, grace_s=0.0))
        before = known(testbed)
        forget_all(testbed, database)
    with Testbed(history.cluster.folder) as testbed:
        done = testbed.backup.rebuild()
        assert done.after.differences == []
        assert known(testbed) == before
        history.is_right(testbed, is_whole=False)  # the state of the drained node is in no record
        forget_all(testbed, database)
    with Testbed(history.cluster.folder) as testbed:
        (found,) = testbed.backup.restore(dump).after.differences
        assert sum(found.moved.values()) > 0
        assert found.strays == {}
        assert {one.node for one in testbed.registry.replicas.all(database) if one.chunk >= 0} == {*testbed.nodes[:2]}
        if found.gone:  # whole tables of the drained node, which are copied
            testbed.replicas.repair(RENAMED)
        history.is_right(testbed)
        more(history, testbed)


@pytest.mark.timeout(STEPS_LIMIT_S)
@pytest.mark.parametrize("kind", ["restore", "rebuild"])
def test_stopped_at_every_so_many_steps(history: History, tmp_path: Path, kind: str) -> None:
    """The registry knows nothing or all; the same again, without ``force``, ends it."""
    dump, cluster, database = tmp_path / "registry.dump", history.cluster.folder, history.files.database
    with Testbed(cluster) as testbed:
        before = known(testbed)
        testbed.backup.dump(dump)

    def work(place: BackupPlace, watcher: Callable[[Progress], None]) -> None:
        if kind == "restore":
            restore_registry(place, dump, watcher=watcher)
        else:
            rebuild_registry(place, watcher=watcher)

    def run(fuse: Fuse) -> None:
        with Testbed(cluster) as testbed:
            forget_all(testbed, database)
        with Testbed(cluster) as testbed:
            work(stepped(testbed, fuse), lambda _: fuse.step())

    whole = Fuse()
    run(whole)
    assert whole.burnt > 12
    for step in some_steps(whole.burnt - 1):
        with pytest.raises(Stopped):
            run(Fuse(step))
        with Testbed(cluster) as testbed:
            assert [one.database for one in testbed.databases()] in ([], [RENAMED])
            work(testbed.wiring.backup_place(), lambda _: None)
            assert known(testbed) == before
            history.is_right(testbed, is_whole=kind == "restore")
    with Testbed(cluster) as testbed:
        testbed.replicas.verify(RENAMED)
        history.is_right(testbed)


def test_a_dump_is_whole_or_not_there(history: History, tmp_path: Path) -> None:
    """Stopped anywhere, it leaves what was there before, and nothing beside it."""
    dump = tmp_path / "registry.dump"
    dump.write_text("before")
    with Testbed(history.cluster.folder) as testbed:
        place, whole = testbed.wiring.backup_place(), Fuse()
        dump_registry(place, tmp_path / "other.dump", watcher=lambda _: whole.step())
        for step in range(1, whole.burnt):
            fuse = Fuse(step)
            with pytest.raises(Stopped):
                dump_registry(place, dump, watcher=lambda _, fuse=fuse: fuse.step())
            assert dump.read_text() == "before"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["other.dump", "registry.dump"]


@pytest.mark.parametrize("kind", ["dump", "restore", "rebuild"])
def test_killed_at_any_instant(history: History, tmp_path: Path, kind: str) -> None:
    """A process that is killed with -9 leaves what the same command ends."""
    dump, cluster, database = tmp_path / "registry.dump", history.cluster.folder, history.files.database
    words = ["registry", kind, *([] if kind == "rebuild" else [str(dump)]), "--json", "--cluster", str(cluster)]
    with Testbed(cluster) as testbed:
        before = known(testbed)
        testbed.backup.dump(dump)
    for _ in range(KILLS):
        if kind != "dump":
            with Testbed(cluster) as testbed:
                forget_all(testbed, database)
        process = start_warm(words, tmp_path / "said")
        time.sleep(random.uniform(0.1, 2.0))
        process.kill()
        process.wait()
        with Testbed(cluster) as testbed:
            is_whole = kind != "dump" and [one.database for one in testbed.databases()] == [RENAMED]
        ended = CliRunner().invoke(app, words)
        if is_whole and isinstance(ended.exception, UserError):  # it was done when it was killed, or had ended
            assert "--force" in ended.exception.remedy
        else:
            assert ended.exit_code == 0, ended.output
            validate_output(f"registry {kind}", ended.stdout)
        with Testbed(cluster) as testbed:
            assert known(testbed) == before
            history.is_right(testbed, is_whole=kind != "rebuild")
    with Testbed(cluster) as testbed:
        testbed.replicas.verify(RENAMED)
        history.is_right(testbed)


def test_what_cannot_be_restored_is_refused(history: History, private_cluster: PrivateCluster, tmp_path: Path) -> None:
    """In one line, and nothing is changed: damaged, cut short, of another cluster or version, over what is known."""
    dump, bad = tmp_path / "registry.dump", tmp_path / "bad.dump"
    with Testbed(history.cluster.folder) as testbed:
        before = known(testbed)
        testbed.backup.dump(dump)

        def refused(words: str, path: Path, *, force: bool = True) -> None:
            with pytest.raises(UserError, match=words):
                testbed.backup.restore(path, force=force)
            assert known(testbed) == before

        refused("no file", tmp_path / "none.dump")
        refused("knows 1 databases", dump, force=False)
        content = bytearray(dump.read_bytes())
        bad.write_bytes(content[: len(content) // 2])
        refused("no dump of a registry, or is damaged", bad)
        content[len(content) // 2] ^= 255
        bad.write_bytes(content)
        refused("no dump of a registry, or is damaged", bad)
        bad.write_text("rows")
        refused("no dump of a registry, or is damaged", bad)
        others = {name: node.sql for name, node in private_cluster.nodes.items()}
        dump_registry(replace(testbed.wiring.backup_place(), nodes=others), bad)
        refused("of another cluster", bad)
        with pytest.raises(UserError, match="cannot write"):
            testbed.backup.dump(tmp_path / "none" / "registry.dump")
        place = testbed.wiring.backup_place()
        with pytest.raises(ClusterError, match=r"no node of .* answers"):
            rebuild_registry(replace(place, nodes={}), force=True)
        with pytest.raises(UserError, match="keep no records"):
            rebuild_registry(replace(place, nodes={"other": place.czar}), force=True)
        with pytest.raises(UserError, match="knows 1 databases"):
            testbed.backup.rebuild()
        assert known(testbed) == before


def test_a_lost_database_is_not_ingested_over(history: History, tmp_path: Path) -> None:
    """An ingest under its name would remove what nodes have of it."""
    with Testbed(history.cluster.folder) as testbed:
        dump = tmp_path / "registry.dump"
        testbed.backup.dump(dump)
        forget_all(testbed, history.files.database)
    with Testbed(history.cluster.folder) as testbed:
        with pytest.raises(UserError, match="keeps rows of a database"):
            testbed.ingest(history.files.mapping)
        testbed.backup.restore(dump)
        history.is_right(testbed)
