"""Policies that leave rows out, where somebody knows all rows."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.no_rows import NoRows

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Table
from skyshard.ingest.plan.left_out_rows import require_free_rows
from skyshard.ingest.source import InputSlice, SourceTable

DIRECTOR: dict[str, Any] = {"role": "director", "key": "id", "position": ("ra", "dec")}


def table(slices: InputSlice, **layout: Any) -> SourceTable:
    return SourceTable(Table("Object", ()), TableLayout(**layout), (slices,), NoRows())


@pytest.mark.parametrize("policy", [{"duplicates": "keep-first"}, {"bad_positions": "skip"}])
@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (InputSlice("a", 1, chunk=7), "chunked beforehand"),
        (InputSlice("a", 1, is_overlap=True), "chunked beforehand"),
        (InputSlice("a", 1, made="sky"), "generator answers for"),
        (InputSlice("a", 1, digest="1:2"), "generator answers for"),
    ],
)
def test_known_rows_are_not_left_out(piece: InputSlice, words: str, policy: dict[str, str]) -> None:
    """The table, the policy and who knows the rows are said."""
    with pytest.raises(UserError, match=words) as caught:
        require_free_rows(table(piece, **DIRECTOR, **policy))
    assert str(caught.value).startswith(f"director 'Object' has {next(iter(policy))}: {next(iter(policy.values()))}")


def test_other_rows_may_be_left_out() -> None:
    """Of files that nobody has chunked; keeping all rows leaves none out."""
    require_free_rows(table(InputSlice("a", 1), **DIRECTOR, duplicates="keep-first", bad_positions="skip"))
    require_free_rows(table(InputSlice("a", 1, chunk=7), **DIRECTOR, duplicates="keep-all"))
    follower = {"role": Role.DEPENDENT, "key": "id", "director": "Object", "position": ("ra", "dec")}
    require_free_rows(table(InputSlice("a", 1, chunk=7), **follower, bad_positions="skip"))
