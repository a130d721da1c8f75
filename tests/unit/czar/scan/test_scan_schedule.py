"""The scan lane's schedule, as a state machine and in a rehearsal without servers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.support.rehearsal import Scan, rehearse

from skyshard.czar.scan.scan_schedule import (
    Cancel,
    Done,
    Hold,
    Instruction,
    JobEnded,
    Length,
    Run,
    Schedule,
    Submit,
    Unit,
    even_units,
    units_up_to,
)


def units(*chunks: int) -> tuple[Unit, ...]:
    return tuple(Unit((chunk,), 10) for chunk in chunks)


def chunks_run(instructions: list[Instruction]) -> list[tuple[str, int]]:
    return [(one.job, one.unit.chunks[0]) for one in instructions if isinstance(one, Run)]


def test_scans_share_one_walk_over_the_chunks() -> None:
    """A scan that comes late joins the walk where it is, and goes round to where it began."""
    schedule = Schedule(1)
    order = chunks_run(schedule.step(Submit("a", Length.FAST, units(1, 2, 3, 4))))
    order += chunks_run(schedule.step(Done(0, 0.1)))
    schedule.step(Submit("b", Length.FAST, units(1, 2, 3, 4)))
    for _ in range(6):
        order += chunks_run(schedule.step(Done(0, 0.1)))
    assert order == [("a", 1), ("a", 2), ("b", 2), ("a", 3), ("b", 3), ("a", 4), ("b", 4), ("b", 1)]


def test_scan_alone_starts_with_its_first_unit() -> None:
    """Wherever the one before it ended: its first rows are waited for."""
    schedule = Schedule(1)
    order = chunks_run(schedule.step(Submit("a", Length.FAST, units(1, 2, 3))))
    for _ in range(3):
        order += chunks_run(schedule.step(Done(0, 0.1)))
    order += chunks_run(schedule.step(Submit("b", Length.FAST, units(1, 2, 3))))
    assert order == [("a", 1), ("a", 2), ("a", 3), ("b", 1)]


def test_short_scan_does_not_wait_for_a_long_one() -> None:
    """A fast scan that comes while a slow one goes gets the next units."""
    schedule = Schedule(1)
    schedule.step(Submit("long", Length.SLOW, units(*range(1, 50))))
    for _ in range(5):
        schedule.step(Done(0, 1.0))
    order = []
    schedule.step(Submit("short", Length.FAST, units(1, 2, 3)))
    for _ in range(4):
        order += [job for job, _ in chunks_run(schedule.step(Done(0, 0.1)))]
    assert order.count("short") == 3


def test_scan_over_its_budget_moves_to_the_slower_class() -> None:
    """A scan that said it would be fast and is not, is treated as what it is."""
    schedule = Schedule(1)
    schedule.step(Submit("a", Length.FAST, units(1, 2, 3)))
    schedule.step(Done(0, 11.0))
    assert schedule.length("a") is Length.MEDIUM
    schedule.step(Done(0, 200.0))
    assert schedule.length("a") is Length.SLOW


def test_cancelled_scan_ends_when_its_last_unit_does() -> None:
    """No unit starts after a cancel; the end comes when the threads are off it."""
    schedule = Schedule(2)
    schedule.step(Submit("a", Length.FAST, units(1, 2, 3, 4)))
    assert schedule.step(Cancel("a")) == []
    assert schedule.step(Done(1, 0.1)) == []
    assert schedule.step(Done(0, 0.1)) == [JobEnded("a")]
    assert schedule.step(Cancel("a")) == []


def test_held_scan_gets_no_units_until_it_lets_go() -> None:
    """A scan whose reader is behind leaves the threads to others."""
    schedule = Schedule(1)
    schedule.step(Submit("a", Length.FAST, units(1, 2)))
    schedule.step(Hold("a", True))
    assert chunks_run(schedule.step(Done(0, 0.1))) == []
    assert chunks_run(schedule.step(Submit("b", Length.FAST, units(9)))) == [("b", 9)]
    assert chunks_run(schedule.step(Hold("a", False))) == []
    assert chunks_run(schedule.step(Done(0, 0.1))) == [("a", 2)]


def test_empty_scan_ends_at_once() -> None:
    """A query without units is over when it comes."""
    assert Schedule(1).step(Submit("a", Length.FAST, ())) == [JobEnded("a")]


@given(
    scans=st.lists(st.tuples(st.sampled_from(list(Length)), st.sets(st.integers(1, 40), min_size=1)), min_size=1),
    threads=st.integers(1, 4),
)
def test_every_unit_runs_exactly_once(scans: list[tuple[Length, set[int]]], threads: int) -> None:
    """Whatever comes in whatever class: each unit runs once, no thread has two, every scan ends."""
    schedule = Schedule(threads)
    running: dict[int, tuple[str, int]] = {}
    seen: list[tuple[str, int]] = []
    ended: list[str] = []

    def take(instructions: list[Instruction]) -> None:
        for one in instructions:
            if isinstance(one, JobEnded):
                ended.append(one.job)
            else:
                assert one.thread not in running
                running[one.thread] = (one.job, one.unit.chunks[0])
                seen.append((one.job, one.unit.chunks[0]))

    for number, (length, chunks) in enumerate(scans):
        take(schedule.step(Submit(str(number), length, units(*sorted(chunks)))))
        if running and number % 2:
            thread = min(running)
            del running[thread]
            take(schedule.step(Done(thread, 0.5)))
    while running:
        thread = min(running)
        del running[thread]
        take(schedule.step(Done(thread, 3.0)))
    assert sorted(seen) == sorted((str(number), chunk) for number, (_, chunks) in enumerate(scans) for chunk in chunks)
    assert sorted(ended) == sorted(map(str, range(len(scans))))


def test_ten_scans_read_the_disk_once() -> None:
    """Rehearsed with a memory of a tenth of the chunks: scans that come soon after each other read each once."""
    scans = [Scan(f"scan{number}", number * 0.2, Length.MEDIUM) for number in range(10)]
    told = rehearse(scans, chunks=200, threads=2, memory_chunks=20, disk_s=0.1, work_s=0.01)
    alone = rehearse(scans[:1], chunks=200, threads=2, memory_chunks=20, disk_s=0.1, work_s=0.01)
    assert told.disk_reads <= 1.3 * alone.disk_reads
    assert told.elapsed_s <= 0.5 * 10 * alone.elapsed_s


def test_fast_scans_stay_fast_beside_snails() -> None:
    """Rehearsed: a fast scan among eight snails takes at most a few times what it takes alone."""
    snails = [Scan(f"snail{number}", 0.0, Length.SNAIL) for number in range(8)]
    fast = Scan("fast", 5.0, Length.FAST)
    told = rehearse([*snails, fast], chunks=100, threads=2, memory_chunks=10, disk_s=0.02, work_s=0.05)
    alone = rehearse([fast], chunks=100, threads=2, memory_chunks=10, disk_s=0.02, work_s=0.05)
    assert told.took_s["fast"] <= 4 * alone.took_s["fast"]


def test_walk_keeps_order_and_bounds() -> None:
    """Units hold neighbouring chunks in order, none too many; one chunk may be larger than the bound."""
    made = units_up_to([3, 5, 8, 9], [10, 10, 10, 500], most_chunks=2, most_rows=100)
    assert [unit.chunks for unit in made] == [(3, 5), (8,), (9,)]


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=60), st.integers(1, 12), st.integers(1, 9))
def test_even_units_hold_every_chunk_once_in_order(rows: list[int], count: int, most_chunks: int) -> None:
    """No chunk is lost or doubled, none is out of order, no unit is too long, and none has far more than its share."""
    chunks = list(range(100, 100 + len(rows)))
    made = even_units(chunks, rows, count, most_chunks=most_chunks)
    assert [chunk for unit in made for chunk in unit.chunks] == chunks
    assert [sum(rows[chunk - 100] for chunk in unit.chunks) for unit in made] == [unit.rows for unit in made]
    assert all(len(unit.chunks) <= most_chunks for unit in made)
    assert max(unit.rows for unit in made) <= sum(rows) / count + 2 * max(rows)
