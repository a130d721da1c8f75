"""Long lists of keys in chunk statements: each chunk is asked for its own, whatever else looks like the list."""

from __future__ import annotations

import pytest
from tests.support.four_chunks import Source
from tests.support.planned import plan_of

KEYS = (*range(100, 140), 5, 15)
"""Of these the director index knows 5, in chunk 325, and 15, in chunk 361."""
LIST = ", ".join(map(str, KEYS))


def statements(sql: str) -> dict[int, str]:
    """Chunk → its statement."""
    pull = plan_of(sql, Source()).pulls[0]
    written = pull.template.written()
    return {chunk: written.of_chunk(chunk) for chunk in pull.chunks or ()}


def test_each_chunk_is_asked_for_its_own_keys() -> None:
    """Chunks without a key of the list are not read at all."""
    found = statements(f"SELECT mag FROM Object AS o WHERE o.objectId IN ({LIST})")
    assert sorted(found) == [325, 361]
    assert found[325].endswith("WHERE `o`.`objectId` IN (5)")
    assert found[361].endswith("WHERE `o`.`objectId` IN (15)")


def test_a_string_that_reads_like_the_list_stays_as_it_is() -> None:
    """What stands between quotes is a value, in every chunk."""
    looks = f"`o`.`objectId` IN ({LIST})"
    found = statements(f"SELECT mag FROM Object AS o WHERE o.objectId IN ({LIST}) AND ' {looks}' <> CONCAT(o.kind, '')")
    assert found[325].count(f"' {looks}'") == 1
    assert "`o`.`objectId` IN (5) AND" in found[325]


@pytest.mark.parametrize("alias", ["oo", "`$o`", "`é`"])
def test_two_directors_with_equal_lists_are_each_asked_for_their_own(alias: str) -> None:
    """The conditions of two references to a director, of which the name of one may end as that of the other."""
    found = statements(
        f"SELECT o.mag FROM Object AS o JOIN Object AS {alias} ON o.objectId = {alias}.objectId "
        f"WHERE o.objectId IN ({LIST}) AND {alias}.objectId IN ({LIST})"
    )
    assert {chunk: text.count("IN (5)") for chunk, text in found.items()} == {325: 2, 361: 0}
    assert {chunk: text.count("IN (15)") for chunk, text in found.items()} == {325: 0, 361: 2}


def test_a_list_under_not_or_or_keeps_all_its_keys() -> None:
    """Only a condition that every row fulfils says which rows a chunk is asked for."""
    for where in (f"NOT o.objectId IN ({LIST})", f"o.objectId IN ({LIST}) OR o.kind = 1"):
        found = statements(f"SELECT mag FROM Object AS o WHERE {where}")
        assert len(found) == 4
        assert all(LIST in text for text in found.values())


def test_the_same_condition_elsewhere_keeps_its_keys() -> None:
    """The list of the WHERE clause is parted; what an item computes from an equal one is not."""
    found = statements(f"SELECT o.objectId IN ({LIST}) FROM Object AS o WHERE o.objectId IN ({LIST})")
    assert found[325].count(LIST) == 1
    assert found[325].endswith("WHERE `o`.`objectId` IN (5)")


def test_a_list_in_the_condition_of_a_join_is_parted() -> None:
    """Rows of a source whose object came after it may be in any chunk that holds such rows."""
    found = statements(
        f"SELECT s.t FROM Object AS o JOIN Source AS s ON s.objectId = o.objectId AND o.objectId IN ({LIST})"
    )
    assert found[325].endswith("AND o.objectId IN (5)")
    assert LIST not in found[325]
