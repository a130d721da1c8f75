"""Statements that fill the lists of queries: whole, in order, and none too long for the server."""

from __future__ import annotations

import re

import pytest

from skyshard.serve.mysql.query_lists import LETTERS_A_STATEMENT, ROWS_A_STATEMENT, fill_list
from skyshard.serve.services import PastQuery


def queries(count: int, letters: int) -> list[PastQuery]:
    text = "x" * letters
    return [
        PastQuery(number, True, "sky", text, "completed", "", "", 1.0, 1.0, 2.0, 1, 1, 1, 8, "", "me")
        for number in range(count, 0, -1)
    ]


@pytest.mark.parametrize(
    ("count", "letters", "inserts"),
    [(0, 9, 0), (1, 9, 1), (2 * ROWS_A_STATEMENT + 1, 9, 3), (6, LETTERS_A_STATEMENT // 2, 6), (3, 900_000, 3)],
)
def test_a_list_is_filled_by_statements_of_bounded_length(count: int, letters: int, inserts: int) -> None:
    """Each query once, in order; one that is longer than a statement is to be goes alone."""
    made = list(fill_list("queries", iter(queries(count, letters))))
    assert len(made) == inserts
    assert all(len(one) < LETTERS_A_STATEMENT + 1000 for one in made)
    numbers = [int(number) for one in made for number in re.findall(r"\((\d+), 'ASYNC'", one)]
    assert numbers == list(range(count, 0, -1))


def test_a_query_longer_than_a_statement_is_listed_alone() -> None:
    short, long = queries(1, 9), queries(1, 2 * LETTERS_A_STATEMENT)
    assert len(list(fill_list("queries", [*short, *long, *short]))) == 3
