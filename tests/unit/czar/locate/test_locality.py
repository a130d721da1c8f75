"""Which statements can be answered chunk by chunk, and the reason where one cannot."""

from __future__ import annotations

import pytest
from tests.support.four_chunks import Source
from tests.support.planned import bound_of, where_of

from skyshard.czar.locate.locality import Locality, Neighbour, NotLocal, prove, top_terms

SOURCE = Source()
NEAR = "scisql_angSep(o.ra, o.decl, p.ra, p.decl)"


def proof(sql: str, counts: dict[int, int] | None = None) -> Locality | NotLocal:
    bound = bound_of(sql, SOURCE)
    block = bound.blocks[0]
    return prove(bound, block, top_terms(block, where_of(bound)), counts or {})


@pytest.mark.parametrize(
    ("tables", "anchor"),
    [
        ("Object", {0}),
        ("Object o, Filter f", {0}),
        ("Object o JOIN Source s ON o.objectId = s.objectId", {0, 1}),
        ("Object o JOIN Source s USING (objectId)", {0, 1}),
        ("Object o LEFT JOIN Source s ON o.objectId = s.objectId AND s.t > 3", {0, 1}),
        ("Source s, Note n, Object o WHERE s.objectId = n.objectId AND n.objectId = o.objectId", {0, 1, 2}),
        ("Filter f RIGHT JOIN Object o ON o.kind = f.filterId", {1}),
    ],
)
def test_equal_keys_put_rows_into_one_chunk(tables: str, anchor: set[int]) -> None:
    """Director and dependents tied by the director's key, directly or through each other; regular tables are free."""
    assert proof(f"SELECT * FROM {tables}") == Locality(frozenset(anchor))


@pytest.mark.parametrize("radius", ["0.1", "0.05", "0"])
def test_a_neighbour_within_the_overlap_is_read_with_it(radius: str) -> None:
    """The overlap is 0.1 degrees: up to there each pair is found in one chunk."""
    found = proof(f"SELECT * FROM Object o, Object p WHERE {NEAR} < {radius}")
    assert found == Locality(frozenset({0}), (Neighbour(1, 0),))


def test_the_anchor_is_the_side_with_fewer_chunks() -> None:
    """Of two ways to read a pair of tables the one with fewer chunks is taken."""
    sql = f"SELECT * FROM Object o, Object p WHERE {NEAR} < 0.1"
    assert proof(sql, {0: 4, 1: 1}) == Locality(frozenset({1}), (Neighbour(0, 1),))
    assert proof(sql, {0: 1, 1: 4}) == Locality(frozenset({0}), (Neighbour(1, 0),))


def test_a_chain_of_neighbours_must_stay_within_the_overlap() -> None:
    """Two steps of 0.04 degrees are within 0.1, two of 0.06 are not."""
    steps = "SELECT * FROM Object o, Object p, Object q WHERE {} < {} AND {} < {}"
    second = NEAR.replace("o.", "q.")
    near = proof(steps.format(NEAR, 0.04, second, 0.04), {0: 1, 1: 9, 2: 9})
    assert near == Locality(frozenset({0}), (Neighbour(1, 0), Neighbour(2, 0)))
    middle = proof(steps.format(NEAR, 0.06, second, 0.06), {0: 1, 1: 9, 2: 1})
    assert middle == Locality(frozenset({1}), (Neighbour(0, 1), Neighbour(2, 1)))


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ("Object o, Source s", "nothing ties the chunked tables o, s to one chunk"),
        ("Object o, Source s WHERE o.objectId < s.objectId", "nothing ties"),
        ("Object o, Source s WHERE o.objectId = s.objectId OR o.mag > 3", "nothing ties"),
        ("Object o, Source s WHERE o.kind = s.objectId", "nothing ties"),
        (f"Object o, Object p WHERE {NEAR} < 0.2", "pairs of 'o' and 'p' may be further apart than the overlap"),
        ("Filter f LEFT JOIN Object o ON o.kind = f.filterId", "LEFT JOIN keeps rows of a regular table"),
        ("Source s RIGHT JOIN Object o ON o.objectId = s.objectId", "RIGHT JOIN of several chunked tables"),
        (
            "Object o LEFT JOIN (Source s JOIN Note n ON s.objectId = n.objectId) ON o.objectId = s.objectId",
            "a join inside an outer join",
        ),
    ],
)
def test_what_no_chunk_can_answer_alone_says_why(tables: str, reason: str) -> None:
    """Keys of another column, inequalities and alternatives tie nothing; outer joins may keep rows in each chunk."""
    found = proof(f"SELECT * FROM {tables}")
    assert isinstance(found, NotLocal)
    assert reason in found.reason


def test_a_pair_beyond_the_overlap_names_the_table() -> None:
    """Only such pairs are refused although they could be computed: the planner needs to know whose they are."""
    found = proof(f"SELECT * FROM Object o, Object p WHERE {NEAR} < 0.2")
    assert isinstance(found, NotLocal)
    assert found.beyond is not None
    assert found.beyond.alias == "p"
