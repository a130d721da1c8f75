"""Columns by their meaning, from rows whose light is known: exact where a column follows, else right on average."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose

from skyshard.catalog.felis_schemas import SchemaColumn
from skyshard.synth.recipe.recipe import ColumnRecipe, read_recipe
from skyshard.synth.recipe.sky_tables import Masked, Validity
from skyshard.synth.rows.felis_columns import TableRows, make_column
from skyshard.synth.rows.fluxes import Light
from skyshard.synth.rows.kpm_columns import Patch
from skyshard.synth.sky.population import draw_population
from skyshard.synth.sky.positions import SkyPositions

COUNT = 20_000
TOTAL_UJY = np.linspace(-1, 199, COUNT, dtype=np.float32)
"""The first are negative, as noise makes them."""
POINT_UJY, SIGMA_UJY = TOTAL_UJY * np.float32(0.75), np.float32(0.5)
SEEN = np.arange(COUNT) % 4 > 0
RA, DEC = np.full(COUNT, 359.99999), np.full(COUNT, 60.0)


def light(band: str | None) -> Light:
    """In each band; in g a quarter of the rows was never observed."""
    none = np.zeros(COUNT, bool)
    luck = (np.arange(COUNT) * 0.61803398875 % 1).astype(np.float32)
    return Light(
        TOTAL_UJY, POINT_UJY, POINT_UJY + np.float32(2), np.full(COUNT, SIGMA_UJY), luck, none, none, none,
        np.arange(COUNT) % 2 == 0, Validity.of(SEEN) if band == "g" else None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> TableRows:
    recipe = read_recipe("hsc")
    patch = Patch(recipe, 1, 7, SkyPositions(RA, DEC), draw_population(recipe, 1, 7, COUNT))
    size = np.full(COUNT, 5, np.float32)
    return TableRows(
        patch, "Object", COUNT, RA, DEC, {"objectId": np.arange(COUNT)}, light,
        {"g/visits": np.full(COUNT, 11), "psfFluxMean": np.full(COUNT, 3.5)}, size,
        np.full(COUNT, 0.25, np.float32), np.full(COUNT, -0.1, np.float32),
    )  # fmt: skip


def column(name: str, kind: str = "float", unit: str = "nJy", *, is_nullable: bool = False) -> SchemaColumn:
    return SchemaColumn(name, kind, is_nullable, unit, "", "")


def values(rows: TableRows, made: SchemaColumn, rule: ColumnRecipe | None = None) -> np.ndarray:
    found = make_column(rows, made, rule)
    assert isinstance(found, np.ndarray)
    return found


@pytest.mark.parametrize(("unit", "factor"), [("nJy", 1e3), ("uJy", 1.0), ("count", 700.0)])
def test_a_flux_is_its_light_with_its_error_in_the_columns_unit(rows: TableRows, unit: str, factor: float) -> None:
    """Pulls of a point-source flux are those of a standard normal; its error is the light's."""
    rows = replace(rows, made={})
    flux = values(rows, column("r_psfFlux", unit=unit))
    error = values(rows, column("r_psfFluxErr", unit=unit))
    assert_allclose(error, np.full(COUNT, 0.5 * factor), rtol=1e-6)
    pulls = (flux - POINT_UJY.astype(np.float64) * factor) / error
    assert pulls.mean() == pytest.approx(0, abs=4 / np.sqrt(COUNT))
    assert pulls.std() == pytest.approx(1, abs=4 / np.sqrt(2 * COUNT))


def test_a_true_flux_has_no_error(rows: TableRows) -> None:
    """All of the light, exactly; before reddening more of it."""
    assert_allclose(values(rows, column("flux_r")), TOTAL_UJY * 1e3, rtol=1e-6)
    assert_allclose(values(rows, column("flux_r_noMW")), TOTAL_UJY * 1.08e3, rtol=1e-6)


def test_a_magnitude_is_that_of_the_flux_beside_it(rows: TableRows) -> None:
    """31.4 - 2.5 log10(nJy); NULL where the flux is not positive, and where the band was not observed."""
    flux = column("g_psfFlux")
    rows = replace(rows, made={}, columns={"g_psfFlux": flux})
    found = make_column(rows, column("g_psfMag", unit="mag", is_nullable=True), None)
    assert isinstance(found, Masked)
    nanojansky = values(rows, flux).astype(np.float64)
    is_valid = np.unpackbits(np.frombuffer(found.validity.bitmap, np.uint8), bitorder="little")[:COUNT] == 1
    assert (is_valid == ((nanojansky > 0) & SEEN)).all()
    assert found.validity.null_count == COUNT - is_valid.sum()
    assert_allclose(found.values[is_valid], 31.4 - 2.5 * np.log10(nanojansky[is_valid]), rtol=1e-5)
    error = make_column(rows, column("g_psfMagErr", unit="mag", is_nullable=True), None)
    assert isinstance(error, Masked)
    assert_allclose(error.values[is_valid], 1.0857e3 * 0.5 / nanojansky[is_valid], rtol=1e-4)


def test_a_difference_is_against_the_mean_of_all_times(rows: TableRows) -> None:
    """The point-source flux is 2 microjansky below its mean here."""
    found = values(rows, column("psfDiffFlux"))
    assert found.mean() == pytest.approx(-2e3, abs=4 * 500 / np.sqrt(COUNT))
    assert found.std() == pytest.approx(500, rel=0.05)


def test_positions_scatter_by_their_errors_and_stay_on_the_sphere(rows: TableRows) -> None:
    """A table's own position is exact; one in a band is off by 0.7 arcseconds over its signal over noise."""
    assert (values(rows, column("coord_ra", "double", "deg")) == RA).all()
    assert (values(rows, column("coord_dec", "double", "deg")) == DEC).all()
    ra, dec = (values(rows, column(f"r_{name}", "double", "deg")) for name in ("ra", "dec"))
    assert ((ra >= 0) & (ra < 360)).all()
    snr = POINT_UJY / SIGMA_UJY
    bright = snr > 1
    error = 0.7 / 3600 / snr[bright]
    east = ((ra - RA + 180) % 360 - 180)[bright] * np.cos(np.radians(60)) / error
    north = (dec - DEC)[bright] / error
    for pulls in (east, north):
        assert pulls.mean() == pytest.approx(0, abs=4 / np.sqrt(bright.sum()))
        assert pulls.std() == pytest.approx(1, rel=0.03)
    assert_allclose(values(rows, column("r_raErr", unit="deg"))[bright], error, rtol=1e-5)
    assert_allclose(values(rows, column("r_xErr", unit="pixel"))[bright], error * 3600 / 0.2, rtol=1e-5)
    pole = replace(rows, dec=np.full(COUNT, 90.0))
    assert values(pole, column("r_dec", "double", "deg")).max() == 90.0


@pytest.mark.parametrize(
    ("name", "unit", "mean"),
    [
        ("shape_xx", "pixel**2", 4 + 5 * 1.25),
        ("shape_yy", "pixel**2", 4 + 5 * 0.75),
        ("shape_xy", "pixel**2", -0.5),
        ("ixxPSF", "pixel**2", 4.0),
        ("ixyPSF", "pixel**2", 0.0),
        ("hsm_e1", "", 0.25),
        ("hsm_e2", "", -0.1),
        ("shape_trace", "pixel**2", 9.0),
        ("seeing_fwhm", "pixel", 3.0),
        ("seeing_fwhm", "arcsec", 0.6),
    ],
)
def test_shapes_are_those_of_the_image_and_the_psf(rows: TableRows, name: str, unit: str, mean: float) -> None:
    """A second moment of 5 square pixels with ellipticities of 0.25 and -0.1, under a PSF of 4."""
    assert values(rows, column(name, unit=unit)).mean() == pytest.approx(mean, abs=0.02)


def test_kinds_are_mostly_right_and_wrong_where_the_signal_is_weak(rows: TableRows) -> None:
    """Extended is 1; one in three of the faint is taken for the other, of the bright next to none."""
    kind = values(rows, column("r_extendedness", unit=""))
    is_wrong = kind != (np.arange(COUNT) % 2 == 1)
    snr = POINT_UJY / SIGMA_UJY
    assert is_wrong[snr < 3].mean() == pytest.approx(0.3, abs=0.15)
    assert is_wrong[snr > 200].mean() < 0.02
    assert (values(rows, column("r_snr", unit="")) == snr).all()


def test_columns_that_come_with_the_rows_are_taken_as_they_are(rows: TableRows) -> None:
    """Ids, numbers of visits, statistics of light curves; an id that nothing has is 0."""
    assert (values(rows, column("objectId", "bigint", "")) == np.arange(COUNT)).all()
    assert (values(rows, column("g_inputCount", "int", "")) == 11).all()
    assert (values(rows, column("r_inputCount", "int", "")) == 1).all()
    assert (values(rows, column("psfFluxMean")) == 3.5).all()
    assert (values(rows, column("ssObjectId", "bigint", "")) == 0).all()


@pytest.mark.parametrize(
    ("rule", "low", "high"),
    [
        (ColumnRecipe(constant=4), 4, 4), (ColumnRecipe(uniform=(2, 3)), 2, 3),
        (ColumnRecipe(normal=(50, 0.1)), 49, 51),
    ],
)  # fmt: skip
def test_a_rule_of_the_recipe_comes_first(rows: TableRows, rule: ColumnRecipe, low: float, high: float) -> None:
    """Whatever the name would suggest."""
    found = values(rows, column("r_psfFlux", "double"), rule)
    assert low <= found.min() <= found.mean() <= found.max() <= high
    assert found.mean() == pytest.approx((low + high) / 2, abs=0.02)


def test_words_are_drawn_alike(rows: TableRows) -> None:
    """Of three words each is a third of the rows; one constant is in all."""
    found = make_column(rows, column("note", "varchar(9)", ""), ColumnRecipe(choice=("a", "b", "c")))
    counts = {str(one["values"]): one["counts"] for one in pa.array(found).value_counts().to_pylist()}
    assert len(counts) == 3
    assert all(count == pytest.approx(COUNT / 3, rel=0.05) for count in counts.values())
    same = make_column(rows, column("note", "varchar(9)", ""), ColumnRecipe(constant="x"))
    assert len(pa.array(same).unique()) == 1


def test_a_share_of_a_column_may_be_null(rows: TableRows) -> None:
    """As the recipe says, or where the band was not observed; never where the column may not be NULL."""
    ruled = make_column(rows, column("z_psfFlux", is_nullable=True), ColumnRecipe(nulls=0.2))
    unseen = make_column(rows, column("g_psfFlux", is_nullable=True), None)
    assert isinstance(ruled, Masked)
    assert isinstance(unseen, Masked)
    assert ruled.validity.null_count == pytest.approx(0.2 * COUNT, rel=0.05)
    assert unseen.validity.null_count == COUNT / 4
    assert isinstance(make_column(rows, column("g_psfFlux"), None), np.ndarray)


def test_the_same_column_of_the_same_chunk_is_drawn_alike(rows: TableRows) -> None:
    """Another chunk, another column: other numbers."""
    one, again = (values(replace(rows, made={}), column("r_psfFlux")) for _ in range(2))
    other = values(replace(rows, made={}, patch=replace(rows.patch, chunk=8)), column("r_psfFlux"))
    assert (one == again).all()
    assert (one != other).mean() > 0.99
    assert (one != values(replace(rows, made={}), column("i_psfFlux"))).mean() > 0.99
