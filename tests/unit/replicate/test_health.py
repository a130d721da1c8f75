"""Levels and shares: what counts, what is missing, how uneven nodes are."""

from __future__ import annotations

from skyshard.registry.catalog.replication_sums import LevelCount, NodeSum
from skyshard.replicate.health import WantedLevel, health_of

WANTED = {"hsc": WantedLevel("hsc_w24", 2)}


def test_chunks_below_the_wanted_level_are_counted_and_named_fewest_replicas_first() -> None:
    """A lost chunk comes before one that has a replica left; chunks at the level or above are only counted."""
    counts = [
        LevelCount("hsc", False, 2, 90, (1, 2)),
        LevelCount("hsc", False, 3, 5, (300,)),
        LevelCount("hsc", False, 1, 2, (7, 9)),
        LevelCount("hsc", False, 0, 1, (8,)),
    ]
    (found,) = health_of(WANTED, counts, [], ["node1", "node2"]).databases
    assert (found.database, found.wanted, found.chunks) == ("hsc_w24", 2, 98)
    assert (found.under, found.lost, found.first_under) == (3, 1, (8, 7, 9))
    assert not found.is_whole


def test_regular_tables_are_to_be_on_every_node() -> None:
    """A node without them is no node that a join with them can run on, whatever the level of chunks."""
    counts = [LevelCount("hsc", False, 2, 9, (1,)), LevelCount("hsc", True, 2, 1, (-1,))]
    whole = health_of(WANTED, counts, [], ["node1", "node2"])
    lacking = health_of(WANTED, counts, [], ["node1", "node2", "node3"])
    assert (whole.is_whole, lacking.is_whole) == (True, False)
    assert lacking.databases[0].whole_on == 2


def test_the_share_of_a_node_is_against_the_mean_of_all_and_empty_nodes_count() -> None:
    """Skew is that of the fullest; a node that holds nothing is listed."""
    sums = [NodeSum("node1", 2, 4, 10, 300, 0, 5), NodeSum("node2", 1, 2, 10, 100, 1, 4)]
    found = health_of(WANTED, [], sums, ["node1", "node2", "node3", "node4"])
    assert [one.share for one in found.nodes] == [3.0, 1.0, 0.0, 0.0]
    assert found.skew == 3.0


def test_a_database_of_which_nothing_is_recorded_is_whole() -> None:
    """One that has no rows yet lacks none."""
    assert health_of(WANTED, [], [], ["node1"]).is_whole
