"""The density map: pixels of the HEALPix library against those of healpy, the field's reference."""

from __future__ import annotations

import hpgeom
import numpy as np
import pytest


@pytest.mark.parametrize("nside", [1, 16, 256])
def test_pixels_are_those_of_healpy(nside: int) -> None:
    """Both libraries put 10,000 points of the sphere, poles and wrap among them, into the same ring pixels."""
    import healpy  # takes seconds to import

    random = np.random.default_rng(3)
    ra = np.concatenate([random.uniform(0, 360, 10_000), [0.0, 359.999999, 180.0, 45.0]])
    dec = np.concatenate([np.degrees(np.arcsin(random.uniform(-1, 1, 10_000))), [0.0, 0.0, 90.0, -90.0]])
    ours = hpgeom.angle_to_pixel(nside, ra, dec, nest=False)
    np.testing.assert_array_equal(ours, healpy.ang2pix(nside, ra, dec, lonlat=True))
