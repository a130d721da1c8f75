"""Stories from rows of the registry and events, as they would be read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from skyshard.log.event_files import KeptEvent
from skyshard.log.events import KINDS, EventValue
from skyshard.story.tell import NodeRows, RegistryRows, is_about_node, node_story, query_story, transaction_story

QUERY: dict[str, Any] = {
    "id": 7, "name": "q_1_2_3", "is_async": True, "database": "dr1", "statement": "SELECT\n 1", "state": "completed",
    "kind": "scan", "lane": "scan", "submitted_s": 100.0, "begun_s": 101.0, "ended_s": 105.0, "chunks": 4,
    "chunks_done": 4, "rows": 1200, "bytes": 3000, "coverage": 1.0, "error": "", "process": 42,
    "column_bytes": 7000,
}  # fmt: skip
TRANSACTION: dict[str, Any] = {
    "id": 3, "database": "dr1", "state": "finished", "source": "catalog", "attempt": 2, "begun_s": 50.0,
    "ended_s": 90.0, "error": "", "report": {"stages_s": {"partition": 1.23456}},
}  # fmt: skip


def kept(time_s: float, event: str, **fields: EventValue) -> KeptEvent:
    """An event as the files have it."""
    return KeptEvent(time_s, event, "info", 42, KINDS[event].sentence(fields), fields)


def test_a_query_is_told_from_its_submission_to_its_end() -> None:
    """Registry and log together, in order; the statement in one line."""
    log = [
        kept(102.0, "units_failed", query="q_1_2_3", node="node1", chunks=2, error="no server answers"),
        kept(103.0, "failed_over", query="q_1_2_3", chunks=2, nodes="node2"),
    ]
    story = query_story(QUERY, log)
    assert [event.text for event in story.events] == [
        "submitted: SELECT 1",
        "begun by process 42",
        "node1 did not give 2 chunks: no server answers",
        "2 chunks are asked of node2 instead",
        "completed: 1,200 rows, 3.0 kB from nodes, 7.0 kB of columns, 4 of 4 chunks",
    ]
    assert story.facts["elapsed_s"] == 4.0


def test_a_query_that_has_not_ended_is_told_so_far() -> None:
    """No end, no elapsed time."""
    story = query_story(QUERY | {"state": "executing", "ended_s": None}, [])
    assert [event.event for event in story.events] == ["submitted", "query_begun"]
    assert story.facts["elapsed_s"] is None


def test_a_failure_is_told_once() -> None:
    """The log knows the process that failed: the registry's word is left out."""
    row = QUERY | {"state": "failed", "error": "no replica answers", "is_async": False}
    log = [kept(104.9, "query_failed", query="q_1_2_3", elapsed_s=3.9, error="no replica answers")]
    assert [(event.event, event.source) for event in query_story(row, log).events] == [
        ("asked", "registry"), ("query_failed", "log"),
    ]  # fmt: skip
    assert query_story(row, []).events[-1].text == "failed: no replica answers"


def test_a_transaction_tells_its_interruption_and_its_resumption() -> None:
    """Begun, interrupted, resumed, published; what it brought stands in the facts, as numbers."""
    names: dict[str, EventValue] = {"transaction": 3, "database": "dr1"}
    log = [
        kept(50.1, "begun", **names, tables="Object", slices=2),
        kept(60.0, "interrupted", **names, attempt=1, error="SIGTERM"),
        kept(70.0, "resumed", **names, attempt=2, kept=5, lost=1),
    ]
    tables = [
        {"table": "Object", "slices": Decimal(2), "rows": Decimal(10), "orphans": None, "chunks": 1, "elapsed_s": 0.5}
    ]
    nodes = [{"node": "node1", "tables": Decimal(2), "rows": Decimal(10), "bytes": Decimal(400)}]
    story = transaction_story(3, RegistryRows(TRANSACTION, tables, nodes), log)
    assert [event.event for event in story.events] == ["begun", "interrupted", "resumed", "published"]
    assert story.facts["tables"] == [
        {"table": "Object", "slices": 2, "rows": 10, "orphans": 0, "chunks": 1, "elapsed_s": 0.5}
    ]
    assert story.facts["nodes"] == [{"node": "node1", "tables": 2, "rows": 10, "bytes": 400}]
    assert story.facts["stages_s"] == {"partition": 1.235}


def test_a_compaction_begins_once() -> None:
    """What the log calls another name is not told by the registry as well."""
    log = [kept(50.1, "compaction_begun", transaction=3, database="dr1", tables=2, indexes=1)]
    assert [event.event for event in transaction_story(3, RegistryRows(TRANSACTION), log).events] == [
        "compaction_begun", "published",
    ]  # fmt: skip


def test_a_transaction_that_went_with_its_database_is_told_by_the_log() -> None:
    """The registry has no row of it any more, a note says why."""
    story = transaction_story(3, RegistryRows(), [kept(60.0, "aborted", transaction=3, database="dr1")])
    assert [event.event for event in story.events] == ["aborted"]
    assert (story.facts["database"], len(story.notes)) == ("dr1", 1)


def test_a_node_tells_its_own_events_and_those_that_name_it() -> None:
    """Events of queries have the query's number, those of transactions theirs; tables that the log lacks are added."""
    log = [
        kept(10.0, "server_started", node="node1", pid=5, version="10.11"),
        kept(20.0, "tables_loaded", transaction=1, database="dr1", tables=3, rows=9, node="node1"),
        kept(40.0, "units_failed", query="q_1_2_3", node="node1", chunks=1, error="gone"),
        kept(41.0, "units_failed", query="q_9_9_9", node="node1", chunks=1, error="gone"),
    ]
    made = [
        {
            "transaction": number,
            "database": "dr1",
            "begun_s": 19.0,
            "ended_s": 30.0,
            "tables": 3,
            "rows": 9,
            "bytes": 99,
        }
        | {"node": "node1"}
        for number in (1, 2)
    ]
    story = node_story("node1", {"state": "running"}, NodeRows(made=made, query_numbers={"q_1_2_3": 7}), log)
    assert [event.text for event in story.events] == [
        "started: process 5, MariaDB 10.11",
        "transaction 1 of dr1: 3 tables with 9 rows made on node1, overlap copies counted",
        "transaction 2 of dr1: 3 chunk tables with 9 rows, 99 B made on node1",
        "query 7: node1 did not give 1 chunks: gone",
        "query q_9_9_9: node1 did not give 1 chunks: gone",
    ]


def test_a_nodes_story_has_what_was_decided_and_seen_of_it_in_order_of_time() -> None:
    """Outages are the registry's; a decision that the log has is not told twice."""
    row = {"state": "draining", "added_s": 5.0, "changed_s": 35.0, "down_s": 50.0}
    outages: list[dict[str, Any]] = [{"began_s": 20.0, "ended_s": 32.0}, {"began_s": 50.0, "ended_s": None}]
    log = [kept(10.0, "server_started", node="node1", pid=5, version="10.11")]
    story = node_story("node1", {"state": "crashed"}, NodeRows(row, outages), log)
    assert [(event.time_s, event.text) for event in story.events] == [
        (10.0, "started: process 5, MariaDB 10.11"),
        (20.0, "does not answer"),
        (32.0, "answers again, or was started anew, after 12 s"),
        (35.0, "is draining from now on"),
        (50.0, "does not answer"),
    ]
    assert story.facts == {
        "state": "crashed", "decided": "draining", "down_since": "1970-01-01T00:00:50.000Z", "outages": 2,
    }  # fmt: skip
    log += [kept(34.9, "node_state", node="node1", state="draining")]
    told = node_story("node1", {"state": "crashed"}, NodeRows(row, outages), log).events
    assert [event.time_s for event in told if event.event == "node_state"] == [34.9]


def test_an_event_is_about_the_nodes_that_it_names() -> None:
    """By the field ``node``, or as one of ``nodes``; a name within a name is another node."""
    failed_over = kept(1.0, "failed_over", query="q", chunks=1, nodes="node12, node3")
    assert is_about_node(failed_over, "node3")
    assert not is_about_node(failed_over, "node1")


def test_an_event_of_another_release_is_told_by_its_text() -> None:
    """A kind that this release does not know keeps the sentence that it was written with."""
    foreign = KeptEvent(1.0, "teleported", "info", 5, "teleported to orbit", {"node": "node1"})
    assert node_story("node1", {"state": "running"}, NodeRows(), [foreign]).events[0].text == "teleported to orbit"
