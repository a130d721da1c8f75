"""Stories as they are printed."""

from __future__ import annotations

import json

import pytest

from skyshard.cli.commands.story import _show
from skyshard.story.timeline import Story, StoryEvent

STORY = Story(
    "transaction",
    "3",
    {
        "state": "finished", "database": "dr1", "elapsed_s": 12.5, "error": "", "stages_s": {"load": 2.0},
        "tables": [{"table": "Object", "slices": 2, "rows": 1000}], "nodes": [],
    },
    [
        StoryEvent(1000.0, "begun", "begun", "log", 7),
        StoryEvent(1001.5, "interrupted", "interrupted in attempt 1", "log", 7, "warning"),
        StoryEvent(1012.5, "published", "published", "registry"),
    ],
    ["the registry does not answer"],
)  # fmt: skip


def test_a_story_is_facts_then_events_then_notes(capsys: pytest.CaptureFixture[str]) -> None:
    """What it is now comes first, what happened in order, and how long after the beginning."""
    _show(STORY, 0, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == ["transaction 3: finished", "database: dr1", "elapsed: 12.5 s", "stages: load 2 s"]
    assert lines[-1] == "note: the registry does not answer"
    events = [line.split() for line in lines[-4:-1]]
    assert [words[1:4] for words in events] == [["0", "s", "7"], ["1.5", "s", "7"], ["12.5", "s", "published"]]
    assert not any(line.startswith(("error", "nodes")) for line in lines)


def test_the_last_events_say_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """--last keeps the clock of the whole story."""
    _show(STORY, 1, as_json=False)
    out = capsys.readouterr().out
    assert "2 earlier events are left out, --last 0 shows them" in out
    assert "12.5 s" in out
    assert "interrupted" not in out


def test_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    """All of it, with a version."""
    _show(STORY, 0, as_json=True)
    content = json.loads(capsys.readouterr().out)
    assert list(content) == ["version", "subject", "name", "facts", "events", "left_out", "notes"]
    assert [event["event"] for event in content["events"]] == ["begun", "interrupted", "published"]
