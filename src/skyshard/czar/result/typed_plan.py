"""A plan ready to run: with the types of its result."""

from __future__ import annotations

from dataclasses import dataclass, field

from skyshard.czar.plan.query_plan import Lane, QueryPlan
from skyshard.czar.result.typed_results import TypedColumn
from skyshard.czar.sql.statement import ShowStatement


@dataclass(slots=True, eq=False)
class TypedPlan:
    """A plan with the types of its result; ``pulled`` keeps the columns of its pulls' scratch tables."""

    plan: QueryPlan
    types: tuple[TypedColumn, ...]
    pulled: dict[int, tuple[TypedColumn, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlanAhead:
    """The plan of a statement that is about to be opened."""

    typed: TypedPlan | ShowStatement

    @property
    def lane(self) -> Lane:
        return Lane.NONE if isinstance(self.typed, ShowStatement) else self.typed.plan.lane
