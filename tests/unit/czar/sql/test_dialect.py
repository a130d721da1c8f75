"""What the czar reads comes out of it as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.czar.sql.dialect import DIALECT, parse_expression, render
from skyshard.czar.sql.region_sql import number

CASES = Path(__file__).resolve().parents[3] / "cases" / "round_trip.sql"
LINES = [line for line in CASES.read_text().splitlines() if line and not line.startswith("--")]


def once(sql: str) -> str:
    (tree,) = DIALECT.parse(sql)
    assert tree is not None
    return render(tree)


@pytest.mark.parametrize("line", LINES)
def test_rendering_is_stable(line: str) -> None:
    """Reading and writing again changes nothing more."""
    text = once(f"SELECT {line} FROM t")
    assert once(text) == text


@pytest.mark.parametrize(
    "text", ["0x41", "x'41'", "b'101'", "35.", "1E3", "'a\\nb'", '"it\'s"', "12345678901234567890123", "'a\\%b'"]
)
def test_literals_keep_their_spelling(text: str) -> None:
    """A literal is written as the user wrote it: 0x41 is a number where x'41' is text."""
    assert once(f"SELECT {text}") == f"SELECT {text}"


@pytest.mark.parametrize("text", ["LOG10(a)", "DATE_FORMAT(a, '%H:%i:%s')", "IFNULL(a, b)", "INSTR(a, b)", "mod(a, 2)"])
def test_functions_keep_their_names(text: str) -> None:
    """A function call is not turned into another one that sqlglot thinks equal."""
    assert once(f"SELECT {text}") == f"SELECT {text}"


def test_join_without_condition_differs_from_comma() -> None:
    """JOIN binds tighter than a comma, so one must not become the other."""
    assert once("SELECT 1 FROM a JOIN b JOIN c ON a.x = c.x") == "SELECT 1 FROM a CROSS JOIN b JOIN c ON a.x = c.x"
    assert once("SELECT 1 FROM a, b JOIN c ON b.x = c.x") == "SELECT 1 FROM a, b JOIN c ON b.x = c.x"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_reads_back(value: float) -> None:
    """A number written into SQL is the same double when it is read."""
    text = number(value)
    assert float(text) == value
    assert "e" in text


_atoms = st.sampled_from(["a", "t.b", "3", "-1", "'x'", "NULL", "f(a, b)", "a IS NULL", "b IN (1, 2)", "COUNT(*)"])
_operators = st.sampled_from(["+", "-", "*", "/", "AND", "OR", "=", "<", "<=>", "|", "&", "<<", "%"])


def _grown(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(part, _operators, part).map(lambda three: f"({three[0]}) {three[1]} ({three[2]})"),
        part.map(lambda one: f"NOT ({one})"),
        part.map(lambda one: f"CASE WHEN {one} THEN 1 ELSE {one} END"),
    )


_expressions = st.recursive(_atoms, _grown, max_leaves=8)


@given(_expressions)
def test_any_expression_survives(text: str) -> None:
    """Whatever the nesting: reading and writing again changes nothing."""
    once_more = render(parse_expression(text))
    assert render(parse_expression(once_more)) == once_more
