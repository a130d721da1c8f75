"""SHOW and DESCRIBE from the catalog: what MariaDB would say of one unsharded server."""

from __future__ import annotations

import pytest
from tests.support.four_chunks import Source

from skyshard.basics.errors import UserError
from skyshard.czar.show_catalog import show, shown_type
from skyshard.czar.sql.statement import ShowStatement, parse_statement
from skyshard.rowimage.sqltype import parse_type


def shown(sql: str, database: str = "sky") -> tuple[tuple[str, ...], list[tuple[str | None, ...]]]:
    statement = parse_statement(sql)
    assert isinstance(statement, ShowStatement)
    names, table = show(statement, Source(), database)
    return names, list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def test_tables_are_sorted_and_named_after_the_database() -> None:
    """The heading is MariaDB's; LIKE keeps what it lets through, and stands in the heading."""
    names, rows = shown("SHOW TABLES")
    assert names == ("Tables_in_sky",)
    assert [row[0] for row in rows] == ["Filter", "Note", "Object", "RefMatch", "Source"]
    assert shown("SHOW TABLES LIKE '%o_r%'") == (("Tables_in_sky (%o_r%)",), [("Source",)])
    assert shown("SHOW FULL TABLES LIKE 'Note'")[1] == [("Note", "BASE TABLE")]


def test_columns_have_the_widths_that_mariadb_shows() -> None:
    """What a type does not say is added; chunk columns are columns, too."""
    names, rows = shown("DESCRIBE Object")
    assert names == ("Field", "Type", "Null", "Key", "Default", "Extra")
    types = {row[0]: row[1] for row in rows}
    assert types["objectId"] == "bigint(20)"
    assert (types["ra"], types["mag"], types["kind"]) == ("double", "float", "int(11)")
    assert {"chunkId", "subChunkId"} <= types.keys()
    full, _ = shown("SHOW FULL COLUMNS FROM Filter LIKE 'filterName'")
    assert full[2] == "Collation"


def test_no_rows_still_have_columns() -> None:
    """A pattern that lets nothing through."""
    assert shown("SHOW TABLES LIKE 'x'") == (("Tables_in_sky (x)",), [])


@pytest.mark.parametrize(
    ("sql", "database", "words"),
    [
        ("DESCRIBE Objct", "sky", "unknown table 'sky.Objct'; did you mean 'Object'?"),
        ("DESCRIBE zzz", "sky", "tables: Filter, Note, Object, RefMatch, Source"),
        ("SHOW TABLES", "", "no database given; give --database"),
        ("SHOW TABLES FROM land", "", "no database 'land'"),
    ],
)
def test_what_is_not_there_is_refused(sql: str, database: str, words: str) -> None:
    """One line with the remedy."""
    with pytest.raises(UserError) as caught:
        shown(sql, database)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("tinyint unsigned", "tinyint(3) unsigned"),
        ("decimal", "decimal(10,0)"),
        ("varchar(20) character set utf8mb4", "varchar(20)"),
        ("char(3)", "char(3)"),
        ("datetime(6)", "datetime(6)"),
    ],
)
def test_a_type_is_shown_as_show_columns_does(given: str, wanted: str) -> None:
    """Character sets are another column's."""
    assert shown_type(parse_type(given)) == wanted
