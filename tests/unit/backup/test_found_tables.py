"""What nodes hold against what is recorded: which tables may be whose, and what records tell."""

from __future__ import annotations

import pytest

from skyshard.backup.found_tables import FoundTables, SeenTables, candidates_of, placed_now
from skyshard.registry.backup.records import STATE
from skyshard.registry.catalog.replication_index import KnownReplica
from skyshard.registry.stored.records import WHOLE, Replica


def known(table: str, chunk: int, node: str = "a") -> KnownReplica:
    return KnownReplica(Replica(table, chunk, False, node, 9, 90, "9:00"), 4, 0.0)


def seen(**records: dict[tuple[str, int], int]) -> SeenTables:
    return SeenTables({}, {}, 0, 0, records)


OBJECT, SOURCE, FILTER = known("Object", 12), known("Source", 12), known("Filter", WHOLE)
BY_NAME = {one.replica.name: one for one in (OBJECT, SOURCE, FILTER)}


@pytest.mark.parametrize(
    ("there", "retired", "missed", "found"),
    [
        (set(), set(), set(), []),
        ({"Object_12", "Other_7"}, set(), set(), [OBJECT]),
        ({"Object_12", "Source_12"}, {"Object_12"}, set(), [SOURCE]),  # on its way out
        ({"Object_12"}, {"Object_12"}, {"Object_12"}, [OBJECT]),  # missed elsewhere: it came back
        ({"Object_12", "Filter"}, set(), set(), [FILTER, OBJECT]),
        ({"Filter"}, {"Filter"}, set(), []),
        ({"Object_12", "Filter"}, {"Object_12", "Filter"}, {"Object_12"}, [FILTER, OBJECT]),  # regular tables with it
        ({"Object_12", "Filter"}, {"Object_12", "Filter"}, set(), []),
    ],
)
def test_tables_on_a_node_that_may_be_recorded_for_others(
    there: set[str], retired: set[str], missed: set[str], found: list[KnownReplica]
) -> None:
    """Known by name, and not merely waiting to be dropped."""
    assert candidates_of(BY_NAME, there, retired, missed) == found


@pytest.mark.parametrize(
    ("placed", "left", "came", "now"),
    [
        (["a", "b"], ["a"], ["c"], ("c", "b")),
        (["a", "b"], ["a", "b"], ["c"], ("c", "b")),
        (["a", "b"], ["b", "a"], ["d", "c"], ("d", "c")),
        (["a", "b"], [], ["c"], ("a", "b")),
        (["a", "b"], ["a"], ["b"], ("a", "b")),
        (["a", "b"], ["c"], ["d"], ("a", "b")),
    ],
)
def test_a_chunk_is_at_the_nodes_that_it_came_to_in_place_of_those_that_it_left(
    placed: list[str], left: list[str], came: list[str], now: tuple[str, ...]
) -> None:
    """In the same ranks; a node that it came to is in one place only."""
    assert placed_now(placed, left, came) == now


def test_records_are_even_where_every_node_has_the_same() -> None:
    """Of that database, whatever there is of others; none at all is not even."""
    one = {("sky", STATE): 3, ("sky", 1): 2, ("other", 1): 9}
    assert seen(a=one, b={("sky", 1): 2, ("sky", STATE): 7}).are_records_even("sky")
    assert not seen(a=one, b={("sky", 1): 2}).are_records_even("sky")
    assert not seen(a=one, b={("other", 1): 9}).are_records_even("sky")
    assert not seen(a=one, b={}).are_records_even("none")


def test_records_since_a_generation_are_told_by_database() -> None:
    """Transactions each once, in order; a state has no number."""
    nodes = seen(
        a={("sky", STATE): 9, ("sky", 2): 8, ("sky", 1): 4}, b={("sky", 3): 7, ("sky", 2): 8, ("far", STATE): 6}
    )
    assert nodes.since(5) == {"far": [], "sky": [2, 3]}
    assert nodes.since(3) == {"far": [], "sky": [1, 2, 3]}
    assert nodes.since(9) == {}


@pytest.mark.parametrize("told", [{"gone": {"a": 1}}, {"moved": {"a": 2}}, {"strays": {"a": ["Object_7"]}}])
def test_anything_that_differs_is_told(told: dict[str, dict[str, object]]) -> None:
    """Only a database of which every table is where it is recorded is left out."""
    assert FoundTables("sky").is_nothing
    assert not FoundTables("sky", **told).is_nothing  # type: ignore[arg-type]
