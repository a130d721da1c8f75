"""Rows of visit tables become rows of ObsCore, of a synthetic sky and of drawn tables."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from tests.support.felis_skies import felis_sky
from tests.support.visit_release import detectors_table, patches_table

from skyshard.basics.errors import UserError
from skyshard.catalog.obscore_columns import obscore_columns, standard_descriptions
from skyshard.ingest.obscore.constants import read_constants
from skyshard.ingest.obscore.observations import AGAIN, Observations, Observed, Tally, utc_mjd
from skyshard.ingest.obscore.visit_tables import visit_tables


def renamed(table: pa.Table) -> pa.Table:
    """A visit table under our names, as the statements read it."""
    names = visit_tables("sky", {"VisitDetector": table.column_names}).detector_columns
    return pa.table({ours: table[theirs.strip("`")] for theirs, ours in names})


def made_of(kind: str, rows: pa.Table, edges: int = 4) -> tuple[pa.Table, Tally]:
    tally = Tally()
    maker = Observations(read_constants("lsstcam", [])[1], "sky", edges)
    return pa.Table.from_batches(list(maker.batches(Observed(kind, rows), tally)), schema=maker.schema), tally


def test_columns_are_those_of_the_standard_and_rubins() -> None:
    """All that a client sees is described; what is for the servers is not."""
    known = standard_descriptions()
    shown = [column.name for column in obscore_columns() if column.name in known]
    assert len(shown) == len(known) == 38
    assert all(known[name].utype.startswith("obscore:") for name in shown if not name.startswith("lsst_"))


def test_detectors_of_a_synthetic_sky_are_images() -> None:
    """Each detector is one image of each kind, about its own position."""
    table = felis_sky("dp1").regular_tables()["CcdVisit"].slice(0, 500)
    found, tally = made_of("detector", renamed(table))
    assert tally.images == {"raw": 500, "visit_image": 500, "difference_image": 500}
    away = np.abs(found["s_dec"].to_numpy()[:500] - table["dec"].to_numpy())
    assert away.max() < 1e-3
    assert not found["em_min"].null_count + found["t_min"].null_count + found["s_region"].null_count


def test_patches_are_images_in_a_band() -> None:
    """Polygons of three to six corners have as many normals; times are not known."""
    rows = patches_table()
    named = {"tract": rows["lsst_tract"], "patch": rows["lsst_patch"], "region": rows["s_region"]}
    found, _ = made_of("patch", pa.table(named | {"band": pa.array(["r"] * rows.num_rows)}), 6)
    assert found.num_rows == 2 * rows.num_rows
    assert found["t_min"].null_count == found.num_rows
    assert set(found["em_min"].to_pylist()) == {551.0e-9}
    texts = found["s_region"].cast(pa.string()).to_pylist()
    assert sorted(texts) == sorted(2 * rows["s_region"].to_pylist())


def test_bad_polygon_is_left_out_and_named() -> None:
    """The other rows stay, and the tally has the reason."""
    table = renamed(detectors_table(3, 1))
    values = table["ul_ra"].to_pylist()
    table = table.set_column(table.schema.get_field_index("ul_ra"), "ul_ra", pa.array([*values[:-1], float("nan")]))
    found, tally = made_of("detector", table)
    assert found.num_rows == 3 * (table.num_rows - 1)
    assert dict(tally.bad) == {"a corner is NaN, NULL or beyond a pole": 1}
    assert "visit 20260001 detector 5" in tally.first_bad


@pytest.mark.parametrize("constants", ["lsstcam", "hsc"])
def test_image_that_comes_again_is_left_out_and_named(constants: str) -> None:
    """By visit and detector, or tract and patch, whatever its polygon; the first row stays."""
    table = renamed(detectors_table(3, 2))
    again = table.slice(4, 3).set_column(table.schema.get_field_index("ul_ra"), "ul_ra", pa.array([1.0, 2.0, 3.0]))
    maker, tally = Observations(read_constants(constants, [])[1], "sky", 4), Tally()
    assert maker.once(Observed("detector", table), tally).rows.equals(table)
    assert not tally.bad
    assert maker.once(Observed("detector", pa.concat_tables([table, again])), tally).rows.equals(table)
    assert dict(tally.bad) == {AGAIN: 3}
    assert tally.first_bad == f"visit {table['visit'][4]} detector {table['detector'][4]}: {AGAIN}"
    patches = patches_table().rename_columns(["tract", "patch", "ra", "dec", "region"])
    assert maker.once(Observed("patch", pa.concat_tables([patches, patches])), tally).rows.equals(patches)
    assert dict(tally.bad) == {AGAIN: 3 + patches.num_rows}


def test_times_keep_the_leap_seconds_of_their_day() -> None:
    """35 s before July 2015, 36 and 37 later; NaN stays."""
    found = utc_mjd(np.array([57_000.0, 57_300.0, 60_000.0, np.nan]))
    seconds = (np.array([57_000.0, 57_300.0, 60_000.0]) - found[:3]) * 86_400
    np.testing.assert_allclose(seconds, [35, 36, 37], atol=1e-5)
    assert np.isnan(found[3])


def test_release_without_detectors_is_refused() -> None:
    """Says which table or column is missing."""
    with pytest.raises(UserError, match="no table VisitDetector or CcdVisit"):
        visit_tables("sky", {"Visit": ["visit"]})
    with pytest.raises(UserError, match="no column llcra"):
        visit_tables("sky", {"CcdVisit": ["visitId", "detector", "band"]})
