"""Months are added and dropped beside readers and visits: nobody waits behind a change that waits for a reader."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.support.drawn_tiles import FIELDS, drawn_tile, expected_history, region_of

from skyshard.apdb.model import VisitStore
from skyshard.apdb.mutable import bounded_ddl
from skyshard.apdb.mutable.months import drop_month
from skyshard.apdb.mutable.mutable_database import MutableDatabase, open_mutable
from skyshard.apdb.stores.open_store import open_store
from skyshard.basics.errors import ClusterError, UserError
from skyshard.catalog.layout import read_layout
from skyshard.db.connection import Account, Connection, connect
from skyshard.host.shipped_data import data_file
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(150)]
DATABASE, NIGHT, FIELD = "changed", 60_000.0, FIELDS[0]
_WAITING = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for table%lock'"


@pytest.fixture
def database(testbed: Testbed) -> Iterator[MutableDatabase]:
    testbed.apdb.create(DATABASE, read_layout(data_file("ingest", "layouts", "apdb-85-12.yaml")))
    yield open_mutable(testbed.cluster, DATABASE)
    testbed.drop(DATABASE)


@pytest.fixture
def store(testbed: Testbed, database: MutableDatabase) -> Iterator[VisitStore]:
    with closing(open_store(f"cluster:{DATABASE}", cluster=testbed.cluster)) as made:
        with closing(made.open_session()) as session:
            session.store(drawn_tile(3, 1, FIELD, NIGHT))
        yield made


@pytest.fixture
def reader(database: MutableDatabase, store: VisitStore) -> Iterator[Connection]:
    """A query that goes on and on, on the node that has the field."""
    [node] = {database.placed()[chunk] for chunk in database.chunker.locate([FIELD[0]], [FIELD[1]])[0].tolist()}
    with connect(database.cluster.node(node).sql, Account.ADMIN, database.database) as made:
        made.execute("START TRANSACTION")
        assert made.value("SELECT COUNT(*) FROM DiaSource") > 0
        yield made


def test_a_tile_is_stored_while_a_new_month_waits_for_a_reader(store: VisitStore, reader: Connection) -> None:
    """The tile of the new month is there as soon as the reader has ended."""
    tiles = [drawn_tile(3, 2, FIELD, NIGHT + 40.0), drawn_tile(3, 3, FIELD, NIGHT + 1.0)]
    errors: list[Exception] = []

    def work() -> None:
        with closing(store.open_session()) as mine:
            try:
                mine.store(tiles[0])
            except ClusterError as error:
                errors.append(error)

    waits = threading.Thread(target=work)
    waits.start()
    while not reader.value(_WAITING):
        assert waits.is_alive()
    with closing(store.open_session()) as session:
        session.store(tiles[1])
        assert not session.holds(tiles[0].tile.id)
        reader.execute("COMMIT")
        waits.join()
        assert errors == []
        found = session.read_sources(region_of(FIELD), NIGHT + 0.5, NIGHT + 50.0, ["visit"]).rows
        wanted = expected_history(tiles, "DiaSource", region_of(FIELD), NIGHT + 0.5, NIGHT + 50.0)
        assert sorted(found["visit"].to_pylist()) == sorted(wanted["visit"].to_pylist())


def test_a_month_that_is_read_for_too_long_is_not_dropped_and_it_is_said_who_reads_it(
    database: MutableDatabase, store: VisitStore, reader: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is dropped when the reader has ended."""
    monkeypatch.setattr(bounded_ddl, "GIVES_UP_AFTER_S", 0.5)
    with pytest.raises(ClusterError, match=r"table DiaSource is in use for 0\.5 s .*connection \d+") as raised:
        drop_month(database, 2000, force=True)
    assert raised.value.retryable
    assert reader.value("SELECT COUNT(*) FROM DiaSource") > 0
    reader.execute("COMMIT")
    assert drop_month(database, 2000, force=True) > 0
    assert reader.value("SELECT COUNT(*) FROM DiaSource") == 0


def test_a_store_of_a_month_that_another_process_dropped_makes_it_again(testbed: Testbed, store: VisitStore) -> None:
    """It was refused for good: the process thought that it had the month."""
    other = open_mutable(testbed.cluster, DATABASE)
    other.placed()
    assert drop_month(other, 2000, force=True) > 0
    late = drawn_tile(3, 2, FIELD, NIGHT + 1.0)
    with closing(store.open_session()) as session:
        assert not session.store(late).was_there
        found = session.read_sources(region_of(FIELD), NIGHT, NIGHT + 2.0, ["visit"]).rows
    assert found["visit"].to_pylist() == [2] * late.sources.num_rows


def test_a_month_that_gets_a_store_while_it_waits_to_be_dropped_is_kept(
    testbed: Testbed, database: MutableDatabase, store: VisitStore, reader: Connection
) -> None:
    """Of published months: that store would be whole, and never published."""
    late = drawn_tile(3, 2, FIELD, NIGHT + 1.0)
    with (
        closing(store.open_session()) as session,
        connect(database.ledger, Account.WRITER, database.database) as ledger,
    ):
        reader.execute("COMMIT")
        session.store(drawn_tile(3, 3, FIELD, NIGHT + 400.0))
        reader.execute("START TRANSACTION")
        assert reader.value("SELECT COUNT(*) FROM DiaSource") > 0
        ledger.execute("UPDATE TileStores SET is_published = 1")
        errors: list[Exception] = []

        def drop() -> None:
            try:
                drop_month(open_mutable(testbed.cluster, DATABASE), 2000)
            except UserError as error:
                errors.append(error)

        drops = threading.Thread(target=drop)
        drops.start()
        while not reader.value(_WAITING):
            assert drops.is_alive()
        session.store(late)
        reader.execute("COMMIT")
        drops.join()
        assert "1 stores of month 2000 of 'changed' are not published yet" in str(errors[0])
        found = session.read_sources(region_of(FIELD), NIGHT + 0.5, NIGHT + 2.0, ["visit"]).rows
        assert found["visit"].to_pylist() == [2] * late.sources.num_rows
        ledger.execute("UPDATE TileStores SET is_published = 1")
        assert drop_month(open_mutable(testbed.cluster, DATABASE), 2000) > 0
