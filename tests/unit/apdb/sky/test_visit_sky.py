"""What visits find, and what they must read, against a store that keeps every row in memory."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.support.naive_visit_store import NaiveStore
from tests.support.visit_skies import small_sky

from skyshard.apdb.model import Reading, TableName
from skyshard.apdb.sky.compare_reads import TileAnswer, compare_history, compare_objects, sum_answers
from skyshard.apdb.sky.drawn_visit import DrawnVisit
from skyshard.apdb.sky.row_digest import digest_of, row_numbers
from skyshard.apdb.sky.visit_sky import VisitSky


def summed(name: TableName, columns: tuple[str, ...] | None, tile: int, rows: pa.Table, *tried: bool) -> TileAnswer:
    """A tile's answer as it is compared."""
    [sums] = sum_answers(name, columns, [rows])
    return TileAnswer(tile, sums, *tried)


def read_and_compare(sky: VisitSky, store: NaiveStore, drawn: DrawnVisit) -> list[str]:
    """What is wrong with the answers of all tiles of a visit."""
    truth = sky.truth_of(drawn)
    objects = [summed("DiaObjectLast", None, t.id.detector, store.read_objects(t.padded).rows) for t in drawn.tiles]
    found = compare_objects(truth, objects)
    histories: tuple[tuple[TableName, Callable[..., Reading]], ...] = (
        ("DiaSource", store.read_sources), ("DiaForcedSource", store.read_forced),
    )  # fmt: skip
    for name, read in histories:
        columns = sky.columns[name]
        answers = [
            summed(name, columns, tile.id.detector, read(tile.padded, drawn.since, drawn.time, columns).rows)
            for tile in drawn.tiles
        ]
        found += compare_history(name, truth, answers)
    return found


def run(sky: VisitSky, store: NaiveStore, missing: set[tuple[int, int]], *, purges: bool = False) -> Iterator[str]:
    """All visits one after the other, without the missing tiles; yields what is wrong."""
    for visit in range(1, sky.settings.count + 1):
        if (begin := sky.month_begun(visit)) is not None:
            store.drop_before(begin)
            if purges:
                store.purge_objects(begin)
                sky.purge(begin)
        drawn = sky.draw(visit)
        yield from (f"visit {visit}: {text}" for text in read_and_compare(sky, store, drawn) if text)
        lost = {tile for number, tile in missing if number == visit}
        for tile in set(range(len(drawn.tiles))) - lost:
            store.store(drawn.rows_of(tile))
        sky.settle(drawn, lost)


@pytest.mark.parametrize(("order", "only_needed"), [("round-robin", False), ("random", True)])
def test_truth_is_what_a_store_of_all_rows_answers(order: str, *, only_needed: bool) -> None:
    """Digests made without a database equal those of the rows, over months that are dropped, at RA 0 and the pole."""
    sky, store = VisitSky(small_sky(order=order, count=20), only_needed=only_needed), NaiveStore()
    assert list(run(sky, store, set())) == []
    assert store.tables["DiaForcedSource"].num_rows > 100


def test_truth_knows_tiles_that_were_never_stored() -> None:
    """A tile that is missing lacks its rows, and its objects their sources and versions."""
    sky, store = VisitSky(small_sky(count=18)), NaiveStore()
    assert list(run(sky, store, {(3, 0), (4, 1), (4, 2), (13, 3)})) == []
    assert (3, 0) not in store.tiles


def test_truth_knows_purged_objects() -> None:
    """Objects without a source in the history are gone, and come back with their next version."""
    sky, store = VisitSky(small_sky(count=20, detected=0.3, min_sources=1)), NaiveStore()
    assert list(run(sky, store, set(), purges=True)) == []
    assert store.tables["DiaObjectLast"].num_rows < len(set(store.tables["DiaObject"]["diaObjectId"].to_pylist()))


def test_newest_versions_and_counts_are_those_of_the_history() -> None:
    """DiaObjectLast is the newest version of each object, and nDiaSources the count of its sources."""
    sky, store = VisitSky(small_sky(count=14, history_months=24)), NaiveStore()
    assert list(run(sky, store, set())) == []
    last, versions = store.tables["DiaObjectLast"], store.tables["DiaObject"]
    newest = versions.group_by("diaObjectId").aggregate([("validityStartMjdTai", "max")]).sort_by("diaObjectId")
    last = last.sort_by("diaObjectId")
    assert last["validityStartMjdTai"].to_pylist() == newest["validityStartMjdTai_max"].to_pylist()
    counted = store.tables["DiaSource"].group_by("diaObjectId").aggregate([("diaSourceId", "count")])
    assert last["nDiaSources"].to_pylist() == counted.sort_by("diaObjectId")["diaSourceId_count"].to_pylist()


@pytest.mark.parametrize("table", ["DiaObjectLast", "DiaSource", "DiaForcedSource"])
def test_a_lost_row_is_found_and_named(table: str) -> None:
    """One row less in every answer: the table and the two counts are told."""
    sky, store = VisitSky(small_sky(count=8)), NaiveStore()
    store.corrupt = table  # type: ignore[assignment]
    found = list(run(sky, store, set()))
    assert found
    assert all(f": {table}: " in text and "are right" in text for text in found)


def test_a_changed_value_is_found() -> None:
    """The same number of rows with one other value is wrong, and says so."""
    sky, store = VisitSky(small_sky(count=6)), NaiveStore()
    assert list(run(sky, store, set())) == []
    sources = store.tables["DiaSource"]
    changed = pc.add(sources["psfNdata"], 1).cast("int32")
    store.tables["DiaSource"] = sources.set_column(
        sources.schema.get_field_index("psfNdata"), sources.schema.field("psfNdata"), changed
    )
    sky = VisitSky(small_sky(count=8))
    for visit in range(1, 7):
        sky.settle(sky.draw(visit))
    texts = [text for text in read_and_compare(sky, store, sky.draw(7)) if text]
    assert texts
    assert all(text.startswith("DiaSource") and text.endswith("the values differ") for text in texts)


def test_neighbours_are_seen_before_or_after_their_store_never_in_between() -> None:
    """While a visit is stored tile by tile, every answer is right; half a tile is not."""
    settings = small_sky(count=12, detected=1.0)
    sky, store = VisitSky(settings), NaiveStore()
    for visit in range(1, 12):
        drawn = sky.draw(visit)
        for tile in range(4):
            store.store(drawn.rows_of(tile))
        sky.settle(drawn)
    drawn = sky.draw(12)
    truth = sky.truth_of(drawn)
    for tile in range(4):
        answers = [
            summed("DiaObjectLast", None, t.id.detector, store.read_objects(t.padded).rows, t.id.detector >= tile)
            for t in drawn.tiles
        ]
        assert compare_objects(truth, answers) == [""] * 4
        store.store(drawn.rows_of(tile))
    answer = store.read_objects(drawn.tiles[0].padded).rows
    for rows, is_first_try in ((answer, True), (answer.slice(1), False)):
        given = summed("DiaObjectLast", None, 0, rows, is_first_try)
        assert compare_objects(truth, [given])[0].startswith("DiaObjectLast")


def test_a_visit_is_a_function_of_seed_and_number() -> None:
    """Two skies of one seed give equal rows; another seed others."""
    first, second, other = VisitSky(small_sky()), VisitSky(small_sky()), VisitSky(small_sky(seed=6))
    drawn = [sky.draw(1).rows_of(2) for sky in (first, second, other)]
    numbers = [digest_of(row_numbers(one.sources)) for one in drawn]
    assert numbers[0] == numbers[1] != numbers[2]


def test_rows_have_nulls_nans_and_several_bands() -> None:
    """Values that backends stumble over are among those drawn."""
    sky, bands = VisitSky(small_sky(count=24)), set[str]()
    nans = nulls = 0
    for visit in range(1, 25):
        drawn = sky.draw(visit)
        nulls += drawn.sources.rows["psfFlux"].null_count
        nans += int(np.isnan(drawn.sources.rows["snr"].to_numpy(zero_copy_only=False)).sum())
        bands.update(drawn.sources.rows["band"].to_pylist())
        sky.settle(drawn)
    assert nulls > 0
    assert nans > 0
    assert len(bands) == 6


def test_more_visits_do_not_change_earlier_ones() -> None:
    """A longer run begins as the shorter one."""
    short, long = (VisitSky(small_sky(count=count, order="random")) for count in (10, 40))
    for visit in range(1, 11):
        one, two = short.draw(visit), long.draw(visit)
        assert row_numbers(one.sources.rows).tolist() == row_numbers(two.sources.rows).tolist()
        short.settle(one)
        long.settle(two)
