"""What of a plan is new against what earlier transactions took in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.no_rows import NoRows

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Layout, Role, Striping, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.ingest.plan.ingest_plan import IngestPlan, PlannedTable
from skyshard.ingest.plan.new_slices import NewSlices, new_slices
from skyshard.ingest.source import InputSlice, Source, SourceTable
from skyshard.node.messages import Loader
from skyshard.rowimage.sqltype import parse_type


def plan_of(**contents: Mapping[str, str]) -> IngestPlan:
    """A plan of regular tables: table → path → what makes the slice's content."""
    layout = Layout(striping=Striping(stripes=85, substripes=12, overlap_deg=0.0))
    tables = []
    for name, slices in contents.items():
        table = Table(name, (Column("i", parse_type("int")),))
        made = tuple(InputSlice(path, 1, made=content) for path, content in slices.items())
        source = SourceTable(table, TableLayout(role=Role.REGULAR), made, NoRows())
        tables.append(PlannedTable(source, Loader.IMAGE, ""))
    source_of_all = Source("folder", "test", "sky", layout, {})
    return IngestPlan(source_of_all, "sky", layout, tuple(tables))


def taken_by(plan: IngestPlan) -> dict[tuple[str, str], set[str]]:
    """What the registry says once a plan was ingested."""
    found: dict[tuple[str, str], set[str]] = {}
    for table in plan.tables:
        for piece in table.source.slices:
            found.setdefault((table.name, piece.path), set()).add(piece.fingerprint())
    return found


def paths(news: NewSlices) -> dict[str, list[str]]:
    return {table.name: [piece.path for piece in table.source.slices] for table in news.plan.tables}


def test_everything_is_new_where_nothing_was_taken_in() -> None:
    """A first transaction has the plan as it is."""
    plan = plan_of(Visit={"a": "1", "b": "2"})
    assert new_slices(plan, {}) == NewSlices(plan, {})


def test_parts_that_were_taken_in_are_left_out_and_counted() -> None:
    """Only new slices stay; how many were not is told by table."""
    news = new_slices(plan_of(Visit={"a": "1", "b": "2"}, Filter={"f": "3"}), taken_by(plan_of(Visit={"a": "1"})))
    assert paths(news) == {"Visit": ["b"], "Filter": ["f"]}
    assert news.replayed == {"Visit": 1}
    assert not news.is_empty


def test_the_same_plan_again_has_nothing_new() -> None:
    """A replay is empty, with its tables still there."""
    plan = plan_of(Visit={"a": "1"}, Filter={"f": "3"})
    news = new_slices(plan, taken_by(plan))
    assert news.is_empty
    assert paths(news) == {"Visit": [], "Filter": []}


def test_content_counts_and_not_the_name() -> None:
    """A file that was renamed is not ingested twice."""
    assert new_slices(plan_of(Visit={"renamed": "1"}), taken_by(plan_of(Visit={"a": "1"}))).is_empty


def test_the_same_content_of_another_table_is_new() -> None:
    """Two tables may be given the same bytes."""
    assert not new_slices(plan_of(Filter={"a": "1"}), taken_by(plan_of(Visit={"a": "1"}))).is_empty


def test_a_changed_part_is_refused(tmp_path: Path) -> None:
    """A slice with the name of an earlier one and other content is neither new nor a replay."""
    plan, file = plan_of(Visit={"a": "1"}), tmp_path / "a.csv"
    (table,) = plan.tables
    file.write_text("1")
    source = replace(table.source, slices=(InputSlice.of(file),))
    plan = replace(plan, tables=(replace(table, source=source),))
    taken = taken_by(plan)
    file.write_text("2")
    with pytest.raises(UserError, match=r"a.csv' has changed since it was ingested into 'sky'"):
        new_slices(plan, taken)


def test_another_sky_of_a_recipe_is_refused() -> None:
    """Rows that are made differ by recipe, fraction and way of shrinking, and the message says so."""
    with pytest.raises(UserError, match=r"'a' was ingested into 'sky' from another recipe, or with another --fraction"):
        new_slices(plan_of(Visit={"a": "2"}), taken_by(plan_of(Visit={"a": "1"})))


def test_the_plan_that_was_given_stays_as_it_was() -> None:
    """What is new comes as a value beside the plan."""
    plan = plan_of(Visit={"a": "1"})
    new_slices(plan, taken_by(plan))
    assert [piece.path for piece in plan.tables[0].source.slices] == ["a"]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_a_copy_beside_the_file_that_was_taken_in_is_refused(names: tuple[str, str]) -> None:
    """As in a first ingest; a file that has got another name is known again, and copies without rows do no harm."""
    taken = taken_by(plan_of(Visit={"a": "1"}))
    copies = plan_of(Visit=dict.fromkeys(names, "1"))
    with pytest.raises(UserError, match="have the same content"):
        new_slices(with_rows(copies, 3), taken)
    assert new_slices(with_rows(copies, 0), taken).replayed == {"Visit": 2}
    assert new_slices(copies, taken).replayed == {"Visit": 2}, "its reader finds no row"
    assert new_slices(with_rows(plan_of(Visit={"b": "1"}), 3), taken).replayed == {"Visit": 1}
    assert new_slices(with_rows(copies, 3), taken_by(copies)).replayed == {"Visit": 2}


def with_rows(plan: IngestPlan, rows: int) -> IngestPlan:
    """The plan, as if every slice had so many rows."""
    tables = [
        replace(
            table,
            source=replace(table.source, slices=tuple(replace(piece, rows=rows) for piece in table.source.slices)),
        )
        for table in plan.tables
    ]
    return replace(plan, tables=tuple(tables))
