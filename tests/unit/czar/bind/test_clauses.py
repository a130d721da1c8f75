"""A SELECT taken apart: every name qualified, aliases and positions replaced, stars written out."""

from __future__ import annotations

import pytest
from tests.support.four_chunks import Source
from tests.support.planned import bound_of

from skyshard.basics.errors import UserError
from skyshard.czar.bind.clauses import Clauses, item_names, take_apart
from skyshard.czar.sql.dialect import render

STAR = ["objectId", "ra", "decl", "mag", "kind", "chunkId", "subChunkId"]


def apart(sql: str) -> Clauses:
    bound = bound_of(sql, Source())
    return take_apart(bound, bound.blocks[0])


def test_stars_are_their_columns_and_positions_count_them() -> None:
    """``o.*`` is as many items as the table has columns; a position behind it names the item that it stands at."""
    found = apart("SELECT o.*, f.filterName FROM Object o, Filter f WHERE f.filterId = o.kind ORDER BY 8 DESC, 2")
    assert [render(item) for item in found.items] == [*(f"`o`.`{name}`" for name in STAR), "`f`.`filterName`"]
    assert [(render(one.expression), one.is_descending, one.item) for one in found.order] == [
        ("`f`.`filterName`", True, 7), ("`o`.`ra`", False, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("position", ["2", "(2)", "((2))", "+2", "- -2", "-(-(2))"])
def test_a_position_may_stand_in_parentheses_and_behind_signs(position: str) -> None:
    """As MariaDB's parser takes it: ``(2)`` is the second item, not a constant."""
    assert [render(one) for one in apart(f"SELECT ra, kind FROM Object GROUP BY {position}").group] == [
        "`Object`.`kind`"
    ]
    assert [one.item for one in apart(f"SELECT ra, kind FROM Object ORDER BY {position}").order] == [1]


def test_true_is_the_first_position() -> None:
    """TRUE is 1 there, too; other constants are none."""
    assert [one.item for one in apart("SELECT ra, kind FROM Object ORDER BY TRUE, 1 + 1, 2.0, NULL").order] == [
        0, None, None, None,
    ]  # fmt: skip


def test_an_alias_behind_a_star_names_its_own_item() -> None:
    """Items are counted as they are written, and found where the star has moved them to."""
    (term,) = apart("SELECT o.*, o.mag + 1 AS m FROM Object o ORDER BY m").order
    assert (render(term.expression), term.item) == ("`o`.`mag` + 1", len(STAR))


def test_conditions_are_the_terms_of_and() -> None:
    """An OR is one term."""
    found = apart("SELECT ra FROM Object WHERE mag < 3 AND (kind = 1 OR kind = 2) AND (ra < 5 AND decl < 6)")
    assert [render(term) for term in found.where] == [
        "`Object`.`mag` < 3", "`Object`.`kind` = 1 OR `Object`.`kind` = 2", "`Object`.`ra` < 5", "`Object`.`decl` < 6",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "is_grouped", "is_distinct"),
    [
        ("SELECT kind FROM Object", False, False),
        ("SELECT DISTINCT kind FROM Object", False, True),
        ("SELECT kind FROM Object GROUP BY kind", True, False),
        ("SELECT 1 + MAX(mag) FROM Object", True, False),
        ("SELECT VAR_POP(mag) FROM Object", True, False),
        ("SELECT kind FROM Object HAVING COUNT(*) > 1", True, False),
        ("SELECT kind FROM Object ORDER BY SUM(mag)", True, False),
        ("SELECT kind FROM Object WHERE mag > (SELECT MAX(noteId) FROM Note)", False, False),
    ],
)
def test_a_select_is_grouped_by_its_own_aggregates_only(sql: str, *, is_grouped: bool, is_distinct: bool) -> None:
    """In any clause that may have one; those of a subquery are its own."""
    found = apart(sql)
    assert (found.is_grouped, found.is_distinct) == (is_grouped, is_distinct)


@pytest.mark.parametrize(
    ("limit", "counts"),
    [("", (None, 0)), ("LIMIT 2 + 1", (3, 0)), ("LIMIT 5 OFFSET 4", (5, 4)), ("LIMIT 4, 5", (5, 4))],
)
def test_limit_and_offset_are_whole_numbers(limit: str, counts: tuple[int | None, int]) -> None:
    """Written either way, constants worked out."""
    found = apart(f"SELECT * FROM Filter {limit}")
    assert (found.limit, found.offset) == counts


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("SELECT mag FROM Object ORDER BY 2", "ORDER BY 2: there are 1 columns"),
        ("SELECT kind FROM Object GROUP BY 0", "GROUP BY 0: there are 1 columns"),
        ("SELECT kind FROM Object ORDER BY (-1)", "ORDER BY -1: there are 1 columns"),
        ("SELECT kind FROM Object GROUP BY FALSE", "GROUP BY 0: there are 1 columns"),
        ("SELECT mag FROM Object LIMIT 1.5", "LIMIT and OFFSET take whole numbers"),
        ("SELECT x.* FROM Object o", "unknown table 'x' in 'x.*'"),
    ],
)
def test_a_position_or_a_number_that_is_none_is_refused(sql: str, what: str) -> None:
    """With the remedy."""
    with pytest.raises(UserError) as caught:
        apart(sql)
    assert what in caught.value.what
    assert caught.value.remedy


def test_nothing_is_shared_with_the_tree_that_was_read() -> None:
    """Parts can be changed and moved."""
    bound = bound_of("SELECT mag AS m FROM Object WHERE ra < 1 GROUP BY m ORDER BY m", Source())
    before = bound.blocks[0].select.sql()
    found = take_apart(bound, bound.blocks[0])
    for part in (*found.items, *found.where, *found.group, *(one.expression for one in found.order)):
        for node in part.walk():
            node.set("this", None)
    assert bound.blocks[0].select.sql() == before


def test_columns_of_the_result_have_the_names_of_what_stars_stand_for() -> None:
    """Other items keep the names that they were read with."""
    bound = bound_of("SELECT mag + 1, Filter.* FROM Object, Filter", Source())
    assert item_names(bound.blocks[0], ("mag + 1", None)) == ("mag + 1", "filterId", "filterName")
