"""Kept plans whose area is exchanged: they are the plans that would have been made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.four_chunks import Source
from tests.support.planned import bound_of, plan_of

from skyshard.basics.errors import UserError
from skyshard.czar.cache.area_plans import learn_area
from skyshard.czar.cache.statement_shapes import AREA_MARK, area_text
from skyshard.czar.plan.planner import plan_with_basis
from skyshard.czar.plan.query_plan import QueryPlan
from skyshard.czar.result.typed_plan import TypedPlan

LIMIT_BYTES = 1 << 40
SOURCE = Source()
STATEMENTS = (
    "SELECT objectId, mag FROM Object WHERE {area}",
    "SELECT o.objectId, mag FROM Object o WHERE {area} = 1 AND mag < 3 AND o.objectId IN (5, 15) LIMIT 4",
    "SELECT ROUND(AVG(mag)), COUNT(*) FROM Object WHERE kind = 2 AND {area}",
    "SELECT kind, COUNT(DISTINCT mag) FROM Object WHERE {area} GROUP BY kind ORDER BY 2 DESC LIMIT 3",
    "SELECT objectId FROM Object WHERE NOT {area} OR mag > 3 ORDER BY mag",
    "SELECT * FROM Object o, Source s WHERE {area} AND o.objectId = s.objectId",
    "SELECT COUNT(*) FROM Object a, Object b WHERE {area} AND scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.05",
    "SELECT o.objectId FROM Object o WHERE {area} AND EXISTS (SELECT 1 FROM Source s WHERE s.objectId = o.objectId)",
)
degrees = st.floats(-90, 90).map(lambda value: round(value, 3))
lengths = st.floats(0.001, 200).map(lambda value: round(value, 3))
areas = st.one_of(
    st.tuples(st.just("circle"), lengths, degrees, lengths),
    st.tuples(st.just("box"), lengths, degrees, lengths, degrees),
    st.tuples(st.just("ellipse"), lengths, degrees, lengths, st.just(0.001), degrees),
    st.tuples(st.just("poly"), st.just(10), st.just(-10), lengths, st.just(-10), st.just(15), degrees),
)


def spelled(area: tuple[str | float, ...]) -> str:
    return f"qserv_areaspec_{area[0]}({', '.join(map(str, area[1:]))})"


def made_again(sql: str) -> QueryPlan:
    return plan_of(sql, SOURCE)


def kept(sql: str) -> Callable[[str], TypedPlan | None] | None:
    """What gives the plan of other statements of the same shape."""
    text = area_text(sql)
    assert text is not None
    opened = plan_with_basis(bound_of(sql, SOURCE, has_open_areas=True), SOURCE, LIMIT_BYTES)
    found = learn_area(text, TypedPlan(made_again(sql), ()), opened, SOURCE)
    if found is None:
        return None

    def of(other: str) -> TypedPlan | None:
        text = area_text(other)
        assert text is not None
        assert text.area is not None
        return found.with_area(text.area, SOURCE)

    return of


KEPT = {statement: kept(statement.format(area="qserv_areaspec_circle(1, 2, 30)")) for statement in STATEMENTS}


@given(st.sampled_from(STATEMENTS), areas)
def test_exchanged_plan_is_the_plan_made_anew(statement: str, area: tuple[str | float, ...]) -> None:
    """Chunks, texts, lane, reasons: a kept plan with another area has what planning the statement gives."""
    find = KEPT[statement]
    assert find is not None
    sql = statement.format(area=spelled(area))
    try:
        wanted = made_again(sql)
    except UserError:
        assert find(sql) is None
        return
    made = find(sql)
    assert made is not None
    assert made.plan == wanted


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT qserv_areaspec_circle(1, 2, 3) FROM Object",
        "SELECT qserv_areaspec_circle(1, 2, 3) + 1 FROM Object WHERE mag > 2",
        "SELECT a.ra FROM Object a, Object b WHERE qserv_areaspec_circle(1, 2, 3)",
    ],
)
def test_no_plan_is_kept_where_more_hangs_on_the_area(sql: str) -> None:
    """Names of columns that hold the area's text, and gathered statements, are planned again."""
    assert kept(sql) is None


@pytest.mark.parametrize(
    ("sql", "is_found"),
    [
        ("SELECT 1 FROM t WHERE QSERV_areaspec_BOX ( 1 ,2, 3.5e0,-.4 )", True),
        ("SELECT 'qserv_areaspec_box(1,2,3,4)' FROM t", False),
        ("SELECT 1 FROM t WHERE my_qserv_areaspec_box(1, 2, 3, 4)", False),
        ("SELECT 1 FROM t WHERE qserv_areaspec_box(1, 2, 3, x)", False),
        ("SELECT 1 FROM t WHERE qserv_areaspec_box(1, 2, 3, 4) OR qserv_areaspec_box(5, 6, 7, 8)", False),
        ("SELECT 1 FROM t -- qserv_areaspec_box(1, 2, 3, 4)", False),
    ],
)
def test_area_of_a_text(sql: str, is_found: bool) -> None:
    """The one call with plain numbers is found; what is quoted, a comment or another name is none."""
    found = area_text(sql)
    assert (found is not None) == is_found
    assert found is None or AREA_MARK in found.shape


@pytest.mark.parametrize("name", [one.name for one in fields(QueryPlan) if one.name != "names"])
def test_plan_that_differs_in_any_field_is_not_kept(name: str) -> None:
    """A field that would be forgotten in the comparison would serve a stale plan: none is."""
    sql = STATEMENTS[0].format(area="qserv_areaspec_circle(1, 2, 30)")
    text, opened = area_text(sql), plan_with_basis(bound_of(sql, SOURCE, has_open_areas=True), SOURCE, LIMIT_BYTES)
    assert text is not None
    plan = made_again(sql)
    other: dict[str, Any] = {name: object()}
    changed = replace(plan, **other)
    assert learn_area(text, TypedPlan(plan, ()), opened, SOURCE) is not None
    assert learn_area(text, TypedPlan(changed, ()), opened, SOURCE) is None
