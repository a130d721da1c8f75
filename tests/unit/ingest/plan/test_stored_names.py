"""Plans whose databases go by stored names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.no_rows import NoRows

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Layout, Role, Striping, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.ingest.plan.ingest_plan import IngestPlan, PlannedTable
from skyshard.ingest.plan.stored_names import with_stored_names
from skyshard.ingest.source import Source, SourceTable
from skyshard.node.messages import Loader
from skyshard.registry.catalog.database_names import DatabaseNames, KnownName
from skyshard.registry.stored.lifecycle import DatabaseState
from skyshard.registry.stored.naming import stored_name
from skyshard.rowimage.sqltype import parse_type

PUBLISHED, DROPPING = DatabaseState.PUBLISHED, DatabaseState.DROPPING


class Names:
    """A registry that knows names only."""

    def __init__(self, *names: KnownName) -> None:
        self._names = DatabaseNames.of(names)
        self.published = self.databases = self

    def names(self) -> DatabaseNames:
        return self._names

    def free_stored_name(self, shown: str) -> str:
        return stored_name(shown, {one.stored for one in self._names.by_name.values()})


def plan_of(database: str, director: str) -> IngestPlan:
    layout = TableLayout(role=Role.DEPENDENT, director=director, key="i")
    table = SourceTable(Table("Mark", (Column("i", parse_type("bigint")),)), layout, (), NoRows())
    whole = Layout(striping=Striping(stripes=85, substripes=12, overlap_deg=0.0), tables={"Mark": layout})
    source = Source("folder", "test", database, whole, {"Mark": table})
    return IngestPlan(source, database, whole, (PlannedTable(table, Loader.IMAGE, ""),))


def stored(database: str, director: str, *names: KnownName) -> tuple[str, str, str]:
    """The plan's database, what it is called, and the director that it follows; the layout says the same."""
    registry: Any = Names(*names)
    found = with_stored_names(registry, plan_of(database, director))
    mine = found.tables[0].source.layout
    assert found.layout.tables == {"Mark": mine}
    return found.database, found.called, mine.director


@pytest.mark.parametrize(
    ("database", "director", "means"),
    [
        ("marks", "Object", ("marks", "marks", "Object")),
        ("marks", "hsc.Object", ("marks", "marks", "old.Object")),
        ("marks", "latest.Object", ("marks", "marks", "old.Object")),
        ("marks", "marks.Object", ("marks", "marks", "marks.Object")),
        ("marks", "unknown.Object", ("marks", "marks", "unknown.Object")),
        ("hsc", "hsc.Object", ("old", "hsc", "old.Object")),
        ("old", "old.Object", ("_2_old", "old", "_2_old.Object")),
    ],
)
def test_names_become_stored_ones(database: str, director: str, means: tuple[str, str, str]) -> None:
    """Here 'hsc' was renamed, and what it was called is free for a new database."""
    known = KnownName("hsc", "old", PUBLISHED)
    assert stored(database, director, known, KnownName("latest", "old", PUBLISHED, is_alias=True)) == means


def planned_again(database: str, table: str) -> IngestPlan:
    """A director in a database of a name that another one had."""
    registry: Any = Names(KnownName("other", database, PUBLISHED))
    plan = plan_of(database, "")
    director = replace(
        plan.tables[0].source, layout=TableLayout(role=Role.DIRECTOR, key="i"),
        table=Table(table, (Column("i", parse_type("bigint")),)),
    )  # fmt: skip
    return with_stored_names(registry, replace(plan, tables=(PlannedTable(director, Loader.IMAGE, ""),)))


def test_a_name_of_a_table_that_is_too_long_beside_a_stored_name_is_refused() -> None:
    """A director's index is called after both; a short name of a database is longer where it had been used before."""
    with pytest.raises(UserError, match=f"'_2_{'d' * 20}__{'M' * 34}_p999999', of 67 characters"):
        planned_again("d" * 20, "M" * 34)


def test_a_long_name_of_a_database_leaves_room_as_before() -> None:
    """50 letters are left for it beside this table, the first time and each time after a drop."""
    assert planned_again("d" * 50, "Mark").database == "_2_" + "d" * 47


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (KnownName("sky", "old", PUBLISHED, is_alias=True), "'sky' is an alias of 'hsc'"),
        (KnownName("sky", "sky", DROPPING), "database 'sky' is being dropped"),
    ],
)
def test_rows_go_into_databases_that_stay(name: KnownName, what: str) -> None:
    """Neither into an alias, nor into a database that is going; both are refused by name."""
    with pytest.raises(UserError, match=what):
        stored("sky", "Object", name, KnownName("hsc", "old", PUBLISHED))
