"""Plans that are kept, by the shape of their statement: the same plans again, and ways to exchange their numbers.

Rules: what is kept is of one generation of the registry. All changes are made under one lock; what is read without it
is a single look-up in a dictionary. No I/O.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Protocol

from skyshard.czar.cache.statement_shapes import ShapeNumbers, StatementText
from skyshard.czar.result.typed_plan import TypedPlan
from skyshard.registry.catalog_cache import CatalogCache, CatalogSnapshot

KEPT_SHAPES = 512
KEPT_PLANS = 64
"""Plans kept for one shape with different numbers."""
KEPT_CHUNKS = 4_000_000
"""Chunk numbers that all kept plans together hold at most, at 8 bytes each."""
PLAN_CHUNKS = 100
"""What a plan takes besides its chunk numbers, in these."""


class LearnedPlan(Protocol):
    """A plan in which some numbers of its statement can be exchanged."""

    @property
    def positions(self) -> tuple[int, ...]:
        """Which of the statement's whole numbers these are."""

    def reuse(
        self, text: StatementText, source: CatalogCache, entry: ShapeEntry
    ) -> tuple[CatalogSnapshot, TypedPlan | None]:
        """The generation that is published now, and the statement's plan in it; None where it has to be made."""


@dataclass(slots=True, eq=False)
class ShapeEntry:
    """What is kept of one shape within one generation; ``is_tried``: its plans depend on its numbers in other ways."""

    generation: CatalogSnapshot
    plans: OrderedDict[Hashable, TypedPlan] = field(default_factory=OrderedDict)
    positions: tuple[int, ...] = ()
    learned: dict[ShapeNumbers, LearnedPlan] = field(default_factory=dict)
    """By the numbers that are not exchanged."""
    is_tried: bool = False
    is_forgotten: bool = False

    def learned_for(self, text: StatementText) -> LearnedPlan | None:
        return self.learned.get(self._pinned(text))

    def _pinned(self, text: StatementText) -> ShapeNumbers:
        return tuple(number for index, number in enumerate(text.numbers) if index not in self.positions)


class PlanCache:
    """Entries by database and shape, the least used forgotten first. Serves many threads."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[str, str], ShapeEntry] = OrderedDict()
        self._chunks = 0
        self._lock = threading.Lock()

    def find(self, database: str, shape: str) -> ShapeEntry | None:
        with self._lock:
            found = self._entries.get((database, shape))
            if found is not None:
                self._entries.move_to_end((database, shape))
            return found

    def entry(self, database: str, shape: str, generation: CatalogSnapshot) -> ShapeEntry:
        """The shape's entry of this generation, new if there is none."""
        with self._lock:
            found = self._entries.get((database, shape))
            if found is None or found.generation is not generation:
                if found is not None:
                    self._forget(found)
                found = self._entries[database, shape] = ShapeEntry(generation)
            self._entries.move_to_end((database, shape))
            while len(self._entries) > KEPT_SHAPES:
                self._forget_oldest()
            return found

    def add(self, entry: ShapeEntry, key: Hashable, plan: TypedPlan) -> None:
        """Keep a plan of a shape, which may mean that others are forgotten."""
        with self._lock:
            if entry.is_forgotten:
                return
            self._drop(entry, key)
            entry.plans[key] = plan
            self._chunks += _size(plan)
            while len(entry.plans) > KEPT_PLANS:
                self._drop(entry, next(iter(entry.plans)))
            while self._chunks > KEPT_CHUNKS and len(self._entries) > 1:
                self._forget_oldest()

    def learn(self, entry: ShapeEntry, text: StatementText, learned: LearnedPlan | None) -> None:
        """Keep what serves other numbers of a shape, too; None says that nothing does."""
        with self._lock:
            if learned is None:
                entry.is_tried = True
            elif entry.positions in ((), learned.positions):
                entry.positions = learned.positions
                if len(entry.learned) >= KEPT_PLANS:
                    entry.learned.clear()
                entry.learned[entry._pinned(text)] = learned

    def _drop(self, entry: ShapeEntry, key: Hashable) -> None:
        dropped = entry.plans.pop(key, None)
        self._chunks -= _size(dropped) if dropped is not None else 0

    def _forget_oldest(self) -> None:
        self._forget(self._entries.popitem(last=False)[1])

    def _forget(self, entry: ShapeEntry) -> None:
        entry.is_forgotten = True
        self._chunks -= sum(map(_size, entry.plans.values()))


def _size(typed: TypedPlan) -> int:
    return PLAN_CHUNKS + sum(len(pull.chunks or ()) for pull in typed.plan.pulls)
