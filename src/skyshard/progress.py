"""Progress of long work, as values; who shows them is somebody else's business."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is: ``done`` of ``total`` steps, and what has passed through so far.

    ``elapsed_s`` counts from the start of the stage.
    """

    stage: str
    done: int
    total: int
    rows: int = 0
    bytes: int = 0
    elapsed_s: float = 0.0

    @property
    def rows_per_s(self) -> float:
        return self.rows / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds to go at the pace so far; None before the first step."""
        return self.elapsed_s * (self.total - self.done) / self.done if self.done else None


Watcher = Callable[[Progress], None]


def nobody(_: Progress) -> None:
    """Watch nothing."""
