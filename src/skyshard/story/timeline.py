"""A story: facts and events in the order of their times. Values, no I/O.

Rules: an event that both the registry and the files have is taken from the files, which know the process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from skyshard.log.event_files import KeptEvent
from skyshard.log.line_output import utc

VERSION = 1
EventSource = Literal["registry", "log"]


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """Something that happened; ``process`` is 0 where the registry does not say which one did it."""

    time_s: float
    event: str
    text: str
    source: EventSource
    process: int = 0
    level: str = "info"


@dataclass(frozen=True, slots=True)
class Story:
    """What happened to ``name``; ``facts`` say what it is now, ``notes`` what the story may lack."""

    subject: str
    name: str
    facts: Mapping[str, Any]
    events: Sequence[StoryEvent]
    notes: Sequence[str] = ()

    def as_json(self, last: int = 0) -> dict[str, Any]:
        """The story as JSON; docs/reference/log.md describes it."""
        shown = self.events[-last:] if last else self.events
        return {
            "version": VERSION, "subject": self.subject, "name": self.name, "facts": dict(self.facts),
            "events": [_event_json(event) for event in shown], "left_out": len(self.events) - len(shown),
            "notes": list(self.notes),
        }  # fmt: skip


def _event_json(event: StoryEvent) -> dict[str, Any]:
    return {
        "time": utc(event.time_s), "time_s": event.time_s, "event": event.event, "level": event.level,
        "process": event.process or None, "source": event.source, "text": event.text,
    }  # fmt: skip


def told(kept: KeptEvent, text: str = "") -> StoryEvent:
    """An event of the files."""
    return StoryEvent(kept.time_s, kept.event, text or kept.text, "log", kept.process, kept.level)


def merged(
    registry: Iterable[StoryEvent], log: Iterable[StoryEvent], *, same: Mapping[str, str] = MappingProxyType({})
) -> list[StoryEvent]:
    """All events by time; one of the registry is left out where the log has one of its name.

    Args:
        same: names of the log that stand for another name of the registry.

    >>> begun = StoryEvent(1.0, "begun", "begun", "registry")
    >>> logged = StoryEvent(1.1, "begun", "begun by a process", "log", 42)
    >>> ended = StoryEvent(3.0, "published", "published", "registry")
    >>> [(one.time_s, one.source) for one in merged([begun, ended], [logged])]
    [(1.1, 'log'), (3.0, 'registry')]
    """
    logged = list(log)
    names = {same.get(event.event, event.event) for event in logged}
    left = [event for event in registry if event.event not in names]
    return sorted([*left, *logged], key=lambda event: event.time_s)
