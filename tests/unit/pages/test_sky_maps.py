"""Maps of boxes on the sky."""

from hypothesis import given
from hypothesis import strategies as st

from skyshard.pages.sky_maps import scale_ticks


@given(st.integers(1, 10**9), st.integers(1, 10**6))
def test_a_colour_scale_has_few_ticks_within_its_range(low: int, factor: int) -> None:
    """At most six ticks, all inside, whatever the contrast."""
    from matplotlib.colors import LogNorm, Normalize

    high = low * (factor + 1)
    for norm in (LogNorm(low, high), Normalize(0, high)):
        ticks = scale_ticks(norm)
        assert len(ticks) <= 6
        assert all((norm.vmin or 0) <= tick <= high for tick in ticks)
