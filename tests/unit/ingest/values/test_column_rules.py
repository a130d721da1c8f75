"""Rules at work: columns from inputs, expressions and constants, with what was changed counted."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from skyshard.catalog.schema import Column
from skyshard.ingest.values.column_rules import Rule, input_columns, make_columns
from skyshard.ingest.values.text_values import RowError
from skyshard.rowimage.sqltype import parse_type

DOUBLE = Column("x", parse_type("double"))
INT = Column("n", parse_type("int(11)"))
TEXT = Column("t", parse_type("varchar(10)"))


def made(rule: Rule, rows: int = 3, **inputs: Any) -> tuple[list[Any], dict[str, int]]:
    """The values of one column and what was counted."""
    conversions: Counter[str] = Counter()
    found = make_columns([rule], inputs, rows, (), conversions)
    return found.columns[0].to_pylist(), dict(conversions)


def test_a_column_of_the_same_name_is_taken_as_it_is() -> None:
    """Nothing is changed, nothing counted, and there is nothing to describe."""
    rule = Rule(DOUBLE, source="x")
    assert made(rule, x=pa.array([1.0, None, 3.0])) == ([1.0, None, 3.0], {})
    assert rule.describe() == ""


def test_a_constant_fills_every_row() -> None:
    """It reads no input."""
    rule = Rule(INT, constant=4)
    assert made(rule) == ([4, 4, 4], {})
    assert rule.inputs == frozenset()
    assert rule.describe() == "n: = 4"


def test_sentinels_become_null_and_are_counted() -> None:
    """-999 of a FLOAT is the float nearest to it."""
    rule = Rule(DOUBLE, source="flux", null_at=(-999.1,))
    values, conversions = made(rule, flux=pa.array([1.0, -999.1, None], pa.float32()))
    assert values == [1.0, None, None]
    assert conversions == {"x: -999.1 → NULL": 1}
    assert rule.describe() == "x: from flux, -999.1 → NULL"


def test_words_mean_null_in_a_column_of_numbers_only() -> None:
    """In a column of texts the word is a text like any other, unless it is a sentinel of its own."""
    texts = pa.array(["1.5", "missing", None])
    assert made(Rule(DOUBLE, source="t", null_at=("missing",)), t=texts)[0] == [1.5, None, None]
    assert made(Rule(TEXT, source="t"), t=texts)[0] == [b"1.5", b"missing", None]
    assert made(Rule(TEXT, source="t", null_at=("missing",)), t=texts)[0] == [b"1.5", None, None]


def test_a_factor_multiplies_what_is_no_null() -> None:
    """Sentinels are taken out before it."""
    rule = Rule(DOUBLE, source="x", factor=0.5, null_at=(-1,))
    assert made(rule, x=pa.array([4, -1, None])) == ([2.0, None, None], {"x: -1 → NULL": 1, "x: x 0.5": 1})


def test_an_expression_computes_from_several_inputs() -> None:
    """Its inputs are the columns that it names."""
    rule = Rule(DOUBLE, derive="a - b")
    assert rule.inputs == frozenset({"a", "b"})
    values, conversions = made(rule, a=pa.array([3, 2, None]), b=pa.array([1, 5, 1]))
    assert values == [2.0, -3.0, None]
    assert conversions == {"x = a - b": 3}


def test_an_input_that_is_not_there_is_null_and_counted() -> None:
    """Where the rule allows that, the file is taken without it."""
    assert made(Rule(DOUBLE, source="y", may_lack=True)) == ([None] * 3, {"x: not in the file → NULL": 3})


def test_full_precision_is_kept_beside_a_float_column() -> None:
    """A position that is stored as FLOAT is placed by the input's digits."""
    rule = Rule(Column("ra", parse_type("float")), source="ra")
    found = make_columns([rule], {"ra": pa.array([0.1])}, 1, ("ra",), Counter())
    assert found.exact["ra"].tolist() == [0.1]
    assert found.columns[0].to_pylist() == [float(np.float32(0.1))]


def test_a_value_that_has_no_place_names_column_and_row() -> None:
    """A number outside INT's is refused, not cut."""
    with pytest.raises(RowError) as caught:
        made(Rule(INT, source="n"), n=pa.array([1, 2**40, 3]))
    assert (caught.value.row, caught.value.column) == (1, "n")


def test_a_sentinel_that_cannot_be_compared_is_refused() -> None:
    """A word is no value of a column of numbers that is given in numbers."""
    with pytest.raises(RowError):
        made(Rule(DOUBLE, source="x", null_at=("gone",), factor=2.0), x=pa.array([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("number", [2**63, 2**64 - 1])
def test_a_constant_may_be_any_unsigned_number(number: int) -> None:
    """Beyond the signed ones of 64 bits, too; a DECIMAL takes longer ones."""
    assert made(Rule(Column("k", parse_type("bigint unsigned")), constant=number), rows=1)[0] == [number]
    assert made(Rule(Column("k", parse_type("decimal(40)")), constant=10**30), rows=1)[0] == [Decimal(10**30)]


def test_a_constant_beyond_every_type_is_refused() -> None:
    """By what it is and where it should go."""
    with pytest.raises(RowError, match=r"1000* does not fit bigint"):
        made(Rule(Column("k", parse_type("bigint")), constant=10**90))
    with pytest.raises(RowError):
        made(Rule(Column("k", parse_type("bigint")), constant=-(2**63) - 1))


def test_a_sentinel_is_compared_in_whole_numbers_of_every_width() -> None:
    """One that a type has not is no value of it; one beyond 2^53 is not its neighbour."""
    unsigned = Column("n", parse_type("bigint unsigned"))
    top = pa.array([2**64 - 1, 0, 7], pa.uint64())
    assert made(Rule(unsigned, source="n", null_at=(-999, 0)), n=top)[0] == [2**64 - 1, None, 7]
    assert made(Rule(unsigned, source="n", null_at=(2**64 - 1, "7")), n=top)[0] == [None, 0, None]
    odd = pa.array([2**53, 2**53 + 1, None])
    assert made(Rule(unsigned, source="n", null_at=(float(2**53), 0.5)), n=odd)[0] == [None, 2**53 + 1, None]


def test_flags_and_floats_have_sentinels_of_any_size() -> None:
    """Flags are 1 and 0; a number that a float does not hold is the nearest one."""
    assert made(Rule(INT, source="n", null_at=(-999, 0)), n=pa.array([True, False, None]))[0] == [1, None, None]
    big = pa.array([2.0**64, 2.0**53, 1.0])
    assert made(Rule(DOUBLE, source="x", null_at=(2**64 - 1, 2**53 + 1)), x=big)[0] == [None, None, 1.0]


def test_half_floats_have_sentinels() -> None:
    """The nearest one to what is said, as of the wider floats."""
    halves = pa.array(np.array([65504, 0.1, 2], np.float16))
    assert made(Rule(DOUBLE, source="x", null_at=(65504, 0.1, -99999)), x=halves)[0] == [None, None, 2.0]


@pytest.mark.parametrize("rule", [{"factor": 1.0}, {"derive": "x * 1.0"}, {"derive": "x / 1"}], ids=str)
def test_decimals_compute_as_the_nearest_doubles(rule: dict[str, Any]) -> None:
    """Arrow's own cast of them is one step off for a third of all."""
    numbers = [Decimal("0.3"), Decimal("79.3"), Decimal("-1574.9")]
    given = pa.array(numbers, pa.decimal128(18, 1))
    assert made(Rule(DOUBLE, **{"source": "x"} | rule), x=given)[0] == [float(number) for number in numbers]
    position = Rule(Column("ra", parse_type("double")), source="x")
    found = make_columns([position], {"x": given}, 3, ("ra",), Counter())
    assert found.exact["ra"].tolist() == [float(number) for number in numbers]


def test_an_input_of_several_types_is_read_as_its_text() -> None:
    """No rule sees what another one's type makes of it; inputs of one type are read as that."""
    whole, text = Column("id", parse_type("bigint")), Column("t", parse_type("varchar(30)"))
    rules = [Rule(whole, source="id"), Rule(DOUBLE, source="id")]
    assert input_columns(rules, "utf8")["id"].type.text.startswith("longtext")
    assert input_columns([*rules, Rule(text, source="id")], "utf8")["id"].type.text.startswith("longtext")
    assert input_columns([rules[0], Rule(INT, derive="id + 1")], "utf8")["id"].type.text == "bigint"
    assert input_columns(rules[:1], "utf8")["id"].type == whole.type
    both = [Rule(text, source="t"), Rule(Column("b", parse_type("varbinary(9)")), source="t")]
    assert input_columns(both, "utf8")["t"].type.charset
    assert not input_columns(both, "latin1")["t"].type.charset


def test_a_condition_is_asked_of_what_the_file_says() -> None:
    """Not of what a FLOAT, or the digits of a DECIMAL or a time, make of it."""
    for kind in ("float", "double", "datetime", "double(9,1)"):
        rules = [Rule(Column("x", parse_type(kind)), source="x")]
        assert input_columns(rules, "utf8", ["x"])["x"].type.charset
    digits = input_columns([Rule(Column("x", parse_type("decimal(5,1)")), source="x")], "utf8", ["x"])["x"].type
    assert (digits.arrow.scale, digits.arrow.precision) == (38, 65)
    assert input_columns([Rule(INT, source="x")], "utf8", ["x"])["x"].type == INT.type


def test_whole_numbers_may_be_made_of_others() -> None:
    """Of texts with decimals, as long as a DOUBLE holds them; beyond, the text is named."""
    assert made(Rule(INT, derive="t * 2"), t=pa.array(["1.5", "2", None]))[0] == [3, 4, None]
    whole = Rule(Column("n", parse_type("bigint")), derive="t * 1")
    assert made(whole, t=pa.array([str(2**53 + 1)]), rows=1)[0] == [2**53 + 1]
    with pytest.raises(RowError):
        made(whole, t=pa.array([str(2**53 + 1), "0.5"]), rows=2)


def test_digits_of_a_decimal_do_not_depend_on_other_rows() -> None:
    """Whole numbers are computed with all of them; beside one with decimals, what a DOUBLE does not hold is named."""
    rule = Rule(Column("n", parse_type("decimal(30,2)")), derive="t * 1")
    assert made(rule, t=pa.array([str(2**53 + 1), "7", None]))[0] == [2**53 + 1, 7, None]
    assert made(rule, t=pa.array([str(2**53 + 2), "0.5", "1e20"]))[0] == [2**53 + 2, Decimal("0.5"), 10**20]
    with pytest.raises(RowError, match=f"{2**53 + 1} has more digits than a DOUBLE"):
        made(rule, t=pa.array(["0.5", str(2**53 + 1), None]))


@pytest.mark.parametrize("rule", [{}, {"factor": 2.0}, {"derive": "x + 1"}], ids=str)
def test_a_column_without_any_value_has_no_sentinels(rule: dict[str, Any]) -> None:
    """Files of Parquet may have it without a type: it is NULL, whatever else would be."""
    given = pa.nulls(2)
    assert made(Rule(DOUBLE, **{"source": "x", "null_at": (-999, "-1")} | rule), rows=2, x=given)[0] == [None, None]
