"""Events of two sources in one order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from skyshard.story.timeline import Story, StoryEvent, merged

NAMES = st.sampled_from(["begun", "resumed", "published"])
TIMES = st.floats(0, 1e9)
REGISTRY = st.lists(st.builds(lambda time, name: StoryEvent(time, name, name, "registry"), TIMES, NAMES))
LOG = st.lists(st.builds(lambda time, name: StoryEvent(time, name, name, "log", 7), TIMES, NAMES))


@given(REGISTRY, LOG)
def test_events_come_in_the_order_of_their_times(registry: list[StoryEvent], log: list[StoryEvent]) -> None:
    """Whatever came from where, time decides."""
    times = [event.time_s for event in merged(registry, log)]
    assert times == sorted(times)


@given(REGISTRY, LOG)
def test_nothing_of_the_log_is_lost_and_nothing_is_told_twice(
    registry: list[StoryEvent], log: list[StoryEvent]
) -> None:
    """All events of the log, and those of the registry whose name the log has not."""
    found = merged(registry, log)
    names = {event.event for event in log}
    assert [event for event in found if event.source == "log"] == sorted(log, key=lambda event: event.time_s)
    assert all(event.event not in names for event in found if event.source == "registry")
    assert len(found) == len(log) + sum(event.event not in names for event in registry)


def test_events_of_one_moment_keep_the_order_of_the_log() -> None:
    """Two events within a tick of the clock are told as they were written."""
    log = [StoryEvent(1.0, "one", "one", "log"), StoryEvent(1.0, "two", "two", "log")]
    assert [event.event for event in merged([], log)] == ["one", "two"]


def test_the_last_events_say_how_many_are_left_out() -> None:
    """JSON of a long story has a version, the last events, and the number of the others."""
    events = [StoryEvent(float(number), "begun", "begun", "log") for number in range(5)]
    content = Story("node", "node1", {"state": "running"}, events).as_json(last=2)
    assert (content["version"], content["left_out"]) == (1, 3)
    assert [event["time_s"] for event in content["events"]] == [3.0, 4.0]
    assert content["events"][0]["time"] == "1970-01-01T00:00:03.000Z"
