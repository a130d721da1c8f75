"""When visits are sent in an open loop, by a clock that moves only where the test moves it."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.support.naive_visit_store import NaiveStore
from tests.support.small_visits import small_workload

from skyshard.apdb.model import Reading, Receipt, TileRows, VisitId
from skyshard.apdb.sky.visit_sky import VisitSky
from skyshard.basics.errors import ClusterError
from skyshard.bench.clock import VirtualClock
from skyshard.bench.visits.drive_visits import VisitDriver
from skyshard.bench.visits.visit_queue import StoredTiles, queue
from skyshard.bench.visits.visit_record import VisitRecord, VisitSample
from skyshard.chunking.sphere import Polygon

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


class ForgetfulStore(NaiveStore):
    """Refuses the first store of one tile; its reads lack a row before that, or only after it."""

    def __init__(self, *, errs_first: bool) -> None:
        super().__init__()
        self._errs_first, self._has_refused = errs_first, False

    def store(self, rows: TileRows) -> Receipt:
        if (rows.tile.id.visit, rows.tile.id.detector) == (3, 0) and not self._has_refused:
            self._has_refused = True
            self.corrupt = None if self._errs_first else "DiaSource"
            raise ClusterError("the server is gone")
        if rows.tile.id == VisitId(2, 3) and self._errs_first:
            self.corrupt = "DiaSource"
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


@pytest.mark.parametrize("errs_first", [True, False])
def test_a_tile_that_is_tried_again_is_judged_by_the_try_that_ended_well(record: VisitRecord, errs_first: bool) -> None:
    """Answers are compared before they are stored; where a tile is read anew, those are compared that it ended with."""
    workload = small_workload({"count": 3, "fields": 1, "tiles": 2, "retry_s": 5})
    load = workload.phases[0].visits
    assert load is not None
    sky, store = VisitSky(load.sky(workload.seed, 3)), ForgetfulStore(errs_first=errs_first)
    driver = VisitDriver(store, sky, record, VirtualClock())
    driver.run(queue(workload, sky, StoredTiles(store.stored_tiles())), 1)
    ended = [one for one in record.table.to_pylist() if one["kind"] == "tile" and one["error"] is None]
    wrong = {(one["visit"], one["tile"]) for one in ended if not one["answer_ok"]}
    assert ((3, 0) in wrong) is not errs_first
    assert len(ended) == 12


class WatchedStore(NaiveStore):
    """Says when a tile of the second visit reads."""

    def __init__(self, second: float) -> None:
        super().__init__()
        self._second, self.has_begun = second, threading.Event()

    def read_sources(self, region: Polygon, since: float, until: float, columns: Sequence[str] | None) -> Reading:
        if until == self._second:
            self.has_begun.set()
        return super().read_sources(region, since, until, columns)


def test_a_visit_of_another_field_does_not_wait_for_the_settling_of_the_one_before(tmp_path: Path) -> None:
    """What the driver does at the end of a visit is no pause between two."""
    workload = small_workload({"count": 4})
    load = workload.phases[0].visits
    assert load is not None
    sky = VisitSky(load.sky(workload.seed, 4))
    store = WatchedStore(sky.time_of(2))
    waited: list[bool] = []

    class Record(VisitRecord):
        def add(self, samples: Sequence[VisitSample]) -> None:
            if any(one.visit == 1 and one.kind == "tile" for one in samples):
                waited.append(store.has_begun.wait(5.0))
            super().add(samples)

    record = Record.open(tmp_path)
    VisitDriver(store, sky, record, VirtualClock()).run(queue(workload, sky, StoredTiles(store.stored_tiles())), 4)
    record.close()
    assert waited == [True]
    assert all(one["answer_ok"] for one in record.table.to_pylist() if one["kind"] == "tile")
