"""Plans whose point or circle is exchanged, and nothing else: of statements about polygons that a regular table holds.

Rules: a statement has one such point or circle with plain numbers, and any node answers it whole. It is planned once
with marks in place of what the numbers decide of its text. Such a plan is taken only if it equals, for the statement
that it was made from, the plan that was made without it. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from skyshard.czar.bind.stored_regions import CIRCLE_TESTS, POINT_IN_REGION
from skyshard.czar.cache.exchanged_plans import ExchangedPlan
from skyshard.czar.cache.statement_shapes import RegionText, StatementText
from skyshard.czar.plan.query_plan import Kind, QueryPlan
from skyshard.czar.result.typed_plan import TypedPlan
from skyshard.czar.sql.stored_region_sql import OPEN, close_region
from skyshard.registry.catalog.published_catalog import CatalogSource


@dataclass(frozen=True, slots=True)
class RegionPlan(ExchangedPlan):
    """A plan for any point or circle; ``statement`` has the marks."""

    typed: TypedPlan
    statement: str

    def exchanged(self, text: StatementText, source: CatalogSource) -> TypedPlan | None:
        return self.with_numbers(text.region) if text.region is not None else None

    def with_numbers(self, region: RegionText) -> TypedPlan | None:
        """The plan for other numbers; None where they have to be looked at again."""
        parts = region.parts
        if parts is None:
            return None
        return self.typed.of_other(replace(self.typed.plan, statement=close_region(self.statement, parts)), "")


def learn_region(text: StatementText, typed: TypedPlan, opened: QueryPlan) -> RegionPlan | None:
    """The plan for any numbers of a statement; ``opened`` is its plan with marks. None where more depends on them."""
    names = " ".join(typed.plan.names).lower()
    if typed.plan.kind is not Kind.REGULAR or OPEN not in opened.statement:
        return None
    if any(name in names for name in (POINT_IN_REGION, *CIRCLE_TESTS)) or "point" in names:
        return None
    made = RegionPlan(typed, opened.statement)
    again = made.with_numbers(text.region) if text.region is not None else None
    return made if again is not None and again.plan == typed.plan else None
