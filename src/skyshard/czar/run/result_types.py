"""The types of a plan's result, as the czar's own server says them."""

from __future__ import annotations

from skyshard.basics.errors import SkyshardError
from skyshard.czar.plan.query_plan import Kind, QueryPlan
from skyshard.czar.result.typed_results import TypedColumn, loosened, read_types
from skyshard.czar.run.scratch_tables import query_name, scratch_table
from skyshard.czar.run.stored_result import in_words
from skyshard.db.sessions import Sessions
from skyshard.rowimage.sqltype import parse_type


def result_types(sessions: Sessions, plan: QueryPlan, whole: str) -> tuple[TypedColumn, ...]:
    """The types of a plan's result, those of the ``whole`` on one server; a failed look leaves nothing behind."""
    if plan.kind is Kind.COUNT:
        return (TypedColumn("c0", parse_type("bigint")),)
    query = query_name()
    names = [f"c{index}" for index in range(len(plan.names))]
    try:
        with sessions.lease(query) as connection:
            types = read_types(connection, whole, scratch_table(query, "t"), names)
    except SkyshardError as error:
        raise in_words(error, query) from error.__cause__
    return loosened(types, plan.loose, plan.vague)
