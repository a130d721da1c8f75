"""Numbers that people and programs write."""

from __future__ import annotations

import pytest

from skyshard.basics.plain_numbers import is_number, is_whole


@pytest.mark.parametrize("text", ["1.", ".5", "-1.5E-3", "+1", "0" * 5_000])
def test_a_number_may_be_written_in_several_ways(text: str) -> None:
    assert is_number(text)


@pytest.mark.parametrize("text", ["e5", "1e", "1.5.", "--1", "1" * 200_000 + "x", "." + "1" * 200_000 + "x", "1 "])
def test_what_is_no_number_is_known_at_once(text: str) -> None:
    """Its digits were read again for each of them, which took minutes; the time limit of a unit test holds it."""
    assert not is_number(text)
    assert not is_whole(text)
