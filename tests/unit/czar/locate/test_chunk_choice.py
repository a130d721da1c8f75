"""Which chunks are read: none is left out that has a row of the answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.depth import drawn
from tests.support.four_chunks import CHUNKS, Source
from tests.support.planned import bound_of, where_of

from skyshard.chunking import Chunker
from skyshard.chunking.sphere import Circle
from skyshard.czar.locate.chunk_choice import ChunkChoice, choose_chunks
from skyshard.czar.locate.locality import top_terms

SOURCE = Source()
Row = tuple[int, float, float]
Condition = tuple[str, Callable[[Row], bool]]


def choice(sql: str) -> ChunkChoice:
    bound = bound_of(sql, SOURCE)
    block = bound.blocks[0]
    return choose_chunks(bound, block, top_terms(block, where_of(bound)), SOURCE)


@pytest.mark.parametrize(
    ("condition", "chunks"),
    [
        ("mag > 3", CHUNKS),
        ("objectId = 5", {325}),
        ("objectId IN (5, 15)", {325, 361}),
        ("objectId = 6", set()),
        ("objectId > 5", {361}),
        ("objectId > 9 AND objectId < 3", set()),
        ("ra BETWEEN 22 AND 29", {362}),
        ("qserv_areaspec_box(1, 1, 9, 9)", {324}),
        ("ra > 20 AND ra < 10", set()),
        ("objectId = 5 AND ra BETWEEN 1 AND 2", set()),
        ("objectId = 5 OR qserv_areaspec_box(1, 1, 9, 9) = 1", {324, 325}),
        ("objectId = 5 OR mag = 3", CHUNKS),
        ("chunkId = 325", {325}),
        ("325 = CHUNKID", {325}),
        ("chunkId IN (325, 361, 7)", {325, 361}),
        ("chunkId IN (325, NULL)", {325}),
        ("chunkId = '325'", {325}),
        ("chunkId = 325 AND mag > 3 AND subChunkId = 4", {325}),
        ("chunkId = 325 OR chunkId = 361", {325, 361}),
        ("chunkId = 325 OR objectId = 15", {325, 361}),
        ("chunkId = 325 AND objectId = 15", set()),
        ("chunkId = 325 OR mag > 3", CHUNKS),
        ("chunkId >= 325 AND chunkId < 362", {325, 361}),
        ("chunkId BETWEEN '325' AND 361", {325, 361}),
        ("NOT chunkId <> 325", {325}),
        ("chunkId = 325 IS TRUE", CHUNKS),
        ("chunkId IN (SELECT 325)", CHUNKS),
        ("chunkId = 32.5e1", {325}),
        ("chunkId = 325.5", set()),
        ("chunkId = -1", set()),
        ("chunkId = 99999999999", set()),
        ("chunkId = NULL", set()),
        ("chunkId <=> NULL", CHUNKS),
        ("chunkId <> 325", CHUNKS),
        ("NOT chunkId = 325", CHUNKS),
        ("chunkId = 'x325'", CHUNKS),
        ("chunkId + 0 = 325", CHUNKS),
        ("chunkId = mag", CHUNKS),
        ("subChunkId = 325", CHUNKS),
    ],
)
def test_chunks_of_a_director(condition: str, chunks: set[int]) -> None:
    """Keys are looked up in the director index, areas in the chunker, a chunk number is itself; limits meet,
    alternatives join, and what is not certain leaves all."""
    assert choice(f"SELECT * FROM Object WHERE {condition}").chunks == {0: frozenset(chunks)}


def test_an_unknown_key_may_belong_to_rows_without_director() -> None:
    """Sources whose object never came are in chunk 361: it stays for a key that the index does not know."""
    assert choice("SELECT * FROM Source WHERE objectId = 6").chunks == {0: frozenset({361})}
    assert choice("SELECT * FROM Source WHERE objectId = 5").chunks == {0: frozenset({325})}
    assert choice("SELECT * FROM Source WHERE objectId IN (5, 6)").chunks == {0: frozenset({325, 361})}


def test_a_chunk_number_holds_for_what_is_tied_by_the_key() -> None:
    """Rows of one key are in one chunk, whichever table's number is named; rows that may be elsewhere stay."""
    joined = "SELECT * FROM Object o, Note n WHERE o.objectId = n.objectId AND"
    assert choice(f"{joined} o.chunkId = 325").chunks == {0: frozenset({325}), 1: frozenset({325})}
    assert choice(f"{joined} n.chunkId IN (325, 361)").chunks == dict.fromkeys((0, 1), frozenset({325, 361}))
    apart = choice("SELECT * FROM Object o, Note n WHERE o.mag = n.noteId AND o.chunkId = 325").chunks
    assert apart == {0: frozenset({325}), 1: frozenset(CHUNKS)}


def test_a_joined_director_excludes_rows_without_one() -> None:
    """With the keys equal, both tables are read in the chunks that are left for both."""
    joined = "SELECT * FROM Object o, Source s WHERE o.objectId = s.objectId AND"
    assert choice(f"{joined} s.objectId = 6").chunks == {0: frozenset(), 1: frozenset()}
    assert choice(f"{joined} o.ra BETWEEN 22 AND 29").chunks == {0: frozenset({362}), 1: frozenset({362})}


def test_tables_that_nothing_ties_are_chosen_apart() -> None:
    """A limit of one says nothing of the other."""
    found = choice("SELECT * FROM Object o, Source s WHERE o.objectId = 5")
    assert found.chunks == {0: frozenset({325}), 1: frozenset(CHUNKS)}


def test_the_choice_says_why() -> None:
    """One sentence a limit, with the chunks before and after, and how many keys were named at least."""
    found = choice("SELECT * FROM Object o WHERE objectId IN (5, 15) AND ra BETWEEN 11 AND 19")
    assert found.why == [
        "o: objectId in (5, 15): 2 of 4 chunks",
        "o: ra in [11, 19]: 2 of 2 chunks",
    ]
    assert found.keys == 2


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda value: round(value, 2))


def compared(column: str, place: int, values: st.SearchStrategy[float]) -> st.SearchStrategy[Condition]:
    made: dict[str, Callable[[float, float], bool]] = {
        "<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__, "=": float.__eq__,
    }  # fmt: skip
    return st.builds(
        lambda word, value: (f"{column} {word} {value!r}", lambda row: made[word](float(row[place]), float(value))),
        st.sampled_from(sorted(made)), values,
    )  # fmt: skip


def circle(ra: float, dec: float, radius: float) -> Condition:
    area = Circle(ra, dec, radius)
    text = f"scisql_s2PtInCircle(ra, decl, {ra!r}, {dec!r}, {radius!r}) = 1"
    return text, lambda row: bool(area.contains([row[1]], [row[2]])[0])


def joined(word: str, one: Condition, other: Condition) -> Condition:
    if word == "AND":
        return f"({one[0]} AND {other[0]})", lambda row: one[1](row) and other[1](row)
    return f"({one[0]} OR {other[0]})", lambda row: one[1](row) or other[1](row)


ATOMS = st.one_of(
    compared("objectId", 0, st.sampled_from([4.0, 5.0, 6.0, 14.5, 15.0, 16.0])),
    compared("ra", 1, numbers(-5, 35)), compared("decl", 2, numbers(-5, 25)),
    st.builds(circle, numbers(0, 30), numbers(0, 20), numbers(0.5, 15)),
)  # fmt: skip
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(joined, st.sampled_from(["AND", "OR"]), inner, inner),
        st.builds(lambda one: (f"NOT {one[0]}", lambda row: not one[1](row)), inner),
    ),
    max_leaves=5,
)
ROWS = st.one_of(
    st.tuples(st.just(5), numbers(10, 19.99), numbers(0, 9.99)),
    st.tuples(st.just(15), numbers(10.91, 21.8), numbers(10, 19.99)),
)


@given(CONDITIONS, st.lists(ROWS, min_size=1, max_size=12))
@settings(max_examples=drawn(40))
def test_no_chunk_is_left_out_that_has_a_row_of_the_answer(condition: Condition, rows: list[Row]) -> None:
    """Objects 5 and 15, anywhere in the chunks where the index says they are, under any condition."""
    text, holds = condition
    chunks = choice(f"SELECT * FROM Object WHERE {text}").chunks[0]
    found = Chunker(18, 6, 0.1).locate([row[1] for row in rows], [row[2] for row in rows])[0].tolist()
    known = {5: 325, 15: 361}
    for row, chunk in zip(rows, found, strict=True):
        if chunk == known[row[0]] and holds(row):
            assert chunk in chunks, (text, row)
