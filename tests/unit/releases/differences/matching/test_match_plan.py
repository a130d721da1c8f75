"""How the rows of a table are to be matched."""

from __future__ import annotations

from typing import Any

import pytest

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.releases.differences.matching.match_plan import MatchPlan, plan_match
from skyshard.releases.differences.reading.stored_rows import StoredRows
from skyshard.rowimage.sqltype import parse_type


def stored(name: str, columns: str, *, primary: tuple[str, ...] = (), **layout: Any) -> StoredRows:
    """A table without rows; columns are BIGINTs but for ``band``."""
    kinds = {"band": "varchar(2)"}
    table = Table(name, tuple(Column(c, parse_type(kinds.get(c, "bigint"))) for c in columns.split()), primary)
    return StoredRows("db", table, TableLayout(**({"role": Role.REGULAR} | layout)), {}, {})


def keys_of(plan: MatchPlan) -> list[tuple[str, str]]:
    return [(old.name, new.name) for old, new in plan.keys]


def director(**layout: Any) -> StoredRows:
    return stored("Object", "id ra decl tract patch", **({"role": Role.DIRECTOR} | layout))


def test_a_director_has_its_own_key_and_position() -> None:
    """Keys of other names are one key; positions are compared within tract and patch."""
    old = stored("Object", "oid ra decl tract patch", role=Role.DIRECTOR, key="oid", position=("ra", "decl"))
    plan = plan_match(old, director(key="id", position=("ra", "decl")), {}, "auto")
    assert (keys_of(plan), plan.is_placed, plan.within) == ([("oid", "id")], True, ("tract", "patch"))


@pytest.mark.parametrize(
    ("layout", "by"), [({}, "auto"), ({"key": "id"}, "position"), ({"position": ("ra", "decl")}, "key")]
)
def test_a_director_without_what_is_asked_for_is_refused(layout: dict[str, Any], by: Any) -> None:
    """Neither key nor position, no position, no key."""
    with pytest.raises(UserError, match="Object"):
        plan_match(director(**layout), director(**layout), {}, by)


@pytest.mark.parametrize(
    ("name", "columns", "layout", "keys"),
    [
        ("Visit", "visit ra", {}, ["visit"]),
        ("VisitDetector", "visitId detector", {}, ["visitId", "detector"]),
        ("ForcedSource", "objectId visit detector", {"role": Role.DEPENDENT, "key": "objectId", "director": "Object"},
         ["objectId", "visit", "detector"]),
        ("ForcedSource", "forcedSourceId objectId visit", {}, ["forcedSourceId"]),
        ("Band", "band visit", {}, []),
    ],
)  # fmt: skip
def test_a_table_without_a_key_has_one_by_its_names(
    name: str, columns: str, layout: dict[str, Any], keys: list[str]
) -> None:
    """It is guessed: whether it is unique is seen when the rows are read."""
    table = stored(name, columns, **layout)
    plan = plan_match(table, table, {}, "auto")
    assert [new for _, new in keys_of(plan)] == keys
    assert plan.is_guessed


def test_a_primary_key_counts_where_both_sides_have_it() -> None:
    """Also under another name; not where one side has another one."""
    one, other = stored("Band", "id x", primary=("id",)), stored("Band", "name x", primary=("name",))
    assert keys_of(plan_match(one, other, {"name": "id"}, "auto")) == [("id", "name")]
    assert keys_of(plan_match(stored("Band", "band x", primary=("x",)), stored("Band", "band x"), {}, "auto")) == []
