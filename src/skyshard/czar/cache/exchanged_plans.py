"""What plans have in common in which one thing of a statement is exchanged: its area, or its point or circle.

Rules: they serve in the generation that they were made in. The shape of such a statement keeps its whole numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from skyshard.czar.cache.plan_cache import ShapeEntry
from skyshard.czar.cache.statement_shapes import StatementText
from skyshard.czar.result.typed_plan import TypedPlan
from skyshard.registry.catalog.published_catalog import CatalogSource
from skyshard.registry.catalog_cache import CatalogCache, CatalogSnapshot


class ExchangedPlan(ABC):
    """A ``LearnedPlan`` that exchanges what is not a whole number."""

    __slots__ = ()

    @property
    def positions(self) -> tuple[int, ...]:
        """None: no whole number is exchanged."""
        return ()

    def reuse(
        self, text: StatementText, source: CatalogCache, entry: ShapeEntry
    ) -> tuple[CatalogSnapshot, TypedPlan | None]:
        """See ``LearnedPlan``."""
        generation = source.now()
        if generation is not entry.generation:
            return generation, None
        return generation, entry.plans.get(text.key) or self.exchanged(text, generation)

    @abstractmethod
    def exchanged(self, text: StatementText, source: CatalogSource) -> TypedPlan | None:
        """The plan for what another statement of the shape has there; None where that has to be looked at again."""
