"""Every backend of visits answers like SQLite, on real servers, and a tile is there whole or not at all."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.drawn_tiles import (
    FIELDS,
    drawn_tile,
    expected_history,
    expected_objects,
    minus_zeros,
    region_of,
    sorted_rows,
)

from skyshard.apdb.model import StoreSession, TileRows, VisitStore
from skyshard.apdb.stores.mariadb_server import MARIADB, MariaDbServer
from skyshard.apdb.stores.mariadb_store import create_mariadb
from skyshard.apdb.stores.open_store import open_store
from skyshard.apdb.stores.place_rows import checked, in_cells
from skyshard.apdb.stores.postgres_process import find_postgres, outside_of_root
from skyshard.apdb.stores.region_reads import StoreShape
from skyshard.apdb.stores.sql_dialect import INSERT
from skyshard.apdb.stores.store_settings import Pixels, StoreSettings, Upsert
from skyshard.apdb.stores.tile_ledger import Entry, TileLedger
from skyshard.apdb.stores.tile_writes import upsert
from skyshard.basics.errors import UserError
from skyshard.catalog.layout import read_layout
from skyshard.cluster.installation import find_mariadbd
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.host.shipped_data import data_file
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
START = 60_000.0
BACKENDS = {
    "mariadb-innodb": StoreSettings(),
    "mariadb-myrocks": StoreSettings(engine="MyRocks"),
    "mariadb-pixels": StoreSettings(upsert=random.choice((Upsert.REPLACE, Upsert.DELETE_INSERT)), pixels=Pixels.HTM_20),
    "postgresql": StoreSettings(),
    "postgresql-q3c": StoreSettings(pixels=Pixels.Q3C),
    "postgresql-deleting": StoreSettings(upsert=Upsert.DELETE_INSERT),
    "cluster-InnoDB": None,
    "cluster-Aria": None,
}


DEEP = ("postgresql-deleting", "cluster-InnoDB")
"""Others have the same server, and the same way to store or the same layout; that of Aria is nobody else's."""


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=pytest.mark.deep) if name in DEEP else name for name in BACKENDS]
)
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, private_cluster: PrivateCluster
) -> Iterator[VisitStore]:
    """One store a backend: tests use visits of their own."""
    name, chosen = request.param, BACKENDS[request.param]
    print(chosen)
    is_cluster = name.startswith("cluster")
    if is_cluster:
        layout = read_layout(data_file("ingest", "layouts", "apdb-85-12.yaml"))
        engine = name.removeprefix("cluster-")
        with Testbed(private_cluster.folder) as testbed:
            testbed.apdb.create("stored_visits", layout.model_copy(update={"engine": engine}))
        store = open_store("cluster:stored_visits", cluster=private_cluster)
    elif name == "mariadb-myrocks" and not find_mariadbd().plugin_options:
        pytest.skip("MyRocks is not installed")
    elif name.startswith("postgresql"):
        pytest.importorskip("adbc_driver_postgresql")
        try:
            find_postgres(), outside_of_root()
        except UserError as error:
            pytest.skip(str(error))
        if name == "postgresql-q3c" and not list(Path("/usr/share/postgresql").glob("*/extension/q3c.control")):
            pytest.skip("the extension q3c is not installed")
        store = open_store(f"postgresql:{tmp_path_factory.mktemp(name) / 'store'}", chosen)
    else:
        store = open_store(f"mariadb:{tmp_path_factory.mktemp(name) / 'store'}", chosen)
    yield store
    store.close()
    if is_cluster:
        with Testbed(private_cluster.folder) as testbed:
            testbed.drop("stored_visits")


def require_equal(session: StoreSession, tiles: list[TileRows], first: float, last: float) -> None:
    """What a session reads of each field is what the oracle says of the tiles."""
    for field in FIELDS:
        region = region_of((field[0] + 0.03, field[1]))
        objects = sorted_rows(session.read_objects(region).rows, "DiaObjectLast")
        assert objects == sorted_rows(expected_objects(tiles, region), "DiaObjectLast")
        sources = sorted_rows(session.read_sources(region, first, last, None).rows, "DiaSource")
        assert sources == sorted_rows(expected_history(tiles, "DiaSource", region, first, last), "DiaSource")
        assert minus_zeros(sources) == 0
        forced = session.read_forced(region, first, last, ["diaObjectId", "visit", "detector", "psfFlux"]).rows
        wanted = expected_history(tiles, "DiaForcedSource", region, first, last).select(forced.column_names)
        assert sorted_rows(forced, "DiaForcedSource") == sorted_rows(wanted, "DiaForcedSource")


STORED: dict[int, list[TileRows]] = {}
"""What each store of this process holds, by its identity: objects have one history, whichever test made it."""


@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**20), order=st.permutations(range(5)), again=st.sets(st.integers(0, 4)))
def test_equal_stores_answer_with_equal_rows(
    backend: VisitStore, tmp_path_factory: pytest.TempPathFactory, seed: int, order: list[int], again: set[int]
) -> None:
    """In any order, sent once or twice: NULL, NaN, limits, over longitude 0 and both poles."""
    stored = STORED.setdefault(id(backend), [])
    first = len(stored)
    tiles = [drawn_tile(3, first + n, FIELDS[n], START + 13.0 * (first + n) + seed % 7) for n in range(5)]
    other = open_store(f"sqlite:{tmp_path_factory.mktemp('sqlite') / 'a.db'}")
    session, sqlite = backend.open_session(), other.open_session()
    for tile in stored:
        sqlite.store(tile)
    for number in order:
        for one in (session, sqlite):
            assert not one.store(tiles[number]).was_there
            assert number not in again or one.store(tiles[number]).was_there
    stored += tiles
    require_equal(session, stored, START, START + 13.0 * first + 40.0)
    for field in FIELDS:
        ours, theirs = (
            sorted_rows(one.read_objects(region_of(field)).rows, "DiaObjectLast") for one in (session, sqlite)
        )
        assert ours == theirs
    session.close()
    sqlite.close()
    other.close()
    assert backend.stored_tiles().num_rows == len(stored)


def test_tiles_that_are_stored_at_once_are_all_there(backend: VisitStore) -> None:
    """Eight clients, two of which send the same tile: one of those was there."""
    stored = STORED.setdefault(id(backend), [])
    first = len(stored)
    tiles = [drawn_tile(3, first + n, FIELDS[n % 2], START + 13.0 * (first + n)) for n in range(7)]
    was_there: list[bool] = []

    def work(tile: TileRows) -> None:
        session = backend.open_session()
        was_there.append(session.store(tile).was_there)
        session.close()

    threads = [threading.Thread(target=work, args=(tile,)) for tile in (*tiles, tiles[0])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored += tiles
    assert sorted(was_there) == [False] * 7 + [True]
    session = backend.open_session()
    require_equal(session, stored, START, START + 9_000.0)
    session.close()


def test_a_refused_tile_leaves_nothing_and_can_be_corrected(backend: VisitStore) -> None:
    """A source whose id is stored already."""
    stored = STORED.setdefault(id(backend), [])
    first = len(stored)
    session = backend.open_session()
    good, bad = (drawn_tile(3, first + n, FIELDS[0], START + 13.0 * first) for n in (0, 1))
    session.store(good)
    stored.append(good)
    doubled = good.sources.set_column(
        good.sources.schema.get_field_index("visit"),
        good.sources.schema.field("visit"),
        pa.array([first + 1] * good.sources.num_rows, pa.int64()),
    )
    place, kind = bad.objects.schema.get_field_index("diaObjectId"), bad.objects.schema.field("diaObjectId")
    others = pa.array([number + 500_000 + first for number in bad.objects["diaObjectId"].to_pylist()], pa.int64())
    bad = TileRows(bad.tile, bad.objects.set_column(place, kind, others), bad.sources, bad.forced)
    with pytest.raises(UserError, match="stored already"):
        session.store(TileRows(bad.tile, bad.objects, doubled, bad.forced))
    assert not session.holds(bad.tile.id)
    require_equal(session, stored, START, START + 9_000.0)
    assert not session.store(bad).was_there
    stored.append(bad)
    require_equal(session, stored, START, START + 9_000.0)
    session.close()


def test_a_month_is_dropped_in_one_step(backend: VisitStore) -> None:
    """Rows of later months stay, and what is stored into the dropped one later is there."""
    stored = STORED.setdefault(id(backend), [])
    first = len(stored)
    session = backend.open_session()
    old, new = (drawn_tile(3, first + n, FIELDS[0], 70_000.0 + 40.0 * n) for n in (0, 1))
    for tile in (old, new):
        session.store(tile)
        stored.append(tile)
    dropped = backend.drop_before(70_040.0)
    assert {one.table for one in dropped} == {"DiaSource", "DiaForcedSource"}
    assert all(one.kind == "drop" for one in dropped)
    found = session.read_sources(region_of(FIELDS[0]), 0.0, 80_000.0, ["visit"]).rows
    assert set(found["visit"].to_pylist()) == {new.tile.id.visit}
    again = drawn_tile(3, first + 2, FIELDS[0], 70_001.0)
    session.store(again)
    found = session.read_sources(region_of(FIELDS[0]), 0.0, 80_000.0, ["visit"]).rows
    assert set(found["visit"].to_pylist()) == {new.tile.id.visit, again.tile.id.visit}
    assert backend.sizes()["DiaSource"].rows > 0
    session.close()


def test_a_purged_object_comes_back_by_a_newer_version_only(backend: VisitStore) -> None:
    """One that comes late is nobody's newest."""
    session, place = backend.open_session(), (300.0, 10.0)
    first = 100 + backend.stored_tiles().num_rows
    tiles = [drawn_tile(3, first + n, place, 80_000.0 + n, noise=0) for n in range(6)]

    def ids_now() -> dict[int, float]:
        rows = session.read_objects(region_of(place)).rows
        return dict(zip(rows["diaObjectId"].to_pylist(), rows["validityStartMjdTai"].to_pylist(), strict=True))

    seen = [set(tile.objects["diaObjectId"].to_pylist()) for tile in tiles]
    session.store(tiles[0])
    session.store(tiles[2])
    backend.purge_objects(80_002.5)
    assert ids_now() == {}
    session.store(tiles[1])
    assert ids_now() == dict.fromkeys(seen[1] - seen[2], 80_001.0)
    backend.purge_objects(80_002.5)
    session.store(tiles[3])
    assert ids_now() == dict.fromkeys(seen[3], 80_003.0)
    backend.purge_objects(80_003.5)
    backend.purge_objects(80_003.5)
    assert ids_now() == {}
    session.store(tiles[5])
    session.store(tiles[4])
    assert ids_now() == dict.fromkeys(seen[4], 80_004.0) | dict.fromkeys(seen[5], 80_005.0)
    session.close()


def test_a_tile_that_is_not_whole_is_not_seen(private_cluster: PrivateCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every node has its part, nobody has said that it is whole: objects have the version before; a retry ends it."""
    with Testbed(private_cluster.folder) as testbed:
        testbed.apdb.create("halves")
        store = open_store("cluster:halves", cluster=private_cluster)
        session = store.open_session()
        tiles = [drawn_tile(3, n, FIELDS[n % 2], START + n) for n in range(6)]
        for tile in tiles:
            session.store(tile)
        late, otherwise = drawn_tile(3, 9, FIELDS[0], START + 20), drawn_tile(3, 9, FIELDS[0], START + 50, noise=2)

        def stopped(self: TileLedger, entry: Entry, time: float) -> None:
            raise InterruptedError

        with monkeypatch.context() as patched:
            patched.setattr(TileLedger, "finish", stopped)
            with pytest.raises(InterruptedError):
                session.store(late)
        require_equal(session, tiles, START, START + 100.0)
        assert not session.holds(late.tile.id)
        assert not session.store(otherwise).was_there
        require_equal(session, [*tiles, otherwise], START, START + 100.0)
        session.close()
        store.close()
        testbed.drop("halves")


@pytest.mark.parametrize("engine", ["InnoDB", "Aria"])
def test_a_purged_object_is_not_there_again_while_its_tile_is_not_whole(
    private_cluster: PrivateCluster, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """Neither a session nor the czar takes a version of before the purge for one that is not seen yet; nor a retry."""

    def stopped(self: TileLedger, entry: Entry, time: float) -> None:
        raise InterruptedError

    layout = read_layout(data_file("ingest", "layouts", "apdb-85-12.yaml")).model_copy(update={"engine": engine})
    with Testbed(private_cluster.folder) as testbed:
        testbed.apdb.create("purged", layout)
        store = open_store("cluster:purged", cluster=private_cluster)
        session, field = store.open_session(), FIELDS[1]
        first, again, other = (drawn_tile(3, n, field, START + n, noise=0) for n in (1, 2, 3))
        counted = "SELECT COUNT(*) AS n FROM DiaObjectLast"
        session.store(first)
        store.purge_objects(START + 1.5)
        with monkeypatch.context() as patched:
            patched.setattr(TileLedger, "finish", stopped)
            with pytest.raises(InterruptedError):
                session.store(again)
        assert session.read_objects(region_of(field)).rows.num_rows == 0
        assert testbed.query(counted, database="purged").table["n"].to_pylist() == [0]
        empty = TileRows(again.tile, *(part.slice(0, 0) for part in (again.objects, again.sources, again.forced)))
        session.store(empty)
        assert session.read_objects(region_of(field)).rows.num_rows == 0
        session.store(other)
        assert testbed.query(counted, database="purged").table["n"].to_pylist() == [other.objects.num_rows]
        session.close()
        store.close()
        testbed.drop("purged")


def test_a_new_object_does_not_wait_for_newer_versions_of_its_neighbours(private_cluster: PrivateCluster) -> None:
    """By default: REPLACE would keep the gap between two objects of one tile locked until that tile is committed."""
    endpoint, shape = private_cluster.node("node1").sql, StoreShape.of(StoreSettings(), MARIADB, has_writer=False)
    last = shape.tables["DiaObjectLast"]
    objects = checked(drawn_tile(1, 1, FIELDS[0], START, objects=9)).objects.sort_by("diaObjectId")
    cells = np.zeros(objects.num_rows, np.int64)
    rows = in_cells(last, objects, cells, cells, 0)
    is_new = pa.array(np.arange(rows.num_rows) == rows.num_rows // 2)
    with connect(endpoint, Account.ADMIN) as admin:
        admin.execute("CREATE DATABASE neighbours")
        admin.execute("USE neighbours")
        admin.execute(create_mariadb(last, "ENGINE=InnoDB"))
    one, other = (MariaDbServer(connect(endpoint, Account.ADMIN, "neighbours"), None) for _ in range(2))
    try:
        known = rows.filter(pc.invert(is_new))
        one.insert(last, known, INSERT)
        one.begin()
        upsert(one, shape, known)
        other.run("SET SESSION innodb_lock_wait_timeout = 1")
        assert other.insert(last, rows.filter(is_new), INSERT).rows == 1
        one.commit()
    finally:
        one.close()
        other.close()
        with connect(endpoint, Account.ADMIN) as admin:
            admin.execute("DROP DATABASE neighbours")
