"""Terms of the engine against exact numbers: what is compared, and as what."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import duckdb
import pytest

from skyshard.czar.columns.terms import Kind, NotProven, Term, alike, as_double, as_number, column_term, literal_term
from skyshard.rowimage.sqltype import parse_type

INTEGERS = ("tinyint", "smallint unsigned", "int", "mediumint unsigned", "bigint", "bigint unsigned")


def term_of(kind: str) -> Term:
    return column_term("t", "a", parse_type(kind))


def held(term: Term, value: int | Decimal) -> Term:
    """A column that holds one value, written into its text."""
    kind = term.engine_type or f"DECIMAL({term.digits},{term.scale})"
    return Term(
        f"CAST({value} AS {kind})", term.kind, term.low, term.high, term.is_unsigned, term.engine_type,
        digits=term.digits, scale=term.scale, least=term.least, most=term.most,
    )  # fmt: skip


def answered(expression: str) -> object:
    with duckdb.connect() as engine:
        ((value,),) = engine.execute(f"SELECT {expression}").fetchall()
    return value


def are_less(pairs: Sequence[tuple[Term, Term]]) -> object:
    """Of each pair whether the first is less than the second, as the engine says."""
    return answered("[" + ", ".join(" < ".join(alike(pair)) for pair in pairs) + "]")


@pytest.mark.parametrize(("one", "other"), [*itertools.product(INTEGERS, INTEGERS)])
def test_whole_numbers_are_compared_by_their_values(one: str, other: str) -> None:
    """At the ends of both types, signed and unsigned: nothing wraps, nothing is rounded."""
    left, right = term_of(one), term_of(other)
    pairs = [*itertools.product((left.low, left.low + 1, left.high), (right.low, 0, right.high - 1, right.high))]
    assert are_less([(held(left, a), held(right, b)) for a, b in pairs]) == [a < b for a, b in pairs]


@pytest.mark.parametrize("other", ["bigint unsigned", "decimal(10,4)", "decimal(20,0)"])
def test_decimals_are_compared_exactly(other: str) -> None:
    """With whole numbers and with decimals of another scale."""
    left, right = term_of("decimal(12,2)"), term_of(other)
    end = right.high if right.is_whole else Decimal(10**right.digits - 1).scaleb(-right.scale)
    pairs = [*itertools.product((Decimal("-9999999999.99"), Decimal("0.01"), Decimal("9999999999.99")), (0, end))]
    assert are_less([(held(left, a), held(right, b)) for a, b in pairs]) == [
        Fraction(a) < Fraction(b) for a, b in pairs
    ]


def test_what_no_type_of_the_engine_holds_is_not_proven() -> None:
    """More digits than its decimals have; a large constant that doubles would round beside a BIGINT."""
    with pytest.raises(NotProven, match="DECIMALs"):
        alike([term_of("bigint"), term_of("decimal(38,30)")])
    with pytest.raises(NotProven, match="large DOUBLE"):
        alike([term_of("bigint"), literal_term("9.1e15")])
    with pytest.raises(NotProven, match="digits"):
        literal_term("1" * 30)
    with pytest.raises(NotProven, match="becomes a DOUBLE"):
        as_double(term_of("decimal(10,2)"))
    assert alike([term_of("int"), literal_term("9.1e15")]) == ['CAST(t."a" AS DOUBLE)', "9100000000000000.0e0"]


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("int(10) unsigned zerofill", Kind.OTHER), ("varchar(3)", Kind.OTHER), ("decimal(38,38)", Kind.DECIMAL),
        ("decimal(5,1) unsigned", Kind.OTHER), ("double(5,2)", Kind.OTHER), ("float", Kind.FLOAT),
        ("double", Kind.DOUBLE), ("decimal", Kind.DECIMAL), ("mediumint", Kind.WHOLE), ("date", Kind.OTHER),
    ],
)  # fmt: skip
def test_columns_of_which_nothing_is_known_are_other(kind: str, wanted: Kind) -> None:
    """What MariaDB prints, rounds or clips on its own is no number here; OTHER is refused as one."""
    found = term_of(kind)
    assert found.kind == wanted
    if wanted is Kind.OTHER:
        with pytest.raises(NotProven, match="no number"):
            as_number(found)


def test_a_decimal_that_the_engine_cannot_read_is_not_even_counted() -> None:
    """It has no column of more than 38 digits: a call over it failed, and all was read again as rows."""
    with pytest.raises(NotProven, match="so many digits"):
        term_of("decimal(39,1)")


@pytest.mark.parametrize("text", ["0", "18446744073709551615", "0.1", ".5", "5.", "1e-3", "2.5E10"])
def test_a_literal_keeps_its_value(text: str) -> None:
    """In the engine's spelling, and in the bounds that are told of it."""
    found = literal_term(text)
    assert answered(found.text) == found.value
    assert float(found.value or 0) == float(text)
    assert found.least == found.greatest == float(text)
