"""Maps of the sky."""

from hypothesis import given
from hypothesis import strategies as st
from tests.support.sky_maps import sky_of

from skyshard.bench.pages.sky_figures import _row_colours, _scale_ticks
from skyshard.bench.pages.svg import RULE


@given(st.integers(1, 10**9), st.integers(1, 10**6))
def test_a_colour_scale_has_few_ticks_within_its_range(low: int, factor: int) -> None:
    """At most six ticks, all inside, whatever the contrast."""
    from matplotlib.colors import LogNorm, Normalize

    high = low * (factor + 1)
    for norm in (LogNorm(low, high), Normalize(0, high)):
        ticks = _scale_ticks(norm)
        assert len(ticks) <= 6
        assert all((norm.vmin or 0) <= tick <= high for tick in ticks)


def test_chunks_without_rows_of_their_own_are_drawn_grey() -> None:
    """Of three chunks the one that holds overlap only is grey in the map of rows, and none is invisible."""
    sky = sky_of([(0, 1, 0, 1), (1, 2, 0, 1), (2, 3, 0, 1)], rows=[1_000, 0, 2_000])
    colours = _row_colours(sky)
    assert [colour == RULE for colour in colours] == [False, True, False]
    assert all(colour.startswith("#") for colour in colours)
