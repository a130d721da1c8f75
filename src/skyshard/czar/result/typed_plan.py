"""A plan ready to run: with the types of its result."""

from __future__ import annotations

from dataclasses import dataclass, field

from skyshard.czar.plan.query_plan import Lane, QueryPlan
from skyshard.czar.result.typed_results import TypedColumn
from skyshard.czar.sql.statement import ShowStatement

NO_GENERATION = -1
"""Of what is read from a source without generations, or was given before."""


@dataclass(slots=True, eq=False)
class TypedPlan:
    """A plan with the types of its result; ``pulled`` keeps the columns of its pulls' scratch tables.

    ``generation``: of the registry, which the plan is of. ``form``: plans of one form, database and generation give the
    same columns of tables, whatever other numbers their statements have; empty where that is not known.
    """

    plan: QueryPlan
    types: tuple[TypedColumn, ...]
    pulled: dict[int, tuple[TypedColumn, ...]] = field(default_factory=dict)
    generation: int = NO_GENERATION
    form: str = ""

    def of_other(self, plan: QueryPlan, form: str) -> TypedPlan:
        """That of a statement with other numbers, which gives columns of the same types."""
        return TypedPlan(plan, self.types, self.pulled, self.generation, form)


@dataclass(frozen=True, slots=True)
class PlanAhead:
    """The plan of a statement that is about to be opened."""

    typed: TypedPlan | ShowStatement

    @property
    def lane(self) -> Lane:
        return Lane.NONE if isinstance(self.typed, ShowStatement) else self.typed.plan.lane
