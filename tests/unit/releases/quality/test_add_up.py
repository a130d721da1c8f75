"""Counts of several transactions, added up."""

from __future__ import annotations

from tests.support.counted import STANDING, kept_counts, object_path

from skyshard.releases.quality.add_up import added_up


def test_a_replaced_file_does_not_count() -> None:
    """Of tract 7 the second file counts, of 6 rows; with the 4 of tract 8 there are 10, 8 of them primary."""
    quality = added_up("hsc", kept_counts(), STANDING)
    (table,) = quality.tables
    assert (table.rows, table.replaced, table.transactions) == (10, 1, [3, 5])
    flux = next(one for one in table.columns if one.name == "flux")
    assert (flux.nulls, flux.nans, flux.infinities, flux.finite_share) == (0, 3, 0, 0.7)
    assert (flux.min, flux.max) == (0.5, 9.0)
    assert table.primary is not None
    assert (table.primary.rows, table.primary.share, table.primary.near) == (8, 0.8, 4)
    assert quality.uncounted == ["Visit"]


def test_places_are_in_the_order_of_their_numbers() -> None:
    """Patch 11 after patch 1, tract by tract; tracts by themselves, too."""
    parts = {(3, "Object", object_path(7)), (3, "Object", object_path(8))}
    (table,) = added_up("hsc", kept_counts(), parts).tables
    assert list(table.places["tract/patch"].items()) == [("7/1", 6), ("7/11", 4), ("8/2", 4)]
    assert table.places["tract"] == {"7": 10, "8": 4}


def test_files_name_their_dataset() -> None:
    """By their path, as the Butler writes it; text columns have no finite share, flags no range."""
    (table,) = added_up("hsc", kept_counts(), STANDING).tables
    assert [one.dataset for one in table.datasets] == [
        "objectTable_tract tract 7 skymap hsc_rings_v1", "objectTable_tract tract 8 skymap hsc_rings_v1",
    ]  # fmt: skip
    by_name = {one.name: one for one in table.columns}
    assert (by_name["band"].finite_share, by_name["band"].nulls, by_name["band"].trues) == (None, 3, None)
    primary = by_name["detect_isPrimary"]
    assert (primary.trues, primary.true_share, primary.finite_share, primary.min) == (8, 0.8, None, None)
