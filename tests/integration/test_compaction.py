"""Compaction: the parts of chunk tables become one, while everything that was right before stays right."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.asking import ASK_EVERY_S
from tests.support.depth import drawn
from tests.support.kill_catalog import write_catalog
from tests.support.same_answer import rows_in
from tests.support.stepping import STRIDE, Fuse, Fused, Stopped, assert_right, steps_on, stop_at

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.catalog.engines import EngineName
from skyshard.catalog.layout import Layout, Striping
from skyshard.czar.czar import Czar
from skyshard.db.connection import Account, connect
from skyshard.ingest.upkeep.compaction import compact
from skyshard.node.messages import Loader
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.testbed import Testbed

STATEMENTS = (
    "SELECT COUNT(*), SUM(objectId), MIN(ra) FROM Object",
    "SELECT COUNT(*), SUM(sourceId) FROM Source",
    "SELECT COUNT(*) FROM Object o JOIN Source s ON o.objectId = s.objectId",
    "SELECT COUNT(*) FROM Object o1, Object o2 WHERE o1.objectId <> o2.objectId "
    "AND scisql_angSep(o1.ra, o1.decl, o2.ra, o2.decl) < 0.016",
)
STRIPING = Striping(stripes=85, substripes=12, overlap_deg=0.01667)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("visits")
    return [write_catalog(folder / str(seed), objects=60, seed=seed, side_deg=4) for seed in (1, 2, 3)]


@pytest.fixture
def database(testbed: Testbed, sources: list[Path]) -> str:
    """Three transactions one after the other, and beside it the same with nothing done to it."""
    name = f"x{uuid.uuid4().hex[:10]}"
    for source in sources:
        testbed.ingest(source, database=name)
    return name


def answers(testbed: Testbed, database: str) -> list[Any]:
    return [rows_in(testbed.query(sql, database=database).table) for sql in STATEMENTS]


def parts(testbed: Testbed, database: str) -> set[int]:
    return {replica.part for replica in testbed.registry.replicas.all(database)}


def sums(testbed: Testbed, database: str) -> dict[Any, Any]:
    """Rows of each chunk table on each node, whatever parts they are in."""
    found: dict[Any, int] = {}
    for replica in testbed.registry.replicas.all(database):
        key = (replica.node, replica.target)
        found[key] = found.get(key, 0) + replica.rows
    return found


def bad_checks(testbed: Testbed, database: str) -> list[Any]:
    return [check for check in testbed.verify(database) if not check.is_good]


def test_parts_become_one_and_answers_stay(testbed: Testbed, database: str) -> None:
    """Rows, digests and answers are the same after; a chunk table has one part, a director index too."""
    before, rows = answers(testbed, database), sums(testbed, database)
    done = testbed.compact(database)
    assert 0 < done.tables < done.parts
    assert done.indexes == 1
    assert answers(testbed, database) == before
    assert sums(testbed, database) == rows
    assert parts(testbed, database) <= {0, done.transaction}
    assert len(testbed.registry.index_parts.all(database)) == 1
    assert bad_checks(testbed, database) == []
    assert testbed.compact(database).transaction == 0


@pytest.mark.parametrize("engine", ["MyISAM", pytest.param("InnoDB", marks=pytest.mark.deep)])
def test_a_part_that_is_lost_is_named_and_repaired_meanwhile(
    testbed: Testbed, sources: list[Path], engine: EngineName
) -> None:
    """It is the node's trouble, not the user's; when it is there again the same compaction goes on."""
    name = f"x{uuid.uuid4().hex[:10]}"
    for source in sources[:2]:
        testbed.ingest(source, database=name, replicas=2, layout=Layout(striping=STRIPING, engine=engine))
    before = answers(testbed, name)
    part = next(one for one in testbed.registry.replicas.all(name) if one.part and one.table == "Object")
    with connect(testbed.cluster.endpoint(part.node), Account.ADMIN, name) as connection:
        if engine == "MyISAM":
            connection.execute(f"FLUSH TABLES {part.name}")
            (testbed.cluster.data_dir(part.node) / name / f"{part.name}.MYD").unlink()
        else:
            connection.execute(f"DROP TABLE {part.name}")
    with pytest.raises(ClusterError, match=part.name) as caught:
        testbed.compact(name)
    assert "replicas repair" in caught.value.remedy
    testbed.replicas.verify(name)
    assert testbed.replicas.repair(name)
    assert testbed.compact(name).tables
    assert answers(testbed, name) == before
    assert bad_checks(testbed, name) == []


def test_old_parts_stay_for_the_time_of_grace(testbed: Testbed, database: str) -> None:
    """What a query that began before reads is there until the grace is over, and then on no server."""
    old = testbed.registry.replicas.all(database)
    catalog = testbed.registry.published.catalog(database)
    chunk, entry = next((c, e) for c, e in catalog.tables["Object"].chunks.items() if e.suffix)
    shown = f"Object_{chunk}{entry.suffix}"
    with connect(testbed.cluster.endpoint(entry.nodes[0]), Account.READER, database) as connection:
        testbed.compact(database)
        assert connection.value(f"SELECT COUNT(*) FROM {shown}") == entry.rows
        assert bad_checks(testbed, database) == []
        testbed.compact(database, grace_s=0.0)
        with pytest.raises(UserError):
            connection.value(f"SELECT COUNT(*) FROM {shown}")
    assert testbed.registry.transactions.retired_tables(database) == {}
    assert bad_checks(testbed, database) == []
    assert len(testbed.registry.replicas.all(database)) < len(old)


def test_further_transactions_and_a_new_index_follow(testbed: Testbed, database: str, tmp_path: Path) -> None:
    """After a compaction a database takes rows in as before, refuses keys that it has, and its index can be remade."""
    testbed.compact(database, grace_s=0.0)
    testbed.ingest(write_catalog(tmp_path / "fourth", objects=60, seed=4, side_deg=4), database=database)
    before = answers(testbed, database)
    assert (
        testbed.rebuild_indexes(database)["Object"]
        == testbed.registry.published.catalog(database).tables["Object"].rows
    )
    assert bad_checks(testbed, database) == []
    assert answers(testbed, database) == before
    testbed.compact(database, grace_s=0.0)
    testbed.rebuild_indexes(database)
    assert bad_checks(testbed, database) == []
    with pytest.raises(UserError, match="earlier transaction"):
        testbed.ingest(write_catalog(tmp_path / "again", objects=61, seed=4, side_deg=4), database=database)
    assert answers(testbed, database) == before


def test_other_loaders_and_engines(testbed: Testbed, sources: list[Path]) -> None:
    """Tables that take no row images are merged by their server, with the same checks."""
    name = f"x{uuid.uuid4().hex[:10]}"
    for source in sources[:2]:
        plan = testbed.plan(source, database=name)
        layout = plan.layout.model_copy(update={"engine": "InnoDB"})
        testbed.ingest(source, database=name, layout=layout, loader=Loader.LOAD_DATA)
    before = answers(testbed, name)
    assert testbed.compact(name, grace_s=0.0).tables
    assert answers(testbed, name) == before
    assert bad_checks(testbed, name) == []


def test_stopped_at_every_so_many_steps(testbed: Testbed, database: str) -> None:
    """Wherever it stops, all is as before or all is merged; the next run does what is left, or the next ingest."""
    before = answers(testbed, database)
    for step in steps_on(max(1, STRIDE // 3)):
        try:
            compact(fused(testbed, Fuse(step)), database, grace_s=0.0)
            break
        except Stopped:
            assert answers(testbed, database) == before
    assert step > 10
    assert_right(testbed, database, database)
    assert answers(testbed, database) == before


def fused(testbed: Testbed, fuse: Fuse) -> Any:
    site = testbed.wiring.site()
    nodes: Any = {node: Fused(handle, fuse) for node, handle in site.nodes.items()}
    czar: Any = Fused(site.czar_loader, fuse)
    registry: Any = Fused(site.registry, fuse)
    return replace(site, registry=registry, czar_loader=czar, nodes=nodes)


def test_an_unfinished_ingest_comes_first(testbed: Testbed, database: str, tmp_path: Path) -> None:
    """Nothing is merged under an ingest that was interrupted; a compaction that was is taken back by an ingest."""
    fourth = write_catalog(tmp_path / "fourth", objects=60, seed=4, side_deg=4)
    with pytest.raises(Stopped):
        testbed.ingest(fourth, database=database, watcher=stop_at("load"))
    with pytest.raises(UserError, match="unfinished"):
        testbed.compact(database)
    testbed.ingest(fourth, database=database)
    with pytest.raises(Stopped):
        testbed.compact(database, watcher=stop_at("compact"))
    testbed.ingest(write_catalog(tmp_path / "fifth", objects=60, seed=5, side_deg=4), database=database)
    assert_right(testbed, database, database)


def test_an_unknown_database_is_named(testbed: Testbed) -> None:
    with pytest.raises(UserError, match="no database 'nowhere'"):
        testbed.compact("nowhere")


class Overtaken:
    """The catalogs of a registry, each compacted away just when it was read, for the first so many times."""

    def __init__(self, testbed: Testbed, times: int) -> None:
        self._testbed = testbed
        self._left = times

    def databases(self) -> list[str]:
        return self._testbed.registry.published.databases()

    def catalog(self, database: str) -> Catalog:
        found = self._testbed.registry.published.catalog(database)
        if self._left:
            self._left -= 1
            self._testbed.compact(database, grace_s=0.0)
        return found

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, frozenset[int]]:
        return self._testbed.registry.published.locate_keys(database, director, keys)

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        return self._testbed.registry.published.locate_key_range(database, director, low, high)


OVERTAKEN = (
    *STATEMENTS,
    "SELECT objectId, ra FROM Object",
    "SELECT objectId, ra FROM Object ORDER BY objectId LIMIT 7",
    "SELECT COUNT(*), MAX(night) FROM Visit",
    "SELECT COUNT(*) FROM Cutout c JOIN Visit v ON v.visitId <> c.cutoutId",
)


@pytest.mark.timeout(900)
def test_who_is_overtaken_asks_again(testbed: Testbed, database: str, tmp_path: Path) -> None:
    """A statement whose tables a compaction without grace drops before they are read is answered all the same, however
    its rows travel."""
    cluster = testbed.cluster
    for number, sql in enumerate(OVERTAKEN):
        testbed.ingest(
            write_catalog(tmp_path / str(number), objects=12, seed=50 + number, side_deg=4), database=database
        )
        right = sorted(map(str, rows_in(testbed.query(sql, database=database).table)))
        source, text_rows = Overtaken(testbed, 1), 20_000 * (number % 2)
        with Czar(
            source, cluster.endpoint("czar"), cluster.nodes, cluster.data_dir("czar"), text_rows=text_rows
        ) as czar:
            found = czar.execute(sql, database)
        assert sorted(map(str, rows_in(found.table))) == right, sql
        assert found.stats.coverage == 1.0


def test_reads_beside_compactions_without_grace(testbed: Testbed, database: str, tmp_path: Path) -> None:
    """While transactions come and are merged at once, no statement fails, and each sees what was published."""
    key = int(testbed.query("SELECT MIN(objectId) FROM Object", database=database).table[0][0].as_py())
    statements = (
        "SELECT COUNT(*), COUNT(DISTINCT objectId) FROM Object",
        f"SELECT COUNT(*) FROM Source WHERE objectId = {key}",
        f"SELECT ra FROM Object WHERE objectId = {key}",
        "SELECT objectId FROM Object",
    )
    seen: list[list[Any]] = []
    failed: list[BaseException] = []
    is_over = threading.Event()

    def ask() -> None:
        with Testbed(testbed.cluster.folder) as mine:
            while not is_over.wait(ASK_EVERY_S):
                try:
                    tables = [mine.query(sql, database=database).table for sql in statements]
                except SkyshardError as error:
                    failed.append(error)
                    return
                seen.append([list(tables[0].to_pylist()[0].values()), *(table.num_rows for table in tables[2:])])

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for seed in range(10, 10 + drawn(2)):
            testbed.ingest(write_catalog(tmp_path / str(seed), objects=30, seed=seed, side_deg=4), database=database)
            testbed.compact(database, grace_s=0.0)
            count = len(seen)
            while len(seen) < count + 2 and not failed:
                time.sleep(0.01)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert failed == []
    for (rows, keys), places, scanned in seen:
        assert rows == keys
        assert (rows - 180) % 30 == (scanned - 180) % 30 == 0
        assert (places, rows <= scanned) == (1, True)
