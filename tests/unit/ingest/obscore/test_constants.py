"""Constants of cameras: what is shipped is right, and wrong files are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.host.shipped_data import data_folder
from skyshard.ingest.obscore.constants import read_constants

SHIPPED = sorted(path.stem for path in data_folder("ingest", "obscore").glob("*.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_constants_are_right(name: str) -> None:
    """Ranges of wavelengths grow, and identifiers differ between all images of a release."""
    found = read_constants(name, [])[1]
    assert all(0 < low < high < 2e-6 for low, high in found.spectral_ranges.values())
    for field in ("database", "dataset", "visit", "detector", "tract", "patch", "band"):
        assert f"{{{field}}}" in found.obs_publisher_did


@pytest.mark.parametrize(
    ("filters", "name"),
    [
        (["HSC-R2", "NB0921"], "hsc"),
        (["r_03", "i_06"], "comcam"),
        (["r_57", "u_24"], "lsstcam"),
        (["r_sim_1.4", "u_sim_1.4"], "imsim"),
    ],
)
def test_constants_follow_the_filters(filters: list[str], name: str) -> None:
    """Those of the camera that has all of them."""
    assert read_constants("", filters)[0] == name


@pytest.mark.parametrize(
    ("change", "said"),
    [("obs_id: '{visit}'", "obs_id"), ("calib_level: 9", "calib_level"), ("nothing: 1", "no such key")],
)
def test_wrong_key_is_named(tmp_path: Path, change: str, said: str) -> None:
    """A template with an unknown field, a level that there is not, a key that there is not."""
    text = (data_folder("ingest", "obscore") / "hsc.yaml").read_text()
    broken = text + f"{change}\n" if said == "no such key" else text
    broken = broken.replace('obs_id: "{visit}"', 'obs_id: "{night}"') if said == "obs_id" else broken
    broken = broken.replace("calib_level: 1", change) if said == "calib_level" else broken
    path = tmp_path / "mine.yaml"
    path.write_text(broken)
    with pytest.raises(UserError, match=said):
        read_constants(str(path), [])


def test_unknown_camera_is_refused() -> None:
    """With what there is."""
    with pytest.raises(UserError, match="no constants 'gaia'"):
        read_constants("gaia", [])
    with pytest.raises(UserError, match="for the filters G"):
        read_constants("", ["G"])
