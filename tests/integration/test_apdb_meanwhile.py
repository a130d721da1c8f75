"""Statements and upkeep while visits store: each sees a tile whole or not at all."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.support.asking import ASK_EVERY_S
from tests.support.drawn_tiles import drawn_tile, expected_objects, sorted_rows

from skyshard.apdb.model import TileRows, VisitStore
from skyshard.apdb.stores.object_homes import square_around
from skyshard.apdb.stores.open_store import open_store
from skyshard.apdb.tables.apdb_tables import apdb_table
from skyshard.apdb.tables.storable_rows import storable_rows
from skyshard.catalog.layout import Layout
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
DATABASE = "busy"
VISITS, NIGHT = 8, 60_000.0
FIELDS = ((40.0, -4.0), (0.0, 2.0))
"""On chunks of both nodes: the first field lies on the edge of chunks."""


@pytest.fixture(params=["InnoDB", "Aria"])
def tiles(request: pytest.FixtureRequest, testbed: Testbed) -> Iterator[list[TileRows]]:
    """Visits of two fields, and a database for them."""
    layout: dict[str, Any] = {
        "striping": {"stripes": 340, "substripes": 3, "overlap_deg": 0.01667}, "mutable": True,
        "engine": request.param,
    }  # fmt: skip
    testbed.apdb.create(DATABASE, Layout.model_validate(layout))
    yield [
        drawn_tile(3, visit * 2 + turn, field, NIGHT + visit + 0.1 * turn, objects=40)
        for visit in range(VISITS)
        for turn, field in enumerate(FIELDS)
    ]
    testbed.drop(DATABASE)


def test_changes_beside_stores_leave_what_the_truth_says(testbed: Testbed, tiles: list[TileRows]) -> None:
    """True ones, not rehearsed: afterwards every value is that of the tiles, but for as many as the actions say."""
    threads = ThreadPoolExecutor(2)
    backend = open_store(f"cluster:{DATABASE}", cluster=testbed.cluster)
    with closing(backend), threads:
        half = len(tiles) // 2
        _store_all(backend, tiles[:half])
        storing = threads.submit(_store_all, backend, tiles[half:])
        rows = {}
        for action in ("reassociate", "withdraw", "deduplicate"):
            rows[action] = testbed.apdb.upkeep(DATABASE, action).rows
        gone = backend.purge_objects(NIGHT - 1.0)
        storing.result()
        with closing(backend.open_session()) as session:
            wide = [square_around(*field, 0.3) for field in FIELDS]
            found = pa.concat_tables([session.read_sources(region, 0.0, 1e6, None).rows for region in wide])
            last = pa.concat_tables([session.read_objects(region).rows for region in wide])
    given, kept = (
        sorted_rows(pa.concat_tables(parts), "DiaSource")
        for parts in ([storable_rows(apdb_table("DiaSource"), one.sources) for one in tiles], [found])
    )
    changed = ["ssObjectId", "ssObjectReassocTimeMjdTai", "timeWithdrawnMjdTai"]
    same = [name for name in given.column_names if name not in changed]
    assert kept.select(same) == given.select(same)
    for name in changed:
        is_same = pc.if_else(pc.is_null(given[name]), pc.is_null(kept[name]), pc.equal(kept[name], given[name]))
        touched = kept.filter(pc.invert(pc.fill_null(is_same, False)))
        assert touched.num_rows == rows["withdraw" if name.startswith("time") else "reassociate"] > 0
        if name == "ssObjectId":
            assert touched[name] == touched["diaSourceId"]
    assert rows["deduplicate"] == 0
    assert sum(one.rows for one in gone) == 0
    wanted = pa.concat_tables([expected_objects(tiles, region) for region in wide])
    assert sorted_rows(last, "DiaObjectLast") == sorted_rows(wanted, "DiaObjectLast")


def _store_all(backend: VisitStore, mine: list[TileRows]) -> None:
    with closing(backend.open_session()) as session:
        for tile in mine:
            session.store(tile)


def test_every_answer_is_of_whole_tiles(testbed: Testbed, tiles: list[TileRows]) -> None:
    """Sources by tile are all that it has, or none; an object has one newest version, of a tile that is there."""
    expected = {one.tile.id.visit: one.sources.num_rows for one in tiles}
    is_over = threading.Event()

    def store(mine: list[TileRows]) -> None:
        with (
            closing(open_store(f"cluster:{DATABASE}", cluster=testbed.cluster)) as backend,
            closing(backend.open_session()) as session,
        ):
            for tile in mine:
                session.store(tile)

    def look() -> int:
        looks = 0
        while not is_over.wait(ASK_EVERY_S) or not looks:
            found = testbed.query("SELECT visit, COUNT(*) FROM DiaSource GROUP BY visit", database=DATABASE).table
            counts = dict(zip(*(column.to_pylist() for column in found.columns), strict=True))
            assert counts == {visit: expected[visit] for visit in counts}
            last = testbed.query("SELECT diaObjectId, nDiaSources FROM DiaObjectLast", database=DATABASE).table
            assert max(Counter(last["diaObjectId"].to_pylist()).values(), default=1) == 1
            looks += 1
        return looks

    with ThreadPoolExecutor(4) as pool:
        looking = [pool.submit(look) for _ in range(2)]
        storing = [pool.submit(store, tiles[turn :: len(FIELDS)]) for turn in range(len(FIELDS))]
        try:
            for future in storing:
                future.result()
        finally:
            is_over.set()
        assert sum(future.result() for future in looking) > 0
    found = testbed.query("SELECT COUNT(*) FROM DiaSource", database=DATABASE).table
    assert found.column(0).to_pylist() == [sum(expected.values())]
    last = testbed.query("SELECT diaObjectId, nDiaSources FROM DiaObjectLast", database=DATABASE).table
    newest: dict[int, int] = {}
    for one in tiles:
        newest |= dict(zip(one.objects["diaObjectId"].to_pylist(), one.objects["nDiaSources"].to_pylist(), strict=True))
    assert dict(zip(*(column.to_pylist() for column in last.columns), strict=True)) == newest
    nodes = {one.node for one in testbed.apdb.status(DATABASE).tables if one.rows}
    assert len(nodes) == len(np.unique(list(testbed.nodes)))
