"""What the page reads of the registry: again when anything has changed, and not while nothing does."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from skyshard.catalog.layout import Layout, Striping
from skyshard.cli.serving.kept_facts import KeptFacts
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import Event
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration

DATABASE = "facts_of_a_page"
LAYOUT = Layout(striping=Striping(stripes=18, substripes=6, overlap_deg=0.1), tables={})


@pytest.fixture
def testbed(own_cluster: PrivateCluster) -> Iterator[Testbed]:
    with Testbed(own_cluster.folder) as opened:
        yield opened


def settled(registry: Registry) -> str:
    """The edition, once the last change is so long ago that it can be told from a next one."""
    deadline = time.monotonic() + 60
    while not (found := registry.published.edition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def test_facts_are_read_again_when_something_has_changed_and_only_then(testbed: Testbed) -> None:
    """A database that is begun is seen at once, and so is its end; between them the same facts are given."""
    registry, facts = testbed.registry, KeptFacts(testbed, share=1e9)
    seen = dict.fromkeys(testbed.nodes, 1.0)
    registry.nodes.see(seen)
    settled(registry)
    kept = facts.now()
    assert facts.now() is kept
    assert facts.last() is kept
    registry.nodes.see(seen)
    assert facts.now() is kept, "nodes that were seen are no change"
    mine = registry.transactions.begin(DATABASE, LAYOUT, "source", "plan", {"node1": 1.0})
    try:
        assert [(one.database, one.state) for one in facts.now().databases] == [(DATABASE, "ingesting")]
        settled(registry)
        assert facts.now() is facts.now()
    finally:
        registry.transactions.move(mine, Event.ABORT)
        registry.transactions.take_back(DATABASE, mine)
    assert facts.now().databases == []


def test_an_edition_is_another_one_after_changes_that_follow_each_other(testbed: Testbed) -> None:
    """Nothing is told while a further change could have the same second."""
    registry = testbed.registry
    before = settled(registry)
    mine = registry.transactions.begin(DATABASE, LAYOUT, "source", "plan", {"node1": 1.0})
    registry.transactions.move(mine, Event.ABORT)
    registry.transactions.take_back(DATABASE, mine)
    assert settled(registry) != before


def test_facts_that_take_long_are_kept_for_a_while_where_one_change_follows_another(testbed: Testbed) -> None:
    """Reading takes a share of a processor at most; the first change is seen at once all the same."""
    facts = KeptFacts(testbed, share=1e-9)
    first = facts.now()
    other = testbed.registry.transactions.begin(f"{DATABASE}_2", LAYOUT, "source", "plan", {"node1": 1.0})
    testbed.registry.transactions.move(other, Event.ABORT)
    testbed.registry.transactions.take_back(f"{DATABASE}_2", other)
    kept = facts.now()
    assert kept is not first
    mine = testbed.registry.transactions.begin(DATABASE, LAYOUT, "source", "plan", {"node1": 1.0})
    try:
        assert facts.now() is kept
    finally:
        testbed.registry.transactions.move(mine, Event.ABORT)
        testbed.registry.transactions.take_back(DATABASE, mine)
