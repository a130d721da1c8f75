"""Stores of a mutable database that leave it for a published one: in order, each once, whatever is killed."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.tile_writer import TileWriter, apdb_object, apdb_source
from tests.support.warm_processes import start_warm

from skyshard.apdb.replica import export_chunk
from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Layout
from skyshard.db.connection import connect
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
LAYOUT: dict[str, Any] = {
    "striping": {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}, "mutable": True, "engine": "InnoDB",
}  # fmt: skip
NIGHT, CHUNK = 60_000.0, 600 / 86_400
PLACES = {1: (10.0, -5.0), 2: (359.9999, 0.0), 3: (200.0, 30.0)}


@pytest.fixture
def writer(testbed: Testbed) -> Iterator[TileWriter]:
    """A database of its own; both are dropped at the end."""
    yield TileWriter(testbed.apdb.create("night", Layout.model_validate(LAYOUT)))
    for name in {"night", "ppdb"} & set(testbed.registry.published.databases()):
        testbed.drop(name)


def store(writer: TileWriter, visit: int, moment: float, *, is_whole: bool = True) -> int:
    """One tile with a version and a source of each object, and a source of none."""
    objects = [apdb_object(key, *place, moment, visit) for key, place in PLACES.items()]
    sources = [apdb_source(10 * visit + key, key, *place, moment, visit, 0) for key, place in PLACES.items()]
    noise = apdb_source(10 * visit, None, 120.0, 45.0, moment, visit, 0)
    return writer.store(visit, 0, moment, objects, [*sources, noise], is_whole=is_whole)


def tagged(writer: TileWriter) -> int:
    """How many stores have left, or are about to."""
    with connect(writer.database.ledger, database=writer.database.database) as reader:
        return int(reader.value("SELECT COUNT(replicaChunk) FROM TileStores"))


def ask(testbed: Testbed, sql: str, database: str = "ppdb") -> list[tuple[Any, ...]]:
    """The rows of an answer, in order."""
    table = testbed.query(sql, database=database).table
    return sorted(zip(*(column.to_pylist() for column in table.columns), strict=True), key=repr)


def test_chunks_leave_in_order_and_rows_are_those_of_the_database(testbed: Testbed, writer: TileWriter) -> None:
    """From visits to queries: what is published is everything up to a chunk, no more and no less."""
    for visit in (1, 2, 3):
        store(writer, visit, NIGHT + visit * CHUNK)
    half = store(writer, 4, NIGHT + 4 * CHUNK, is_whole=False)
    store(writer, 5, NIGHT + 5 * CHUNK)
    first = testbed.apdb.publish("night", "ppdb")
    assert [one.tiles for one in first] == [1, 1, 1]
    assert testbed.apdb.publish("night", "ppdb") == []
    assert ask(testbed, "SELECT visit, COUNT(*) FROM DiaSource GROUP BY visit") == [(1, 4), (2, 4), (3, 4)]
    writer.end(half)
    store(writer, 6, NIGHT + CHUNK / 2)  # late: its chunk has left
    testbed.apdb.publish("night", "ppdb", at_once=2, is_all=True)
    for sql in (
        "SELECT * FROM (SELECT diaSourceId, diaObjectId, ra, `dec`, psfFlux FROM DiaSource) AS q",
        "SELECT diaObjectId, validityStartMjdTai, nDiaSources FROM DiaObject",
        "SELECT o.validityStartMjdTai, diaSourceId FROM DiaObject o JOIN DiaSource s ON o.diaObjectId = s.diaObjectId",
    ):
        assert ask(testbed, sql) == ask(testbed, sql, "night")
    status = testbed.apdb.status("night")
    assert (status.stores, status.published, status.lag_s) == (6, 6, 0.0)


def test_rows_that_are_changed_after_they_have_left_are_counted(testbed: Testbed, writer: TileWriter) -> None:
    """Each publication and the status say so; a rehearsal changes nothing."""
    store(writer, 1, NIGHT)
    store(writer, 2, NIGHT + CHUNK)
    sql = "SELECT COUNT(*) FROM DiaSource WHERE timeWithdrawnMjdTai IS NOT NULL"
    testbed.apdb.publish("night", "ppdb", is_all=True)
    assert testbed.apdb.status("night").later_changes == {}
    testbed.apdb.upkeep("night", "withdraw", is_rehearsed=True)
    assert testbed.apdb.status("night").later_changes == {}
    changed = testbed.apdb.upkeep("night", "withdraw").rows
    assert changed > 0
    assert testbed.apdb.status("night").later_changes == {"withdraw": changed}
    store(writer, 3, NIGHT + 2 * CHUNK)
    [last] = testbed.apdb.publish("night", "ppdb", is_all=True)
    assert last.changed_later == changed
    assert ask(testbed, sql) == [(0,)]


def test_a_store_that_is_unfinished_holds_back_its_chunk_and_later_ones(testbed: Testbed, writer: TileWriter) -> None:
    """What is published stays a prefix."""
    store(writer, 1, NIGHT, is_whole=False)
    store(writer, 2, NIGHT + CHUNK)
    assert testbed.apdb.publish("night", "ppdb", is_all=True) == []


def test_another_target_is_refused(testbed: Testbed, writer: TileWriter) -> None:
    """One database holds everything up to a chunk."""
    store(writer, 1, NIGHT)
    testbed.apdb.publish("night", "ppdb", is_all=True)
    with pytest.raises(UserError, match="published into 'ppdb' already"):
        testbed.apdb.publish("night", "other")
    testbed.drop("ppdb")
    with pytest.raises(UserError, match="'ppdb' is gone"):
        testbed.apdb.publish("night", "ppdb")


def test_the_target_is_the_same_database_whatever_it_is_called(testbed: Testbed, writer: TileWriter) -> None:
    """Renamed it is gone on with under its new name; another one that has the old name by then is not taken for it."""
    store(writer, 1, NIGHT)
    testbed.apdb.publish("night", "first", is_all=True)
    testbed.rename("first", "ppdb")
    store(writer, 2, NIGHT + CHUNK)
    with pytest.raises(UserError, match="published into 'ppdb' already; say --into ppdb"):
        testbed.apdb.publish("night", "first", is_all=True)
    testbed.apdb.publish("night", "ppdb", is_all=True)
    counted = "SELECT visit, COUNT(*) FROM DiaSource GROUP BY visit"
    assert ask(testbed, counted) == [(1, 4), (2, 4)]
    testbed.drop("ppdb")
    other = TileWriter(testbed.apdb.create("other", Layout.model_validate(LAYOUT)))
    store(other, 7, NIGHT)
    testbed.apdb.publish("other", "ppdb", is_all=True)
    assert any("replica-chunks" in str(path) for path in testbed.cluster.folder.rglob(other.database.database))
    testbed.drop("other")
    assert not any("replica-chunks" in str(path) for path in testbed.cluster.folder.rglob(other.database.database))
    store(writer, 3, NIGHT + 2 * CHUNK)
    with pytest.raises(UserError, match="'ppdb' is gone, with the rows of 2 stores"):
        testbed.apdb.publish("night", "ppdb", is_all=True)
    assert ask(testbed, counted) == [(7, 4)]


def test_a_target_that_was_refused_is_not_kept(testbed: Testbed, writer: TileWriter) -> None:
    """A wrong name does not bind: nothing has left yet."""
    store(writer, 1, NIGHT)
    for wrong in ("no name", "night"):
        with pytest.raises(UserError):
            testbed.apdb.publish("night", wrong, is_all=True)
    testbed.apdb.publish("night", "ppdb", is_all=True)
    assert ask(testbed, "SELECT COUNT(*) FROM DiaSource") == [(4,)]


def test_stores_without_rows_leave_before_those_that_have_some(testbed: Testbed, writer: TileWriter) -> None:
    """The published database comes with the first row: it was called gone before it was ever there."""
    for visit in (1, 2):
        writer.store(visit, 0, NIGHT + visit * CHUNK, [], [])
        assert [one.rows for one in testbed.apdb.publish("night", "ppdb", is_all=True)] == [0]
    for visit in (3, 4):
        store(writer, visit, NIGHT + visit * CHUNK)
        testbed.apdb.publish("night", "ppdb", is_all=True)
    assert ask(testbed, "SELECT visit, COUNT(*) FROM DiaSource GROUP BY visit") == [(3, 4), (4, 4)]
    testbed.drop("ppdb")
    with pytest.raises(UserError, match="'ppdb' is gone"):
        testbed.apdb.publish("night", "ppdb")


def test_a_copy_with_smaller_sub_chunks_is_gone_on_with(
    testbed: Testbed, writer: TileWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As releases made it that gave the copy the sub-chunks of the mutable database, whatever their size."""
    small = {**LAYOUT, "striping": {**LAYOUT["striping"], "substripes": 24}}
    testbed.drop("night")
    writer.database = testbed.apdb.create("night", Layout.model_validate(small))
    store(writer, 1, NIGHT)
    with monkeypatch.context() as earlier:
        earlier.setattr(export_chunk, "published_striping", lambda striping: striping)
        testbed.apdb.publish("night", "ppdb", is_all=True)
    store(writer, 2, NIGHT + CHUNK)
    testbed.apdb.publish("night", "ppdb", is_all=True)
    assert ask(testbed, "SELECT visit, COUNT(*) FROM DiaSource GROUP BY visit") == [(1, 4), (2, 4)]


def test_a_killed_publication_is_gone_on_with(testbed: Testbed, writer: TileWriter, tmp_path: Path) -> None:
    """kill -9 at drawn moments: no row is lost, none comes twice."""
    for visit in range(1, 7):
        store(writer, visit, NIGHT + visit * CHUNK)
    command = ["apdb", "publish", "night", "--into", "ppdb", "--all", "--cluster", str(testbed.cluster.folder)]
    moments = random.Random(19)
    for chunks in (1, 2, 4):
        process = start_warm(command, tmp_path / "said")
        while tagged(writer) < chunks and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0.0, 1.0))
        process.kill()
        assert process.wait() == -signal.SIGKILL
    testbed.apdb.publish("night", "ppdb", is_all=True)
    assert ask(testbed, "SELECT COUNT(*), COUNT(DISTINCT diaSourceId) FROM DiaSource") == [(24, 24)]
    assert ask(testbed, "SELECT COUNT(*) FROM DiaObject") == [(18,)]
    assert testbed.apdb.status("night").published == 6
