"""Names and types of the columns that decide a row's chunk."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.no_rows import NoRows

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.ingest.plan.placing_types import require_placing_types
from skyshard.ingest.source import SourceTable
from skyshard.rowimage.sqltype import parse_type


def source(layout: TableLayout, **types: str) -> SourceTable:
    columns = tuple(Column(name, parse_type(text)) for name, text in types.items())
    return SourceTable(Table("T", columns), layout, (), NoRows())


DIRECTOR = TableLayout(role=Role.DIRECTOR, key="id", position=("ra", "decl"))
DEPENDENT = TableLayout(role=Role.DEPENDENT, key="id", director="Object")


@pytest.mark.parametrize("kind", ["bigint(20)", "bigint(20) unsigned", "int", "tinyint"])
def test_a_director_key_is_an_integer(kind: str) -> None:
    """Of any width and sign."""
    require_placing_types(source(DIRECTOR, id=kind, ra="double", decl="float"))


@pytest.mark.parametrize("kind", ["double", "varchar(20)", "decimal(20,0)"])
def test_any_other_director_key_is_refused(kind: str) -> None:
    """The error names table, column and type."""
    with pytest.raises(UserError, match="director 'T' has key 'id' of type"):
        require_placing_types(source(DIRECTOR, id=kind, ra="double", decl="double"))


@pytest.mark.parametrize("kind", ["bigint(20)", "double", "float", "decimal(20,0)", "decimal(20)"])
def test_a_key_that_follows_holds_whole_numbers(kind: str) -> None:
    """Floating ones too: values that they do not hold exactly are refused as they come."""
    require_placing_types(source(DEPENDENT, id=kind))


@pytest.mark.parametrize("kind", ["varchar(20)", "decimal(20,2)", "binary(8)"])
def test_a_key_that_cannot_follow_is_refused(kind: str) -> None:
    """Texts and fractions are no keys of directors."""
    with pytest.raises(UserError, match="table 'T' has key 'id' of type"):
        require_placing_types(source(DEPENDENT, id=kind))


def test_a_position_of_texts_is_refused() -> None:
    """It could not be compared with the sphere."""
    with pytest.raises(UserError, match="position column 'decl' of type varchar") as caught:
        require_placing_types(source(DIRECTOR, id="int", ra="double", decl="varchar(20)"))
    assert "DOUBLE" in caught.value.remedy


@pytest.mark.parametrize("given", [{"key": "ID"}, {"position": ("ra", "DECL")}, {"key2": "Ra"}, {"flag": "Id"}])
def test_a_column_in_another_case_than_the_tables_is_refused(given: dict[str, Any]) -> None:
    """Readers know columns by the name that the table gives them; the remedy has it."""
    layout = DIRECTOR.model_copy(update=given)
    with pytest.raises(UserError, match="the layout of table 'T' names column") as caught:
        require_placing_types(source(layout, id="int", ra="double", decl="double"))
    assert "as the table does: '" in caught.value.remedy


def test_a_regular_table_is_not_placed() -> None:
    """Any types will do."""
    require_placing_types(source(TableLayout(role=Role.REGULAR), id="varchar(20)"))
