"""Fields and tiles on the sky."""

import numpy as np
import pytest
from tests.support.visit_skies import small_sky

from skyshard.apdb.sky.fields import Field, draw_centres, least_distance
from skyshard.basics.errors import UserError
from skyshard.chunking.sphere import ang_sep

CENTRES = [(0.0, -30.0), (180.0, -89.8), (12.3, 90.0), (359.9, 0.0), (77.0, -65.0)]


@pytest.mark.parametrize("centre", CENTRES)
def test_tiles_share_out_the_field_and_padded_ones_read_as_polygons_say(centre: tuple[float, float]) -> None:
    """Every point is in the region of its owner, and its readers are the tiles whose padded region holds it."""
    field = Field.of(small_sky(centres=(centre,), tiles=3), 0)
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-field.half, field.half, (2, 4000))
    near = 3e-10  # radians beside an edge; on it, rounding decides
    edge = np.array([-field.half + k * 2 * field.half / 3 + s * field.pad for k in range(4) for s in (-1, 1)])
    edge = np.concatenate([edge - near, edge + near])
    x, y = np.concatenate([x, edge, np.zeros(16)]), np.concatenate([y, np.zeros(16), edge])
    ra, dec = field.on_sky(x, y)
    is_inside = np.maximum(np.abs(x), np.abs(y)) < field.half
    for tile, region in enumerate(field.regions):
        mine = (field.owners(x, y) == tile) & is_inside
        shrunk = np.abs((x + field.half) % (2 * field.half / 3)) > 1e-9  # edges belong to one of two
        assert region.contains(ra[mine & shrunk], dec[mine & shrunk]).mean() > 0.99
    readers = field.readers(x, y, ra, dec)
    found = set(zip(readers.row.tolist(), readers.tile.tolist(), strict=True))
    wanted = {
        (int(row), tile) for tile, one in enumerate(field.padded) for row in np.flatnonzero(one.contains(ra, dec))
    }
    assert found == wanted
    assert ((ra >= 0) & (ra < 360) & (np.abs(dec) <= 90)).all()


def test_drawn_fields_lie_across_ra_0_and_around_the_pole_and_do_not_touch() -> None:
    """The first two are the awkward ones; all are apart."""
    centres = np.array(draw_centres(12, 3.52, 7))
    assert centres[0].tolist() == [0.0, -30.0]
    assert centres[1, 1] < -90 + 3.52 / 2
    for place, (ra, dec) in enumerate(centres[1:], start=1):
        assert ang_sep(ra, dec, centres[:place, 0], centres[:place, 1]).min() >= least_distance(3.52) - 1e-9
    assert draw_centres(12, 3.52, 7) == draw_centres(12, 3.52, 7)[:12]


def test_fields_of_a_seed_are_those_of_the_first_release() -> None:
    """A store that was begun then goes on: drawn one by one, as they were, they are the same, to the last bit of an
    arc sine, which kinds of processors compute differently."""
    assert [list(one) for one in draw_centres(5, 3.52, 7)[2:]] == [
        [57.150282027489226, pytest.approx(-21.99931894874826, abs=1e-14)],
        [120.89586746849592, pytest.approx(-34.43444179160233, abs=1e-14)],
        [218.11078853467438, pytest.approx(7.530448599404023, abs=1e-14)],
    ]


def test_more_fields_than_there_is_room_for_are_refused() -> None:
    """The sphere ends."""
    with pytest.raises(UserError, match="no room for 200 fields of 60 degrees"):
        draw_centres(200, 60.0, 1)
