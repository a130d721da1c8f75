"""Placement: by bytes, deterministic, siblings together."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.growth import assert_linear

from skyshard.basics.errors import UserError
from skyshard.catalog.placement import place

sizes = st.dictionaries(st.integers(0, 230_000), st.integers(0, 10**9), min_size=1, max_size=60)


@given(sizes, st.integers(1, 6), st.integers(1, 3))
def test_every_chunk_is_on_as_many_different_nodes(chunk_bytes: dict[int, int], nodes: int, replicas: int) -> None:
    """Each chunk gets exactly the wanted number of different nodes."""
    names = [f"n{i}" for i in range(max(nodes, replicas))]
    placed = place(chunk_bytes, names, replicas)
    assert set(placed) == set(chunk_bytes)
    assert all(len(set(holders)) == replicas for holders in placed.values())


@given(sizes, st.randoms(use_true_random=False))
def test_order_of_input_does_not_matter(chunk_bytes: dict[int, int], shuffler: random.Random) -> None:
    """The same chunks in another order are placed the same way."""
    items = list(chunk_bytes.items())
    shuffler.shuffle(items)
    assert place(dict(items), ["a", "b", "c"]) == place(chunk_bytes, ["a", "b", "c"])


@given(sizes, st.integers(2, 5))
def test_load_is_even_to_the_largest_chunk(chunk_bytes: dict[int, int], nodes: int) -> None:
    """No two nodes differ by more than the largest chunk."""
    names = [f"n{i}" for i in range(nodes)]
    load = dict.fromkeys(names, 0)
    for chunk, holders in place(chunk_bytes, names).items():
        load[holders[0]] += chunk_bytes[chunk]
    assert max(load.values()) - min(load.values()) <= max(chunk_bytes.values())


@given(sizes, st.integers(2, 6))
def test_first_replicas_are_even_too(chunk_bytes: dict[int, int], nodes: int) -> None:
    """With a replica on every node, the bytes for which a node is first differ by no more than the largest chunk."""
    names = [f"n{i}" for i in range(nodes)]
    placed = place(chunk_bytes, names, nodes)
    first = [sum(chunk_bytes[chunk] for chunk, on in placed.items() if on[0] == name) for name in names]
    assert max(first) - min(first) <= max(chunk_bytes.values())


def test_placed_chunks_stay() -> None:
    """A chunk that the family has placed is not moved, only filled up."""
    placed = place({1: 10, 2: 10}, ["a", "b"], 2, placed={1: ("b",)})
    assert placed[1] == ("b", "a")


def test_more_replicas_than_nodes_are_refused() -> None:
    """Replicas need different nodes."""
    with pytest.raises(UserError, match="3 replicas need as many nodes, there are 2"):
        place({1: 1}, ["a", "b"], 3)


def test_placing_the_whole_sky_takes_time_by_its_chunks() -> None:
    """However many nodes there are; so does placing it again where it is."""
    random_sizes = random.Random(1)

    def again(chunks: int, nodes: list[str]) -> Callable[[], object]:
        chunk_bytes = {chunk: random_sizes.randrange(1, 2**40) for chunk in range(chunks)}
        placed = place(chunk_bytes, nodes)
        return lambda: (place(chunk_bytes, nodes), place(chunk_bytes, nodes, 1, placed))

    assert_linear(again)
