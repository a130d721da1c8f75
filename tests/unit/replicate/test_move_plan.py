"""Plans of moves: what leaves, what comes, how few bytes that takes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.growth import assert_linear

from skyshard.catalog.placement import place
from skyshard.registry.stored.records import WHOLE
from skyshard.replicate.move_plan import MovePlan, PlacedChunk, plan_drain, plan_even, plan_fill, skew

sizes = st.dictionaries(st.integers(0, 500), st.integers(1, 1000), min_size=1, max_size=40)


def sky(chunk_bytes: dict[int, int], nodes: list[str], level: int = 1) -> list[PlacedChunk]:
    """Chunks as they are placed at first, of one family."""
    placed = place(chunk_bytes, nodes, level)
    return [
        PlacedChunk("f", chunk, holders, level, dict.fromkeys(holders, chunk_bytes[chunk]), 2)
        for chunk, holders in placed.items()
    ]


def moved(chunks: list[PlacedChunk], plan: MovePlan) -> list[PlacedChunk]:
    """The chunks after a plan."""
    after = {(move.family, move.chunk): move.after for move in plan.moves}
    found = []
    for one in chunks:
        nodes = after.get((one.family, one.chunk), one.nodes)
        found.append(PlacedChunk(one.family, one.chunk, nodes, one.level, dict.fromkeys(nodes, one.size), one.tables))
    return found


def loads(chunks: list[PlacedChunk]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in chunks:
        total.update(one.bytes)
    return total


def names(count: int) -> list[str]:
    return [f"n{i}" for i in range(count)]


def lognormal(count: int, seed: int = 1) -> dict[int, int]:
    drawn = random.Random(seed)
    return {chunk: round(1e6 * drawn.lognormvariate(0, 1)) for chunk in range(count)}


@given(chunk_bytes=sizes, nodes=st.integers(3, 8), level=st.integers(1, 2))
def test_a_drained_node_holds_nothing_and_chunks_stay_on_different_nodes(
    chunk_bytes: dict[int, int], nodes: int, level: int
) -> None:
    """What it held is moved and nothing else, so the bytes are the fewest there are."""
    before = sky(chunk_bytes, names(nodes), level)
    plan = plan_drain(before, names(nodes)[1:], "n0")
    after = moved(before, plan)
    assert all(len(set(one.nodes)) == level and "n0" not in one.nodes for one in after)
    assert plan.bytes == plan.minimum_bytes == sum(one.size for one in before if "n0" in one.nodes)
    assert all("n0" in move.before for move in plan.moves)
    assert loads(after) == Counter(plan.after)
    assert not plan.short


def test_what_a_node_holds_outside_the_placement_leaves_it_even_without_a_byte() -> None:
    """A table of a chunk that has no rows has no bytes; a drained node gives it up like any other."""
    chunk = PlacedChunk("f", 7, ("n1", "n2"), 2, {"n0": 0, "n1": 0, "n2": 0}, 1, is_settled=False)
    plan = plan_drain([chunk], ["n1", "n2"], "n0")
    assert [(move.chunk, move.before, move.after, move.bytes) for move in plan.moves] == [
        (7, ("n1", "n2"), ("n1", "n2"), 0)
    ]


def test_a_chunk_without_another_node_is_named_and_stays() -> None:
    """At level 2 on two nodes none can be drained."""
    plan = plan_drain(sky({1: 10, 2: 5}, names(2), 2), ["n1"], "n0")
    assert (plan.moves, plan.short) == ((), {"level 2 needs 2 nodes that may get chunks, 1 node is there": 2})


@given(chunk_bytes=sizes, nodes=st.integers(1, 8))
def test_a_new_node_gets_chunks_and_no_node_comes_to_hold_more_than_the_fullest_did(
    chunk_bytes: dict[int, int], nodes: int
) -> None:
    """Each move makes two nodes more even; a second plan moves nothing more."""
    before = sky(chunk_bytes, names(nodes))
    all_names = [*names(nodes), "new"]
    plan = plan_even(before, all_names)
    after = moved(before, plan)
    assert loads(after) == +Counter(plan.after)
    assert skew(plan.after, all_names) <= skew(plan.before, all_names)
    largest = max(chunk_bytes.values())
    spread = [loads(after)[name] for name in all_names]
    assert max(spread) - min(spread) <= max(largest, 0.03 * sum(spread))
    assert plan_even(after, all_names).moves == ()


def test_ten_new_nodes_get_chunks_of_all_sizes_with_the_fewest_bytes() -> None:
    """A new node has as many chunks as others; what is moved is within 5 % of the least."""
    before = sky(lognormal(5_000), names(40), 2)
    all_names = [*names(40), *(f"new{i}" for i in range(10))]
    plan = plan_even(before, all_names)
    after = moved(before, plan)
    assert plan.bytes <= 1.05 * plan.minimum_bytes
    assert plan.bytes >= 0.9 * plan.minimum_bytes
    assert skew(loads(after), all_names) < 1.02
    counts = Counter(node for one in after for node in one.nodes)
    assert all(counts[f"new{i}"] > 0.8 * 2 * 5_000 / 50 for i in range(10))
    assert all(len(set(one.nodes)) == 2 for one in after)


@given(chunk_bytes=sizes, nodes=st.integers(4, 8), dead=st.integers(1, 2))
def test_chunks_of_dead_nodes_get_others_and_keep_their_rank(
    chunk_bytes: dict[int, int], nodes: int, dead: int
) -> None:
    """Several dead at once: whatever one living node has comes to its level; what none has waits."""
    before = sky(chunk_bytes, names(nodes), 2)
    gone = set(names(dead))
    plan = plan_fill(before, names(nodes)[dead:], gone)
    by_chunk = {move.chunk: move for move in plan.moves}
    for one in before:
        move = by_chunk.get(one.chunk)
        if set(one.nodes) <= gone or not gone & set(one.nodes):
            assert move is None
        else:
            assert move is not None
            assert len(set(move.after)) == 2
            assert not gone & set(move.after)
            assert all(b == a for b, a in zip(move.before, move.after, strict=True) if b not in gone)
    lost = sum(set(one.nodes) <= gone for one in before)
    assert plan.short == ({"no node that answers has all of their tables": lost} if lost else {})


def test_a_level_above_the_number_of_nodes_is_a_partial_success_that_is_listed() -> None:
    """Three replicas on two nodes: two are made, and it is said of how many chunks one lacks."""
    before = [PlacedChunk("f", chunk, ("n0",), 3, {"n0": 7}, 2, is_settled=False) for chunk in range(4)]
    plan = plan_fill(before, names(2))
    assert [move.after for move in plan.moves] == [("n0", "n1")] * 4
    assert plan.short == {"level 3 needs 3 nodes that may get chunks, 2 nodes are there": 4}


def test_a_lower_level_takes_the_last_ranks_away() -> None:
    """Nothing is copied."""
    before = [PlacedChunk("f", 1, ("n0", "n1"), 1, {"n0": 7, "n1": 7}, 2, is_settled=False)]
    (move,) = plan_fill(before, names(2)).moves
    assert (move.after, move.bytes) == (("n0",), 0)


def test_regular_tables_come_first_to_a_new_node_and_leave_last() -> None:
    """Chunks that are joined with them are read there only when they are there."""
    regular = PlacedChunk("f", WHOLE, ("n0", "n1"), 0, {"n0": 3, "n1": 3}, 1)
    before = [*sky(dict.fromkeys(range(9), 10), names(2)), regular]
    even = plan_even(before, [*names(2), "new"])
    assert (even.moves[0].chunk, even.moves[0].after, even.moves[0].bytes) == (WHOLE, ("n0", "n1", "new"), 3)
    drained = plan_drain(before, ["n1"], "n0")
    assert (drained.moves[-1].chunk, drained.moves[-1].after) == (WHOLE, ("n1",))


def test_the_expected_time_is_that_of_the_busiest_node() -> None:
    """Two nodes get what one gives."""
    plan = plan_drain(sky({1: 60, 2: 60}, ["a"]), ["b", "c"], "a")
    assert plan.expected_s(10) == 12
    assert plan.expected_s(10, away={"a"}) == 6
    assert plan.expected_s(0) is None


@pytest.mark.timeout(40)
def test_plans_of_the_whole_sky_take_time_by_its_chunks() -> None:
    """Draining, evening out and replacing a dead node, of 150 nodes."""

    def planned(chunks: int, nodes: list[str]) -> Callable[[], object]:
        before = sky(lognormal(chunks), nodes, 2)
        more = [*nodes, *(f"new{i}" for i in range(len(nodes) // 10))]
        return lambda: (
            plan_drain(before, nodes[1:], nodes[0]),
            plan_even(before, more),
            plan_fill(before, nodes[2:], set(nodes[:2])),
        )

    assert_linear(planned)
