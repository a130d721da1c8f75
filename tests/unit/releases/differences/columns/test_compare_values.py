"""Values of matched rows, compared."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.catalog.schema import Column
from skyshard.releases.differences.columns.compare_values import ComparedValues, compare_values
from skyshard.releases.differences.columns.compared_columns import ComparedColumn, Kind
from skyshard.rowimage.sqltype import parse_type


def compared(old: list[Any], new: list[Any], types: tuple[str, str], kind: Kind = Kind.NUMBER) -> ComparedValues:
    before, after = (parse_type(text) for text in types)
    column = ComparedColumn(Column("a", before), Column("a", after), kind)
    return compare_values(pa.array(old, before.arrow), pa.array(new, after.arrow), column)


VALUES = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1]))


@given(st.lists(st.tuples(VALUES, VALUES), max_size=12))
def test_whole_numbers_are_compared_exactly(pairs: list[tuple[int | None, int | None]]) -> None:
    """NULL equals NULL and nothing else; differences are the nearest doubles of the exact ones."""
    found = compared([a for a, _ in pairs], [b for _, b in pairs], ("bigint", "bigint"))
    assert found.equal.tolist() == [a == b for a, b in pairs]
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    assert found.both == len(both)
    assert found.differences.tolist() == [float(b - a) for a, b in both if a != b]
    assert found.rows.tolist() == [i for i, (a, b) in enumerate(pairs) if None not in (a, b) and a != b]
    assert (found.nulls_old, found.nulls_new) == (sum(a is None for a, _ in pairs), sum(b is None for _, b in pairs))


def test_a_double_that_became_float_is_equal_when_it_is_the_same_float() -> None:
    """0.1 as DOUBLE and as FLOAT are one value, rounded; their difference is told all the same."""
    found = compared([0.1, 0.1, None], [0.1, 0.2, None], ("double", "float"))
    assert found.equal.tolist() == [True, False, True]
    assert found.differences.tolist() == [float(np.float32(0.1)) - 0.1, float(np.float32(0.2)) - 0.1]


@pytest.mark.parametrize(
    ("old", "new", "types", "equal"),
    [
        ([1, 2], [1.0, 2.5], ("int", "double"), [True, False]),
        ([2**63 - 1], [float(2**63)], ("bigint", "double"), [False]),
        ([-1, 5], [2**64 - 1, 5], ("bigint", "bigint unsigned"), [False, True]),
        ([Decimal("1.10")], [Decimal("1.100")], ("decimal(5,2)", "decimal(6,3)"), [True]),
        ([Decimal("1" * 18 + ".1")], [Decimal("1" * 18 + ".2")], ("decimal(20,1)", "decimal(20,1)"), [False]),
        ([0.0], [-0.0], ("double", "double"), [True]),
        (
            [2**53 + 1, 2**63 - 1, None, -5], [Decimal(2**53 + 1), Decimal(2**63 - 2), None, Decimal(-5)],
            ("bigint", "decimal(20,0)"), [True, False, True, True],
        ),
        ([2**64 - 1, 7], [Decimal(2**64 - 1), Decimal("7.5")], ("bigint unsigned", "decimal(30,1)"), [True, False]),
        (
            [Decimal(10**34), Decimal("0.5"), Decimal("-1.0")], [Decimal(10**34), Decimal(0), Decimal(-1)],
            ("decimal(65,30)", "decimal(65,0)"), [True, False, True],
        ),
        ([Decimal("0.1"), Decimal("0.1")], [0.1, 0.2], ("decimal(5,2)", "double"), [True, False]),
        ([Decimal("0.1"), Decimal("0.2")], [0.1, 0.1], ("decimal(5,2)", "float"), [True, False]),
    ],
)  # fmt: skip
def test_numbers_of_different_types_are_compared_by_value(
    old: list[Any], new: list[Any], types: tuple[str, str], equal: list[bool]
) -> None:
    """Signs before bits, decimals digit by digit, whole numbers with doubles exactly."""
    assert compared(old, new, types).equal.tolist() == equal


def test_texts_are_compared_byte_by_byte_and_in_their_character_sets() -> None:
    """The empty text is not NULL; an é in latin1 is an é in UTF-8; case counts."""
    types = ("varchar(4)", "varchar(4) character set utf8mb4")
    found = compared([b"", b"\xe9", b"a", None], [None, "é".encode(), b"A", None], types, Kind.TEXT)
    assert found.equal.tolist() == [False, True, False, True]
    assert found.both == 2
    assert len(found.differences) == 0


def test_a_number_that_became_a_text_is_compared_as_printed() -> None:
    """7 and '7' are equal, 8 and '08' are not."""
    assert compared([7, 8], [b"7", b"08"], ("int", "varchar(2)"), Kind.TEXT).equal.tolist() == [True, False]


@pytest.mark.parametrize(
    ("old", "new", "types", "equal"),
    [
        (
            [b"2024-02-29 12:00:00", b"2024-02-29 12:00:10", None, b"2024-02-29 12:00:00"],
            [b"2024-02-29 12:00:00.000000", b"2024-02-29 12:00:10.000000", None, b"2024-02-29 12:00:00.000001"],
            ("datetime", "datetime(6)"), [True, True, True, False],
        ),
        (
            [b"2024-02-20", b"2024-02-20"], [b"2024-02-20 00:00:00", b"2024-02-20 00:00:01"], ("date", "datetime"),
            [True, False],
        ),
        ([b"2024-02-20 00:00:00.500"], [b"2024-02-20 00:00:00.50"], ("timestamp(3)", "datetime(2)"), [True]),
        ([b"12:00:00", b"10:00:00"], [b"12:00:00.000", b"10:00:00.100"], ("time", "time(3)"), [True, False]),
        ([b"\x01", b"\x02"], [b"\x00\x01", b"\x01\x02"], ("bit(4)", "bit(9)"), [True, False]),
        ([b"\x01", b"\x00", None], [1, 1, None], ("bit(1)", "tinyint"), [True, False, True]),
    ],
)  # fmt: skip
def test_times_and_bits_whose_type_changed_are_compared_by_value(
    old: list[Any], new: list[Any], types: tuple[str, str], equal: list[bool]
) -> None:
    """As SQL compares them: digits that say nothing, and room that is not used, are no change of a row."""
    for before, after, kinds in ((old, new, types), (new, old, types[::-1])):
        found = compared(before, after, (kinds[0], kinds[1]), Kind.TEXT)
        assert found.equal.tolist() == equal


@pytest.mark.parametrize(
    ("old", "new", "types"),
    [
        (["1.5", "10.0", "-0.5", "3.0"], ["1.50", "10.00", "-0.50", "3.01"], ("decimal(9,1)", "decimal(9,2)")),
        ([100, 7, 0, 3], ["100.00", "7.00", "0.00", "3.01"], ("bigint", "decimal(9,2)")),
    ],
)
def test_exact_keys_of_two_types_are_equal_by_value(old: list[Any], new: list[str], types: tuple[str, str]) -> None:
    """Digits behind the point that say nothing told them apart: every row had gone, and another had come."""
    before = [Decimal(one) if isinstance(one, str) else one for one in old]
    equal = compared(before, [Decimal(one) for one in new], types, Kind.TEXT).equal
    assert equal.tolist() == [True, True, True, False]


def test_a_difference_beyond_doubles_is_infinite() -> None:
    """Two doubles at both ends of their range."""
    assert compared([-1.7e308], [1.7e308], ("double", "double")).differences.tolist() == [np.inf]


def test_keys_have_no_differences() -> None:
    """They are names, not quantities."""
    found = compared([1], [2], ("bigint", "bigint"), Kind.LABEL)
    assert (found.equal.tolist(), len(found.differences)) == ([False], 0)
