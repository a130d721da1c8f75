"""What is asked for, how often, and what a reader gets who has seen some of it."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.support.played_services import PlayedOverview, PlayedQueries, played_services

from skyshard.serve.page.snapshot import Part, Read, Seen, Snapshots, parts_of, read_all
from skyshard.serve.page_services import RunningQuery


def snapshots(overview: PlayedOverview) -> Snapshots:
    return Snapshots(parts_of(replace(played_services(PlayedQueries({})), overview=overview)))


def take(made: Snapshots, now_s: float) -> None:
    """The next snapshot, of all parts whose time has come."""
    made.put(read_all(made.parts, now_s))
    made.publish()


def test_a_reader_gets_what_changed_since_the_snapshot_that_it_saw() -> None:
    """All parts at first; then only those that differ; of another process, all again."""
    overview = PlayedOverview()
    made = snapshots(overview)
    take(made, 0.0)
    first = made.seen
    overview.catalog_rows = 11
    take(made, 10.0)
    whole = json.loads(made.since(Seen("", 0), 5.0))
    assert set(whole) == {"now_s", "error", "queries", "busy", "benchmarks", "nodes", "catalogs", "transactions"}
    assert (whole["now_s"], whole["catalogs"][0]["rows"], whole["nodes"][0]["free_bytes"]) == (5.0, 11, None)
    assert set(json.loads(made.since(first, 5.0))) == {"now_s", "error", "catalogs"}
    assert set(json.loads(made.since(made.seen, 5.0))) == {"now_s", "error"}
    assert json.loads(made.since(Seen("another", 99), 5.0)) == whole


def test_what_was_read_comes_with_the_number_of_the_snapshot_that_has_it() -> None:
    """Who has seen a snapshot gets whatever was read while it was the last one, however long that took."""
    one = Part("one", lambda: 1, 1.0)
    made = Snapshots((one,))
    take(made, 0.0)
    made.publish()
    seen = made.seen
    made.put([(one, Read("2", "2"))])
    made.publish()
    assert json.loads(made.since(seen, 5.0))["one"] == 2


def test_what_was_seen_long_ago_is_not_shown_again() -> None:
    """Parts that are not read yet are left out, not shown as they were."""
    overview = PlayedOverview()
    made = snapshots(overview)
    take(made, 0.0)
    made.forget()
    made.put(read_all(made.groups[0], 1.0))
    made.publish()
    assert set(json.loads(made.since(Seen("", 0), 5.0))) == {"now_s", "error", "queries", "busy", "benchmarks"}


def test_a_part_is_asked_for_no_more_often_than_its_period() -> None:
    """Whatever the number of snapshots."""
    overview = PlayedOverview()
    made = Snapshots((Part("one", lambda: len(overview.running()), 4.0),))
    for now in range(9):
        take(made, float(now))
    assert overview.asked == 3


def test_a_dear_part_is_asked_for_seldom() -> None:
    """It waits hundreds of times as long as it took of a processor; the first time, when things are made, is free."""
    part = Part("dear", lambda: sum(range(2_000_000)) * 0, 1.0)
    made = Snapshots((part,))
    take(made, 0.0)
    assert part.due_s == 1.0
    take(made, 1.0)
    assert part.due_s > 2.0


def test_what_cannot_be_had_stays_and_is_said_without_places() -> None:
    """The other parts are as they are now."""
    overview = PlayedOverview()
    made = snapshots(overview)
    take(made, 0.0)
    overview.is_lost, overview.catalog_rows = True, 12
    take(made, 10.0)
    found = json.loads(made.since(Seen("", 0), 5.0))
    assert (found["error"], found["queries"], found["catalogs"][0]["rows"]) == (
        "a server of the cluster does not answer", [], 12,
    )  # fmt: skip
    overview.is_lost = False
    take(made, 20.0)
    assert json.loads(made.since(made.seen, 5.0))["error"] == ""


def test_who_is_no_administrator_sees_no_statements() -> None:
    """Queries are counted and drawn all the same."""
    query = RunningQuery("q_1", None, "sky", "SELECT secret", "executing", "scan", 1.0, 1.0, 4, 2, 5, 80, 1.0, True)
    made = snapshots(PlayedOverview(queries=[query]))
    take(made, 0.0)
    whole, bare = (json.loads(made.since(Seen("", 0), 5.0, is_whole=is_whole)) for is_whole in (True, False))
    assert whole["queries"][0]["statement"] == "SELECT secret"
    assert bare["queries"][0] == whole["queries"][0] | {"statement": ""}
    assert {**bare, "queries": []} == {**whole, "queries": []}
