"""What is done to a mutable database beside visits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.tile_writer import TileWriter, apdb_object, apdb_source

from skyshard.apdb.beside.upkeep import Upkeep
from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Layout
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
DATABASE = "kept"
LAYOUT: dict[str, Any] = {
    "striping": {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}, "mutable": True, "engine": "InnoDB",
}  # fmt: skip
NIGHT = 60_000.0
PLACES = {1: (10.0, -5.0), 2: (200.0, 30.0)}
TWINS = {7: (10.00001, -5.0), 8: (200.0, 30.0)}
"""Objects that are those of ``PLACES`` once more."""


@pytest.fixture
def writer(testbed: Testbed) -> Iterator[TileWriter]:
    """A visit four hundred days ago, one of today, and half a one; noise in each."""
    made = TileWriter(testbed.apdb.create(DATABASE, Layout.model_validate(LAYOUT)))
    for visit, time in ((1, NIGHT - 400.0), (2, NIGHT), (3, NIGHT + 0.1)):
        objects = [apdb_object(key, *place, time, visit) for key, place in PLACES.items()]
        sources = [apdb_source(10 * visit + key, key, *place, time, visit, 0) for key, place in PLACES.items()]
        noise = [apdb_source(10 * visit + 9, None, 10.01, -5.0, time, visit, 0)]
        made.store(visit, 0, time, objects, [*sources, *noise], is_whole=visit < 3)
    yield made
    testbed.drop(DATABASE)


def ask(testbed: Testbed, sql: str) -> list[tuple[Any, ...]]:
    """The rows of an answer, in order."""
    table = testbed.query(sql, database=DATABASE).table
    return sorted(zip(*(column.to_pylist() for column in table.columns), strict=True))


def test_a_scan_counts_sources_of_two_weeks_in_whole_stores(testbed: Testbed, writer: TileWriter) -> None:
    """Of three that belong to no object, one is old, and one is of half a store."""
    assert testbed.apdb.upkeep(DATABASE, Upkeep.SCAN_UNASSOCIATED, now=NIGHT + 1).rows == 1


@pytest.mark.parametrize(
    ("action", "condition"),
    [(Upkeep.REASSOCIATE, "ssObjectId = diaSourceId"), (Upkeep.WITHDRAW, "timeWithdrawnMjdTai IS NOT NULL")],
)
def test_a_rehearsed_change_is_seen_by_nobody(
    testbed: Testbed, writer: TileWriter, action: Upkeep, condition: str
) -> None:
    """The true one is, in whole stores."""
    sql = f"SELECT diaSourceId FROM DiaSource WHERE {condition}"
    assert testbed.apdb.upkeep(DATABASE, action, now=NIGHT + 1, is_rehearsed=True).rows == 1
    assert ask(testbed, sql) == []
    testbed.apdb.upkeep(DATABASE, action, now=NIGHT + 1)
    assert ask(testbed, sql) == [(29,)]


def test_objects_at_one_place_become_the_older_one(testbed: Testbed, writer: TileWriter) -> None:
    """It has the sources of both; the same again changes nothing."""
    objects = [apdb_object(key, *place, NIGHT + 0.2, 1) for key, place in TWINS.items()]
    sources = [apdb_source(40 + key, key, *place, NIGHT + 0.2, 4, 0) for key, place in TWINS.items()]
    writer.store(4, 0, NIGHT + 0.2, objects, sources)
    assert testbed.apdb.upkeep(DATABASE, Upkeep.DEDUPLICATE, now=NIGHT + 1).rows == 2
    assert testbed.apdb.upkeep(DATABASE, Upkeep.DEDUPLICATE, now=NIGHT + 1).rows == 0
    assert [row[0] for row in ask(testbed, "SELECT diaObjectId FROM DiaObjectLast")] == [1, 2]
    sql = "SELECT diaObjectId, COUNT(*) FROM DiaSource WHERE diaObjectId IS NOT NULL GROUP BY diaObjectId"
    assert ask(testbed, sql) == [(1, 3), (2, 3)]


def test_an_object_of_a_tile_that_is_not_whole_is_joined_to_none(testbed: Testbed, writer: TileWriter) -> None:
    """The tile may be taken back: only what is seen is joined and counted."""
    twin, time = TWINS[7], NIGHT + 0.3
    new = [apdb_object(7, *twin, time, 1)]
    half = writer.store(5, 0, time, new, [apdb_source(57, 7, *twin, time, 5, 0)], is_whole=False)
    assert testbed.apdb.upkeep(DATABASE, Upkeep.DEDUPLICATE, now=NIGHT + 1).rows == 0
    writer.end(half)
    assert ask(testbed, "SELECT diaObjectId FROM DiaObjectLast WHERE diaObjectId = 7") == [(7,)]
    assert ask(testbed, "SELECT diaSourceId FROM DiaSource WHERE diaObjectId = 7") == [(57,)]
    assert testbed.apdb.upkeep(DATABASE, Upkeep.DEDUPLICATE, now=NIGHT + 1).rows == 1
    assert ask(testbed, "SELECT diaSourceId FROM DiaSource WHERE diaObjectId = 7") == []


def test_months_that_no_visit_reads_go(testbed: Testbed, writer: TileWriter) -> None:
    """And no others; a rehearsal of it is refused."""
    with pytest.raises(UserError, match="cannot be rolled back"):
        testbed.apdb.upkeep(DATABASE, Upkeep.DROP_MONTH, now=NIGHT + 1, is_rehearsed=True)
    assert testbed.apdb.upkeep(DATABASE, Upkeep.DROP_MONTH, now=NIGHT + 1).rows == 3
    assert ask(testbed, "SELECT DISTINCT visit FROM DiaSource") == [(2,)]


def test_a_compaction_changes_no_answer(testbed: Testbed, writer: TileWriter) -> None:
    """Whatever it rewrites."""
    sql = "SELECT diaSourceId, diaObjectId, psfFlux FROM DiaSource WHERE diaObjectId IS NOT NULL"
    before = ask(testbed, sql)
    testbed.apdb.upkeep(DATABASE, "compact")
    assert ask(testbed, sql) == before


def test_stores_that_did_not_come_as_they_should_are_counted_and_named(testbed: Testbed, writer: TileWriter) -> None:
    """A late visit, whose clock is that of an earlier number too; a detector of another time than its visit."""
    assert testbed.apdb.status(DATABASE).odd == ()
    writer.store(9, 0, NIGHT - 10.0, [], [])
    writer.store(2, 1, NIGHT + 0.2, [], [])
    late, back, apart = testbed.apdb.status(DATABASE).odd
    assert (late.what, late.named) == ("came after a store of a later time", ("visit 9, detector 0",))
    assert (back.what, back.named) == ("are earlier than a visit of a smaller number", ("visit 9, detector 0",))
    assert (apart.count, apart.named) == (1, ("visit 2, detector 1",))


def test_an_unknown_action_is_named(testbed: Testbed, writer: TileWriter) -> None:
    """With those that there are."""
    with pytest.raises(UserError, match=r"no action 'sweep'.*scan-unassociated"):
        testbed.apdb.upkeep(DATABASE, "sweep")
