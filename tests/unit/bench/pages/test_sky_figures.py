"""Maps of the sky."""

from tests.support.sky_maps import sky_of

from skyshard.bench.pages.sky_figures import _row_colours
from skyshard.pages.svg import RULE


def test_chunks_without_rows_of_their_own_are_drawn_grey() -> None:
    """Of three chunks the one that holds overlap only is grey in the map of rows, and none is invisible."""
    sky = sky_of([(0, 1, 0, 1), (1, 2, 0, 1), (2, 3, 0, 1)], rows=[1_000, 0, 2_000])
    colours = _row_colours(sky)
    assert [colour == RULE for colour in colours] == [False, True, False]
    assert all(colour.startswith("#") for colour in colours)
