"""Plans are values: equal when all their fields are, so that no field can be forgotten where plans are compared."""

from __future__ import annotations

import pickle
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from tests.support.four_chunks import Source
from tests.support.planned import plan_of

from skyshard.czar.cache.keyed_plans import without_keys
from skyshard.czar.pairs.separation_bound import SeparationLimit
from skyshard.czar.plan.chunk_template import ChunkText, Item, Slot, Template
from skyshard.czar.plan.pair_way import NoPairs, PairSide, PairWay
from skyshard.czar.plan.query_plan import Pull, QueryPlan

STATEMENTS = (
    "SELECT kind, AVG(mag) FROM Object GROUP BY kind",
    "SELECT objectId FROM Object WHERE objectId = 5 ORDER BY mag LIMIT 3",
    "SELECT COUNT(*) FROM Object",
    "SELECT o.ra, f.filterName FROM Object o, Filter f WHERE o.kind = f.filterId",
    "SELECT a.ra FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.1",
    "SELECT ra FROM Object WHERE mag > (SELECT AVG(mag) FROM Object)",
    "SELECT NOW(), filterName FROM Filter",
)
PLAN = plan_of("SELECT kind, AVG(mag), COUNT(DISTINCT ra) FROM Object WHERE objectId = 5 GROUP BY kind", Source())
VALUES = (PLAN, PLAN.pulls[0], PLAN.pulls[0].template, PLAN.pulls[0].template.items[1])
SLOT = next(iter(PLAN.pulls[0].template.slots.values()))
PARTS = {"pulls", "direct", "template", "items", "groups", "slots"}
"""Fields whose own fields are looked at."""
OF_KEYS = {
    QueryPlan: {"chunks", "lane", "why"},
    Pull: {"chunks", "rows", "reads"},
    Template: {"rest"},
    Item: {"text", "argument"},
    Slot: set[str](),
}
"""What the keys of a statement decide; every other field of a plan must be the same for other keys."""


def named_fields(values: tuple[Any, ...]) -> list[tuple[Any, str]]:
    return [(value, field.name) for value in values for field in fields(value)]


@pytest.mark.parametrize(("value", "name"), named_fields((*VALUES, SLOT)), ids=lambda one: getattr(one, "kind", one))
def test_every_field_of_a_plan_is_part_of_its_equality(value: Any, name: str) -> None:
    """A plan in which any field differs is another plan; whoever adds a field need not think of it."""
    assert replace(value) == value
    assert replace(value, **{name: object()}) != value


@pytest.mark.parametrize(
    ("value", "name"),
    [(value, name) for value, name in named_fields((*VALUES, SLOT)) if name not in PARTS],
    ids=lambda one: getattr(one, "kind", one),
)
def test_keyed_plans_compare_all_but_what_keys_decide(value: Any, name: str) -> None:
    """Two plans that differ in anything but chunks, their number and texts are not one plan with other keys."""
    changed = with_part(PLAN, value, replace(value, **{name: object()}))
    assert changed != PLAN
    assert (without_keys(changed) == without_keys(PLAN)) == (name in OF_KEYS[type(value)])


def with_part(plan: QueryPlan, old: Any, new: Any) -> QueryPlan:
    """The plan with one of its parts exchanged."""
    if old is plan:
        return new  # type: ignore[no-any-return]
    pull = plan.pulls[0]
    template = pull.template
    if old is pull:
        return replace(plan, pulls=(new,))
    if old is template:
        made = new
    elif isinstance(old, Slot):
        made = replace(template, slots=dict.fromkeys(template.slots, new))
    else:
        made = replace(template, items=tuple(new if item is old else item for item in template.items))
    return replace(plan, pulls=(replace(pull, template=made),))


@pytest.mark.parametrize("sql", STATEMENTS)
def test_planning_again_gives_an_equal_plan(sql: str) -> None:
    """The same statement over an equal catalog has an equal plan, of another planning."""
    one, other = plan_of(sql, Source()), plan_of(sql, Source())
    assert one == other
    assert one is not other


@pytest.mark.parametrize("sql", STATEMENTS)
def test_plan_holds_values_only(sql: str) -> None:
    """A plan can be written and read back: no callable, tree or lock is in it."""
    plan = plan_of(sql, Source())
    assert pickle.loads(pickle.dumps(plan)) == plan
    pairs = {NoPairs, PairSide, PairWay, SeparationLimit}
    assert parts_of(plan) <= {QueryPlan, Pull, Template, Item, Slot, *pairs}


def parts_of(value: object) -> set[type]:
    """The plan's own dataclasses that are in a value."""
    found: set[type] = set()
    if is_dataclass(value) and type(value).__module__.startswith("skyshard.czar"):
        found = {type(value)}.union(*(parts_of(getattr(value, field.name)) for field in fields(value)))
    elif isinstance(value, tuple | list | frozenset):
        found = set[type]().union(*map(parts_of, value))
    elif isinstance(value, dict):
        found = set[type]().union(*map(parts_of, value.values()))
    assert not callable(value)
    return found


def test_casts_change_the_text_and_not_the_template() -> None:
    """A template is written for other types any number of times, and stays what it was."""
    template = PLAN.pulls[0].template
    before = template.text()
    assert template.text({template.items[0].name: "CHAR"}) != before
    assert template.text() == before
    assert template.written() == ChunkText(template.written().pieces, template.slots, template.lists)
