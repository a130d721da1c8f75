"""Rows by tract, patch, visit and detector."""

from __future__ import annotations

from skyshard.catalog.schema import Column, Table
from skyshard.releases.differences.outlines.group_counts import groupings
from skyshard.rowimage.sqltype import parse_type


def table(*names: str) -> Table:
    return Table("T", tuple(Column(name, parse_type("int")) for name in names))


def test_a_patch_is_counted_within_its_tract() -> None:
    """And alone only where there is no tract; the case of letters does not matter."""
    assert groupings(table("Tract", "patch", "x"), table("tract", "PATCH")) == [("tract",), ("tract", "patch")]
    assert groupings(table("patch", "visit"), table("patch", "visit", "detector")) == [("patch",), ("visit",)]
    assert groupings(table("a"), table("visit")) == []
