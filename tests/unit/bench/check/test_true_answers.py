"""Answers that are known without asking an engine."""

from __future__ import annotations

import pyarrow as pa
import pytest

from skyshard.bench.check.true_answers import TrueAnswer, TrueAnswers, plain
from skyshard.bench.targets.shown_digits import shown_field

ONE = TrueAnswer(pa.table({"n": [1]}))


@pytest.mark.parametrize(
    ("given", "same"),
    [("SELECT  1\n FROM t", "SELECT 1 FROM t"), ("a < 2.50", "a < 2.5"), ("a < 1e3", "a < 1000"), ("a < 2", "a < 2.")],
)
def test_white_space_and_the_way_of_writing_numbers_do_not_matter(given: str, same: str) -> None:
    """Two such texts are one statement."""
    assert plain(given) == plain(same)


@pytest.mark.parametrize(
    ("given", "other"), [("SELECT c1", "SELECT c2"), ("a < 1", "a < 1.0000001"), ("a1 < 2", "a < 2")]
)
def test_names_and_values_matter(given: str, other: str) -> None:
    """Digits within a name are no number."""
    assert plain(given) != plain(other)


def test_what_is_listed_comes_before_what_is_worked_out() -> None:
    """Only statements that are not listed are worked out; None where that fails too."""
    asked: list[str] = []

    def work_out(sql: str) -> TrueAnswer | None:
        asked.append(sql)
        return ONE if sql == "b" else None

    known = TrueAnswers.of({"SELECT 1.0": ONE}, work_out)
    assert known.answer("SELECT  1") is ONE
    assert known.answer("b") is ONE
    assert known.answer("c") is None
    assert asked == ["b", "c"]


def test_some_columns_may_be_known_alone() -> None:
    """The others of the answer are not looked at; an answer without the known column is wrong."""
    known = TrueAnswer(pa.table({"n": [1]}), places=(1,))
    assert known.difference(pa.table({"a": ["x"], "b": [1]})) == ""
    assert known.difference(pa.table({"a": [1], "b": [2]}))
    assert known.difference(pa.table({"a": ["x"]}))


def test_only_the_digits_that_a_protocol_shows_are_compared() -> None:
    """A FLOAT comes with six of them through a door, and is known with all."""
    known = TrueAnswer(pa.table({"flux": [0.1234567910432815]}))
    field = shown_field("flux", pa.float32(), 6)
    assert known.difference(pa.table([pa.array([0.123457], pa.float32())], pa.schema([field]))) == ""
    assert known.difference(pa.table([pa.array([0.123458], pa.float32())], pa.schema([field])))
    assert known.difference(pa.table({"flux": pa.array([0.123457], pa.float32())}))
