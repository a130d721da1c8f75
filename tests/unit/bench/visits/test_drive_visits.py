"""When visits are sent in an open loop, by a clock that moves only where the test moves it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.naive_visit_store import NaiveStore
from tests.support.small_visits import small_workload

from skyshard.apdb.model import Receipt, TileRows
from skyshard.apdb.sky.visit_sky import VisitSky
from skyshard.bench.clock import VirtualClock
from skyshard.bench.visits.drive_visits import VisitDriver
from skyshard.bench.visits.visit_queue import StoredTiles, queue
from skyshard.bench.visits.visit_record import VisitRecord

LATE_S = 25.0


class SlowStore(NaiveStore):
    """Takes 25 seconds for one tile of the third visit, and no time for all others."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def open_session(self) -> "SlowStore":
        return self

    def store(self, rows: TileRows) -> Receipt:
        if rows.tile.id.visit == 3 and rows.tile.id.detector == 0:
            self._clock.advance(LATE_S)
        return super().store(rows)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[VisitRecord]:
    made = VisitRecord.open(tmp_path)
    yield made
    made.close()


def test_visits_are_due_at_their_intervals_however_late_one_is(record: VisitRecord) -> None:
    """Due times go on from a phase's first visit; late visits are sent at once, later ones on time again."""
    workload = small_workload({"count": 8, "interval_s": 10}, {"count": 8, "interval_s": 2})
    load = workload.phases[0].visits
    assert load is not None
    clock, sky = VirtualClock(), VisitSky(load.sky(workload.seed, 16))
    store = SlowStore(clock)
    driver = VisitDriver(store, sky, record, clock)
    driver.run(queue(workload, sky, StoredTiles(store.stored_tiles())), 4)
    tiles = [one for one in record.table.to_pylist() if one["kind"] == "tile"]
    assert len(tiles) == 64
    assert all(one["answer_ok"] for one in tiles)
    due = {one["visit"]: one["due_s"] for one in tiles}
    assert due == {visit: 10.0 * (visit - 1) for visit in range(1, 9)} | {
        visit: 70.0 + 2.0 * (visit - 9) for visit in range(9, 17)
    }
    sent = {visit: {one["sent_s"] for one in tiles if one["visit"] == visit} for visit in due if visit != 3}
    late = dict.fromkeys((4, 5), 20.0 + LATE_S)
    assert sent == {visit: {late.get(visit, moment)} for visit, moment in due.items() if visit != 3}
