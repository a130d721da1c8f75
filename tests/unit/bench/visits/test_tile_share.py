"""Tiles as they are sent to other processes, and the sums of their answers."""

from tests.support.naive_visit_store import NaiveStore
from tests.support.visit_skies import small_sky

from skyshard.apdb.sky.row_digest import row_numbers
from skyshard.apdb.sky.visit_sky import VisitSky
from skyshard.bench.visits.tile_client import TileOutcome, TileTask, VisitTask
from skyshard.bench.visits.tile_processes import deal
from skyshard.bench.visits.tile_share import PackedTasks, sum_up

TASK = VisitTask("visits", 5.0, True, True, {"DiaSource": None, "DiaForcedSource": None}, 1.0, 2.0)


def drawn_tasks() -> list[TileTask]:
    sky = VisitSky(small_sky())
    drawn = sky.draw(1)
    return [TileTask(TASK, drawn.rows_of(tile)) for tile in range(len(drawn.tiles))]


def test_tiles_are_unpacked_as_they_were() -> None:
    """Rows of all tables, also of a tile that stores none, and what the visit asks for."""
    tasks = drawn_tasks()
    assert sum(task.rows.sources.num_rows for task in tasks) > 0
    assert all(task.rows.forced.num_rows == 0 for task in tasks)  # of the first visit
    for some in (tasks, tasks[2:3]):
        assert list(map(contents, PackedTasks.of(some).unpacked())) == list(map(contents, some))


def contents(task: TileTask) -> tuple[object, ...]:
    """What a task says, rows by their numbers: NaN is equal to nothing."""
    tables = (task.rows.objects, task.rows.sources, task.rows.forced)
    return task.visit, task.rows.tile, [(one.schema, row_numbers(one).tolist()) for one in tables]


def test_each_tile_is_dealt_once_and_shares_are_even() -> None:
    """In order, whatever the number of processes."""
    tasks = drawn_tasks()
    for count in range(1, 7):
        shares = deal(tasks, count)
        assert [one for share in shares for one in share] == tasks
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_answers_summed_up_together_are_as_one_by_one() -> None:
    """Whichever tiles were read by one process; rows are not kept."""
    store, tasks = NaiveStore(), drawn_tasks()
    for task in tasks:
        store.store(task.rows)

    def outcomes() -> list[TileOutcome]:
        found = [TileOutcome(task.rows.tile.id.detector) for task in tasks]
        for one, task in zip(found, tasks, strict=True):
            region = task.rows.tile.padded
            one.read = {
                "DiaObjectLast": store.read_objects(region).rows,
                "DiaSource": store.read_sources(region, 0.0, 1e6, None).rows,
            }
        del found[1].read["DiaSource"]  # as of a tile that was given up
        return found

    together, apart = outcomes(), outcomes()
    sum_up(together, TASK.columns)
    for one in apart:
        sum_up([one], TASK.columns)
    assert [told(one) for one in together] == [told(one) for one in apart]
    assert not any(one.read for one in together)
    assert sum(one.sums["DiaObjectLast"].count for one in together) >= sum(t.rows.objects.num_rows for t in tasks)


def told(outcome: TileOutcome) -> list[tuple[object, ...]]:
    return [
        (name, one.is_formed, one.owners.tolist(), one.rows.tolist(), one.digest.tolist())
        for name, one in sorted(outcome.sums.items())
    ]
