"""Which node reads which chunk, and where chunks go when nodes fail: no server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.growth import assert_linear

from skyshard.basics.errors import ClusterError
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.czar.plan.chunk_template import Slot, Template
from skyshard.czar.plan.query_plan import Pull
from skyshard.czar.run.pull_reader import Failure
from skyshard.czar.run.replica_choice import ReplicaChoice
from skyshard.registry.catalog.chunk_entries import ChunkEntries, ChunkEntry
from skyshard.registry.catalog.published_catalog import CatalogTable
from skyshard.rowimage.sqltype import parse_type

NODES = ("a", "b", "c")
OBJECT = TableLayout(role=Role.DIRECTOR, key="objectId", position=("ra", "decl"))
COLUMNS = tuple(Column(name, parse_type("double")) for name in ("ra", "decl"))
TABLE = Table("Object", (Column("objectId", parse_type("bigint")), *COLUMNS))


def pull(holders: dict[int, tuple[str, ...]]) -> Pull:
    entries = ChunkEntries.of({chunk: ChunkEntry(10, 0, nodes) for chunk, nodes in holders.items()})
    table = CatalogTable(TABLE.with_chunk_columns(), OBJECT, 10 * len(entries), entries)
    return Pull(Template("SELECT 1", {0: Slot("sky", table, "o")}), tuple(sorted(holders)), 0)


@given(st.dictionaries(st.integers(1, 50), st.sets(st.sampled_from(NODES), min_size=1).map(tuple), min_size=1))
def test_each_chunk_goes_to_one_node_that_holds_it(holders: dict[int, tuple[str, ...]]) -> None:
    """Every chunk is read once, by a holder."""
    assigned, lost = ReplicaChoice(pull(holders), NODES).assign(tuple(sorted(holders)))
    assert lost == []
    assert sorted(chunk for chunks in assigned.values() for chunk in chunks) == sorted(holders)
    assert all(node in holders[chunk] for node, chunks in assigned.items() for chunk in chunks)


def test_failed_chunks_go_to_another_replica_then_to_the_same_node_once() -> None:
    """Another replica first; without one the same node is asked once more, then the chunk is lost."""
    replicas = ReplicaChoice(pull({1: ("a", "b"), 2: ("a",)}), NODES)
    left = replicas.failed([Failure("a", (1, 2), ClusterError("gone"))])
    assert replicas.assign(left) == ({"b": [1], "a": [2]}, [])
    left = replicas.failed([Failure("a", (2,), ClusterError("gone again"))])
    assert replicas.assign(left) == ({}, [2])
    with pytest.raises(ClusterError, match="no replica of chunks 2 answers: gone again"):
        replicas.give_up([2], is_allowed=False)
    assert replicas.give_up([2], is_allowed=True) == [2]


@pytest.mark.parametrize(
    ("remedy", "said"),
    [
        ("see `skyshard cluster status`", "away; see"),
        ("give node a its own folder", "away; give node a its own folder; see"),
    ],
)
def test_what_to_do_is_said_once(remedy: str, said: str) -> None:
    """The last error's own remedy is kept where it is another one."""
    replicas = ReplicaChoice(pull({1: ("a",)}), NODES)
    replicas.failed([Failure("a", (1,), ClusterError("away", remedy=remedy))])
    with pytest.raises(ClusterError) as error:
        replicas.give_up([1], is_allowed=False)
    told = str(error.value).removesuffix("; --allow-partial answers from the other chunks")
    assert told == f"no replica of chunks 1 answers: {said} `skyshard cluster status`"


def test_chunk_that_no_serving_node_holds_is_named() -> None:
    """A chunk whose nodes do not serve is an error that names it."""
    replicas = ReplicaChoice(pull({1: ("a",), 7: ("z",)}), NODES)
    assert replicas.assign((1, 7)) == ({"a": [1]}, [7])
    with pytest.raises(ClusterError, match="no node has good replicas of all tables of chunks 7"):
        replicas.give_up([7], is_allowed=False)


def test_regular_tables_are_read_on_any_node() -> None:
    """A pull without chunks goes to one node, and to another when that fails."""
    whole = ReplicaChoice(replace(pull({1: ("a",)}), chunks=None), NODES)
    (first,) = whole.assign(whole.chunks)[0]
    left = whole.failed([Failure(first, whole.chunks, ClusterError("gone"))])
    (second,) = whole.assign(left)[0]
    assert first != second


def test_chunks_are_not_read_where_a_regular_table_beside_them_is_not_good() -> None:
    """A node that lacks the regular table of a join reads none of its chunks."""
    both = pull({1: ("a", "b"), 2: ("a", "b")})
    filters = CatalogTable(TABLE, TableLayout(role=Role.REGULAR), 6, holders=("b", "c"))
    slots = {**both.template.slots, 1: Slot("sky", filters, "f")}
    choice = ReplicaChoice(replace(both, template=replace(both.template, slots=slots)), NODES)
    assert choice.assign((1, 2)) == ({"b": [1, 2]}, [])


def test_chunks_of_the_whole_sky_are_assigned_in_one_pass() -> None:
    """However many nodes there are; each chunk is on two."""

    def work(chunks: int, nodes: list[str]) -> Callable[[], object]:
        held: dict[int, tuple[str, ...]] = {
            chunk: (nodes[chunk % len(nodes)], nodes[(chunk + 1) % len(nodes)]) for chunk in range(chunks)
        }
        choice = ReplicaChoice(pull(held), nodes)
        return lambda: choice.assign(choice.chunks)

    assert_linear(work)


def test_chunks_of_one_node_stay_in_order_whoever_else_holds_some_of_them() -> None:
    """Nodes that do not serve make no difference."""
    held = {1: ("a", "z"), 2: ("a",), 3: ("b",), 4: ("a", "z"), 5: ("y", "b")}
    assert ReplicaChoice(pull(held), NODES).assign((1, 2, 3, 4, 5)) == ({"a": [1, 2, 4], "b": [3, 5]}, [])


def test_a_chunk_is_read_where_all_of_its_tables_are() -> None:
    """Of a join; a table that has no such chunk is wherever the others are."""
    one, other = pull({1: ("a", "b"), 2: ("a", "b"), 3: ("c",)}), pull({1: ("b", "c"), 3: ("a",)})
    slots = {0: one.template.slots[0], 1: other.template.slots[0]}
    choice = ReplicaChoice(replace(one, template=replace(one.template, slots=slots)), NODES)
    assert choice.assign((1, 2, 3)) == ({"b": [1], "a": [2]}, [3])
    assert choice.holders() == {"a", "b"}
