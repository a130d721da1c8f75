"""Which stores of mutable databases are whole: read once a query, before the plan that it is answered by is made."""

from __future__ import annotations

from collections.abc import Callable

from skyshard.czar.result.query_progress import Running
from skyshard.czar.result.typed_plan import TypedPlan
from skyshard.czar.sql.statement import ShowStatement
from skyshard.db.sessions import Sessions
from skyshard.registry.catalog.mutable_chunks import read_visible

PlanAgain = Callable[[], TypedPlan | ShowStatement]


def seeing(sessions: Sessions, typed: TypedPlan, plan_again: PlanAgain, running: Running) -> TypedPlan:
    """A plan made after it was read which stores are whole: so it has all chunks of those that the query sees."""
    while missing := typed.plan.mutable - running.visible.keys():
        with sessions.lease(running.query) as connection:
            running.visible.update({name: read_visible(connection, name) for name in sorted(missing)})
        again = plan_again()
        assert not isinstance(again, ShowStatement)
        typed = again
    return typed
