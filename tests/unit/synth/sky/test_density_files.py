"""HEALPix maps as densities: what the header says of order and frame decides where the sky lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.recipes import changed

from skyshard.basics.errors import UserError
from skyshard.basics.lazy import lazy_module
from skyshard.synth.recipe.frames import Frame, in_frame
from skyshard.synth.recipe.recipe import Recipe
from skyshard.synth.recipe.sky_rules import MapFile
from skyshard.synth.rows.generate import open_sky
from skyshard.synth.sky.density_files import read_map

healpy = lazy_module("healpy")
NSIDE = 16
PLACE = (83.6, 22.0)
"""Equatorial degrees; Galactic (184.6, -5.8), ecliptic (84.1, -1.3): three pixels that are far apart."""
LETTER = {Frame.EQUATORIAL: "C", Frame.GALACTIC: "G", Frame.ECLIPTIC: "E"}


def spotted(frame: Frame, *, nest: bool = False) -> np.ndarray[Any, Any]:
    """A map that is 1, and 1000 in the pixel over ``PLACE``; healpy's own rotation says which that is."""
    values = np.ones(12 * NSIDE**2)
    lon, lat = healpy.Rotator(coord=["C", LETTER[frame]])(*PLACE, lonlat=True)
    values[healpy.ang2pix(NSIDE, lon, lat, nest=nest, lonlat=True)] = 1000.0
    return values


def write(path: Path, values: Any, *, nest: bool = False, frame: Frame | None = None, **options: Any) -> MapFile:
    extra = [("COORDSYS", LETTER[frame])] if frame else []
    healpy.write_map(str(path), values, nest=nest, dtype=np.float64, extra_header=extra, overwrite=True, **options)
    return MapFile(file=str(path))


def edit_header(path: Path, **cards: str | None) -> None:
    from astropy.io import fits

    with fits.open(path, mode="update") as units:
        for name, value in cards.items():
            if value is None:
                del units[1].header[name]
            else:
                units[1].header[name] = value


def densest(rule: MapFile) -> tuple[float, float]:
    """Where a sky by this map is densest, on a grid of a quarter degree about ``PLACE``."""
    content = changed(
        sky__from_map=rule.model_dump(mode="json"), sky__patchiness=0, sky__plane=None, sky__footprint=[{}]
    )
    density = open_sky(Recipe.model_validate(content)).density
    ra, dec = (grid.ravel() for grid in np.meshgrid(np.arange(73, 95, 0.25), np.arange(12, 33, 0.25)))
    found = density.at(ra, dec)
    is_top = found > found.max() / 2
    assert found.max() > 500 * found.min()
    return float(ra[is_top].mean()), float(dec[is_top].mean())


@pytest.mark.parametrize("nest", [False, True])
@pytest.mark.parametrize("frame", list(Frame))
def test_map_is_taken_in_the_frame_and_order_of_its_header(tmp_path: Path, frame: Frame, nest: bool) -> None:
    """The bright pixel lies over the same equatorial place, whatever the frame and order it was written in."""
    ra, dec = densest(write(tmp_path / "map.fits", spotted(frame, nest=nest), nest=nest, frame=frame))
    assert (ra, dec) == pytest.approx(PLACE, abs=3)


@pytest.mark.parametrize("frame", list(Frame))
def test_recipe_says_the_frame_of_a_file_that_does_not(tmp_path: Path, frame: Frame) -> None:
    """A .npy has no header: ``coordinates`` and ``is_nested`` say what it would."""
    np.save(tmp_path / "map.npy", spotted(frame, nest=True))
    ra, dec = densest(MapFile(file=str(tmp_path / "map.npy"), is_nested=True, coordinates=frame))
    assert (ra, dec) == pytest.approx(PLACE, abs=3)


def test_partial_map_is_placed_by_its_pixel_numbers(tmp_path: Path) -> None:
    """INDXSCHM EXPLICIT: pixels that the file leaves out, and those marked UNSEEN, are empty."""
    values = spotted(Frame.GALACTIC, nest=True)
    values[values < 1000] = np.where(np.arange(np.count_nonzero(values < 1000)) % 2, healpy.UNSEEN, 2.0)
    read = read_map(write(tmp_path / "part.fits", values, nest=True, frame=Frame.GALACTIC, partial=True))
    assert read.frame is Frame.GALACTIC
    ring = healpy.reorder(np.where(values == healpy.UNSEEN, 0.0, values), n2r=True)
    np.testing.assert_array_equal(read.values, ring)


@pytest.mark.parametrize(
    ("cards", "keys", "words"),
    [
        ({"COORDSYS": "H"}, {}, "COORDSYS 'H'"),
        ({"COORDSYS": "G"}, {"coordinates": "ecliptic"}, "COORDSYS 'G'"),
        ({"ORDERING": "SPIRAL"}, {}, "ORDERING 'SPIRAL'"),
        ({"ORDERING": "NESTED"}, {"is_nested": False}, "ORDERING 'NESTED'"),
        ({"ORDERING": None}, {}, "has no ORDERING"),
        ({"TTYPE1": "PIXEL", "INDXSCHM": None, "OBJECT": None}, {}, "does not say EXPLICIT"),
    ],
)
def test_header_that_is_unknown_or_contradicted_is_refused(
    tmp_path: Path, cards: dict[str, str | None], keys: dict[str, Any], words: str
) -> None:
    """Nothing is guessed about where a sky lies."""
    rule = write(tmp_path / "map.fits", spotted(Frame.EQUATORIAL))
    edit_header(tmp_path / "map.fits", **cards)
    with pytest.raises(UserError, match=words):
        read_map(rule.model_copy(update=MapFile(file="x", **keys).model_dump(include=set(keys))))


def test_header_in_small_letters_counts(tmp_path: Path) -> None:
    """`nested` and `galactic` are what NESTED and G are."""
    rule = write(tmp_path / "map.fits", spotted(Frame.GALACTIC, nest=True), nest=True)
    edit_header(tmp_path / "map.fits", ORDERING="nested", COORDSYS="galactic")
    assert densest(rule)[0] == pytest.approx(PLACE[0], abs=3)


def test_frames_agree_with_healpy() -> None:
    """To a hundredth of a degree, for positions all over the sky."""
    ra, dec = healpy.pix2ang(32, np.arange(12 * 32**2), lonlat=True)
    for frame in (Frame.GALACTIC, Frame.ECLIPTIC):
        wanted = healpy.Rotator(coord=["C", LETTER[frame]])(ra, dec, lonlat=True)
        found = in_frame(frame, ra, dec)
        assert np.degrees(healpy.rotator.angdist(wanted, found, lonlat=True)).max() < 0.01
