"""What of a statement belongs to one table alone, and what would be read otherwise in GROUP BY."""

from __future__ import annotations

import pytest
from tests.support.four_chunks import Source
from tests.support.planned import bound_of, where_of

from skyshard.czar.plan.chunk_source import is_constant, not_position, own_terms, render_terms
from skyshard.czar.sql.dialect import parse_expression, render


def test_terms_of_one_table_alone_are_its_own() -> None:
    """Neither a join's condition, nor one without a column, nor one that differs from call to call."""
    bound = bound_of(
        "SELECT o.ra FROM Object o, Source s WHERE o.objectId = s.objectId AND o.mag > 2 AND s.t < 3 AND 1 < 2 "
        "AND o.kind > RAND() AND ABS(o.ra) < o.decl",
        Source(),
    )
    terms = where_of(bound)
    assert render_terms(own_terms(terms, 0)) == "o.mag > 2 AND ABS(o.ra) < o.decl"
    assert render_terms(own_terms(terms, 1)) == "s.t < 3"
    assert render_terms([]) == ""


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("1 + 2", True), ("'a'", True), ("NULL", True), ("a + 1", False), ("RAND()", False), ("COUNT(*)", False)],
)
def test_a_constant_has_one_value_for_all_rows(text: str, is_one: bool) -> None:
    """In GROUP BY it would be a position, so it is hidden there; anything else stays as it is."""
    part = parse_expression(text)
    assert is_constant(part) is is_one
    assert render(not_position(part)) == (f"COALESCE({text})" if is_one else text)
