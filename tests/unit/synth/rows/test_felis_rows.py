"""Tables with all columns of a Felis schema: complete, typed, and consistent where users look."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from numpy.typing import NDArray
from tests.support.felis_skies import CATALOGS, felis_chunk, felis_recipe, felis_sky

from skyshard.basics.errors import UserError
from skyshard.catalog.felis_schemas import read_schema
from skyshard.catalog.layout import Role
from skyshard.synth.recipe.table_kinds import TableKind
from skyshard.synth.rows.column_meaning import Sense, meaning_of, split_band
from skyshard.synth.rows.generate import open_sky


def numbers(rows: pa.Table, name: str) -> NDArray[Any]:
    return np.asarray(rows[name].to_numpy())


@pytest.mark.timeout(20)
@pytest.mark.parametrize("catalog", CATALOGS)
def test_every_table_and_column_is_made(catalog: str) -> None:
    """Each table of the schema has rows and all its columns, of the schema's types, NULL only where it may be."""
    sky, (_, tables) = felis_sky(catalog), felis_chunk(catalog)
    for described in read_schema(catalog):
        rows = tables[described.table.name]
        rows.validate(full=True)
        assert rows.num_rows > 0
        assert rows.schema.names == described.table.column_names
        assert rows.schema.types == [column.type.arrow for column in described.table]
        for field, column in zip(rows.schema, described.columns, strict=True):
            assert column.is_nullable or not field.nullable
            assert field.nullable or not rows[field.name].null_count
    assert set(tables) == set(sky.specs)


@pytest.mark.parametrize("catalog", CATALOGS)
def test_numbers_are_finite(catalog: str) -> None:
    """No value of any table is NaN or infinite."""
    for rows in felis_chunk(catalog)[1].values():
        for field in rows.schema:
            if pa.types.is_floating(field.type):
                assert np.isfinite(rows[field.name].drop_null().to_numpy()).all(), field.name


@pytest.mark.parametrize("catalog", CATALOGS)
def test_meaning_is_inferred(catalog: str) -> None:
    """Of an Object table's columns less than one in twelve is known by unit and type only."""
    columns = next(table for table in read_schema(catalog) if table.table.name == "Object").columns
    generic = [column.name for column in columns if meaning_of(column).sense is Sense.GENERIC]
    assert len(generic) < len(columns) / 12


@pytest.mark.parametrize("catalog", CATALOGS)
def test_positions_lie_in_their_chunk(catalog: str) -> None:
    """Every director's rows, however they scatter, stay in the chunk that they are made for."""
    sky, (chunk, tables) = felis_sky(catalog), felis_chunk(catalog)
    directors = [name for name, spec in sky.specs.items() if spec.layout.role is Role.DIRECTOR]
    assert len(directors) >= 2
    for name in directors:
        position = sky.specs[name].layout.position
        assert position is not None
        found, _ = sky.chunker.locate(*(numbers(tables[name], column) for column in position))
        assert (found == chunk).all()


@pytest.mark.parametrize("catalog", CATALOGS)
def test_children_find_their_director(catalog: str) -> None:
    """A dependent row's key is a director's; ids are unique in a table; a copied position is the director's."""
    sky, (_, tables) = felis_sky(catalog), felis_chunk(catalog)
    for name, spec in sky.specs.items():
        layout, rows = spec.layout, tables[name]
        if layout.role is Role.DIRECTOR and layout.key:
            assert len(pc.unique(rows[layout.key])) == rows.num_rows
        if layout.role is Role.DEPENDENT:
            parent = tables[layout.director]
            key = sky.specs[layout.director].layout.key
            places = pc.index_in(rows[layout.key], parent[key].combine_chunks())
            assert places.null_count == 0
            if layout.position is not None:
                own = sky.specs[layout.director].layout.position
                assert own is not None
                for column, other in zip(layout.position, own, strict=True):
                    assert parent[other].take(places).equals(rows[column].cast(pa.float64()))


@pytest.mark.parametrize("catalog", CATALOGS)
def test_exposures_join_to_visits_and_detectors(catalog: str) -> None:
    """Visit and detector of every detection are in the regular tables, and its band is the visit's."""
    sky, (_, tables) = felis_sky(catalog), felis_chunk(catalog)
    visits = tables["Visit"]
    by_detector = next(tables[name] for name, spec in sky.specs.items() if spec.kind is TableKind.VISIT_DETECTOR)
    known = set(zip(numbers(by_detector, "visitId").tolist(), numbers(by_detector, "detector").tolist(), strict=True))
    for name in [name for name, spec in sky.specs.items() if spec.kind.is_exposure]:
        rows = tables[name]
        if "visit" in rows.column_names:
            places = pc.index_in(rows["visit"], visits["visit"].combine_chunks())
            assert places.null_count == 0
            band = "band" if "band" in rows.column_names else "filterName"
            assert visits["band"].take(places).equals(rows[band])
            assert set(zip(numbers(rows, "visit").tolist(), numbers(rows, "detector").tolist(), strict=True)) <= known
        if "ccdVisitId" in rows.column_names:
            assert pc.all(pc.is_in(rows["ccdVisitId"], by_detector["ccdVisitId"].combine_chunks())).as_py()


@pytest.mark.parametrize("catalog", CATALOGS)
def test_missing_band_nulls_all_its_columns(catalog: str) -> None:
    """In each band some objects have no value in any column, and the others one in every column but magnitudes."""
    rows = felis_chunk(catalog)[1]["Object"]
    for band in "grizy":
        columns = [name for name in rows.column_names if split_band(name)[0] == band and "Mag" not in name]
        assert len(columns) > 100
        is_null = rows[f"{band}_psfFlux"].is_null()
        assert 0 < pc.sum(is_null).as_py() < rows.num_rows
        assert all(rows[name].is_null().equals(is_null) for name in columns)
    others = [name for name in rows.column_names if split_band(name)[0] == "u"]
    assert all(rows[name].null_count == rows.num_rows for name in others)


def test_errors_are_those_of_the_fluxes() -> None:
    """Two measurements of one flux differ by their errors; large apertures have larger ones."""
    rows = felis_chunk("hsc")[1]["Object"]
    psf, free = (rows[f"r_{name}psfFlux"].drop_null().to_numpy() for name in ("", "free_"))
    sigma = rows["r_psfFluxErr"].drop_null().to_numpy()
    assert np.std((psf - free) / sigma) == pytest.approx(np.sqrt(2), rel=0.15)
    assert (rows["r_ap70FluxErr"].drop_null().to_numpy() > rows["r_ap09FluxErr"].drop_null().to_numpy()).all()
    assert np.corrcoef(psf, sigma)[0, 1] > 0.8


def test_magnitudes_follow_fluxes() -> None:
    """A magnitude is that of the flux in its row, and NULL where that is not positive."""
    rows = felis_chunk("dp1")[1]["Object"]
    flux, mag = rows["i_psfFlux"].to_numpy(), rows["i_psfMag"].to_numpy()
    is_positive = flux > 0
    np.testing.assert_allclose(mag[is_positive], 31.4 - 2.5 * np.log10(flux[is_positive]), rtol=1e-5)
    assert np.isnan(mag[~is_positive]).all()


def test_counts_are_those_of_the_children() -> None:
    """nDiaSources is the number of DiaSource rows, nPsfFlux by band too; extremes stand in order."""
    tables = felis_chunk("dp1")[1]
    objects, sources = tables["DiaObject"], tables["DiaSource"]
    counted = dict(zip(*np.unique(numbers(sources, "diaObjectId"), return_counts=True), strict=True))
    expected = [counted.get(one, 0) for one in numbers(objects, "diaObjectId")]
    assert numbers(objects, "nDiaSources").tolist() == expected
    in_band = sum(pc.sum(objects[f"{band}_psfFluxNdata"]).as_py() for band in "grizy")
    assert in_band == sources.num_rows
    ordered = [objects[f"g_psfFlux{name}"].drop_null().to_numpy() for name in ("Min", "Percentile50", "Max")]
    assert (ordered[0] < ordered[1]).all()
    assert (ordered[1] < ordered[2]).all()


def test_flags_are_rare_and_correlated() -> None:
    """A centre's flag implies the flag; flags of several measurements fall on the same rows."""
    rows = felis_chunk("hsc")[1]["Object"]
    edge, bad = (numbers(rows, f"i_{name}") for name in ("pixelFlags_edge", "psfFlux_flag"))
    centre, any_where = (numbers(rows, f"i_pixelFlags_interpolated{name}") for name in ("Center", ""))
    assert 0 < np.nanmean(edge) < 0.06
    assert not ((centre == 1) & (any_where == 0)).any()
    assert np.corrcoef(np.nan_to_num(bad), np.nan_to_num(numbers(rows, "i_kronFlux_flag")))[0, 1] > 0.9


@pytest.mark.parametrize("catalog", ["dp02_dc2", "dp2"])
def test_thinned_rows_are_among_all(catalog: str) -> None:
    """A share of a chunk holds the same rows of every table, ids and values, and a share of it holds fewer."""
    sky, (chunk, tables) = felis_sky(catalog), felis_chunk(catalog)
    half, tenth = sky.chunk_tables(chunk, 0.5), sky.chunk_tables(chunk, 0.1)
    assert tenth["Object"].num_rows == pytest.approx(tables["Object"].num_rows / 10, abs=1)
    for name, rows in half.items():
        assert rows.equals(tables[name].slice(0, rows.num_rows)), name
        assert tenth[name].equals(rows.slice(0, tenth[name].num_rows)), name


@pytest.mark.timeout(20)
def test_chunks_do_not_depend_on_order_or_workers() -> None:
    """All tables of some chunks are equal however they are made: in turn, backwards, by several workers."""
    sky = felis_sky("dp2")
    chunks = list(sky.expected_objects())[:3]
    in_turn = [sky.chunk_tables(chunk, 0.02) for chunk in chunks]
    assert [sky.chunk_tables(chunk, 0.02) for chunk in reversed(chunks)] == in_turn[::-1]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda chunk: sky.chunk_tables(chunk, 0.02), chunks)) == in_turn


def test_ids_are_unique_over_chunks() -> None:
    """No id of any director is in two chunks; an id says its chunk."""
    sky = felis_sky("dp1")
    chunks = list(sky.expected_objects())[:3]
    made = [sky.chunk_tables(chunk, 0.1) for chunk in chunks]
    for name, spec in sky.chunked.items():
        if spec.layout.role is Role.DIRECTOR and spec.layout.key:
            ids = [numbers(tables[name], spec.layout.key) for tables in made]
            assert len(np.unique(np.concatenate(ids))) == sum(map(len, ids)) > 0
            assert all((own >> 32 == chunk).all() for own, chunk in zip(ids, chunks, strict=True))


def test_recipe_overrules_columns_and_kinds() -> None:
    """A rule replaces the inferred values; a kind replaces the inferred kind."""
    rules = {
        "Object.ebv": {"uniform": [0.1, 0.2]}, "Object.refBand": {"constant": "z"}, "Object.g_epoch": {"nulls": 0.5},
    }  # fmt: skip
    recipe = felis_recipe("hsc", tables=["Object", "Parent"], columns=rules, kinds={"Parent": "other"})
    sky = open_sky(recipe)
    rows = sky.chunk_tables(felis_chunk("hsc")[0])["Object"]
    assert 0.1 <= numbers(rows, "ebv").min() <= numbers(rows, "ebv").max() <= 0.2
    assert rows["refBand"].unique().to_pylist() == [b"z"]
    assert 0.4 < rows["g_epoch"].null_count / rows.num_rows < 0.6
    assert sky.specs["Parent"].layout.role is Role.REGULAR


@pytest.mark.parametrize(
    ("name", "schema", "said"),
    [
        ("hsc", {"catalog": "nosuch"}, "no schema 'nosuch'"),
        ("hsc", {"tables": ["Object", "Objects"]}, "no 'Objects'"),
        ("hsc", {"columns": {"Object.nosuch": {"constant": 1}}}, "no 'nosuch'"),
        ("hsc", {"tables": ["Visit"]}, "is a table of objects"),
        ("dp1", {"tables": ["Object", "DiaSource"]}, "follows a dia-object table"),
        ("hsc", {"tables": ["Object", "Parent"], "kinds": {"Parent": "companion"}}, "no position columns"),
    ],
)
def test_wrong_schema_is_refused(name: str, schema: dict[str, Any], said: str) -> None:
    """The message names what is wrong and what to do."""
    with pytest.raises(UserError, match=said):
        open_sky(felis_recipe(name, **schema))
