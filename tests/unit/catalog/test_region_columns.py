"""Names of columns that hold a polygon."""

from __future__ import annotations

import pytest

from skyshard.catalog.region_columns import hidden_columns, normal_names, region_columns

FOUR = [name for normal in normal_names("s_region", 4) for name in normal]
TABLE = ["ra", "s_region", *FOUR, "s_region_scisql", "s_region_bounds"]


@pytest.mark.parametrize("name", ["s_region", "S_Region", "s_region_scisql", "S_REGION_SCISQL"])
def test_text_and_packed_polygon_name_the_same_columns(name: str) -> None:
    """Whatever the case of their letters."""
    found = region_columns(TABLE, name)
    assert found is not None
    assert [part for normal in found.normals for part in normal] == FOUR
    assert found.bounds == "s_region_bounds"


def test_columns_are_given_as_the_table_spells_them() -> None:
    """A table that was written in capitals."""
    found = region_columns([one.upper() for one in TABLE], "s_region")
    assert found is not None
    assert (found.normals[3], found.bounds) == (
        ("S_REGION_N4X", "S_REGION_N4Y", "S_REGION_N4Z"), "S_REGION_BOUNDS",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("missing", "edges"),
    [("s_region_n4z", 3), ("s_region_n3x", 0), ("s_region_n1y", 0), ("s_region_bounds", 4), ("s_region", 4)],
)
def test_normals_count_as_far_as_they_are_whole(missing: str, edges: int) -> None:
    """Up to the first that lacks a part; fewer than three are no polygon; bounds and text may be missing."""
    found = region_columns([one for one in TABLE if one != missing], "s_region")
    assert (0 if found is None else len(found.normals)) == edges
    assert found is None or found.bounds == ("" if missing == "s_region_bounds" else "s_region_bounds")


@pytest.mark.parametrize("name", ["ra", "s_region_bounds", "s_region_n1x", "nothing", "s_region_scisql_scisql"])
def test_other_columns_hold_no_polygon(name: str) -> None:
    """Parts of a polygon among them."""
    assert region_columns(TABLE, name) is None


def test_what_is_for_servers_is_hidden_and_nothing_else() -> None:
    """Of every region of the table; a table without any hides nothing, whatever its columns are called."""
    other = [name for normal in normal_names("Area", 3) for name in normal]
    assert hidden_columns([*TABLE, "Area", *other]) == {*FOUR, *other, "s_region_scisql", "s_region_bounds"}
    assert hidden_columns(["x_scisql", "x_bounds", "x", "s_region_n1x"]) == frozenset()
