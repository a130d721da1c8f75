"""Progress of long work, as values: the work reports, a watcher decides what to show.

Synthesis, ingest, trials, sweeps and the demo all take a ``Watcher`` and report through it alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is: ``done`` of ``total`` steps, and how much was processed so far.

    ``elapsed_s`` counts from the start of the stage.
    """

    stage: str
    done: int
    total: int
    rows: int = 0
    bytes: int = 0
    elapsed_s: float = 0.0
    note: str = ""
    """A sentence for people, such as the name of a step of the demo; the other fields then say nothing."""

    @property
    def rows_per_s(self) -> float:
        return self.rows / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds left at the average pace so far; None before the first step."""
        return self.elapsed_s * (self.total - self.done) / self.done if self.done else None


class Watcher(Protocol):
    """What long work reports to, from one thread at a time; an error raised here ends the work.

    Any function of one ``Progress`` will do:

    >>> seen: list[Progress] = []
    >>> watcher: Watcher = seen.append
    >>> Stage(watcher, "copy", 2).report(1)
    >>> announce(watcher, "copied")
    >>> [(one.stage, one.done, one.total, one.note) for one in seen]
    [('copy', 1, 2, ''), ('', 0, 0, 'copied')]
    """

    def __call__(self, progress: Progress, /) -> None: ...


def unwatched(_: Progress) -> None:
    """Ignore all progress."""


def announce(watcher: Watcher, note: str) -> None:
    """Report a sentence for people."""
    watcher(Progress("", 0, 0, note=note))


@dataclass(frozen=True, slots=True)
class Stage:
    """One running stage, made when it begins; reports carry the time since then."""

    watcher: Watcher
    name: str
    total: int
    began_s: float = field(default_factory=time.monotonic)

    def report(self, done: int, *, total: int | None = None) -> None:
        """Report that ``done`` steps are done; pass ``total`` if it has changed, or became known only now."""
        elapsed_s = time.monotonic() - self.began_s
        self.watcher(Progress(self.name, done, self.total if total is None else total, elapsed_s=elapsed_s))
