"""What a change of type loses: tried against the values that MariaDB's types hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.catalog.schema import Column
from skyshard.catalog.type_changes import lost, lost_by_type, type_name
from skyshard.rowimage.sqltype import SqlType, parse_type

WHOLE = [
    f"{base}{sign}" for base in ("tinyint", "smallint", "mediumint", "int", "bigint") for sign in ("", " unsigned")
]


def within(value: int, kind: SqlType) -> bool:
    low, high = kind.integer_range()
    return low <= value <= high


@given(st.sampled_from(WHOLE), st.sampled_from(WHOLE))
def test_whole_numbers_lose_what_is_out_of_range(one: str, other: str) -> None:
    """Something is said if and only if an extreme of the old type is none of the new one's values."""
    old, new = parse_type(one), parse_type(other)
    assert bool(lost_by_type(old, new)) == (not all(within(value, new) for value in old.integer_range()))


@given(st.sampled_from(WHOLE), st.sampled_from(["float", "double"]))
def test_whole_numbers_in_floats_lose_the_large_odd_ones(one: str, other: str) -> None:
    """2^24 and 2^53 are the first beyond which a float skips whole numbers."""
    low, high = parse_type(one).integer_range()
    bits = {"float": 24, "double": 53}[other]
    assert bool(lost_by_type(parse_type(one), parse_type(other))) == (max(high, -low) > 2**bits)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("double", "float", "digits beyond the 7th, numbers beyond 3.4e38"), ("float", "double", ""),
        ("int", "smallint", "numbers beyond -32768 to 32767"), ("int", "int unsigned", "negative numbers"),
        ("double", "int", "fractions, numbers beyond -2147483648 to 2147483647"), ("decimal(9,2)", "decimal(12,4)", ""),
        ("decimal(9,4)", "decimal(9,2)", "digits beyond its decimals"), ("decimal(9,2)", "int", "fractions"),
        ("varchar(9)", "varchar(4)", "texts longer than 4"), ("varchar(9)", "text", ""), ("char(1)", "varchar(16)", ""),
        ("varchar(9) character set utf8mb4", "varchar(9)", "characters outside latin1"),
        ("varchar(9)", "int", "texts that are no numbers"), ("int", "varchar(20)", ""),
        ("int", "datetime", "all values"),
        ("datetime(6)", "datetime", "fractions of a second beyond 0 digits"), ("datetime", "date", "the time of day"),
        ("date", "datetime", ""), ("varchar(9)", "varbinary(9)", "texts that are no such values"),
    ],
)  # fmt: skip
def test_loss_in_words(old: str, new: str, words: str) -> None:
    """Each kind of change, worked out by hand."""
    assert lost_by_type(parse_type(old), parse_type(new)) == words


def test_null_is_a_value() -> None:
    """NOT NULL loses it; the other way nothing is lost."""
    free, bound = Column("a", parse_type("double")), Column("a", parse_type("float"), is_nullable=False)
    assert lost(free, bound) == "digits beyond the 7th, numbers beyond 3.4e38, NULL"
    assert lost(bound, free) == ""


def test_display_width_is_no_part_of_a_type() -> None:
    """int(11) and INT are one; lengths of texts and character sets are not."""
    assert type_name(parse_type("bigint(20)")) == type_name(parse_type("BIGINT")) == "bigint"
    assert type_name(parse_type("varchar(8) character set utf8mb4")) == "varchar(8) character set utf8mb4"
