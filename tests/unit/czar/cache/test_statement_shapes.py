"""Shapes of statements: text without whole numbers, and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from skyshard.czar.cache.statement_shapes import NUMBER_MARK, filled, shape_of

PIECES = ("SELECT ", "a1", "`b 2`", "'it''s 3'", '"x 4"', " = ", "17", "0", "007", "1.5", "2e9", "0x1F", ", ", "(", ")",
          "-- 5\n", "/* 6 */", "'a\\'7'", " ", "123456789012345678901", "é9", "$3", "_8", ".5", "-4")  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_shape_and_numbers_give_back_the_text(text: str) -> None:
    """Two statements with one shape and the same numbers are the same statement."""
    shape, numbers = shape_of(text)
    assert filled(shape, numbers) == text


def test_quoted_numbers_belong_to_the_shape() -> None:
    """What stands in quotes, names and comments is no number of the statement."""
    shape, numbers = shape_of("SELECT `1`, '2', \"3\", t4 /* 5 */ FROM t WHERE a = 6 AND b < 7.0 -- 8")
    assert numbers == (6,)
    assert shape.count(NUMBER_MARK) == 1
