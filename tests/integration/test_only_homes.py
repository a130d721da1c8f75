"""An object has one home over all nodes of a cluster, and so one row in DiaObjectLast, whatever tiles bring it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import numpy as np
import pytest
from tests.support.drawn_tiles import filled

from skyshard.apdb.model import Tile, TileRows, VisitId, VisitStore
from skyshard.apdb.mutable.mutable_database import MutableDatabase, open_mutable
from skyshard.apdb.stores.object_homes import square_around
from skyshard.apdb.stores.open_store import open_store
from skyshard.apdb.stores.tile_ledger import Entry, TileLedger
from skyshard.basics.errors import UserError
from skyshard.catalog.layout import read_layout
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.db.connection import Account, connect
from skyshard.host.shipped_data import data_file
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
DATABASE, NIGHT = "homes", 60_000.0
ARCSEC = 1 / 3600


@pytest.fixture
def database(testbed: Testbed) -> Iterator[MutableDatabase]:
    testbed.apdb.create(DATABASE, read_layout(data_file("ingest", "layouts", "apdb-85-12.yaml")))
    yield open_mutable(testbed.cluster, DATABASE)
    testbed.drop(DATABASE)


def border(database: MutableDatabase) -> tuple[float, float]:
    """A position where two chunks of different nodes meet in right ascension."""
    ra = np.arange(0.0, 40.0, 0.001)
    chunks, _ = database.chunker.locate(ra, np.full(len(ra), 3.0))
    first = np.flatnonzero(np.diff(chunks))
    database.nodes_of(sorted(set(chunks.tolist())))
    at = next(n for n in first if len(set(database.nodes_of(chunks[n : n + 2].tolist()))) == 2)
    low, high = float(ra[at]), float(ra[at + 1])
    while high - low > 1e-9:
        middle = (low + high) / 2
        is_left = database.chunker.locate([middle], [3.0])[0][0] == chunks[at]
        low, high = (middle, high) if is_left else (low, middle)
    return low, 3.0


def tile_at(visit: int, ra: float, dec: float, key: int = 5) -> TileRows:
    """A tile of two arcseconds with a version of one object, and a source of it."""
    time, rng = NIGHT + visit, np.random.default_rng(visit)
    region = square_around(ra, dec, 2 * ARCSEC)
    place = {"ra": np.array([ra]), "dec": np.array([dec])}
    objects = {"diaObjectId": key, **place, "validityStartMjdTai": time, "lastDiaSourceMjdTai": time}
    of_visit = {**place, "visit": visit, "detector": 0, "midpointMjdTai": time, "diaObjectId": key}
    return TileRows(
        Tile(VisitId(visit, 0), time, region, region),
        filled("DiaObject", rng, {**objects, "nDiaSources": visit}),
        filled("DiaSource", rng, {**of_visit, "diaSourceId": visit}),
        filled("DiaForcedSource", rng, {**of_visit, "diaForcedSourceId": visit}),
    )


def newest(testbed: Testbed) -> list[int]:
    """The versions that the czar has of all objects."""
    found = testbed.query("SELECT nDiaSources FROM DiaObjectLast WHERE diaObjectId < 8", database=DATABASE).table
    return sorted(int(one) for one in found["nDiaSources"].to_pylist())


def test_an_object_that_jumps_to_another_node_is_refused_as_on_one_server(
    testbed: Testbed, database: MutableDatabase
) -> None:
    """Into another cell of either, farther than it may drift; nothing of the tile is there, and what was before is."""
    ra, dec = border(database)
    here, there = tile_at(1, ra - 0.4, dec), tile_at(2, ra + 0.4, dec)
    for target in ("sqlite", "cluster"):
        name = f"cluster:{DATABASE}" if target == "cluster" else f"sqlite:{testbed.cluster.folder / 'homes.db'}"
        with closing(open_store(name, cluster=testbed.cluster)) as store, closing(store.open_session()) as session:
            session.store(here)
            with pytest.raises(UserError, match="more than 5 arcsec away from its home"):
                session.store(there)
            assert not session.holds(there.tile.id)
            wide = square_around(ra, dec, 0.5)
            assert session.read_objects(wide).rows["nDiaSources"].to_pylist() == [1]
            assert session.read_sources(wide, 0.0, 1e6, None).rows["visit"].to_pylist() == [1]
            session.store(tile_at(2, ra + 0.4, dec, key=6))
    assert newest(testbed) == [1, 2]


_WAITING = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for table%lock'"


def _store(store: VisitStore, tile: TileRows, errors: list[Exception]) -> None:
    with closing(store.open_session()) as session:
        try:
            session.store(tile)
        except UserError as error:
            errors.append(error)


@pytest.mark.parametrize("apart_arcsec", [2, 60])
def test_of_two_tiles_that_bring_one_object_to_two_nodes_the_later_gives_way(
    testbed: Testbed, database: MutableDatabase, apart_arcsec: int
) -> None:
    """It goes to the home that the other one made, once it is its turn, or is refused where that is too far away."""
    ra, dec = border(database)
    half = apart_arcsec / 2 * ARCSEC
    slow, quick = tile_at(1, ra - half, dec), tile_at(2, ra + half, dec)
    errors: list[Exception] = []
    with closing(open_store(f"cluster:{DATABASE}", cluster=testbed.cluster)) as store:
        for visit, side in ((8, -half), (9, half)):  # both nodes have their month
            _store(store, tile_at(visit, ra + side, dec, key=visit), errors)
        [chunk] = database.chunker.locate([ra - half], [dec])[0].tolist()
        with connect(
            database.cluster.node(database.nodes_of([chunk])[0]).sql, Account.ADMIN, database.database
        ) as holder:
            holder.execute("LOCK TABLES DiaSource READ")
            thread = threading.Thread(target=_store, args=(store, slow, errors))
            thread.start()
            while not holder.value(_WAITING):
                time.sleep(0.01)
            other = threading.Thread(target=_store, args=(store, quick, errors))
            other.start()
            if apart_arcsec == 60:  # each tile is on one node, and waits for no other
                other.join()
            holder.execute("UNLOCK TABLES")
            thread.join()
            other.join()
    if apart_arcsec == 2:
        assert errors == []
    else:
        assert [type(one) for one in errors] == [UserError]
        assert "more than 5 arcsec away" in str(errors[0])
    assert newest(testbed) == [2]


def test_of_an_object_whose_unseen_version_is_outside_of_a_region_the_one_before_is_read(
    testbed: Testbed, database: MutableDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the other way round: nothing is read of it where only the unseen version is."""

    def stopped(self: TileLedger, entry: Entry, time: float) -> None:
        raise InterruptedError

    ra, dec = 12.0, 3.0
    here, away = (square_around(where, dec, ARCSEC) for where in (ra, ra + 4 * ARCSEC))
    name = f"cluster:{DATABASE}"
    with closing(open_store(name, cluster=testbed.cluster)) as store, closing(store.open_session()) as session:
        session.store(tile_at(1, ra, dec))
        with monkeypatch.context() as patched:
            patched.setattr(TileLedger, "finish", stopped)
            with pytest.raises(InterruptedError):
                session.store(tile_at(2, ra + 4 * ARCSEC, dec))
        assert session.read_objects(here).rows["nDiaSources"].to_pylist() == [1]
        assert session.read_objects(away).rows.num_rows == 0
        session.store(tile_at(2, ra + 4 * ARCSEC, dec))
        assert session.read_objects(here).rows.num_rows == 0
        assert session.read_objects(away).rows["nDiaSources"].to_pylist() == [2]


def test_stores_over_several_nodes_take_turns_before_they_lock_a_row(
    testbed: Testbed, database: MutableDatabase
) -> None:
    """Two that each wait on one node for the other would stand still: no server sees that circle. One node is free."""
    ra, dec = border(database)
    across, aside = tile_at(1, ra, dec), tile_at(2, ra - 60 * ARCSEC, dec, key=6)
    nodes, errors = [database.cluster.node(name).sql for name in ("node1", "node2")], list[Exception]()
    with closing(open_store(f"cluster:{DATABASE}", cluster=testbed.cluster)) as store, ExitStack() as stack:
        czar, *admins = [
            stack.enter_context(connect(one, Account.ADMIN)) for one in (database.cluster.endpoint(CZAR_NAME), *nodes)
        ]
        czar.value(f"SELECT GET_LOCK('skyshard nodes {database.database}', 0)")
        thread = threading.Thread(target=_store, args=(store, across, errors))
        thread.start()
        waits = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE = 'User lock'"
        while thread.is_alive() and not czar.value(waits):
            time.sleep(0.01)
        assert thread.is_alive()
        assert [admin.value("SELECT COUNT(*) FROM information_schema.INNODB_TRX") for admin in admins] == [0, 0]
        _store(store, aside, errors)
        assert newest(testbed) == [2]
        czar.execute("DO RELEASE_ALL_LOCKS()")
        thread.join()
    assert errors == []
    assert newest(testbed) == [1, 2]
