"""What travels to a driver process and back."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from skyshard.runtime.driver_messages import SMALL_BYTES, packed, small, unpacked


def test_results_take_their_places_among_the_arguments() -> None:
    """What stands for a result is replaced by it, by position and by name; all else arrives as it was."""
    first, second = object(), object()
    work = packed(operator.add, (first, 3), {"b": second}, {id(second): 0, id(first): 1})
    assert unpacked(work, ("of second", "of first")) == (operator.add, ["of first", 3], {"b": "of second"})


@pytest.mark.parametrize("value", [b"x" * (SMALL_BYTES + 1), np.zeros(SMALL_BYTES), [np.zeros(SMALL_BYTES)]])
def test_a_large_result_stays_where_it_is(value: object) -> None:
    """Also where its bytes are in a buffer of its own."""
    assert small(value) is None
