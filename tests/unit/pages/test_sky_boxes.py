"""Boxes on the sky, and Mollweide's projection."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from tests.support.sky_maps import sky_of

from skyshard.chunking import Chunker
from skyshard.pages.sky_boxes import centre_of, centred_boxes, mollweide, mollweide_outlines

Floats = NDArray[np.float64]


@given(
    hnp.arrays(np.float64, 20, elements=st.floats(-180, 180)), hnp.arrays(np.float64, 20, elements=st.floats(-90, 90))
)
def test_mollweide_keeps_inside_its_ellipse_and_inverts(lon: Floats, lat: Floats) -> None:
    """Every point lies in the ellipse, and the inverse of the projection gives its latitude back."""
    x, y = mollweide(lon, lat)
    assert ((x / 2) ** 2 + y**2 <= 1 + 1e-6).all()
    theta = np.arcsin(y)
    back = np.degrees(np.arcsin(np.clip((2 * theta + np.sin(2 * theta)) / np.pi, -1, 1)))
    assert np.allclose(back, lat, atol=0.05)


def test_outlines_of_all_chunks_cover_the_ellipse() -> None:
    """The polygons of a whole sky of chunks have the ellipse's area, 2 pi, within 1 %."""
    chunker = Chunker(40, 4, 0.01)
    boxes = [chunker.chunk_box(int(chunk)) for chunk in chunker.chunk_ids()]
    sky = sky_of([(b.ra_min, b.ra_max, b.dec_min, b.dec_max) for b in boxes])
    outlines, row = mollweide_outlines(sky)
    x, y = outlines[..., 0], outlines[..., 1]
    area = 0.5 * np.abs((x * np.roll(y, -1, 1) - np.roll(x, -1, 1) * y).sum(1)).sum()
    assert area == pytest.approx(2 * np.pi, rel=0.01)
    assert set(row.tolist()) == set(range(len(sky)))


def test_a_chunk_across_the_seam_has_two_outlines() -> None:
    """A box from 178 to 182 degrees appears at both ends of the map."""
    outlines, row = mollweide_outlines(sky_of([(178, 182, 0, 1), (358, 2, 0, 1)]))
    assert row.tolist() == [0, 1, 0]
    assert np.abs(outlines[[0, 2], :, 0]).min() > 1.9
    assert np.abs(outlines[1, :, 0]).max() < 0.1


def test_the_centre_of_a_patch_across_longitude_zero_lies_in_it() -> None:
    """The mean direction of boxes at 358 to 0 and 0 to 2 degrees is 0."""
    sky = sky_of([(358, 0, 0, 1), (0, 2, 0, 1)])
    assert centre_of(sky) == pytest.approx(0, abs=1e-9) or centre_of(sky) == pytest.approx(360)
    low, high = centred_boxes(sky, 0.0)
    assert (low.tolist(), high.tolist()) == ([-2, 0], [0, 2])
