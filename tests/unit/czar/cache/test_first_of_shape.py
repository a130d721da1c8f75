"""What is checked once for all statements of a shape."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import UserError
from skyshard.czar.cache.first_of_shape import KEPT_SHAPES, FirstOfShape, grammar_of
from skyshard.czar.cache.statement_shapes import LONGEST_TEXT


def test_statements_of_one_shape_are_checked_once() -> None:
    """Other numbers are no other shape; other kinds of numbers, other words and texts in quotes are."""
    asked: list[str] = []
    checked = FirstOfShape(asked.append)
    for text in (
        "k = 1", "k = 234", "k = 1.5", "k = .25", "k = 3.", "k = 1e5", "k = 2.5E-3", "k = 0x41", "k = 0x42",
        "name = 'a'", "name = 'b'", "t.k1 = 1", "t.k2 = 1", "k IN (1, 2) -- 3", "k IN (4, 5) -- 3", "k IN (4, 5) -- 6",
    ):  # fmt: skip
        checked.require(f"SELECT ra FROM t WHERE {text}")
    assert [sql.rpartition("WHERE ")[2] for sql in asked] == [
        "k = 1", "k = 1.5", "k = 1e5", "k = 0x41", "k = 0x42", "name = 'a'", "name = 'b'", "t.k1 = 1", "t.k2 = 1",
        "k IN (1, 2) -- 3", "k IN (4, 5) -- 6",
    ]  # fmt: skip


def test_a_limit_takes_whole_numbers_only() -> None:
    """So what is right with one is not known to be right with another."""
    kinds = {grammar_of(f"SELECT ra FROM t LIMIT {one}") for one in ("1", "1.0", "1e0", "9" * 19)}
    assert len(kinds) == 4


def test_what_was_refused_is_asked_again() -> None:
    """Nothing is remembered of it, nor of statements that are not taken apart."""

    def refuse(sql: str) -> None:
        asked.append(sql)
        raise UserError("no")

    asked: list[str] = []
    checked = FirstOfShape(refuse)
    for _ in range(2):
        with pytest.raises(UserError):
            checked.require("SELECT FROM t")
    long, kept = f"SELECT '{'x' * LONGEST_TEXT}'", FirstOfShape(asked.append)
    for _ in range(2):
        kept.require(long)
    assert asked == ["SELECT FROM t"] * 2 + [long] * 2


def test_the_last_used_are_remembered() -> None:
    """As many as are allowed."""
    asked: list[str] = []
    checked = FirstOfShape(asked.append)
    for number in range(KEPT_SHAPES):
        checked.require("SELECT a")
        checked.require(f"SELECT b{number}")
    checked.require("SELECT a")
    checked.require("SELECT b0")
    assert (asked.count("SELECT a"), asked.count("SELECT b0")) == (1, 2)
