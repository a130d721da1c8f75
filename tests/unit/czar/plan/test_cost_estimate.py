"""What a plan is expected to read and to move."""

from __future__ import annotations

import pytest
from tests.support.four_chunks import Source
from tests.support.planned import plan_of

from skyshard.czar.plan.cost_estimate import PAIR_FACTOR, STATEMENT_S, costs_of, row_bytes, width_of
from skyshard.rowimage.sqltype import parse_type

OBJECT_BYTES = 8 + 8 + 8 + 4 + 4 + 4 + 4 + 1
"""Of a row: objectId, ra, decl, mag, kind, chunkId, subChunkId, and a byte of null bits."""


def test_a_scan_reads_every_row_of_its_chunks() -> None:
    """Four chunks of 100 rows."""
    costs = costs_of(plan_of("SELECT objectId FROM Object WHERE mag > 20", Source()))
    assert (costs.rows_read, costs.bytes_read) == (400, 400 * OBJECT_BYTES)
    assert costs.bytes_moved is None


def test_a_look_up_reads_a_share_of_its_chunk() -> None:
    """What a few keys have is less than the chunk, and a statement takes its time whatever it reads."""
    one = costs_of(plan_of("SELECT mag FROM Object WHERE objectId = 5", Source(rows_a_chunk=100)))
    assert 0 < one.bytes_read <= 100 * OBJECT_BYTES
    assert one.elapsed_s >= STATEMENT_S


def test_pairs_take_longer_than_rows_and_read_overlap_rows() -> None:
    """Each chunk has 100 rows of its own and 7 of its neighbours'."""
    near = "SELECT COUNT(*) FROM Object o1, Object o2 WHERE scisql_angSep(o1.ra, o1.decl, o2.ra, o2.decl) < 0.01"
    pairs = costs_of(plan_of(near, Source()))
    assert pairs.bytes_read == 4 * (100 + 100 + 7) * OBJECT_BYTES
    assert PAIR_FACTOR > 1
    assert pairs.elapsed_s > costs_of(plan_of("SELECT COUNT(*) FROM Object WHERE mag > 1", Source())).elapsed_s


def test_what_is_brought_together_is_moved() -> None:
    """A statement that one server has to answer over all rows."""
    gathered = costs_of(plan_of("SELECT objectId, RANK() OVER (ORDER BY mag) FROM Object", Source()))
    assert gathered.bytes_moved is not None
    assert gathered.bytes_moved >= 400 * (8 + 4)


@pytest.mark.parametrize(
    ("kind", "wanted"), [("bigint", 8), ("float", 4), ("char(3)", 3), ("text", 256), ("datetime", 8), ("tinyint(1)", 1)]
)
def test_a_value_takes_what_its_type_declares(kind: str, wanted: int) -> None:
    """About: a text of any length counts as 256 bytes."""
    assert width_of(parse_type(kind)) == wanted
    assert row_bytes(()) == 1
