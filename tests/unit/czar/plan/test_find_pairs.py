"""Which counts of near neighbours come from positions, and what is read for them; what forbids it has its reason."""

from __future__ import annotations

import pytest
from tests.support.four_chunks import Source
from tests.support.planned import plan_of

from skyshard.czar.pairs.separation_bound import SeparationLimit
from skyshard.czar.plan.pair_way import JUDGED, NoPairs, PairWay

NEAR = "scisql_angSep(a.ra, a.decl, b.ra, b.decl)"
TURNED = "scisql_angSep(b.ra, b.decl, a.ra, a.decl)"
COUNT = "SELECT COUNT(*) FROM Object a, Object b WHERE "


def way(sql: str) -> PairWay | NoPairs | None:
    (pull,) = plan_of(sql, Source()).pulls
    return pull.pairs


def counted(condition: str) -> PairWay:
    found = way(COUNT + condition)
    assert isinstance(found, PairWay)
    return found


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        (f"{NEAR} < 0.05", "<"),
        (f"{NEAR} <= 0.05", "<="),
        (f"0.05 > {NEAR}", "<"),
        (f"0.05 >= {TURNED}", "<="),
        (f"({NEAR}) < (0.05)", "<"),
    ],
)
def test_a_limit_is_read_whichever_way_it_is_written(condition: str, word: str) -> None:
    """Sides of the comparison, order of the positions, parentheses."""
    assert counted(condition).limits == (SeparationLimit(word, 0.05),)


def test_a_ring_has_two_limits() -> None:
    """Both count, and the server decides doubtful pairs by both."""
    found = counted(f"{NEAR} < 0.05 AND {NEAR} > 0.001")
    assert found.limits == (SeparationLimit("<", 0.05), SeparationLimit(">", 0.001))
    assert [found.judge.count(mark) for mark in JUDGED] == [2, 4, 2, 4]
    assert ("< 0.05" in found.judge, "> 0.001" in found.judge) == (True, True)


@pytest.mark.parametrize(
    ("condition", "is_shared"),
    [
        ("a.objectId <> b.objectId", True),
        ("a.mag < 20 AND b.mag < 20", True),
        ("a.mag < 20", False),
        ("a.mag < 20 AND b.mag < 21", False),
    ],
)
def test_rows_are_read_once_where_both_sides_have_the_same_conditions(condition: str, *, is_shared: bool) -> None:
    """Own rows then stand for both sides; else each side has a statement of its own. Overlap rows are far ones."""
    found = counted(f"{NEAR} < 0.05 AND {condition}")
    assert found.is_shared is is_shared
    sides = [statement.split(" AS s, ")[0].rpartition(" ")[2] for statement in found.selects(324)]
    assert sides == (["3", "2"] if is_shared else ["1", "2", "2"])
    assert ["FullOverlap_324" in statement for statement in found.selects(324)] == [False] * (len(sides) - 1) + [True]


def test_conditions_of_one_side_are_decided_where_its_rows_are_read() -> None:
    """Those of the near side restrict none of the far side's rows."""
    found = counted(f"{NEAR} < 0.05 AND a.mag < 20 AND b.kind = 1")
    assert (found.near.where, found.far.where) == ("`a`.`mag` < 20", "`b`.`kind` = 1")


@pytest.mark.parametrize(
    ("condition", "compared"),
    [
        ("a.kind < b.objectId", (0, "<", 1)),
        ("b.objectId > a.kind", (0, "<", 1)),
        ("b.objectId <= a.objectId", (0, ">=", 0)),
        ("a.objectId <> b.objectId", (0, "<>", 0)),
        ("b.kind = a.kind", (0, "=", 0)),
    ],
)
def test_whole_numbers_of_both_sides_are_compared_near_to_far(condition: str, compared: tuple[int, str, int]) -> None:
    """The word turns with its sides; each column has a number, which both sides share where rows are read once."""
    found = counted(f"{NEAR} < 0.05 AND {condition}")
    assert found.compared == (compared,)
    for side in (found.near, found.far):
        assert [f" AS k{number}" in side.items for number in range(3)] == [n < len(found.kinds) for n in range(3)]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (COUNT + f"{NEAR} < 0.05 AND a.mag < b.mag", "compares columns of both sides that are no whole numbers"),
        (COUNT + f"{NEAR} < 0.05 AND a.kind + 1 < b.kind", "neither a separation nor compares two whole numbers"),
        (COUNT + f"{NEAR} < 0.05 AND RAND() < 0.5", "a condition differs from row to row"),
        (COUNT + f"{NEAR} < 0.05 AND {NEAR} = 0.01", "a separation is not compared by <, <=, > or >="),
        (COUNT + f"{NEAR} < 0.05 AND ({NEAR} < 0.01 OR a.kind = b.kind)", "not compared by <, <=, > or >="),
        (COUNT + f"{NEAR} < 0.05 AND {NEAR} > a.mag", "a separation is not compared with a constant"),
        (
            COUNT + f"{NEAR} < 0.05 AND scisql_angSep(a.ra, a.decl, b.decl, b.ra) < 0.05",
            "not all between the same two positions",
        ),
        (COUNT + f"{NEAR} < 0.05 AND a.objectId IN (SELECT objectId FROM Note)", "there is a subquery"),
        (f"SELECT COUNT(*), MAX(a.mag) FROM Object a, Object b WHERE {NEAR} < 0.05", "more than COUNT(*) is asked for"),
        (COUNT + f"{NEAR} < 0.05 GROUP BY a.kind", "more than COUNT(*) is asked for"),
        (f"SELECT COUNT(*) FROM Object a LEFT JOIN Object b ON {NEAR} < 0.05", "there is an outer join"),
        (
            f"SELECT COUNT(*) FROM Object a, Object b, Object c WHERE {NEAR} < 0.05 "
            "AND scisql_angSep(a.ra, a.decl, c.ra, c.decl) < 0.05",
            "several tables are read with their overlap",
        ),
    ],
)
def test_what_positions_cannot_decide_is_left_to_the_nodes_with_a_reason(sql: str, reason: str) -> None:
    """Never a guess: anything else than what is proven."""
    found = way(sql)
    assert isinstance(found, NoPairs)
    assert reason in found.reason


def test_a_count_without_neighbours_is_none_of_pairs() -> None:
    """Nothing is said of it."""
    assert way("SELECT COUNT(*) FROM Object WHERE mag < 20") is None
