"""Fractions, truth, density from files, dirt and the preview page."""

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tests.support.recipes import changed

from skyshard.basics.errors import UserError
from skyshard.catalog.synth_manifest import SynthManifest, read_manifest
from skyshard.chunking import Chunker
from skyshard.chunking.sphere import ang_sep
from skyshard.rowimage.digest import digest
from skyshard.rowimage.record import Field
from skyshard.synth.recipe.recipe import Recipe, read_recipe
from skyshard.synth.rows.generate import open_sky
from skyshard.synth.write.catalog_truth import sum_aggregates
from skyshard.synth.write.dirty_input import Dirt, parse_dirt, write_dirty
from skyshard.synth.write.output_folder import PREVIEW
from skyshard.synth.write.preview import write_preview
from skyshard.synth.write.synth_plan import plan
from skyshard.synth.write.write_catalog import write_catalog

TRUTH: dict[str, Any] = {
    "histograms": [{"table": "Object", "column": "z_apFlux", "edges": [0, 0.5, 1, 10]}],
    "aggregates": [{"table": "Object", "column": "objectId"}, {"table": "Source", "column": "psfFlux"}],
    "neighbours": {"radii_deg": [0.005, 0.016]},
}
SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"
GAIA_ROWS = SHARED / "sky" / "gaia_dr2_rows_per_chunk.tsv.gz"
SHARES = (0.1, 0.5, 0.9, 0.99, 1.0)


def rows_of(folder: Path, table: str) -> pa.Table:
    manifest = read_manifest(folder)
    return pa.concat_tables(pq.read_table(folder / file.path) for file in manifest.tables[table].files)


def made(tmp_path: Path, fraction: float, shrink: Any = "thinning", **keys: Any) -> SynthManifest:
    recipe = Recipe.model_validate(changed(**keys))
    return write_catalog(recipe, tmp_path / f"{fraction}", fraction=fraction, shrink=shrink)


# Fractions


def test_thinning_keeps_all_chunks(tmp_path: Path) -> None:
    """A tenth by thinning has all chunks and a tenth of the objects, and the manifest says so."""
    whole, tenth = made(tmp_path, 0.1), made(tmp_path, 0.01)
    assert set(tenth.known_truth.chunks) == set(whole.known_truth.chunks)
    assert tenth.shrink == "thinning"
    for chunk, truth in tenth.known_truth.chunks.items():
        assert truth.rows["Object"] == pytest.approx(whole.known_truth.chunks[chunk].rows["Object"] / 10, abs=1)


@pytest.mark.timeout(20)
def test_fraction_of_a_fraction_is_a_subset(tmp_path: Path) -> None:
    """Rows of a smaller share are rows of a larger one, in every table, whatever the order of making."""
    small, large = made(tmp_path, 0.01), made(tmp_path, 0.03)
    for name, table in small.tables.items():
        for file in table.files:
            other = next(one for one in large.tables[name].files if one.chunk == file.chunk)
            rows, more = pq.read_table(tmp_path / "0.01" / file.path), pq.read_table(tmp_path / "0.03" / other.path)
            assert rows.equals(more.slice(0, rows.num_rows))


def test_folder_of_another_shrinking_is_refused(tmp_path: Path) -> None:
    """Coverage and thinning are never mixed in one folder."""
    made(tmp_path, 0.02)
    with pytest.raises(UserError, match="another recipe"):
        made(tmp_path, 0.02, "coverage")


@pytest.mark.timeout(20)
def test_plan_states_the_whole_and_the_share() -> None:
    """Expected rows and bytes of the recipe and of the fraction are in proportion; half of DR1 is the profile's."""
    half = plan(read_recipe("dr1"), Path("nowhere"), fraction=0.5, shrink="thinning")
    assert half.whole_rows["Object"] == 18_889_844_400
    assert half.expected_rows["Object"] == half.whole_rows["Object"] / 2
    assert half.whole_rows["Source"] / half.whole_rows["Object"] == pytest.approx(18.46, rel=0.06)
    assert half.whole_rows["ForcedSource"] / half.whole_rows["Object"] == pytest.approx(91.06, rel=0.01)
    assert half.expected_bytes == pytest.approx(half.whole_bytes / 2)


# Truth


@pytest.mark.timeout(20)
@pytest.mark.parametrize("shrink", ["coverage", "thinning"])
def test_truth_is_what_the_rows_say(tmp_path: Path, shrink: str) -> None:
    """Histograms, aggregates and pairs over all chunks are those of the rows, neighbours over chunk edges included."""
    manifest = made(tmp_path, 0.25, shrink, **TRUTH)
    objects, sources = rows_of(tmp_path / "0.25", "Object"), rows_of(tmp_path / "0.25", "Source")
    truths = list(manifest.known_truth.chunks.values())
    values = objects["z_apFlux"].drop_null().to_numpy()
    assert np.sum([one.histograms[0] for one in truths], axis=0).tolist() == [
        int(((values >= low) & (values < high)).sum()) for low, high in [(0, 0.5), (0.5, 1), (1, 10)]
    ]
    ids = sum_aggregates([one.aggregates[0] for one in truths])
    assert (ids.rows, ids.sum) == (objects.num_rows, sum(objects["objectId"].to_pylist()))
    fluxes = sources["psfFlux"].drop_null().to_numpy()
    found = sum_aggregates([one.aggregates[1] for one in truths])
    assert (found.rows, found.least, found.greatest) == (len(fluxes), fluxes.min(), fluxes.max())
    assert found.sum == pytest.approx(math.fsum(fluxes), rel=1e-14)
    ra, dec = objects["ra"].to_numpy(), objects["decl"].to_numpy()
    distance = np.concatenate([ang_sep(ra[at : at + 500, None], dec[at : at + 500, None], ra, dec).ravel()
                               for at in range(0, len(ra), 500)])  # fmt: skip
    for place, radius in enumerate([0.005, 0.016]):
        expected = int((distance < radius).sum()) - len(ra)
        assert sum(one.pairs[place] for one in truths) == expected > 0
        assert any(answer.row == (expected + len(ra),) for answer in manifest.known_truth.answers)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"neighbours": {"radii_deg": [0.5]}}, "above the overlap"),
        ({"histograms": [{"table": "Object", "column": "ra", "edges": [2, 1]}]}, "edges must rise"),
        ({"aggregates": [{"table": "Visit", "column": "ra"}]}, "no chunked table"),
        ({"aggregates": [{"table": "Object", "column": "nosuch"}]}, "no column 'nosuch'"),
        ({"sky__objects_total": 5}, "one of them"),
        ({"sky__spots": [{"ra_deg": 0, "dec_deg": 0, "scale_deg": 1, "contrast": 0.5}]}, "at least 1"),
        ({"sky__skew": {"quantiles": [[0, 5], [0.5, 3], [1, 9]]}}, "and rise"),
        ({"sky__from_chunks": {"file": "nowhere.tsv"}}, "nowhere.tsv"),
        ({"striping": {"stripes": 1, "substripes": 1, "overlap_deg": 0.01}, "sky__objects_per_sqdeg": 1e8,
          "sky__footprint": [{"ra_deg": [0, 360], "dec_deg": [-90, 90]}]}, "ids count to"),
    ],
)  # fmt: skip
def test_impossible_recipe_is_refused(keys: dict[str, Any], said: str) -> None:
    """The message says what is wrong."""
    with pytest.raises((UserError, ValueError), match=said):
        plan(Recipe.model_validate(changed(**keys)), Path("nowhere"))


# Density from files


def test_rows_per_chunk_are_those_of_a_file(tmp_path: Path) -> None:
    """Expected rows stand in the file's relation, its hash is kept, and other content under its name is refused."""
    wanted = {chunk: float(place % 50 + 1) for place, chunk in enumerate(Chunker(18, 10, 0.01).chunk_ids().tolist())}
    path = tmp_path / "rows.tsv.gz"
    path.write_bytes(gzip.compress("\n".join(["chunkId\trows", *(f"{c}\t{n:g}" for c, n in wanted.items())]).encode()))
    striping = {"stripes": 18, "substripes": 10, "overlap_deg": 0.01}
    content = changed(
        striping=striping, sky__from_chunks={"file": "rows.tsv.gz", "striping": striping}, sky__patchiness=0,
        sky__footprint=[{"ra_deg": [0, 360], "dec_deg": [-90, 90]}],
    )  # fmt: skip
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content | {"name": "mine"}))
    recipe = read_recipe(tmp_path / "mine.yaml")
    expected = open_sky(recipe).expected_objects()
    ratios = [expected[chunk] / rows for chunk, rows in wanted.items()]
    assert min(ratios) == pytest.approx(max(ratios), rel=1e-9)
    assert recipe.sky.from_chunks is not None
    assert recipe.sky.from_chunks.xxh3
    path.write_bytes(gzip.compress(b"chunkId\trows\n1\t-5\n"))
    with pytest.raises(UserError, match="another content than the recipe was read with"):
        open_sky(recipe.model_copy(update={"seed": 99}))


def test_map_decides_the_density(tmp_path: Path) -> None:
    """Objects are where a HEALPix map says; an unreadable map is refused."""
    values = np.zeros(12 * 16**2)
    values[np.arange(len(values)) % 2 == 0] = 1.0
    np.save(tmp_path / "map.npy", values)
    content = changed(sky__from_map={"file": str(tmp_path / "map.npy")}, sky__patchiness=0, sky__plane=None)
    sky = open_sky(Recipe.model_validate(content))
    assert sky.density.at(np.array([5.0]), np.array([2.0])) >= 0
    assert set(np.unique(sky.density.values > 0)) == {False, True}
    np.save(tmp_path / "map.npy", values[:5])
    with pytest.raises(UserError, match="not that of a HEALPix map"):
        open_sky(Recipe.model_validate(content | {"name": "other"}))


@pytest.mark.timeout(20)
def test_gaia_has_the_skew_of_the_real_sky() -> None:
    """Rows per chunk of a tenth of it: p10, p50, p90, p99 and greatest are within 10 % of the real ones."""
    if not GAIA_ROWS.exists():
        pytest.skip("the real rows per chunk are not here")
    real = np.loadtxt(gzip.decompress(GAIA_ROWS.read_bytes()).decode().splitlines(), skiprows=1)[:, 1]
    expected = np.array(list(open_sky(read_recipe("gaia")).expected_objects().values()))
    drawn = np.random.default_rng(1).poisson(expected / 10) * 10
    np.testing.assert_allclose(np.quantile(drawn, SHARES) / np.quantile(real, SHARES), 1.0, atol=0.1)


# Dirt and pictures


def test_dirt_is_counted_and_can_be_undone(tmp_path: Path) -> None:
    """The note counts what the files hold, and the rows less their dirt have the digest that it states."""
    recipe = read_recipe("mini")
    kinds = parse_dirt("nan,inf,sentinel,unsorted,tract")
    done = write_dirty(plan(recipe, tmp_path, chunks=[7140, 7308]), tmp_path, kinds)
    sky = open_sky(recipe)
    rows = pa.concat_tables(pq.read_table(path) for path in (tmp_path / "Object").glob("*.parquet"))
    noted = done["Object"]
    assert rows.num_rows == noted.rows
    assert noted.files == len(list((tmp_path / "Object").glob("tract_*.parquet"))) > 1
    for name, counts in noted.dirt.items():
        values = rows[name].to_numpy()
        assert (values == np.inf).sum() == counts["+inf"] > 0
        assert (values == -999).sum() == counts["-999"] > 0
        clean = np.isfinite(values) & (values != -999)
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, name, pa.array(values, rows[name].type, mask=~clean))
    fields = [Field(column.name, column.type, column.is_nullable) for column in sky.specs["Object"].table]
    assert str(digest(rows, fields)) == noted.digest
    assert json.loads((tmp_path / "dirt.json").read_text())["tables"]["Object"]["digest"] == noted.digest


def test_corrupt_file_is_the_last(tmp_path: Path) -> None:
    """One file of the last chunked table cannot be read."""
    write_dirty(plan(read_recipe("mini"), tmp_path, chunks=[7140]), tmp_path, (Dirt.CORRUPT, Dirt.VISIT))
    files = sorted(tmp_path.glob("*/*.parquet"))
    broken = []
    for path in files:
        try:
            pq.read_table(path)
        except (OSError, pa.ArrowInvalid):
            broken.append(path)
    assert broken == [sorted((tmp_path / "ForcedSource").glob("*.parquet"))[-1]]


@pytest.mark.parametrize("text", ["mud", "nan,tract,visit"])
def test_unknown_dirt_is_refused(text: str) -> None:
    """The message names the word, or what cannot go together."""
    with pytest.raises(UserError, match="--dirt"):
        parse_dirt(text)


@pytest.mark.timeout(20)
def test_preview_is_one_page(tmp_path: Path) -> None:
    """The page holds its pictures, and a folder with it alone can still be written to."""
    recipe = read_recipe("mini")
    planned = plan(recipe, tmp_path, fraction=0.2)
    write_preview(open_sky(recipe), planned, tmp_path / PREVIEW)
    page = (tmp_path / PREVIEW).read_text()
    assert page.count("data:image/png;base64") == 7
    assert "http" not in page.replace("base64", "")
    assert write_catalog(recipe, tmp_path, fraction=0.02).known_truth.rows["Object"] > 0
