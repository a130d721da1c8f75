"""Which tables of a release say what was observed: every schema that has such tables, and what is missing in others."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import UserError
from skyshard.catalog.felis_schemas import read_schema
from skyshard.ingest.obscore.visit_tables import visit_tables

CORNERS = {f"{at}_{axis}" for at in ("ll", "lr", "ur", "ul") for axis in ("ra", "dec")}
SAID = CORNERS | {"visit", "detector", "band", "filter", "start_mjd_tai", "exposure_s", "seeing", "x_size", "y_size"}
PT12 = (
    "scienceCcdExposureId", "visit", "raft", "ccd", "filterName", "llcRa", "llcDecl", "ulcRa", "ulcDecl", "urcRa",
    "urcDecl", "lrcRa", "lrcDecl", "taiMjd", "expTime", "fwhm",
)  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "detectors", "start"),
    [
        ("hsc", "VisitDetector", "obsStartMjdTai"),
        ("imsim", "VisitDetector", "obsStartMjdTai"),
        ("dp02_dc2", "CcdVisit", "obsStartMJD"),
        ("dp1", "CcdVisit", "obsStartMJD"),
        ("dp2", "VisitDetector", "obsStartMJD"),
        ("lsstcam", "VisitDetector", "obsStartMJD"),
    ],
)
def test_visit_tables_of_published_schemas_say_all_that_is_asked(schema: str, detectors: str, start: str) -> None:
    """Each column under the name that the release has given it."""
    columns = {one.table.name: one.table.column_names for one in read_schema(schema)}
    found = visit_tables(schema, columns)
    named = {name: sql for sql, name in found.detector_columns}
    assert found.detectors == detectors
    assert named.keys() == SAID
    assert named["start_mjd_tai"] == f"`{start}`"
    assert {sql.strip("`") for sql in named.values()} <= set(columns[detectors])
    assert bool(found.patches) == ("CoaddPatches" in columns)


def test_detectors_are_numbered_where_rafts_are_counted() -> None:
    """LSST's simulations of 2011: a raft has nine; declinations are called decl."""
    found = visit_tables("pt12", {"Science_Ccd_Exposure": PT12})
    named = {name: sql for sql, name in found.detector_columns}
    assert named.keys() == SAID - {"filter", "x_size", "y_size"}
    assert named["detector"] == "`raft` * 9 + `ccd`"
    assert found.band_sql() == "SELECT DISTINCT `filterName` FROM `Science_Ccd_Exposure` ORDER BY 1"
    assert found.filter_sql() == ""


@pytest.mark.parametrize("missing", ["visit", "filterName", "lrcDecl", "raft"])
def test_table_without_a_column_is_refused(missing: str) -> None:
    """By the name that the column has in most releases; with what is needed."""
    columns = [name for name in PT12 if name != missing]
    with pytest.raises(UserError, match=r"table 'pt12.Science_Ccd_Exposure' has no column \w+; its corners"):
        visit_tables("pt12", {"Science_Ccd_Exposure": columns})


def test_letters_case_of_columns_does_not_matter() -> None:
    """A column is named as its table spells it."""
    found = visit_tables("old", {"CcdVisit": [name.upper() for name in (*PT12, "detector")]})
    assert ("`LLCRA`", "ll_ra") in found.detector_columns
    assert ("`DETECTOR`", "detector") in found.detector_columns


def test_release_without_detectors_is_refused() -> None:
    """With the names of tables that are looked for."""
    with pytest.raises(UserError, match="no table VisitDetector or CcdVisit or Science_Ccd_Exposure"):
        visit_tables("empty", {"Object": ["ra", "dec"]})
