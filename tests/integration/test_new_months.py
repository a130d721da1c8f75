"""The files of a new month are long before a row comes, and nobody sees what made them so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.drawn_tiles import FIELDS, drawn_tile, region_of

from skyshard.apdb.model import VisitStore
from skyshard.apdb.mutable.mutable_database import MutableDatabase
from skyshard.apdb.mutable.mutable_tables import partition_name
from skyshard.apdb.mutable.new_months import filling
from skyshard.apdb.stores.mariadb_store import DATABASE as SINGLE
from skyshard.apdb.stores.mariadb_store import MariaDbStore
from skyshard.apdb.stores.open_store import open_store
from skyshard.apdb.stores.store_settings import StoreSettings
from skyshard.apdb.tables.apdb_tables import TABLE_NAMES, apdb_table
from skyshard.db.connection import Account, Connection, connect
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
DATABASE, NIGHT, FIELD = "lengthened", 60_000.0, FIELDS[0]
MONTHLY = [name for name in TABLE_NAMES if apdb_table(name).is_monthly]


@pytest.fixture
def database(testbed: Testbed) -> Iterator[MutableDatabase]:
    yield testbed.apdb.create(DATABASE)
    testbed.drop(DATABASE)


@pytest.fixture
def store(testbed: Testbed, database: MutableDatabase) -> Iterator[VisitStore]:
    """It has a tile."""
    with closing(open_store(f"cluster:{DATABASE}", cluster=testbed.cluster)) as made:
        with closing(made.open_session()) as session:
            session.store(drawn_tile(3, 1, FIELD, NIGHT))
        yield made


@pytest.fixture
def admin(database: MutableDatabase, store: VisitStore) -> Iterator[Connection]:
    """A session on the node that has the field."""
    [node] = {database.placed()[chunk] for chunk in database.chunker.locate([FIELD[0]], [FIELD[1]])[0].tolist()}
    with connect(database.cluster.node(node).sql, Account.ADMIN, database.database) as made:
        yield made


def pages(admin: Connection, month: int) -> dict[str, int]:
    """Pages in the file of each monthly table's month."""
    sql = (
        "SELECT NAME, FILE_SIZE DIV @@innodb_page_size FROM information_schema.INNODB_SYS_TABLESPACES "
        "WHERE NAME LIKE CONCAT(DATABASE(), '/%%#', %s)"
    )
    found = admin.rows(sql, [partition_name(month)])
    return {str(name).split("/")[1].split("#")[0]: int(size) for name, size in sorted(found)}


def rows(admin: Connection, month: int) -> list[int]:
    return [admin.value(f"SELECT COUNT(*) FROM {name} PARTITION ({partition_name(month)})") for name in MONTHLY]


def test_a_month_that_is_prepared_has_an_extent_in_each_file_and_no_row(store: VisitStore, admin: Connection) -> None:
    """InnoDB lengthens a file below 64 pages page by page, and waits for the disk each time."""
    done = store.prepare_month(NIGHT + 30.0)
    assert {(one.table, one.kind) for one in done} == {("", "prepare")}
    assert list(pages(admin, 2001)) == sorted(MONTHLY)
    assert min(pages(admin, 2001).values()) >= 64
    assert rows(admin, 2001) == [0, 0, 0]
    assert store.prepare_month(NIGHT + 31.0) == []


def test_a_month_that_a_store_makes_has_them_too(admin: Connection) -> None:
    """The rows in it are the tile's."""
    assert min(pages(admin, 2000).values()) >= 64
    tile = drawn_tile(3, 1, FIELD, NIGHT)
    assert rows(admin, 2000) == [part.num_rows for part in (tile.objects, tile.sources, tile.forced)]


def test_nobody_sees_the_rows_that_lengthen_a_file(
    testbed: Testbed, database: MutableDatabase, store: VisitStore, admin: Connection
) -> None:
    """Neither while they are there nor when the session that made them was lost, and others store meanwhile."""
    later = drawn_tile(3, 2, FIELD, NIGHT + 30.0)
    with connect(admin.endpoint, Account.ADMIN, database.database) as fills, closing(store.open_session()) as session:
        store.prepare_month(later.tile.time)
        fills.execute("START TRANSACTION")
        for name in MONTHLY:
            assert fills.execute(filling(fills, name, 2001)) > 100
        assert rows(admin, 2001) == [0, 0, 0]
        session.store(later)
        counted = "SELECT COUNT(*) FROM DiaForcedSource WHERE midpointMjdTai > 60020"
        assert testbed.query(counted, database=DATABASE).table.column(0).to_pylist() == [later.forced.num_rows]
        fills.cut()
    while any(int(count) for (count,) in admin.rows("SELECT COUNT(*) FROM information_schema.INNODB_TRX")):
        time.sleep(0.2)  # the server looks anew only where nobody has asked for a tenth of a second
    assert rows(admin, 2001) == [part.num_rows for part in (later.objects, later.sources, later.forced)]
    with closing(store.open_session()) as session:
        found = session.read_sources(region_of(FIELD), NIGHT + 1.0, NIGHT + 40.0, ["visit"]).rows
    assert found["visit"].to_pylist() == [2] * later.sources.num_rows


def test_one_server_does_it_too(tmp_path: Path) -> None:
    """Its tables have no other indexes than the key."""
    with closing(MariaDbStore(tmp_path / "one", StoreSettings())) as single:
        assert [one.kind for one in single.prepare_month(NIGHT)] == ["prepare"]
        with connect(single._server.endpoint, Account.ADMIN, SINGLE) as admin:
            assert min(pages(admin, 2000).values()) >= 64
            assert rows(admin, 2000) == [0, 0, 0]


class _MadeMeanwhile(tuple[str, int]):
    """A month of a node; whoever looks at it has another client's come in between."""

    months: set[tuple[str, int]]

    def __iter__(self) -> Iterator[str | int]:
        self.months.add(("another", len(self.months)))
        return super().__iter__()


@pytest.mark.parametrize("forget", [lambda one: one.forget_months([2000]), lambda one: one.forget_months_of("gone")])
def test_months_are_forgotten_while_other_clients_make_some(
    database: MutableDatabase, forget: Callable[[MutableDatabase], None]
) -> None:
    """A store whose month was dropped forgets it while others come; it failed with a set that changed its size."""
    made = _MadeMeanwhile(("gone", 2000))
    made.months = database._months = {("kept", 2001), made}
    forget(database)
    assert database._months == {("kept", 2001)}
