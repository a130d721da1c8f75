"""Thresholds that a difference must keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.differences import column_of, difference_of, table_of

from skyshard.basics.errors import UserError
from skyshard.releases.differences.thresholds import Thresholds, read_thresholds, violations


def found(**tables: Any) -> list[tuple[str, str, str]]:
    """What is not kept of: 10 old rows, 2 lost; of 8 matched ones 6 equal in flux, which has a median of -3."""
    column = column_of("r_flux", rows=8, equal=6, median=-3.0, mad=1.0, nulls_old=0, nulls_new=4)
    difference = difference_of(table_of("Object", rows_old=10, rows_new=8, lost=2, matched=8, columns=[column]))
    thresholds = Thresholds.model_validate({"version": 1, "tables": tables})
    return [(one.table, one.column, one.what) for one in violations(difference, thresholds)]


def test_what_is_kept_is_no_violation() -> None:
    """Limits are inclusive."""
    columns = {"r_*": {"equal_share": 0.75, "median": 3.0, "mad": 1.0, "null_share": 0.5}}
    assert found(Object={"lost_share": 0.2, "new_share": 0.0, "rows_share": 0.2, "columns": columns}) == []


def test_each_threshold_that_is_not_kept_is_named() -> None:
    """Shares of rows at most, equal shares at least, medians without their sign, NULLs as a rise."""
    columns = {"*flux": {"equal_share": 0.76, "median": 2.9, "mad": 0.9, "null_share": 0.49}}
    assert found(**{"Obj*": {"lost_share": 0.19, "rows_share": 0.1, "columns": columns}}) == [
        ("Object", "", "lost_share"),
        ("Object", "", "rows_share"),
        ("Object", "r_flux", "equal_share"),
        ("Object", "r_flux", "mad"),
        ("Object", "r_flux", "median"),
        ("Object", "r_flux", "null_share"),
    ]


@pytest.mark.parametrize("tables", [{"Objekt": {}}, {"Object": {"columns": {"g_*": {}}}}])
def test_a_pattern_that_matches_nothing_is_refused(tables: dict[str, Any]) -> None:
    """A typing error is not a kept threshold."""
    with pytest.raises(UserError, match="is no"):
        found(**tables)


@pytest.mark.parametrize(
    "text",
    ["tables: {Object: {lost: 0.1}}", "tables: {Object: {lost_share: 2}}", "version: 2\ntables: {}", "lost_share: 1"],
)
def test_a_wrong_key_of_the_file_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    """An unknown key, a share above 1, a later version."""
    file = tmp_path / "limits.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as error:
        read_thresholds(file)
    assert "\n" not in str(error.value)
