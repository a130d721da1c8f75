"""Statements and upkeep while visits store: each sees a tile whole or not at all."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from tests.support.drawn_tiles import drawn_tile

from skyshard.apdb.model import TileRows
from skyshard.apdb.stores.open_store import open_store
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
        while not is_over.is_set() or not looks:
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
