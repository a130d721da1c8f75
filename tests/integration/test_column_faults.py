"""Scans by columns while images, disks and nodes fail, and beside one another: answers stay those of rows."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.support.mag_catalog import ROWS, make_catalog
from tests.support.small_catalog import write_small_catalog

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.columns.segment_folder import ASIDE, SegmentFolder
from skyshard.czar.columns.engine import Calls
from skyshard.czar.result.query_progress import Cancelled, Running
from skyshard.czar.run.column_reader import ColumnReader, ColumnRows
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
SUMS = "SELECT COUNT(*), SUM(objectId), MIN(ra), MAX(decl) FROM Object WHERE mag > 19.5"
ROWS_OUT = "SELECT objectId, ra FROM Object WHERE mag > 20"
ENDLESS = "SELECT COUNT(*) FROM Object o" + "".join(
    f" JOIN Source s{number} ON o.objectId = s{number}.objectId" for number in range(1, 24)
)
"""Each object's sources with themselves, two dozen times: nobody lives to see its answer."""


@pytest.fixture(scope="module")
def testbed(short_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """Two nodes, all columns imaged; database ``twice`` has two replicas, ``once`` and ``small`` one."""
    cluster = PrivateCluster(short_folder / "column-faults")
    cluster.start(2)
    try:
        source = make_catalog(short_folder / "column-faults-sky")
        small = write_small_catalog(tmp_path_factory.mktemp("small"), objects=200, database="small")
        with Testbed(cluster.folder) as testbed:
            testbed.ingest(source, database="once", columns="all")
            testbed.ingest(source, database="twice", replicas=2, columns="all")
            testbed.ingest(small, database="small", columns="all")
            yield testbed
    finally:
        cluster.destroy()


@pytest.fixture
def all_nodes(testbed: Testbed) -> Iterator[None]:
    """Starts again what a test has killed, and makes again what it has spoilt."""
    yield
    testbed.cluster.start()
    for name in ("once", "twice"):
        testbed.columns.build(name)


def segments(testbed: Testbed, database: str, node: str) -> list[Path]:
    stored = testbed.registry.published.names().stored(database)
    return SegmentFolder.of(testbed.cluster.data_dir(node), stored).files("Object")


def cut(paths: Sequence[Path]) -> None:
    for path in paths:
        os.truncate(path, 8192)


def before_reading(monkeypatch: pytest.MonkeyPatch, fault: Callable[[], object], times: int = 1) -> None:
    """Strikes when a query has chosen its images and opened them, and is about to read its first units."""
    read, lock, left = ColumnReader.read, threading.Lock(), [fault] * times

    def struck(self: ColumnReader, node: str, chunks: tuple[int, ...]) -> ColumnRows:
        with lock:
            if left:
                left.pop()()
        return read(self, node, chunks)

    monkeypatch.setattr(ColumnReader, "read", struck)


def answered(testbed: Testbed, sql: str, database: str) -> tuple[Any, pa.Table]:
    """What became of a query by columns, and its rows."""
    with testbed.czar.open(sql, database, scan="columns") as answer:
        return answer.running, answer.table()


def as_rows(testbed: Testbed, sql: str, database: str) -> pa.Table:
    return testbed.query(sql, database=database, scan="rows").table


def is_same(one: pa.Table, other: pa.Table) -> bool:
    """Whether two answers have the same rows, of the same types."""
    order = [(f"c{number}", "ascending") for number in range(one.num_columns)]
    names = [name for name, _ in order]
    found, want = (table.rename_columns(names).sort_by(order) for table in (one, other))
    return bool(found.equals(want))


@pytest.mark.usefixtures("all_nodes")
@pytest.mark.parametrize("sql", [SUMS, ROWS_OUT])
def test_an_image_that_is_cut_while_it_is_read_ends_no_process(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    """Pages that a disk does not give, or that are behind the end of the file, are an error: the rows are read."""
    before_reading(monkeypatch, lambda: cut(segments(testbed, "once", "node1")))
    running, found = answered(testbed, sql, "once")
    monkeypatch.undo()
    assert any("cannot be read" in why for why in running.not_by_columns), running.not_by_columns
    assert 0 < running.column_chunks < running.chunks_done
    assert is_same(found, as_rows(testbed, sql, "once"))
    checks = {check.name: check for check in testbed.verify("once")}
    assert not all(check.is_good for check in checks.values())


@pytest.mark.usefixtures("all_nodes")
def test_an_image_that_goes_while_it_is_read_is_read_to_its_end(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set aside as damaged, or removed by a drop: the query keeps what it has open; the next one reads rows."""

    def go() -> None:
        first, *rest = [path for node in testbed.nodes for path in segments(testbed, "once", node)]
        first.rename(first.with_suffix(ASIDE))
        for path in rest:
            path.unlink()

    before_reading(monkeypatch, go)
    running, found = answered(testbed, SUMS, "once")
    monkeypatch.undo()
    assert running.column_chunks == running.chunks_done > 0
    assert is_same(found, as_rows(testbed, SUMS, "once"))
    running, found = answered(testbed, SUMS, "once")
    assert running.column_chunks == 0
    assert is_same(found, as_rows(testbed, SUMS, "once"))


@pytest.mark.usefixtures("all_nodes")
@pytest.mark.parametrize("sql", [SUMS, ROWS_OUT])
def test_a_node_that_dies_under_a_scan_by_columns(testbed: Testbed, monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    """kill -9 of a server: its images are files, and are read on. Where one cannot be, another node has the rows."""
    want = as_rows(testbed, sql, "twice")
    before_reading(monkeypatch, lambda: testbed.cluster.kill_server("node1"))
    with testbed.czar.open(sql, "twice", scan="columns") as answer:
        found = answer.table()
    assert answer.running.column_chunks == answer.running.chunks_done
    assert is_same(found, want)
    testbed.cluster.start()
    monkeypatch.undo()

    def cut_and_kill() -> None:
        cut(segments(testbed, "twice", "node1"))
        testbed.cluster.kill_server("node1")

    before_reading(monkeypatch, cut_and_kill)
    with testbed.czar.open(sql, "twice", scan="columns") as answer:
        found = answer.table()
    assert answer.running.retried > 0
    assert is_same(found, want)


@pytest.mark.usefixtures("all_nodes")
def test_what_neither_images_nor_nodes_have_is_left_out_if_that_is_allowed(testbed: Testbed) -> None:
    """``--allow-partial`` by columns: chunks of a dead node without images are lost, and counted; all others come."""
    for path in segments(testbed, "once", "node1"):
        path.unlink()
    testbed.cluster.kill_server("node1")
    with testbed.czar.open(SUMS, "once", allow_partial=True, scan="columns") as answer:
        found = answer.table()
    mine = testbed.registry.replication.of_node(testbed.registry.published.names().stored("once"), "node1")
    lost = {one.replica.chunk for one in mine if one.replica.chunk >= 0}
    assert set(answer.running.lost) <= lost
    assert answer.running.lost
    assert 0 < answer.running.coverage < 1
    assert answer.running.column_chunks == answer.running.chunks_done
    assert 0 < found.column(0)[0].as_py() < ROWS


def test_parts_without_images_are_read_as_rows(testbed: Testbed, tmp_path: Path) -> None:
    """A second transaction whose images are gone: chunks that it added to come as rows, the others by columns."""
    source = write_small_catalog(tmp_path / "first", objects=200, database="grown")
    testbed.ingest(source, database="grown", columns="all")
    before = {node: set(segments(testbed, "grown", node)) for node in testbed.nodes}
    more = write_small_catalog(tmp_path / "more", objects=5, database="grown", seed=6, first_key=7)
    testbed.ingest(more, database="grown", columns="all")
    sql = "SELECT COUNT(*), SUM(objectId), MIN(flux) FROM Object"
    running, _ = answered(testbed, sql, "grown")
    assert running.column_chunks == running.chunks_done
    for node in testbed.nodes:
        for path in set(segments(testbed, "grown", node)) - before[node]:
            path.unlink()
    running, found = answered(testbed, sql, "grown")
    assert 0 < running.column_chunks < running.chunks_done
    assert is_same(found, as_rows(testbed, sql, "grown"))
    testbed.drop("grown")


@pytest.mark.parametrize("moment", ["before images are read", "while the engine computes"])
def test_a_join_by_columns_that_is_cancelled_computes_no_more(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """It would not end by itself. Who asked hears of it when the engine has ended; scan lanes are free for the next."""
    begun, events, session = threading.Event(), list[str](), Calls.session

    @contextlib.contextmanager
    def noted(self: Calls, *of: Any) -> Iterator[object]:
        events.append("computes")
        try:
            with session(self, *of) as found:
                if moment == "while the engine computes":
                    begun.set()
                yield found
        finally:
            events.append("computed")

    monkeypatch.setattr(Calls, "session", noted)
    if moment == "before images are read":
        before_reading(monkeypatch, begun.set)

    def cancel() -> Running:
        begun.wait()
        (running,) = testbed.czar.under_way()
        events.append("cancelled")
        assert testbed.czar.cancel(running.query)
        return running

    assert "by columns" in testbed.explain(ENDLESS, database="small", scan="columns").as_text()
    with ThreadPoolExecutor(1) as beside:
        cancelled = beside.submit(cancel)
        with pytest.raises(Cancelled):
            testbed.query(ENDLESS, database="small", scan="columns")
        assert events.count("computes") == events.count("computed")
        assert not cancelled.result().not_by_columns
    assert moment != "while the engine computes" or "computed" in events[events.index("cancelled") :]
    running, _ = answered(testbed, SUMS, "once")
    assert running.column_chunks == running.chunks_done > 0


def test_ten_scans_of_different_columns_beside_look_ups(testbed: Testbed) -> None:
    """All at once, as rows among them: each has its own answer, and short statements are answered meanwhile."""
    scans = [f"SELECT COUNT(*), MAX({name}), MIN({other}) FROM Object WHERE {third} > {limit}"
             for name, other, third, limit in (("ra", "decl", "mag", 20), ("decl", "mag", "ra", 15),
                                               ("mag", "ra", "decl", 0), ("objectId", "mag", "ra", 20),
                                               ("ra", "mag", "decl", -2))]  # fmt: skip
    want = {sql: as_rows(testbed, sql, "once") for sql in scans}
    asked = [(sql, way) for sql in scans for way in ("columns", "columns", "rows")]
    with ThreadPoolExecutor(len(asked)) as threads:
        found = [
            (sql, threads.submit(testbed.query, sql, database="once", scan=way))  # type: ignore[arg-type]
            for sql, way in asked
        ]
        for number in range(40):
            row = testbed.query(f"SELECT objectId FROM Object WHERE objectId = {997 * number}", database="once").table
            assert row.column(0).to_pylist() == [997 * number]
        for sql, one in found:
            assert is_same(one.result().table, want[sql]), sql
