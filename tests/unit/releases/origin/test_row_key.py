"""What a key on the command line means."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.releases.origin.row_key import row_keys
from skyshard.rowimage.sqltype import parse_type

LAYOUT = TableLayout(role=Role.DEPENDENT, key="objectId", director="Object")
FORCED = Table(
    "Forced",
    tuple(Column(name, parse_type(kind)) for name, kind in (
        ("objectId", "bigint unsigned"), ("visit", "int"), ("band", "char(1)"), ("flux", "double"), ("err", "float"))),
    ("objectId", "visit", "band"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("18446744073709551615", "`objectId` = 18446744073709551615"),
        ("5, 7 ,g", "`objectId` = 5 AND `visit` = 7 AND `band` = 'g'"),
        ("visit=7,band=g", "`visit` = 7 AND `band` = 'g'"),
        ("VISIT=-7", "`visit` = -7"),
        ("band=o'k\\", "`band` = 'o\\'k\\\\'"),
        ("flux=1e-3", "`flux` = 0.001"),
    ],
)
def test_the_condition_of_a_key(text: str, condition: str) -> None:
    """One value is the director's key where the table's own has several columns; values are quoted as SQL needs it."""
    assert [key.condition for key in row_keys(FORCED, LAYOUT, text)] == [condition]


@pytest.mark.parametrize(
    ("text", "words"),
    [("a", "'a' is no value of column 'objectId'"), ("1,2", "no key of 2 columns"), ("nix=1", "no column 'nix'"),
     ("visit=1.5", "'1.5' is no value"), ("", "'' is no value"), ("visit=1_0", "'1_0' is no value"),
     ("flux=nan", "'nan' is no value"), ("flux=1e999", "'1e999' is no value"), ("err=1e39", "'1e39' is no value"),
     ("visit=\u0661", "is no value")],
)  # fmt: skip
def test_a_key_that_means_nothing_is_refused(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        row_keys(FORCED, LAYOUT, text)


def test_a_table_without_keys_asks_for_columns() -> None:
    """A regular table that declares none."""
    with pytest.raises(UserError, match=r"has no key of 1 column \(it has none\); name the columns"):
        row_keys(Table("Filter", FORCED.columns), TableLayout(role=Role.REGULAR), "1")
