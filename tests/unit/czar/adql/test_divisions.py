"""Divisions of ADQL in long statements."""

from __future__ import annotations

import pytest
from tests.support.growth import SLACK, instructions

from skyshard.czar.adql.divisions import divide_exactly
from skyshard.czar.sql.dialect import parse_expression


@pytest.mark.parametrize("term", [" + 1 / 2", " / 1.5", " + (b - 3) / -4"])
def test_work_grows_with_the_length_of_a_statement(term: str) -> None:
    """Five times the divisions take five times the instructions: a chain of 1,500 took 5 s."""
    few, many = (parse_expression("a" + count * term) for count in (12, 60))
    assert instructions(lambda: divide_exactly(many)) <= 5 * SLACK * instructions(lambda: divide_exactly(few))
