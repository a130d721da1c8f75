"""Reading statements: names of results, refusals, places in the text."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlglot import exp

from skyshard.basics.errors import Refusal, UserError
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.statement import ALL_ROWS, SelectStatement, Show, ShowStatement, parse_statement

CASES = Path(__file__).resolve().parents[3] / "cases"


def pairs(name: str) -> list[tuple[str, str]]:
    """Cases of the form ``left => right``."""
    lines = (CASES / name).read_text().splitlines()
    cases = [line.split(" => ", 1) for line in lines if line.strip() and not line.startswith("--")]
    return [(left.strip(), right.strip()) for left, right in cases]


@pytest.mark.parametrize(("sql", "names"), pairs("names.sql"))
def test_result_names_are_mariadbs(sql: str, names: str) -> None:
    """A result column is called by its alias, its column as written, or its text."""
    statement = parse_statement(sql)
    assert isinstance(statement, SelectStatement)
    assert "|".join(name or "*" for name in statement.names) == names


def test_refusals_say_where() -> None:
    """A refusal names line and column."""
    with pytest.raises(Refusal, match=r"line 2, column 8"):
        parse_statement("SELECT ra,\n       SLEEP(1)")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ra, FROM Object", "SELECT , ra FROM Object", "SELECT ra,, decl FROM Object", "SELECT ra FROM Object,",
        "SELECT ra FROM Object WHERE kind IN (1, 2,)", "SELECT ra FROM Object ORDER BY ra, LIMIT 3",
        "SELECT f(ra,) FROM Object", "SELECT ra FROM (SELECT ra, FROM Object) AS o", "SELECT ra FROM Object, WHERE ra",
    ],
)  # fmt: skip
def test_a_comma_separates_something(sql: str) -> None:
    """One that does not is a mistake, not to be left out in silence."""
    with pytest.raises(UserError, match=r"syntax error at line 1, column \d+: a comma"):
        parse_statement(sql)


def test_operators_of_other_languages_are_names() -> None:
    """MariaDB knows neither ISNULL nor NOTNULL: what stands there is the name of the column."""
    read = parse_statement("SELECT ra NOTNULL, HEX(name) ISNULL FROM Object FULL")
    assert isinstance(read, SelectStatement)
    assert read.names == ("NOTNULL", "ISNULL")
    assert read.tree.find(exp.Is) is None
    assert [table.alias for table in read.tree.find_all(exp.Table)] == ["FULL"]


def test_a_text_behind_a_national_one_is_refused() -> None:
    """MariaDB joins them; the parser took the second one for the column's name."""
    with pytest.raises(UserError, match=r"a text follows N'\.\.\.'"):
        parse_statement("SELECT N'a' 'b' FROM Object")


def test_a_syntax_error_says_nothing_of_the_parser() -> None:
    """Of its trees, which users do not know."""
    with pytest.raises(UserError, match="syntax error") as error:
        parse_statement("SELECT CONVERT(ra, NOTHING) FROM Object")
    assert "class" not in str(error.value)


def test_syntax_error_is_one_line() -> None:
    """A syntax error is one line with its place."""
    with pytest.raises(UserError, match=r"syntax error at line 2, column \d+") as error:
        parse_statement("SELECT ra\nFRM Object WHERE")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("SELECT ra FROM Object OFFSET 3 ROWS", 1), ("SELECT 1 UNION SELECT 2 ORDER BY 1 OFFSET 1 ROW", 1),
        ("WITH w AS (SELECT ra FROM Object OFFSET 3 ROWS) SELECT * FROM (SELECT * FROM w OFFSET 1 ROW) q", 2),
        ("SELECT ra FROM Object LIMIT 2 OFFSET 3", 0), ("SELECT ra FROM Object OFFSET 3 ROWS FETCH NEXT ROW ONLY", 0),
    ],
)  # fmt: skip
def test_an_offset_alone_is_one_of_all_rows(sql: str, count: int) -> None:
    """Whoever reads a LIMIT meets the OFFSET with it."""
    statement = parse_statement(sql)
    assert isinstance(statement, SelectStatement)
    assert render(statement.tree).count(f"LIMIT {ALL_ROWS} OFFSET") == count


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SHOW COLUMNS FROM Object", ShowStatement(Show.COLUMNS, "", "Object")),
        ("show full columns from `Ob``ject` in sky;", ShowStatement(Show.COLUMNS, "sky", "Ob`ject", is_full=True)),
        ("SHOW FIELDS IN sky.Object", ShowStatement(Show.COLUMNS, "sky", "Object")),
        ("DESC Object", ShowStatement(Show.COLUMNS, "", "Object")),
        ("describe sky.Object", ShowStatement(Show.COLUMNS, "sky", "Object")),
        ("SHOW TABLES", ShowStatement(Show.TABLES)),
        ("SHOW TABLES FROM sky", ShowStatement(Show.TABLES, "sky")),
        ("SHOW DATABASES", ShowStatement(Show.DATABASES)),
    ],
)
def test_show_statements(sql: str, wanted: ShowStatement) -> None:
    """SHOW and DESCRIBE are read in the forms that MariaDB knows."""
    assert parse_statement(sql) == wanted
