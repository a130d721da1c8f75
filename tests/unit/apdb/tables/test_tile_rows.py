"""Rows of another tile are not stored."""

import re
from dataclasses import replace

import pyarrow as pa
import pytest

from skyshard.apdb.model import Tile, TileRows, VisitId
from skyshard.apdb.tables.tile_rows import check_tile_rows
from skyshard.basics.errors import UserError
from skyshard.chunking.sphere import Polygon

TILE = Tile(
    VisitId(7, 3), 60000.5, Polygon.of(0, 0, 1, 0, 1, 1, 0, 1), Polygon.of(359.9, -0.1, 1.1, -0.1, 1.1, 1.1, 359.9, 1.1)
)
SOURCE = {"visit": 7, "detector": 3, "midpointMjdTai": 60000.5, "ra": 0.5, "dec": 0.5}
OBJECT = {"validityStartMjdTai": 60000.5, "ra": 359.95, "dec": 0.5}


def rows(source: dict[str, object] | None = None, version: dict[str, object] | None = None) -> TileRows:
    sources = pa.Table.from_pylist([SOURCE | (source or {})])
    return TileRows(TILE, pa.Table.from_pylist([OBJECT | (version or {})]), sources, pa.Table.from_pylist([SOURCE]))


def test_rows_of_the_tile_pass() -> None:
    """Own rows, and objects in the margin, are stored; so are no rows at all."""
    check_tile_rows(rows())
    none = rows()
    check_tile_rows(TileRows(TILE, none.objects[:0], none.sources[:0], none.forced[:0]))


@pytest.mark.parametrize(
    ("source", "version", "what"),
    [
        ({"visit": 8}, {}, "visit 7, detector 3: rows of DiaSource have another visit"),
        ({"detector": 4}, {}, "another detector"),
        ({"midpointMjdTai": 60000.4}, {}, "another midpointMjdTai"),
        ({}, {"validityStartMjdTai": 60000.4}, "DiaObject have another validityStartMjdTai"),
        ({"ra": 5.0}, {}, "DiaSource lies outside"),
    ],
)
def test_other_rows_are_refused(source: dict[str, object], version: dict[str, object], what: str) -> None:
    """Another visit, detector, time or place is named with its table."""
    with pytest.raises(UserError, match=what):
        check_tile_rows(rows(source, version))


@pytest.mark.parametrize("tile", [VisitId(7, -1), VisitId(7, 40_000), VisitId(-1, 3)])
def test_impossible_tiles_are_refused(tile: VisitId) -> None:
    """A detector is a SMALLINT from 0, a visit no negative number."""
    with pytest.raises(UserError, match="no such visit or detector"):
        check_tile_rows(replace(rows(), tile=replace(TILE, id=tile)))


@pytest.mark.parametrize("time", [float("nan"), float("inf"), 1e12, -1e9])
def test_a_tile_without_a_time_is_refused_also_where_it_has_no_rows(time: float) -> None:
    """The ledger would refuse it while it holds its locks, which other tiles wait for; a time in seconds has no month,
    and was stored where no read finds it."""
    none = rows()
    with pytest.raises(UserError, match=re.escape(f"its time is {time}")):
        check_tile_rows(TileRows(replace(TILE, time=time), none.objects[:0], none.sources[:0], none.forced[:0]))
