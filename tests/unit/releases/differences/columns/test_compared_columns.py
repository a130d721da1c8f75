"""Which columns are compared."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Column, Table
from skyshard.releases.differences.columns.compared_columns import Kind, pair_columns
from skyshard.rowimage.sqltype import parse_type


def table(**types: str) -> Table:
    return Table("T", tuple(Column(name, parse_type(text)) for name, text in types.items()))


def test_columns_are_paired_by_name_or_as_renamed() -> None:
    """Whatever the case of letters; what is on one side only is added or removed; chunk numbers are left out."""
    old = table(id="bigint", flux="double", gone="int", chunkId="int")
    new = table(id="bigint", FLUX="float", came="int", chunkId="int")
    found = pair_columns(old, new, {}, frozenset({"id"}))
    assert [(one.old.name, one.new.name, one.kind) for one in found.compared] == [
        ("id", "id", Kind.LABEL), ("flux", "FLUX", Kind.NUMBER),
    ]  # fmt: skip
    assert ([one.name for one in found.added], [one.name for one in found.removed]) == (["came"], ["gone"])
    renamed = pair_columns(old, new, {"came": "gone"}, frozenset())
    assert [(one.old.name, one.new.name) for one in renamed.compared if one.is_renamed] == [("gone", "came")]
    assert not renamed.added
    assert not renamed.removed


@pytest.mark.parametrize("renamed", [{"nope": "flux"}, {"flux": "nope"}, {"id": "flux", "flux": "flux"}])
def test_a_renaming_of_what_is_not_there_is_refused(renamed: dict[str, str]) -> None:
    """A column that one of the tables has not, or two of one."""
    with pytest.raises(UserError):
        pair_columns(table(id="int", flux="int"), table(id="int", flux="int"), renamed, frozenset())
