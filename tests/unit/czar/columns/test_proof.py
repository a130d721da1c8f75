"""Rules of the proof table: the engine computes MariaDB's values, within the bounds that are said of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import duckdb
import pytest
from sqlglot import exp

from skyshard.czar.columns.proof import FORMULAS, Prover, all_of
from skyshard.czar.columns.terms import Kind, NotProven, Term, column_term
from skyshard.czar.sql.dialect import parse_expression
from skyshard.rowimage.sqltype import parse_type

TYPES = {
    "i": "int", "s": "smallint", "w": "smallint unsigned", "b": "bigint", "d": "double", "f": "float",
    "m": "decimal(6,2)", "n": "varchar(9)",
}  # fmt: skip
_ROWS = """(VALUES (-7, 3, 2, 9, 0.5e0, CAST(0.1 AS REAL), 1.25, 'x'), (0, -2, 0, NULL, -2e0, NULL, -0.01, NULL),
    (NULL, NULL, 65535, -1, NULL, CAST(4 AS REAL), NULL, 'y')) AS given(i, s, w, b, d, f, m, n)"""
TABLE = (
    "(SELECT i::INTEGER i, s::SMALLINT s, w::USMALLINT w, b::BIGINT b, d::DOUBLE d, f, m::DECIMAL(6,2) m, n "
    f"FROM {_ROWS}) AS t"
)


def column(node: exp.Column) -> Term:
    return column_term("t", node.name, parse_type(TYPES[node.name]))


def prove(text: str) -> Term:
    return Prover(column).term(parse_expression(text))


def computed(texts: list[str], source: str = TABLE) -> list[tuple[object, ...]]:
    with duckdb.connect() as engine:
        rows: list[tuple[object, ...]] = engine.execute(f"SELECT {', '.join(texts)} FROM {source}").fetchall()
    return rows


def values_of(text: str) -> list[object]:
    return [row[0] for row in computed([prove(text).text])]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("i + s", [-4, -2, None]),
        ("i * s - 1", [-22, -1, None]),
        ("-i", [7, 0, None]),
        ("i % 3", [-1, 0, None]),  # MOD has the sign of the dividend
        ("7 % s", [1, 1, None]),
        ("i % s", [-1, 0, None]),
        ("i % (s + 2)", [-2, None, None]),  # by 0 is NULL
        ("w % s", [2, 0, None]),
        ("i DIV 2", [-3, 0, None]),  # DIV drops the fraction: no floor
        ("7 DIV s", [2, -3, None]),
        ("d * 3", [1.5, -6.0, None]),
        ("i / d", [-14.0, -0.0, None]),
        ("d / i", [0.5 / -7, None, None]),  # by 0 is NULL
        ("f + 0e0", [0.10000000149011612, None, 4.0]),  # a FLOAT is computed with as the DOUBLE that it holds
        ("ABS(i)", [7, 0, None]),
        ("ABS(d)", [0.5, 2.0, None]),
        ("SQRT(d)", [math.sqrt(0.5), None, None]),  # of a negative number: NULL
        ("SQRT(w)", [math.sqrt(2), 0.0, math.sqrt(65535)]),
        ("COALESCE(b, i, 5)", [9, 0, -1]),
        ("IFNULL(d, 1)", [0.5, -2.0, 1.0]),
        ("IF(i < 0, 1, 2)", [1, 2, 2]),  # NULL is not true
        ("IF(b, i, s)", [-7, -2, None]),
        ("CASE WHEN i = 0 THEN 10 WHEN s = 3 THEN 20 END", [20, 10, None]),
        ("CASE WHEN i = 0 THEN 1 ELSE 0.5e0 END", [0.5, 1.0, 0.5]),
    ],
)
def test_a_proven_expression_is_computed_as_mariadb_computes_it(text: str, values: list[object]) -> None:
    """Values and NULLs, by the rules of MariaDB's manual."""
    assert values_of(text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("i < s", [True, False, None]),
        ("i <=> NULL", None),
        ("i <=> b", [False, False, False]),
        ("m BETWEEN 0 AND 1.25", [True, False, None]),
        ("i IN (0, -7)", [True, True, None]),
        ("s IN (3, 4)", [True, False, None]),
        ("m IN (1.25, 7)", [True, False, None]),
        ("n IS NULL", [False, True, False]),
        ("n IS NOT NULL", [True, False, True]),
        ("(i < 0) IS TRUE", [True, False, False]),
        ("(i < 0) IS NOT FALSE", [True, False, True]),
        ("i AND s", [True, False, None]),
        ("i OR w", [True, False, True]),
        ("b XOR w", [False, None, False]),
        ("NOT i", [False, True, None]),
        ("d > 0 AND NOT i = 0", [True, False, None]),
    ],
)
def test_a_proven_condition_is_true_false_or_null_where_mariadbs_is(text: str, values: list[object] | None) -> None:
    """Three values, also where parts are NULL; a NULL constant is left to MariaDB."""
    if values is None:
        with pytest.raises(NotProven):
            prove(text)
        return
    assert [row[0] for row in computed([Prover(column).truth(parse_expression(text))])] == values


_APPLIED: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "%": lambda a, b: int(math.fmod(a, b)),
    "DIV": lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1),
}


@pytest.mark.parametrize("sign", _APPLIED)
@pytest.mark.parametrize(("one", "other"), [("i", "s"), ("s", "i"), ("s", "s"), ("i", "i")])
def test_whole_results_are_within_their_bounds(sign: str, one: str, other: str) -> None:
    """At the ends of both types: what is said of the smallest and the largest result is true."""
    term = prove(f"{one} {sign} {other}")
    left, right = (prove(name) for name in (one, other))
    ends = [(left.low, left.low + 1, -1, 0, 1, left.high), (right.low, -1, 1, 2, right.high)]
    for a, b in itertools.product(*ends):
        if left.low <= a <= left.high and right.low <= b <= right.high and b:
            assert term.low <= _APPLIED[sign](a, b) <= term.high


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("b + 1", "beyond BIGINT"),
        ("i * i * i", "beyond BIGINT"),
        ("ABS(b)", "beyond BIGINT"),
        ("b % 3", "beyond BIGINT"),
        ("w - 1", "UNSIGNED numbers that may become negative"),
        ("w * s", "UNSIGNED numbers that may become negative"),
        ("m + 1", "arithmetic of DECIMALs"),
        ("i / 2", "a quotient that is a DECIMAL"),
        ("d % 2", "a remainder of other than whole numbers"),
        ("i IN (1, 2e0)", "IN a list with a DOUBLE"),
        ("m * 1e0", "a DECIMAL that becomes a DOUBLE"),
        ("IF(i, m, 1)", "a choice of DECIMALs"),
        ("CASE i WHEN 1 THEN 2 END", "CASE of a value"),
        ("n = 'x'", "no number"),
        ("i = 'x'", "a text"),
        ("0x41 + i", "the operation HEXSTRING"),
        ("SIN(d)", "the function SIN"),
        ("ABS(i, s)", "a function of several arguments"),
        ("b = 1e300", "a BIGINT compared with a large DOUBLE"),
    ],
)
def test_what_has_no_rule_or_no_proof_is_refused_with_the_reason(text: str, reason: str) -> None:
    """MariaDB answers it then; the reason is what `explain` says."""
    with pytest.raises(NotProven, match=reason):
        prove(text)


def test_a_double_that_may_be_too_large_is_guarded_and_noted() -> None:
    """MariaDB raises an error beyond all DOUBLEs; a sum of FLOATs cannot be there, a product of DOUBLEs can."""
    prover = Prover(column)
    assert "error" not in prover.term(parse_expression("f * f + 1")).text
    assert prover.risky == []
    term = prover.term(parse_expression("d * 1e308"))
    assert [text for _, text in prover.risky] == ['(t."d" * 1e+308)']
    with pytest.raises(duckdb.Error, match="beyond DOUBLE"):
        computed([term.text], "(SELECT 10e0 AS d) AS t")
    assert computed([term.text], "(SELECT 0.5e0 AS d) AS t") == [(5e307,)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("COUNT(*)", 3), ("COUNT(b)", 2), ("SUM(i)", -7), ("SUM(d)", -1.5), ("MIN(m)", -0.01), ("MAX(w)", 65535),
        ("MIN(i + s)", -4),
    ],
)  # fmt: skip
def test_aggregates_are_of_all_rows_that_are_not_null(text: str, value: float) -> None:
    """As MariaDB's: NULLs are not counted, added or compared."""
    term = Prover(column).aggregate(parse_expression(text))
    ((found,),) = computed([term.text])
    assert float(found) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("COUNT(DISTINCT i)", "several arguments"), ("SUM(1)", "the sum of a constant"),
        ("MAX(2)", "an aggregate of a constant"), ("AVG(i)", "an aggregate: the operation AVG"),
    ],
)  # fmt: skip
def test_aggregates_without_a_proof_are_refused(text: str, reason: str) -> None:
    """Those of a plan that come as their parts are not asked of a chunk."""
    with pytest.raises(NotProven, match=reason):
        Prover(column).aggregate(parse_expression(text))


def test_parts_of_a_variance_are_those_of_the_numbers() -> None:
    """Mean and sum of squared deviations of 1, 2, 6: 3 and 14."""
    mean, squares = (made("x") for made in FORMULAS.values())
    assert computed([mean.text, squares.text], "(VALUES (1e0), (2e0), (6e0)) AS t(x)") == [(3.0, 14.0)]
    assert {mean.kind, squares.kind} == {Kind.DOUBLE}


def test_conditions_are_anded() -> None:
    """None of them is no condition."""
    assert all_of([]) == ""
    assert all_of(["a", "b", "c"]) == "a AND b AND c"
