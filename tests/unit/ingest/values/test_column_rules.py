"""Rules at work: columns from inputs, expressions and constants, with what was changed counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from skyshard.catalog.schema import Column
from skyshard.ingest.values.column_rules import Rule, make_columns
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
