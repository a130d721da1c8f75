"""What visits took, from the samples of their tiles: whole visits, reads, stores, and each table. No I/O.

A whole visit is the span from the first due time of its tiles to their last end, so waiting for a free client counts.
The time of a read or a store is that of the visit's slowest tile, for the tiles work side by side; rows, bytes, server
and client seconds are sums over the tiles. A tile that was tried again has the time of the try that ended well; the
visit's span has all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

TILE, DRIVER = "tile", "driver"
READ, STORE = "select", "store"
"""Names of what is summed over tables: all reads; everything that a store does."""
_TILE_BITS = 20
TABLES = ("DiaObject", "DiaObjectLast", "DiaSource", "DiaForcedSource")


@dataclass(frozen=True, slots=True)
class VisitSeries:
    """One kind of work over visits, in order of their numbers; visits that did none of it are not in it."""

    table: str
    """Empty: over all tables."""
    kind: str
    visit: Whole
    real_s: Floats
    rows: Whole
    bytes: Whole
    server_s: Floats
    client_s: Floats

    @property
    def name(self) -> str:
        """For people: ``DiaSource select``, ``store``, ``visit``."""
        return f"{self.table} {self.kind}".strip()


@dataclass(frozen=True, slots=True)
class VisitTimes:
    """All visits of one phase."""

    phase: str
    whole: VisitSeries
    """``real_s`` is the span; rows are those stored; ``server_s`` and ``client_s`` those of all its operations."""
    time: Floats
    """MJD TAI of each visit of ``whole``."""
    begun_s: Floats
    """When its first tile was due."""
    read: VisitSeries
    store: VisitSeries
    parts: Sequence[VisitSeries]
    """By table and kind, reads first."""
    driver_s: Floats
    """Of each visit of ``whole``: seconds of its tiles in which no operation ran, and the share of the visit in which
    the driver made rows and compared answers, as seconds of its tiles."""
    tiles_s: Floats
    """Seconds of its tiles, summed."""
    tiles: int
    """Of a visit, at most."""
    tries: int
    """Tiles that failed and were tried again, or given up."""
    lost: Whole
    """Visits of which a tile never ended well; they are in no series, nor are those that were cut and gone on with."""
    compared: int
    """Tiles whose answers were compared with the truth."""
    wrong: int


def phases_of(samples: pa.Table) -> list[str]:
    """The phases of samples, in order of their first sample."""
    return [str(one) for one in pc.unique(samples["phase"]).to_pylist()]


def visit_times(samples: pa.Table, phase: str) -> VisitTimes:
    """The visits of one phase, from a table of ``VISIT_SAMPLES``."""
    mine = samples.filter(pc.equal(samples["phase"], phase))
    is_tile = pc.equal(mine["kind"], TILE)
    is_of_tile = pc.greater_equal(mine["tile"], 0)
    tiles, operations = mine.filter(is_tile), mine.filter(pc.and_(is_of_tile, pc.invert(is_tile)))
    ended = pc.is_null(tiles["error"])
    good = tiles.filter(ended)
    lost = _lost(tiles, good)
    kept = _Kept(tiles, good, lost)
    answered = operations.filter(pc.is_null(operations["error"]))
    whole, begun, times = _whole(tiles, answered, kept)
    keys = answered.group_by(["table", "kind"]).aggregate([]).to_pylist()
    parts = [_series(_only(answered, one["table"], one["kind"]), one["table"], one["kind"], kept) for one in keys]
    reads = pc.equal(answered["kind"], READ)
    spent = _by_visit(answered, _took(answered), whole.visit)
    tile_s = _by_visit(good, _took(good), whole.visit)
    own = mine.filter(pc.equal(mine["kind"], DRIVER))
    own_s = _by_visit(own, _floats(own, "client_s"), whole.visit) * tile_s / np.maximum(whole.real_s, 1e-12)
    return VisitTimes(
        phase=phase, whole=whole, time=times, begun_s=begun,
        read=_series(answered.filter(reads), "", READ, kept),
        store=_series(answered.filter(pc.invert(reads)), "", STORE, kept),
        parts=sorted(parts, key=_place), driver_s=np.maximum(tile_s - spent, 0.0) + own_s, tiles_s=tile_s,
        tiles=1 + int(pc.max(tiles["tile"]).as_py() or 0) - int(pc.min(tiles["tile"]).as_py() or 0),
        tries=tiles.num_rows - good.num_rows, lost=lost,
        compared=_count(pc.is_valid(mine["answer_ok"])),
        wrong=_count(pc.equal(mine["answer_ok"], False)),
    )  # fmt: skip


class _Kept:
    """The visits whose tiles all ended well, all have samples, and were sent at one time.

    Of others the trial was stopped or killed in the middle, and gone on with: they have no time of a whole visit.
    """

    def __init__(self, tiles: pa.Table, good: pa.Table, lost: Whole) -> None:
        keys = np.unique(_keys(_whole_numbers(good, "visit"), _whole_numbers(good, "tile")))
        visits, counts = np.unique(keys >> _TILE_BITS, return_counts=True)
        due = tiles.group_by("visit").aggregate([("due_s", "min"), ("due_s", "max")])
        again = due.filter(pc.not_equal(due["due_s_min"], due["due_s_max"]))
        whole = np.setdiff1d(visits[counts == counts.max(initial=0)], lost)
        self.visits: Whole = np.setdiff1d(whole, _whole_numbers(again, "visit"))


def _lost(tiles: pa.Table, good: pa.Table) -> Whole:
    """Visits with a tile that was tried and never ended well."""
    tried, ended = (_keys(_whole_numbers(one, "visit"), _whole_numbers(one, "tile")) for one in (tiles, good))
    missing = tiles.filter(pa.array(~np.isin(tried, ended)))
    return np.unique(_whole_numbers(missing, "visit"))


def _whole(tiles: pa.Table, answered: pa.Table, kept: _Kept) -> tuple[VisitSeries, Floats, Floats]:
    mine = tiles.filter(pc.is_in(tiles["visit"], pa.array(kept.visits)))
    found = (
        mine.group_by("visit")
        .aggregate([("due_s", "min"), ("done_s", "max"), ("rows", "sum"), ("time", "min")])
        .sort_by("visit")
    )
    visit = _whole_numbers(found, "visit")
    due, done = _floats(found, "due_s_min"), _floats(found, "done_s_max")
    sums = [_by_visit(answered, _floats(answered, name), visit) for name in ("bytes", "server_s", "client_s")]
    series = VisitSeries(
        "", "visit", visit, done - due, _whole_numbers(found, "rows_sum"), sums[0].astype(np.int64), sums[1], sums[2]
    )
    return series, due, _floats(found, "time_min")


def _series(part: pa.Table, table: str, kind: str, kept: _Kept) -> VisitSeries:
    """One kind of work: summed within a tile, the longest of the visit's tiles."""
    mine = part.filter(pc.is_in(part["visit"], pa.array(kept.visits)))
    took = mine.append_column("took_s", pa.array(_took(mine)))
    summed = ("took_s", "rows", "bytes", "server_s", "client_s")
    tiles = took.group_by(["visit", "tile"]).aggregate([(name, "sum") for name in summed])
    found = (
        tiles.group_by("visit")
        .aggregate([("took_s_sum", "max"), *((f"{name}_sum", "sum") for name in summed[1:])])
        .sort_by("visit")
    )
    rows, size = (_whole_numbers(found, f"{name}_sum_sum") for name in ("rows", "bytes"))
    server, client = (_floats(found, f"{name}_sum_sum") for name in ("server_s", "client_s"))
    return VisitSeries(
        table, kind, _whole_numbers(found, "visit"), _floats(found, "took_s_sum_max"), rows, size, server, client
    )


def _only(operations: pa.Table, table: str, kind: str) -> pa.Table:
    return operations.filter(pc.and_(pc.equal(operations["table"], table), pc.equal(operations["kind"], kind)))


def _place(one: VisitSeries) -> tuple[bool, int, str]:
    known = TABLES.index(one.table) if one.table in TABLES else len(TABLES)
    return one.kind != READ, known, one.kind


def _by_visit(part: pa.Table, values: Floats, visits: Whole) -> Floats:
    """Sums of values by visit; 0 where a visit has none."""
    numbers = _whole_numbers(part, "visit")
    has = np.isin(numbers, visits)
    places = np.searchsorted(visits, numbers[has])
    found: Floats = np.bincount(places, values[has], len(visits)).astype(np.float64)
    return found


def _took(part: pa.Table) -> Floats:
    took: Floats = _floats(part, "done_s") - _floats(part, "sent_s")
    return took


def _keys(visit: Whole, tile: Whole) -> Whole:
    keys: Whole = (visit << _TILE_BITS) + tile
    return keys


def _floats(part: pa.Table, name: str) -> Floats:
    found: Floats = part[name].to_numpy(zero_copy_only=False).astype(np.float64)
    return found


def _whole_numbers(part: pa.Table, name: str) -> Whole:
    found: Whole = part[name].to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def _count(mask: pa.ChunkedArray) -> int:
    return int(pc.sum(mask).as_py() or 0)
