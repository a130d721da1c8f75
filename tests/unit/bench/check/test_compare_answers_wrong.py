"""Every kind of wrong answer is told from the right one: what compares must be seen to fail."""

from __future__ import annotations

import datetime
import itertools
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.depth import drawn

from skyshard.bench.check.compare_answers import compare_answers

ROWS = 400
RANDOM = np.random.default_rng(78)
MJD = 60_000 + np.arange(ROWS) * 5e-5
"""A visit every 4.3 s: each lies within 1e-9 of its neighbours."""


def truth() -> pa.Table:
    """One column of each family; those of one type differ in every row."""
    return pa.table(
        {
            "id": 2**60 + np.arange(ROWS),
            "mjd": MJD,
            "ra": RANDOM.uniform(0, 360, ROWS),
            "decl": RANDOM.uniform(-90, 90, ROWS),
            "flux": pa.array(RANDOM.normal(size=ROWS).astype(np.float32)),
            "price": [Decimal(f"{n}.{n:04d}") for n in range(ROWS)],
            "name": [f"ab{n % 7}" for n in range(ROWS)],
            "taken": [datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=n) for n in range(ROWS)],
            "maybe": pa.array([None if n % 3 else float(n) for n in range(ROWS)], pa.float64()),
        }
    )


TRUTH = truth()


def with_value(name: str, row: int, value: object) -> pa.Table:
    """The right answer but for one value."""
    place = TRUTH.column_names.index(name)
    values = TRUTH[name].to_pylist()
    values[row] = value
    return TRUTH.set_column(place, name, pa.array(values, TRUTH[name].type))


def rolled(name: str, by: int = 1) -> pa.Table:
    """The right values of a column in wrong rows."""
    order = np.roll(np.arange(ROWS), by)
    return TRUTH.set_column(TRUTH.column_names.index(name), name, TRUTH[name].take(pa.array(order)))


def swapped(one: str, other: str) -> pa.Table:
    places = {one: other, other: one}
    return TRUTH.select([places.get(name, name) for name in TRUTH.column_names]).rename_columns(TRUTH.column_names)


def row_copied(row: int, over: int) -> pa.Table:
    order = np.arange(ROWS)
    order[over] = row
    return TRUTH.take(pa.array(order))


WRONG = {
    "columns of one type change places": swapped("ra", "decl"),
    "near columns change places": swapped("mjd", "ra"),
    "a row is a copy of its neighbour": row_copied(10, 11),
    "a row is a copy of a far one": row_copied(10, 300),
    "the last row is missing": TRUTH.slice(0, ROWS - 1),
    "a row stands twice": pa.concat_tables([TRUTH, TRUTH.slice(5, 1)]),
    "a row is doubled in place of another": pa.concat_tables([TRUTH.slice(1), TRUTH.slice(1, 1)]),
    "no row at all": TRUTH.slice(0, 0),
    "a column is missing": TRUTH.drop_columns(["flux"]),
    "a column too many": TRUTH.append_column("again", TRUTH["flux"]),
    "times of the next row": rolled("mjd"),
    "times of hours later": rolled("mjd", 177),
    "positions of the next row": rolled("ra"),
    "names of the next row": rolled("name"),
    "keys of the next row": rolled("id"),
    "moments of the next row": rolled("taken"),
    "NULLs of the next row": rolled("maybe"),
    "all times are one": TRUTH.set_column(1, "mjd", pa.array(np.full(ROWS, MJD[-1]))),
    "one time is its neighbour's": with_value("mjd", 7, MJD[8]),
    "one number less in a key beyond 2^53": with_value("id", 7, 2**60 + 6),
    "a decimal's last digit": with_value("price", 7, Decimal("7.0008")),
    "a negative number": with_value("price", 7, Decimal("-7.0007")),
    "a second later": with_value("taken", 7, datetime.datetime(2026, 1, 1, 0, 0, 8)),
    "a microsecond later": with_value("taken", 7, datetime.datetime(2026, 1, 1, 0, 0, 7, 1)),
    "a blank at the end": with_value("name", 7, "ab0 "),
    "another case": with_value("name", 7, "AB0"),
    "an empty text": with_value("name", 7, ""),
    "no text": with_value("name", 7, None),
    "0 for NULL": with_value("maybe", 7, 0.0),
    "NaN for NULL": with_value("maybe", 7, float("nan")),
    "NULL for a number": with_value("maybe", 9, None),
    "NaN for a number": with_value("maybe", 9, float("nan")),
    "infinity for a number": with_value("maybe", 9, float("inf")),
    "the other sign": with_value("maybe", 9, -9.0),
    "NULL for 0": with_value("maybe", 0, None),
    "a float off by one in the eighth digit": with_value("maybe", 9, 9.0 * (1 + 1e-8)),
    "keys as floats": TRUTH.set_column(0, "id", TRUTH["id"].cast(pa.float64(), safe=False)),
    "keys as text": TRUTH.set_column(0, "id", TRUTH["id"].cast(pa.string())),
    "keys as decimals": TRUTH.set_column(0, "id", TRUTH["id"].cast(pa.decimal128(19))),
    "decimals as floats": TRUTH.set_column(5, "price", TRUTH["price"].cast(pa.float64())),
    "moments as text": TRUTH.set_column(7, "taken", TRUTH["taken"].cast(pa.string())),
    "moments as dates": TRUTH.set_column(7, "taken", TRUTH["taken"].cast(pa.date32(), safe=False)),
    "a column of NULLs without a type": TRUTH.set_column(8, "maybe", pa.nulls(ROWS)),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("is_shuffled", [False, True])
def test_a_wrong_answer_is_found(what: str, is_shuffled: bool) -> None:
    """Whatever is wrong, in whatever order the rows come."""
    wrong = WRONG[what]
    if is_shuffled:
        wrong = wrong.take(pa.array(RANDOM.permutation(wrong.num_rows)))
    assert compare_answers(wrong, TRUTH).reason != ""


def test_the_right_answer_is_right_in_any_order_and_after_rounding() -> None:
    """The answer that all those wrong ones were made from, shuffled, its floats added up in another order."""
    order = pa.array(RANDOM.permutation(ROWS))
    noisy = TRUTH.set_column(1, "mjd", pa.array(MJD * (1 + 2e-16))).take(order)
    assert compare_answers(noisy, TRUTH).reason == ""


@pytest.mark.parametrize("by", [1, 2, 57])
def test_a_chain_of_close_times_without_a_key_is_no_single_value(by: int) -> None:
    """Of nothing but close times, one in another's place is found."""
    times = pa.table({"mjd": MJD})
    wrong = MJD.copy()
    wrong[100] = wrong[100 + by]
    assert compare_answers(pa.table({"mjd": wrong}), times).reason == "1 of 400 rows differ"


def test_rows_that_pair_in_another_order_than_the_sorted_one_are_right() -> None:
    """Noise in the first column sorts the rows at random; the second, of close times, says who belongs together."""
    first = [pa.array(0.3 * (1 + RANDOM.normal(size=ROWS) * 1e-15)) for _ in range(2)]
    order = pa.array(RANDOM.permutation(ROWS))
    right = pa.table({"x": first[0], "mjd": MJD}).take(order)
    assert compare_answers(right, pa.table({"x": first[1], "mjd": MJD})).reason == ""
    bent = MJD.copy()
    bent[3] = bent[4]
    wrong = pa.table({"x": first[0], "mjd": bent}).take(order)
    assert compare_answers(wrong, pa.table({"x": first[1], "mjd": MJD})).reason == "1 of 400 rows differ"


@pytest.mark.parametrize(
    ("left", "right", "is_equal"),
    [
        (pa.array([253402300799], pa.timestamp("s")), pa.array([253402300799000000], pa.timestamp("us")), True),
        (pa.array([1], pa.timestamp("ns")), pa.array([0], pa.timestamp("us")), False),
        (pa.array([1000], pa.timestamp("ns")), pa.array([1], pa.timestamp("us")), True),
        (pa.array([1], pa.duration("s")), pa.array([1_000_000], pa.time64("us")), True),
        (pa.array([1], pa.time32("s")), pa.array([1_000_001], pa.duration("us")), False),
        (pa.array(["a", None]).dictionary_encode(), pa.array([None, "a"]), True),
        (pa.array(["a", "b"]).dictionary_encode(), pa.array(["a", "a"]), False),
        (pa.array([Decimal("0.10")]), pa.array([Decimal("0.100")]), True),
        (pa.array([Decimal("0.10")]), pa.array([Decimal("0.101")]), False),
        (pa.array([2**53 + 1]), pa.array([2**53]), False),
        (pa.array([2**64 - 1], pa.uint64()), pa.array([2**64 - 2], pa.uint64()), False),
        (pa.array([b"\xff"]), pa.array([b"\xfe"]), False),
        (pa.array([1e-300]), pa.array([0.0]), False),
        (pa.array([-1e-300]), pa.array([1e-300]), False),
        (pa.array([np.float32(16777216.0)]), pa.array([16777217.0]), False),
    ],
)
def test_transports_of_one_family_meet_without_loss(left: pa.Array, right: pa.Array, is_equal: bool) -> None:
    """Units, widths and dictionaries are the transport's; a difference of values is none of these."""
    assert compare_answers(pa.table({"a": left}), pa.table({"a": right})).is_equal is is_equal


def is_pairable(answer: list[tuple[float, float]], known: list[tuple[float, float]]) -> bool:
    """By hand: each column's reach, then every order of the rows."""
    reaches = []
    for column in zip(*known, strict=True):
        found = []
        for value in column:
            others = [abs(value - one) for one in column if abs(value - one) > 1e-12 * abs(value)]
            found.append(min(1e-9 * abs(value), max(1e-12 * abs(value), min(others, default=np.inf) * 0.499)))
        reaches.append(found)
    return any(
        all(abs(row[c] - known[place][c]) <= reaches[c][place] for place, row in enumerate(order) for c in (0, 1))
        for order in itertools.permutations(answer)
    )


STEPS = [1.0 + step for step in (0, 1e-13, 5e-13, 9e-13, 1.7e-12, 4e-10, 8e-10, 1.5e-9)]
PAIRS = st.tuples(st.sampled_from(STEPS), st.sampled_from(STEPS))


@settings(max_examples=drawn(100))
@given(st.lists(st.tuples(PAIRS, PAIRS), min_size=1, max_size=5))
def test_two_columns_of_close_floats_are_equal_just_when_their_rows_can_be_paired(
    rows: list[tuple[tuple[float, float], tuple[float, float]]],
) -> None:
    """Against every order of the rows tried by hand."""
    answer, known = [one for one, _ in rows], [other for _, other in rows]
    tables = [pa.table({"x": [row[0] for row in side], "y": [row[1] for row in side]}) for side in (answer, known)]
    assert compare_answers(*tables).is_equal is is_pairable(answer, known)
