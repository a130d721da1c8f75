"""Which tables nodes have to make."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.growth import assert_linear

from skyshard.catalog.layout import Role
from skyshard.chunking import DUMMY_CHUNK
from skyshard.ingest.on_nodes.build_orders import chunk_targets
from skyshard.registry.stored.records import WHOLE


def test_a_node_has_the_tables_of_its_chunks_and_the_dummy_chunk() -> None:
    """A director with its overlap; a regular table is whole on each node."""
    found = chunk_targets({7: ("a", "b"), 8: ("b", "gone")}, Role.DIRECTOR, ["a", "b", "c"])
    dummy = [(DUMMY_CHUNK, False), (DUMMY_CHUNK, True)]
    seven, eight = ([(chunk, False), (chunk, True)] for chunk in (7, 8))
    assert found == {"a": [*seven, *dummy], "b": [*seven, *eight, *dummy], "c": dummy}
    assert chunk_targets({7: ("a",)}, Role.REGULAR, ["a", "b"]) == {"a": [(WHOLE, False)], "b": [(WHOLE, False)]}


def test_targets_of_the_whole_sky_take_one_pass() -> None:
    """However many nodes there are."""

    def work(chunks: int, nodes: list[str]) -> Callable[[], object]:
        placed = {chunk: (nodes[chunk % len(nodes)],) for chunk in range(chunks)}
        return lambda: chunk_targets(placed, Role.DIRECTOR, nodes)

    assert_linear(work)
