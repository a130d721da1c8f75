"""Levels of chunks and sums of nodes over columns of replicas."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skyshard.registry.catalog.replication_sums import ReplicaNumbers, node_sums

REPLICAS = st.dictionaries(
    st.tuples(st.integers(-1, 4), st.integers(0, 1), st.booleans(), st.integers(1, 2), st.integers(0, 2)),
    st.booleans(),
    min_size=1,
)
"""(chunk, table, overlap, transaction, node) → whether it counts."""


def columns(replicas: dict[tuple[int, int, bool, int, int], bool]) -> ReplicaNumbers:
    numbers = [[key[0], key[2], key[3], counts, 10, 100, 7] for key, counts in replicas.items()]
    tables, nodes = ([key[place] for key in replicas] for place in (1, 4))
    return ReplicaNumbers("sky", np.array(numbers, np.int64), np.array(tables), np.array(nodes))


@given(REPLICAS)
def test_a_chunk_is_at_the_level_of_the_nodes_that_hold_all_of_its_tables(
    replicas: dict[tuple[int, int, bool, int, int], bool],
) -> None:
    """As a loop over chunks, nodes and tables says."""
    expected: Counter[tuple[bool, int]] = Counter()
    for chunk in {key[0] for key in replicas}:
        wanted = {key[1:4] for key in replicas if key[0] == chunk}
        good = [{key[1:4] for key, counts in replicas.items() if counts and key[0] == chunk and key[4] == node}
                for node in range(3)]  # fmt: skip
        expected[chunk < 0, sum(one == wanted for one in good)] += 1
    found = {(one.is_whole, one.level): one.chunks for one in columns(replicas).levels()}
    assert found == dict(expected)


def test_what_does_not_count_is_counted_apart_and_regular_tables_are_no_chunk() -> None:
    """Rows and bytes are of all tables, whatever their state."""
    replicas = {(-1, 0, False, 1, 0): True, (3, 1, False, 1, 0): False, (3, 1, True, 1, 0): True}
    (found,) = node_sums([columns(replicas)], ["node1", "node2"])
    assert (found.node, found.chunks, found.tables, found.rows, found.bytes, found.faulty, found.oldest_s) == (
        "node1", 1, 3, 30, 300, 1, 7,
    )  # fmt: skip
