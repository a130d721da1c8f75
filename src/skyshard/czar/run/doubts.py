"""Doubts about replicas: what a node could not read, told to whoever keeps the index of replicas. Values and a seam.

A doubt is no verdict: who takes it looks for itself, later and elsewhere, so that no query waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skyshard.db.server_errors import is_passing

if TYPE_CHECKING:  # a statement that reads no chunk needs no rounds
    from skyshard.czar.plan.query_plan import Pull
    from skyshard.czar.run.pull_reader import Failure

TableName = tuple[str, str]
"""Database, by its stored name, and table."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A node said of one of these tables, or of one of these chunks of them, that it cannot read it."""

    node: str
    tables: tuple[TableName, ...]
    chunks: tuple[int, ...]
    """-1 for regular tables."""


TakeDoubt = Callable[[Doubt], None]
"""Returns at once."""


def no_doubt(_: Doubt) -> None:
    """Nobody keeps an index."""


def doubts_of(pull: Pull, failures: Sequence[Failure]) -> list[Doubt]:
    """What the failures of a pull say about tables; nodes that are silent, full or busy say nothing of them."""
    slots = pull.template.slots.values()
    tables = tuple(dict.fromkeys((slot.database, slot.table.table.name) for slot in slots))
    return [Doubt(failure.node, tables, (*failure.chunks, -1)) for failure in failures if not is_passing(failure.error)]
