"""What a pipeline says it wrote, against what came."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.counted import STANDING, kept_counts

from skyshard.basics.errors import UserError
from skyshard.releases.quality.add_up import added_up
from skyshard.releases.quality.expected_counts import ExpectedCounts, count_differences, read_expected


def sentences(text: str, folder: Path) -> list[str]:
    path = folder / "counts.yaml"
    path.write_text(text, encoding="utf-8")
    found = count_differences(added_up("hsc", kept_counts(), STANDING), read_expected(path))
    return [one.sentence for one in found]


def test_nothing_is_said_of_counts_that_are_right(tmp_path: Path) -> None:
    """Ten rows in all, six of tract 7 and four of tract 8."""
    text = "version: 1\ntables:\n  Object:\n    rows: 10\n    datasets:\n    - {tract: 7, rows: 6}\n"
    assert sentences(text + "    - {type: objectTable_tract, tract: 8, rows: 4}\n", tmp_path) == []
    assert sentences("tables: {Object: {datasets: [{type: objectTable_tract, rows: 10}]}}", tmp_path) == []


def test_each_difference_is_named(tmp_path: Path) -> None:
    """A table, a dataset with fewer rows, one that is not there, one not expected, a table that is not there."""
    text = """
tables:
  Object: {rows: 11, datasets: [{tract: 7, rows: 10}, {tract: 9, rows: 3}]}
  Source: {rows: 5}
"""
    assert sentences(text, tmp_path) == [
        "Object: 10 rows, expected 11",
        "Object, tract 7: 6 rows, expected 10",
        "Object, tract 9: 0 rows, expected 3",
        "Object, objectTable_tract tract 8 skymap hsc_rings_v1: 4 rows that were not expected",
        "Source: 0 rows, expected 5",
    ]


@pytest.mark.parametrize(("text", "where"), [
    ("tables: {Object: {rows: -1}}", "tables.Object.rows"),
    ("tables: {Object: {datasets: [{rows: 3}]}}", "tables.Object.datasets.0"),
    ("tables: {Object: {row: 3}}", "tables.Object.row"),
    ("version: 2\ntables: {}", "version"),
])  # fmt: skip
def test_a_wrong_file_is_refused_with_its_place(text: str, where: str, tmp_path: Path) -> None:
    """File, line and key."""
    with pytest.raises(UserError, match=r"counts\.yaml") as refused:
        sentences(text, tmp_path)
    assert where in str(refused.value)


def test_what_is_written_is_read_back() -> None:
    """Also a patch as Gen2 writes it."""
    content = {"tables": {"Object": {"datasets": [{"tract": 7, "patch": "4,5", "rows": 1}]}}}
    model = ExpectedCounts.model_validate(content)
    assert ExpectedCounts.model_validate(model.model_dump()) == model
    assert model.tables["Object"].datasets is not None
    assert str(model.tables["Object"].datasets[0]) == "tract 7 patch 4,5"
