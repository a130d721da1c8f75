"""Parameters are drawn from the data's profile."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.depth import drawn

from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.parameters import BoxParameter, Draws, FluxWindowParameter, draw


@given(st.floats(0, 359.999), st.floats(-90, 90), st.floats(0.01, 20), st.floats(0.01, 20), st.integers(0, 2**32))
def test_boxes_stay_on_the_sphere_and_hold_their_object(
    ra: float, decl: float, width: float, height: float, seed: int
) -> None:
    """A box drawn around an object contains it, also across longitude 0 and at the poles."""
    profile = DataProfile(np.array([1]), np.array([ra]), np.array([decl]))
    parameter = BoxParameter(type="box", width_deg=(width, width), height_deg=(height, height))
    box = draw({"b": parameter}, Draws.of(profile, np.random.default_rng(seed)))["b"]
    assert isinstance(box, dict)
    assert -90 <= box["decl_min"] <= decl + 1e-6
    assert decl - 1e-6 <= box["decl_max"] <= 90
    span = (box["ra_max"] - box["ra_min"]) % 360
    assert (ra - box["ra_min"] + 1e-5) % 360 <= span + 2e-5


@given(st.floats(0.001, 0.3), st.integers(0, 2**32))
@settings(max_examples=drawn(15))
def test_flux_windows_hold_the_share_that_was_asked_for(share: float, seed: int) -> None:
    """A window with selectivity s holds s of the sample within one value."""
    profile = DataProfile.example([("Object", "x")], rows=1000)
    parameter = FluxWindowParameter(type="flux_window", table="Object", column="x", selectivity=(share, share))
    window = draw({"w": parameter}, Draws.of(profile, np.random.default_rng(seed)))["w"]
    assert isinstance(window, dict)
    values = profile.values("Object", "x")
    found = ((values >= window["low"]) & (values <= window["high"])).mean()
    assert abs(found - share) <= 2 / len(values)
