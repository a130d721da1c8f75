"""Conditions on ``chunkId``: what they prove about the chunks that are left, and what they do not."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.four_chunks import CHUNKS, Source
from tests.support.planned import bound_of, where_of

from skyshard.czar.locate.chunk_numbers import chunk_limit, chunk_ranges, narrowed

ALL = frozenset(CHUNKS)
"""324, 325, 361, 362."""


def left(where: str) -> frozenset[int] | None:
    """The chunks of Object that are left; None where nothing is proven."""
    bound = bound_of(f"SELECT o.mag FROM Object AS o WHERE {where}", Source())
    terms = where_of(bound)
    limits = [limit for term in terms if (limit := chunk_limit(bound, term)) is not None]
    limits += chunk_ranges(bound, terms)
    chunks = ALL
    for limit in limits:
        chunks = limit.of(chunks)
    return chunks if limits else None


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("chunkId = 324", {324}),
        ("361 = chunkId", {361}),
        ("chunkId = '325'", {325}),
        ("chunkId = 324.0", {324}),
        ("chunkId = 324.5", set()),
        ("chunkId = 9", set()),
        ("chunkId = NULL", set()),
        ("chunkId <=> 324", {324}),
        ("chunkId IN (324, 362, 7)", {324, 362}),
        ("chunkId IN (324, NULL)", {324}),
        (f"chunkId IN ({', '.join(map(str, range(300, 340)))})", {324, 325}),
        ("chunkId > 325", {361, 362}),
        ("chunkId >= 325 AND chunkId < 362", {325, 361}),
        ("chunkId BETWEEN 325 AND 361", {325, 361}),
        ("324.5 < chunkId", {325, 361, 362}),
    ],
)
def test_only_chunks_that_can_have_a_row_are_left(where: str, wanted: set[int]) -> None:
    """Numbers as MariaDB compares them with an INT column."""
    assert left(where) == frozenset(wanted)


@pytest.mark.parametrize(
    "where",
    [
        "chunkId <=> NULL",
        "chunkId = '324x'",
        "chunkId = kind",
        "chunkId IN (324, kind)",
        "chunkId NOT IN (324)",
        "chunkId <> 324",
        "subChunkId = 324",
        "kind = 324",
        "chunkId + 0 = 324",
    ],
)
def test_what_is_not_certain_proves_nothing(where: str) -> None:
    """Every chunk may have a row."""
    assert left(where) is None


@given(st.integers(-5, 5), st.integers(-60, 60).map(lambda n: Decimal(n) / 10), st.sampled_from(["<", "<=", ">", ">="]))
def test_a_whole_number_is_in_the_range_just_when_the_comparison_holds(number: int, value: Decimal, word: str) -> None:
    """Of every number, for bounds between whole numbers as well as on them."""
    low, high = narrowed((None, None), word, value)
    holds = {"<": number < value, "<=": number <= value, ">": number > value, ">=": number >= value}[word]
    assert ((low is None or low <= number) and (high is None or number <= high)) == holds
