"""A plan ready to run: with the types of its result."""

from __future__ import annotations

from dataclasses import dataclass, field

from skyshard.czar.plan.query_plan import QueryPlan
from skyshard.czar.result.typed_results import TypedColumn


@dataclass(slots=True, eq=False)
class TypedPlan:
    """A plan with the types of its result; ``pulled`` keeps the columns of its pulls' scratch tables."""

    plan: QueryPlan
    types: tuple[TypedColumn, ...]
    pulled: dict[int, tuple[TypedColumn, ...]] = field(default_factory=dict)
