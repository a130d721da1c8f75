"""Mapping files of tables that clients bring, read as ingest reads them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Layout, Striping
from skyshard.cli.serving.user_tables import CHECKED, NUMBER, latest_layout, mapping_of, numbered
from skyshard.ingest.sources.mapping import read_mapping
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.serve.services import TextMarks, UserTable

LAYOUT = Layout(striping=Striping(stripes=18, substripes=4, overlap_deg=0.5))
CSV = b'1.5,"a,b"\n2.5,\\N\n3.5,"\\N"\n4.5,""\n5.5,"two\nlines ""q"""\n'


@pytest.fixture
def table(tmp_path: Path) -> UserTable:
    rows = tmp_path / "rows.csv"
    rows.write_bytes(CSV)
    columns = {"ra": "DOUBLE NOT NULL", "name": "VARCHAR(9) DEFAULT NULL"}
    return UserTable("user_ann", "mine", columns, rows, TextMarks(",", '"', "", "utf8"), [["name"]])


@pytest.mark.parametrize("layout", [LAYOUT, None])
def test_it_is_a_mapping(table: UserTable, layout: Layout | None) -> None:
    """Of one table, with its columns, their NULLs, and its indexes."""
    path = table.rows.with_name("mapping.yaml")
    path.write_text(yaml.safe_dump(mapping_of(table, layout)))
    found = read_mapping(path).tables["mine"]
    assert [(one.name, one.type, one.nullable) for one in found.declare] == [
        ("ra", "DOUBLE", False), ("name", "VARCHAR(9)", True),
    ]  # fmt: skip
    assert (found.indexes, found.role) == ([["name"]], "regular")


def test_rows_that_are_only_looked_at_lend_no_layout() -> None:
    """Nor those that a killed process has left: tables that come would be of another family than the catalogs."""
    other = Layout(striping=Striping(stripes=340, substripes=3, overlap_deg=0.0167))
    catalogs = [
        Catalog(name, layout, {}, (), number, shown)
        for number, (name, layout, shown) in enumerate(
            [("old", other, ""), ("dp1", LAYOUT, ""), (f"{CHECKED}1", other, ""), ("sky__2", other, f"{CHECKED}2")]
        )
    ]
    by_name = {one.called: one for one in catalogs}
    assert latest_layout(by_name, by_name.__getitem__) == LAYOUT
    assert latest_layout([*by_name][2:], by_name.__getitem__) is None


def test_a_dependent_follows_a_director_of_another_database(table: UserTable) -> None:
    """And takes no rows whose director is unknown."""
    content = mapping_of(replace(table, key="id", director=("dp1", "Object")), LAYOUT)["tables"]["mine"]
    assert (content["director"], content["orphans"]) == ("dp1.Object", "refuse")


def test_rows_of_a_director_without_a_key_are_numbered(table: UserTable) -> None:
    """From 1, in their order; NULL stays NULL, a text that looks like it stays a text, an empty one stays empty."""
    found = numbered(replace(table, is_director=True, position=("ra", "ra")))
    assert (found.key, next(iter(found.columns)), found.marks.null) == (NUMBER, NUMBER, "")
    assert found.rows.read_bytes() == (
        b'1,"1.5","a,b"\n2,"2.5",\n3,"3.5","\\N"\n4,"4.5",""\n5,"5.5","two\nlines ""q"""\n'
    )


def test_rows_with_escapes_are_not_numbered(table: UserTable) -> None:
    """What an escape means is not guessed."""
    table.rows.write_bytes(b"1.5,a\\,b\n")
    with pytest.raises(UserError, match="give id_col_name"):
        numbered(replace(table, marks=TextMarks(",", "", "\\", "utf8")))
    table.rows.write_bytes(b"1.5,a\\tb\n")
    with pytest.raises(UserError, match="rows with escaped characters cannot be numbered; give id_col_name"):
        numbered(replace(table, marks=TextMarks(",", "", "\\", "utf8")))
