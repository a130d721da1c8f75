"""The pure function (recipe, seed, chunk) -> rows: purity, agreement of tables, and a sky that looks like one."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from numpy.typing import NDArray
from tests.support.recipes import RECIPES, changed

from skyshard.basics.errors import UserError
from skyshard.chunking import Chunker
from skyshard.rowimage.sqltype import parse_type
from skyshard.synth.recipe.recipe import Recipe, read_recipe
from skyshard.synth.recipe.sky_tables import MARIADB_KEY
from skyshard.synth.rows import generate as module
from skyshard.synth.rows.generate import generate, open_sky
from skyshard.synth.sky.positions import draw_positions

SEED = 5
FULL_SKY = [{"ra_deg": [0, 360], "dec_deg": [-90, 90]}]


def recipe_with(**keys: Any) -> Recipe:
    return Recipe.model_validate(changed(**keys))


@lru_cache(maxsize=1)
def mini() -> dict[int, dict[str, pa.Table]]:
    """All chunks of the mini recipe."""
    recipe = read_recipe("mini")
    return {chunk: generate(recipe, SEED, chunk) for chunk in open_sky(recipe, SEED).expected_objects()}


def column(table: str, name: str) -> NDArray[Any]:
    """One column over all chunks of the mini recipe; NaN for NULL."""
    return np.concatenate([tables[table][name].to_numpy() for tables in mini().values()])


# Purity


def test_chunk_is_equal_when_made_alone() -> None:
    """A chunk made first in a fresh process state equals the one made among others, in any order."""
    expected = mini()
    for chunk in list(expected)[::-5]:
        module._open.cache_clear()
        assert generate(read_recipe("mini"), SEED, chunk) == expected[chunk]


def test_another_seed_makes_other_rows() -> None:
    """Positions of two seeds have nothing in common."""
    chunk = next(iter(mini()))
    other = generate(read_recipe("mini"), SEED + 1, chunk)["Object"]["ra"].to_numpy()
    assert not np.intersect1d(mini()[chunk]["Object"]["ra"].to_numpy(), other).size


def test_columns_are_independent_streams() -> None:
    """Asking for more columns leaves every other column as it was."""
    chunk = next(iter(mini()))
    wide = recipe_with(tables__Object__band_columns=["modelFlux", "instFluxSigma", "psfFlux", "shapeIxy"], truth=[])
    made, before = generate(wide, SEED, chunk)["Object"], mini()[chunk]["Object"]
    assert made["r_psfFlux"] == before["r_psfFlux"]
    assert made["ra"] == before["ra"]
    assert made.num_columns == 10 + 4 * 6


def test_tables_can_be_left_out() -> None:
    """Without children the director is the same."""
    chunk = next(iter(mini()))
    alone = generate(recipe_with(tables__Source=None, tables__ForcedSource=None, truth=[]), SEED, chunk)
    assert alone == {"Object": mini()[chunk]["Object"]}


def test_unit_scales_fluxes_only() -> None:
    """Nanojansky are a thousand microjansky, for fluxes and errors; shapes and positions stay."""
    chunk = next(iter(mini()))
    nano, micro = generate(recipe_with(flux_unit="nJy"), SEED, chunk), mini()[chunk]
    for table, name, factor in [
        ("Object", "g_apFlux", 1e3),
        ("Object", "g_apFluxSigma", 1e3),
        ("Object", "g_shapeIxx", 1),
        ("ForcedSource", "psfFlux", 1e3),
        ("Source", "flux_sinc", 1e3),
        ("Source", "snr", 1),
    ]:
        values, expected = nano[table][name].to_numpy(), micro[table][name].to_numpy() * factor
        np.testing.assert_allclose(values, expected, rtol=1e-6, atol=0)


def test_cgs_fluxes_do_not_vanish() -> None:
    """Fluxes of 1e-30 erg/s/cm2/Hz keep their precision in FLOAT columns."""
    chunk = next(iter(mini()))
    tables = generate(recipe_with(flux_unit="cgs"), SEED, chunk)
    sigma = tables["ForcedSource"]["psfFluxSigma"].drop_null().to_numpy()
    assert 1e-32 < sigma.min() < sigma.max() < 1e-25
    np.testing.assert_allclose(sigma * 1e29, mini()[chunk]["ForcedSource"]["psfFluxSigma"].drop_null(), rtol=1e-5)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", RECIPES)
def test_shipped_recipe_renders(name: str) -> None:
    """Every shipped recipe makes objects of its fullest chunk, and its regular tables, typed as declared."""
    sky = open_sky(read_recipe(name))
    expected = sky.expected_objects()
    chunk = max(expected, key=lambda chunk: expected[chunk])
    tables = sky.chunk_tables(chunk, min(1.0, 300 / expected[chunk])) | sky.regular_tables()
    assert set(tables) == set(sky.specs)
    for table, rows in tables.items():
        rows.validate(full=True)
        assert rows.num_rows > 0
        for declared, field in zip(sky.specs[table].table, rows.schema, strict=True):
            text, is_nullable = declared.type.text, declared.is_nullable
            assert field.metadata[MARIADB_KEY].decode() == (text if is_nullable else f"{text} not null")
            assert field.type == parse_type(text).arrow
            assert is_nullable or rows[field.name].null_count == 0


# Places


@pytest.mark.parametrize(("stripes", "substripes"), [(85, 12), (340, 3), (18, 100)])
def test_every_object_is_in_its_chunk(stripes: int, substripes: int) -> None:
    """Positions fall into the chunk asked for, at the poles, at 0 h and in between, clustered or not."""
    recipe = recipe_with(
        striping={"stripes": stripes, "substripes": substripes, "overlap_deg": 0.01},
        sky__footprint=FULL_SKY,
        sky__clusters={"fraction": 0.9, "richness": 10, "scale_arcmin": 60},
    )
    chunker = Chunker(stripes, substripes, 0.01)
    sky, chunks = open_sky(recipe, SEED), chunker.chunk_ids()
    for chunk in [*chunks[:3], *chunks[-3:], *chunks[:: len(chunks) // 20]]:
        cells = sky.cells(int(chunk))
        crowded = type(cells)(cells.box, cells.count, cells.means * (500 / cells.expected))
        positions = draw_positions(crowded, recipe.sky, chunker, SEED, int(chunk))
        assert len(positions) > 300
        assert (chunker.locate(positions.ra, positions.dec)[0] == chunk).all()


def test_footprint_wraps_through_zero() -> None:
    """The mini sky lies on both sides of right ascension 0, and nowhere else."""
    ra = column("Object", "ra")
    assert (ra < 10).any()
    assert (ra > 350).any()
    assert ((ra < 10) | (ra > 350)).all()


def test_numbers_of_objects_are_poisson() -> None:
    """Over some hundred chunks, the total is within 5 sigma of its mean, and the scatter is that of Poisson."""
    recipe = recipe_with(sky__footprint=FULL_SKY, sky__objects_per_sqdeg=10, sky__nside=16)
    sky = open_sky(recipe, SEED)
    means, counts = [], []
    for chunk in sky.chunker.chunk_ids()[::20].tolist():
        cells = sky.cells(chunk)
        means.append(cells.expected)
        counts.append(
            len(draw_positions(cells, sky.recipe.sky.model_copy(update={"clusters": None}), sky.chunker, SEED, chunk))
        )
    deviation = (np.array(counts) - np.array(means)) / np.sqrt(means)
    assert abs(sum(counts) - sum(means)) < 5 * math.sqrt(sum(means))
    assert abs(np.square(deviation).mean() - 1) < 5 * math.sqrt(2 / len(means))


def test_total_follows_the_mean_density() -> None:
    """Expected objects over all chunks are density times area, to the fineness of cells."""
    recipe = recipe_with(sky__footprint=FULL_SKY, sky__nside=16, sky__objects_per_sqdeg=10)
    total = sum(open_sky(recipe, SEED).expected_objects().values())
    assert total == pytest.approx(10 * 41_252.96, rel=0.01)


def test_plan_and_chunk_agree_on_the_mean() -> None:
    """The mean that a plan states for a chunk is the one that the chunk is made with."""
    sky = open_sky(read_recipe("mini"), SEED)
    for chunk, expected in sky.expected_objects().items():
        assert sky.cells(chunk).expected == pytest.approx(expected, rel=1e-12)


def test_positions_follow_the_density_within_a_chunk() -> None:
    """Halves of a chunk that the plane crosses hold what the cells promise, within 5 sigma."""
    sky = open_sky(recipe_with(sky__objects_per_sqdeg=20_000, sky__patchiness=0.5), SEED)
    chunk = max(sky.expected_objects().items(), key=lambda item: item[1])[0]
    cells = sky.cells(chunk)
    positions = draw_positions(cells, sky.recipe.sky.model_copy(update={"clusters": None}), sky.chunker, SEED, chunk)
    grid = cells.means.reshape(cells.count, cells.count)
    across = (positions.ra - cells.box.ra_min) / (cells.box.ra_max - cells.box.ra_min) * cells.count
    for place in range(cells.count):
        mean = grid[:, place].sum()
        assert abs((across.astype(int) == place).sum() - mean) < 5 * math.sqrt(mean) + 1


def test_density_has_contrast() -> None:
    """The fullest chunk of the tiny sky expects ten times the emptiest."""
    expected = list(open_sky(read_recipe("tiny")).expected_objects().values())
    assert 30 <= len(expected) <= 60
    assert max(expected) > 10 * min(expected)


def test_clusters_make_pairs() -> None:
    """Clustering multiplies the pairs within an arcminute."""
    chunk = max(mini(), key=lambda chunk: mini()[chunk]["Object"].num_rows)
    pairs = []
    for clusters in (None, {"fraction": 0.3, "richness": 20, "scale_arcmin": 0.5}):
        made = generate(recipe_with(sky__clusters=clusters), SEED, chunk)["Object"]
        ra, dec = made["ra"].to_numpy(), made["decl"].to_numpy()
        near = np.hypot(ra[:, None] - ra, dec[:, None] - dec) < 1 / 60
        pairs.append(near.sum() - len(ra))
    assert pairs[1] > 3 * pairs[0]


# Agreement of tables


def test_ids_are_unique_over_the_sky() -> None:
    """Every id of every table is unique over all chunks, holds its chunk number, and fits in 63 bits."""
    for table, key in [("Object", "objectId"), ("Source", "sourceId"), ("ForcedSource", "forcedSourceId")]:
        ids = column(table, key)
        assert len(np.unique(ids)) == len(ids)
        assert ids.min() > 0
        chunks = np.concatenate([np.full(tables[table].num_rows, chunk) for chunk, tables in mini().items()])
        assert (ids >> 32 == chunks).all()


def test_children_have_parents_in_their_chunk() -> None:
    """Each child's objectId is an object of the same chunk, its visit a visit, its filter the visit's."""
    visits = open_sky(read_recipe("mini"), SEED).regular_tables()["Visit"]
    filters = dict(zip(visits["visitId"].to_pylist(), visits["filterId"].to_pylist(), strict=True))
    for tables in mini().values():
        for table in ("Source", "ForcedSource"):
            children = tables[table]
            assert pc.all(pc.is_in(children["objectId"], tables["Object"]["objectId"])).as_py()
            expected = [filters[visit] for visit in children["visitId"].to_pylist()]
            assert children["filterId"].to_pylist() == expected


def test_sources_carry_their_objects_position() -> None:
    """The director's position copied into Source is the object's, and the source lies within an arcsecond or so."""
    for tables in mini().values():
        objects = tables["Object"].select(["objectId", "ra", "decl"])
        joined = (
            tables["Source"]
            .select(["objectId", "raObject", "declObject", "decl"])
            .join(objects, "objectId", right_suffix="_true")
        )
        assert (joined["raObject"].to_numpy() == joined["ra"].to_numpy()).all()
        assert (joined["declObject"].to_numpy() == joined["decl_true"].to_numpy()).all()
        assert np.abs(joined["decl"].to_numpy() - joined["declObject"].to_numpy()).max() < 3 / 3600


def test_sources_are_forced_sources_too() -> None:
    """A detection is one of the object's exposures, seen once at most."""
    for tables in mini().values():
        pairs = [
            set(zip(tables[table]["objectId"].to_pylist(), tables[table]["visitId"].to_pylist(), strict=True))
            for table in ("Source", "ForcedSource")
        ]
        assert pairs[0] <= pairs[1]
        assert [len(found) for found in pairs] == [tables[table].num_rows for table in ("Source", "ForcedSource")]


def test_objects_count_their_exposures() -> None:
    """Object.obsCount is the number of ForcedSource rows of the object."""
    assert column("Object", "obsCount").sum() == len(column("ForcedSource", "objectId"))


def test_numbers_of_children_follow_the_recipe() -> None:
    """About ten visits an object, less the bands never observed; about half of them are detections."""
    objects = len(column("Object", "objectId"))
    assert 7 < len(column("ForcedSource", "objectId")) / objects < 12
    assert 3 < len(column("Source", "objectId")) / objects < 7


def test_a_missing_band_nulls_all_its_columns() -> None:
    """NULLs come in blocks: all columns of a band or none, at the recipe's rate; such a band has no children."""
    recipe = read_recipe("mini")
    for band, rule in recipe.bands.items():
        nulls = [np.isnan(column("Object", f"{band}_{name}")) for name in recipe.tables.Object.band_columns]
        assert all((one == nulls[0]).all() for one in nulls)
        assert abs(nulls[0].mean() - rule.missing_fraction) < 5 * math.sqrt(rule.missing_fraction / len(nulls[0]))
    missing = np.isnan(column("Object", "u_psfFlux"))
    u_children = column("ForcedSource", "objectId")[column("ForcedSource", "filterId") == 0]
    assert not np.intersect1d(column("Object", "objectId")[missing], u_children).size


def test_no_value_is_nan_or_infinite() -> None:
    """What is not NULL is a number."""
    for tables in mini().values():
        for table in tables.values():
            for values in table.columns:
                if pa.types.is_floating(values.type):
                    assert pc.all(pc.is_finite(values.drop_null())).as_py() is not False


# Astronomy


def test_counts_rise_towards_faint_magnitudes() -> None:
    """Numbers per magnitude grow by about the recipe's slope."""
    flux = column("Object", "r_apFlux")
    magnitude = 23.9 - 2.5 * np.log10(flux[flux > 0])
    bright, faint = ((magnitude > low).sum() - (magnitude > low + 1).sum() for low in (21, 23))
    assert math.log10(faint / bright) / 2 == pytest.approx(0.35, abs=0.08)


def test_errors_say_the_scatter() -> None:
    """Two measurements of one flux differ by about their error."""
    star = column("Object", "extendedness") == 0
    psf, inst, sigma = (column("Object", f"i_{name}")[star] for name in ("psfFlux", "instFlux", "psfFluxSigma"))
    pull = (psf - inst / 0.97) / (sigma * math.hypot(1, 1 / 0.97))
    assert np.nanstd(pull) == pytest.approx(1, abs=0.05)


def test_variables_vary() -> None:
    """Light curves of variable objects scatter more than their errors, those of others do not."""
    variable = dict(zip(column("Object", "objectId"), column("Object", "flagVariable"), strict=True))
    owner, flux, sigma, band = (column("ForcedSource", c) for c in ("objectId", "psfFlux", "psfFluxSigma", "filterId"))
    is_variable = np.array([variable[one] for one in owner], dtype=bool)
    chosen = (band == 2) & (flux > 20 * sigma)
    spread = []
    for flag in (False, True):
        rows = np.flatnonzero(chosen & (is_variable == flag))
        same = rows[:-1][owner[rows[:-1]] == owner[rows[1:]]]
        following = rows[1:][owner[rows[:-1]] == owner[rows[1:]]]
        spread.append(np.median(np.abs(flux[same] - flux[following]) / np.hypot(sigma[same], sigma[following])))
    assert spread[0] < 1
    assert spread[1] > 2 * spread[0]


def test_flags_are_rare() -> None:
    """Edge flags are set on about 2 % of exposures, bad ones on a per cent or so."""
    assert column("ForcedSource", "flagPixEdge").mean() == pytest.approx(0.02, abs=0.005)
    assert 0.003 < column("ForcedSource", "flagBadPsfFlux").mean() < 0.05


# Refusals


def test_chunk_outside_the_striping_is_refused() -> None:
    """A number that is no chunk is named."""
    with pytest.raises(UserError, match="no chunk 999999"):
        generate(read_recipe("mini"), SEED, 999_999)


def test_footprint_between_pixels_is_refused() -> None:
    """A footprint that no pixel centre lies in is refused by key."""
    box = {"ra_deg": [0, 0.001], "dec_deg": [0, 0.001]}
    with pytest.raises(UserError, match=r"sky\.footprint"):
        open_sky(recipe_with(sky__footprint=[box], sky__nside=8))


def test_children_do_not_depend_on_the_runs_that_they_are_made_in() -> None:
    """A chunk's children made in many short runs of parents are those made at once: rows, ids, order."""
    sky = open_sky(read_recipe("mini"))
    chunk = max(sky.expected_objects(), key=lambda one: sky.expected_objects()[one])
    whole = sky.chunk_tables(chunk)
    runs: dict[str, list[pa.Table]] = {}
    for name, rows in sky.chunk_runs(chunk, most_rows=700):
        runs.setdefault(name, []).append(rows)
    assert len(runs["ForcedSource"]) > 5
    assert max(rows.num_rows for rows in runs["ForcedSource"]) < 1400
    for name, some in runs.items():
        assert pa.concat_tables(some).combine_chunks().equals(whole[name].combine_chunks()), name
