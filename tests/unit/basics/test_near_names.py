"""Suggestions for mistyped names."""

from __future__ import annotations

from skyshard.basics.near_names import did_you_mean, near_names


def test_case_does_not_matter_and_the_known_spelling_is_given() -> None:
    """The most like comes first, and no more than asked for."""
    known = ["objectId", "parentObjectId", "ra"]
    assert near_names("OBJECTID", known, 2) == ["objectId", "parentObjectId"]
    assert near_names("OBJECTID", known) == ["objectId"]


def test_nothing_alike_is_no_suggestion() -> None:
    """Then the other advice is given."""
    assert near_names("zzz", ["ra", "decl"]) == []
    assert did_you_mean([], "columns are ra, decl") == "columns are ra, decl"
