"""Kept plans whose point or circle is exchanged: they are the plans that would have been made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.obscore_catalog import Source
from tests.support.planned import bound_of, plan_of

from skyshard.basics.errors import UserError
from skyshard.czar.cache.region_plans import RegionPlan, learn_region
from skyshard.czar.cache.statement_shapes import region_text
from skyshard.czar.plan.planner import plan_statement
from skyshard.czar.plan.query_plan import QueryPlan
from skyshard.czar.result.typed_plan import TypedPlan

LIMIT_BYTES = 1 << 40
SOURCE = Source()
POINTS = (
    "SELECT obs_id FROM ObsCore WHERE scisql_s2PtInCPoly({0}, {1}, s_region) = 1",
    "SELECT obs_id FROM ObsCore WHERE MBRWITHIN(POINT({0}, {1}), s_region_bounds) AND "
    "scisql_s2PtInCPoly({0}, {1}, s_region_scisql) = 1 LIMIT 7",
    "SELECT COUNT(*) AS n FROM Plain WHERE NOT scisql_s2PtInCPoly({0}, {1}, Area)",
)
CIRCLES = (
    "SELECT obs_id AS o FROM ObsCore WHERE skyshard_circleMeetsRegion({0}, {1}, {2}, s_region) = 1 AND ra > 5",
    "SELECT o.obs_id FROM ObsCore o, Plain p WHERE skyshard_regionInCircle({0}, {1}, {2}, p.Area) = 1",
    "SELECT obs_id FROM ObsCore WHERE skyshard_circleInRegion({0}, {1}, {2}, s_region) = 1 ORDER BY ra",
)
numbers = st.tuples(
    st.floats(-400, 800).map(lambda value: round(value, 4)), st.floats(-91, 91).map(lambda value: round(value, 4)),
    st.sampled_from([0, 0.25, 30, 89.99, 90]),
)  # fmt: skip


def made_again(sql: str) -> QueryPlan:
    return plan_of(sql, SOURCE, limit_bytes=LIMIT_BYTES)


def kept(sql: str) -> RegionPlan | None:
    """What gives the plan of other statements of the same shape."""
    text = region_text(sql)
    if text is None:
        return None
    opened = plan_statement(bound_of(sql, SOURCE, has_open_areas=True), SOURCE, LIMIT_BYTES)
    return learn_region(text, TypedPlan(made_again(sql), ()), opened)


KEPT = {statement: kept(statement.format(10, -2, 0.5)) for statement in (*POINTS, *CIRCLES)}


@given(st.sampled_from((*POINTS, *CIRCLES)), numbers)
def test_exchanged_plan_is_the_plan_made_anew(statement: str, place: tuple[float, float, float]) -> None:
    """With any numbers; those that are wrong are looked at again, which refuses them."""
    found, sql = KEPT[statement], statement.format(*place)
    assert found is not None
    text = region_text(sql)
    assert text is not None
    assert text.region is not None
    made = found.with_numbers(text.region)
    try:
        wanted = made_again(sql)
    except UserError:
        assert made is None
        return
    assert made is not None
    assert made.plan == wanted


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT scisql_s2PtInCPoly(1, 2, s_region) FROM ObsCore",
        "SELECT skyshard_circleMeetsRegion(1, 2, 3, s_region) + 1 FROM ObsCore",
        "SELECT obs_id FROM ObsCore WHERE scisql_s2PtInCPoly(1, 2, s_region) OR scisql_s2PtInCPoly(3, 4, s_region)",
        "SELECT obs_id FROM ObsCore WHERE scisql_s2PtInCPoly(ra, 2, s_region) = 1",
    ],
)
def test_no_plan_is_kept_where_more_hangs_on_the_numbers(sql: str) -> None:
    """Names of columns that hold them, two calls, and coordinates of rows."""
    assert kept(sql) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: replace(plan, statement=plan.statement + " "),
        lambda plan: replace(plan, names=("other",)),
        lambda plan: replace(plan, has_tables=not plan.has_tables),
    ],
)
def test_plan_that_differs_is_not_kept(change: Callable[[QueryPlan], QueryPlan]) -> None:
    """What the marks give has to be the plan that was made without them."""
    sql = POINTS[0].format(10, -2)
    text = region_text(sql)
    assert text is not None
    opened: Any = plan_statement(bound_of(sql, SOURCE, has_open_areas=True), SOURCE, LIMIT_BYTES)
    assert learn_region(text, TypedPlan(made_again(sql), ()), opened) is not None
    found = learn_region(text, TypedPlan(change(made_again(sql)), ()), opened)
    assert found is None or found.typed.plan != made_again(sql)
