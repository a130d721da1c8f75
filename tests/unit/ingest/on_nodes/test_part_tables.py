"""Names of the tables that belong to replicas, their parts, and what queries read of them."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from tests.support.growth import assert_linear

from skyshard.catalog.layout import Role
from skyshard.ingest.on_nodes.part_tables import (
    by_node,
    dummy_targets,
    expected_index_tables,
    index_names,
    one_of_each,
    shown_indexes,
)
from skyshard.node.messages import ShownTable
from skyshard.node.shown_tables import dummy_tables, expected_tables, shown_tables
from skyshard.registry.stored.records import WHOLE, IndexPart, Replica


def replica(part: int = 0, *, node: str = "node1", table: str = "Object", chunk: int = 7, rows: int = 1) -> Replica:
    return Replica(table, chunk, False, node, rows, 8 * rows, "", part)


def test_the_first_part_has_the_plain_name() -> None:
    """A later part is named after its transaction."""
    assert replica().name == "Object_7"
    assert replica(3).name == "Object_7_p3"
    assert replica(3, chunk=WHOLE).name == "Object_p3"


def test_several_parts_are_shown_under_the_name_of_the_latest() -> None:
    """Rows of the parts are counted together, in the order of the transactions."""
    found = shown_tables([replica(3, rows=20), replica(rows=10), replica(rows=5, chunk=8)])
    assert found == [
        ShownTable("Object_7_g3", ("Object_7", "Object_7_p3"), 30),
        ShownTable("Object_8", ("Object_8",), 5),
    ]


def test_a_node_keeps_the_merge_table_of_every_transaction() -> None:
    """Queries that began with an earlier one read on."""
    names = expected_tables([replica(), replica(3), replica(5)])
    assert names == {"Object_7", "Object_7_p3", "Object_7_p5", "Object_7_g3", "Object_7_g5"}


def test_index_tables_are_named_as_chunk_tables_are() -> None:
    """A part a transaction, and a merge table from the second one on."""
    parts = [IndexPart("Object", 0, 10), IndexPart("Object", 4, 2)]
    names = expected_index_tables("sky", parts)
    assert names == {"sky__Object", "sky__Object_p4", "sky__Object_g4"}
    assert shown_indexes("sky", parts) == [ShownTable("sky__Object_g4", ("sky__Object", "sky__Object_p4"), 12)]
    assert all(index_names(["sky__Object"]).fullmatch(name) for name in names)


def test_an_index_of_another_director_is_not_taken_for_this_one() -> None:
    """Names that only begin alike, or nothing at all, do not match."""
    pattern = index_names(["sky__Object"])
    assert not pattern.fullmatch("sky__ObjectExtra")
    assert not pattern.fullmatch("sky__Object_p")
    assert not index_names([]).fullmatch("")


def test_one_replica_of_each_part_is_read() -> None:
    """Copies of a part are the same; which one is read does not depend on the order in which they are told."""
    copies = [replica(node=node, part=part) for node in ("node2", "node1") for part in (0, 3)]
    assert [(one.node, one.part) for one in one_of_each("Object", copies)] == [("node1", 0), ("node1", 3)]
    assert one_of_each("Source", copies) == []


def test_dummy_tables_are_of_chunked_tables_only() -> None:
    """A director has one for its overlap too; a regular table is whole and needs none."""
    tables = [("Object", Role.DIRECTOR), ("Source", Role.DEPENDENT), ("Filter", Role.REGULAR)]
    assert dummy_tables(tables) == {"Object_1234567890", "ObjectFullOverlap_1234567890", "Source_1234567890"}


def test_a_finished_transaction_has_made_the_dummy_tables_of_its_tables() -> None:
    """A regular table stands for none."""
    assert dummy_targets([replica(), replica(chunk=WHOLE, table="Filter")]) == {("Object", 1234567890, False)}


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 2, 5]), st.sampled_from(["node1", "node2"])), max_size=20)
)
def test_every_shown_table_and_its_parts_are_expected(keys: list[tuple[int, int, str]]) -> None:
    """What queries read on a node is among what the node must have, whatever it holds."""
    held = [replica(part, chunk=chunk) for chunk, part, node in keys if node == "node1"]
    names = expected_tables(held)
    for shown in shown_tables(held):
        assert {shown.name, *shown.parts} <= names


def test_replicas_of_all_nodes_take_one_pass() -> None:
    """However many nodes there are."""

    def work(chunks: int, nodes: list[str]) -> Callable[[], object]:
        replicas = [replica(chunk=chunk, node=nodes[chunk % len(nodes)]) for chunk in range(chunks)]
        return lambda: by_node(replicas, nodes)

    assert_linear(work)
