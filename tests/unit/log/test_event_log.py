"""Telling of events: to logging, to files, to neither."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from skyshard.log.event_files import EventFiles
from skyshard.log.event_log import ONLY_LOGGED, EventLog
from skyshard.log.events import NODE_ANSWERS, PLANS_OUTDATED, ROUND_BEGUN, UNITS_FAILED, Subject


def test_an_event_is_logged_with_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    """The record has the sentence, and the event's name and fields as attributes."""
    ONLY_LOGGED.tell(UNITS_FAILED, query="q_1", node="node2", chunks=3, error="no server answers")
    (record,) = caplog.records
    assert record.getMessage() == "query q_1: node2 did not give 3 chunks: no server answers"
    assert (record.name, record.levelno) == ("skyshard.query", logging.WARNING)
    assert vars(record)["event"] == "units_failed"
    assert vars(record)["fields"] == {"query": "q_1", "node": "node2", "chunks": 3, "error": "no server answers"}


def test_an_event_that_nobody_listens_to_makes_no_record(caplog: pytest.LogCaptureFixture) -> None:
    """Below the level of the logger nothing is made."""
    caplog.set_level(logging.WARNING, "skyshard")
    assert not ONLY_LOGGED.is_heard(NODE_ANSWERS)
    ONLY_LOGGED.tell(NODE_ANSWERS, node="node1")
    assert caplog.records == []


def test_an_event_is_kept_whether_logged_or_not(tmp_path: Path) -> None:
    """The cluster's files have events of every level."""
    EventLog(tmp_path).tell(ROUND_BEGUN, query="q_1", round=1, chunks=2, units=2, nodes="node1")
    (kept,) = EventFiles(tmp_path).read(Subject.QUERY)
    assert (kept.event, kept.level, kept.fields["nodes"]) == ("round_begun", "debug", "node1")
    assert kept.text == "round 1: 2 chunks in 2 units on node1"


def test_what_is_not_to_be_kept_is_in_no_file(tmp_path: Path) -> None:
    """Events of the program, and those told with ``keep=False``, are only logged."""
    log = EventLog(tmp_path)
    log.tell(PLANS_OUTDATED, generation=7, before=6)
    log.tell(ROUND_BEGUN, keep=False, query="q_1", round=1, chunks=2, units=2, nodes="node1")
    assert list(tmp_path.iterdir()) == []
    assert not log.is_heard(ROUND_BEGUN, keep=False)


def test_a_folder_that_is_gone_fails_nothing(tmp_path: Path) -> None:
    """Whoever tells of an event does not care whether it can be written, and makes no folder."""
    EventLog(tmp_path / "gone").tell(NODE_ANSWERS, node="node1")
    assert list(tmp_path.iterdir()) == []
