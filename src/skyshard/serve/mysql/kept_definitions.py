"""Definitions of statements' columns that were asked of the server before, so that a look-up costs it nothing.

Rules: what is kept is of one generation of the registry, and was asked while the empty tables were of it. Changed on
the event loop only; other threads may ask whether something is there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from skyshard.serve.mysql.definitions import Definition
from skyshard.serve.mysql.packets import eof, lenenc
from skyshard.serve.open_answer import NO_GENERATION

KEPT = 512
MOST_COLUMNS = 200
"""Definitions of more columns are not kept."""
MOST_TEXT = 20_000
"""Neither are those of a longer statement that is known by its text only."""


@dataclass(frozen=True, slots=True)
class ResultHead:
    """What stands before the rows of an answer: the definitions, and their packets' payloads."""

    definitions: Sequence[Definition]
    payloads: tuple[bytes, ...]

    @classmethod
    def of(cls, definitions: Sequence[Definition]) -> ResultHead:
        return cls(definitions, (lenenc(len(definitions)), *(one.payload() for one in definitions), eof()))


class KeptDefinitions:
    """The last used ones, of one generation."""

    def __init__(self) -> None:
        self._generation = NO_GENERATION
        self._heads: OrderedDict[Hashable, ResultHead] = OrderedDict()

    def has(self, generation: int, key: Hashable) -> bool:
        """Safe for threads."""
        return generation == self._generation and key in self._heads

    def find(self, generation: int, key: Hashable) -> ResultHead | None:
        if not self.has(generation, key):
            return None
        self._heads.move_to_end(key)
        return self._heads[key]

    def keep(self, generation: int, key: Hashable, head: ResultHead) -> None:
        """Of another generation than those that are kept: these are forgotten."""
        if len(head.definitions) > MOST_COLUMNS:
            return
        if generation != self._generation:
            self._heads.clear()
            self._generation = generation
        self._heads[key] = head
        while len(self._heads) > KEPT:
            self._heads.popitem(last=False)
