"""Medians of more numbers than memory holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.releases.differences.columns import exact_median
from skyshard.releases.differences.columns.exact_median import Numbers, median_and_mad

FINITE = st.floats(allow_nan=False, width=64, min_value=-1e150, max_value=1e150)


def numbers_of(blocks: list[list[float]], repeats: int, repeated: float = 0.0) -> Numbers:
    return Numbers(lambda: (np.array(block) for block in blocks), sum(map(len, blocks)), repeated, repeats)


@pytest.mark.parametrize("limit", [0, 1 << 20], ids=["digit by digit", "in memory"])
@given(blocks=st.lists(st.lists(FINITE, max_size=8), max_size=4), repeats=st.integers(0, 9))
def test_median_and_mad_are_those_of_all_numbers_together(limit: int, blocks: list[list[float]], repeats: int) -> None:
    """Whether they are read at once or digit by digit, in whatever blocks, zeros given as a count."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_median, "IN_MEMORY", limit)
        found = median_and_mad(numbers_of(blocks, repeats))
    together = np.array([value for block in blocks for value in block] + [0.0] * repeats)
    if not len(together):
        assert found is None
        return
    middle = float(np.median(together))
    assert found == (middle, float(np.median(np.abs(together - middle))))


def test_infinite_differences_have_their_place() -> None:
    """Of -inf, 1, inf the median is 1, and the distances' median is inf."""
    assert median_and_mad(numbers_of([[np.inf, -np.inf], [1.0]], 0)) == (1.0, np.inf)
