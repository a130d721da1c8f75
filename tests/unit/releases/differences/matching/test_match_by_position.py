"""Zones of declination: what is found does not depend on them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skyshard.releases.differences.matching.match_by_key import FREE
from skyshard.releases.differences.matching.match_by_position import HALO_RADII, Zones, make_zones, match_zones
from skyshard.releases.differences.outlines.key_words import Coding
from skyshard.releases.differences.outlines.row_outlines import (
    DEC_BINS,
    OutlineColumns,
    SideOutlines,
    dec_bins,
)
from skyshard.releases.differences.reading.spill_file import SpillFile

RADIUS = 2.0
COLUMNS = OutlineColumns(("id",), (Coding.WHOLE,), ("ra", "dec"), ())
Row = tuple[float, float, int]
ROWS = st.lists(st.tuples(st.integers(-2, 2), st.integers(-20, 20), st.integers(1, 9)), min_size=1, max_size=25)


def side_of(rows: list[Row], spill: SpillFile) -> SideOutlines:
    """Rows at (half arcseconds in right ascension about 0, arcseconds in declination, key), all of chunk 7."""
    side = SideOutlines(COLUMNS, 1)
    outline = np.zeros(len(rows), COLUMNS.record)
    east, north, key = np.array(rows).T
    outline["ra"], outline["dec"] = np.mod(east / 2 / 3600, 360), north / 3600
    outline["words"][:, 0], outline["chunk"], outline["row"] = key, 7, np.arange(len(rows))
    side.parts[0].append(spill.append(outline))
    side.dec_counts = np.bincount(dec_bins(outline["dec"]), minlength=DEC_BINS)
    return side


def fates(old: list[Row], new: list[Row], edges: list[float], folder: Path) -> tuple[object, ...]:
    """Fates of all rows by number, and pairs, with zones that end at these declinations."""
    with SpillFile(folder) as spill:
        sides = side_of(old, spill), side_of(new, spill)
        marks = tuple({7: np.full(len(rows), FREE, np.int8)} for rows in (old, new))
        zones = Zones(np.array([-np.inf, *edges, np.inf]), HALO_RADII * RADIUS / 3600 + 1e-9)
        found = [call() for call in match_zones(sides, (marks[0], marks[1]), RADIUS, spill, zones)]
    old_fates = {int(r): int(f) for one in found for r, f in zip(one.old["row"], one.old_fates, strict=True)}
    new_fates = {int(r): int(f) for one in found for r, f in zip(one.new["row"], one.new_fates, strict=True)}
    pairs = {(int(a), int(b)) for one in found for a, b in zip(*(side["row"] for side in one.matched), strict=True)}
    assert sum(len(one.old) for one in found) == len(old)
    assert sum(len(one.new) for one in found) == len(new)
    events = Counter(
        kind for one in found for kind in ["split"] * len(one.split.one) + ["merged"] * len(one.merged.one)
    )
    return old_fates, new_fates, pairs, events


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=ROWS, new=ROWS, cut=st.integers(-20, 20))
def test_no_pair_is_missed_at_the_edge_of_a_zone(old: list[Row], new: list[Row], cut: int, tmp_path: Path) -> None:
    """One zone and three of them give every row the same fate and the same partner; each row is at home in one."""
    edges = [cut / 3600, (cut + 8) / 3600]
    assert fates(old, new, [], tmp_path) == fates(old, new, edges, tmp_path)


def test_a_fate_is_decided_by_rows_three_radii_away(tmp_path: Path) -> None:
    """Old rows at 0.5 and 2.2 radii, new ones at -0.3 and 1.45: two pairs, and no split, wherever a zone ends."""
    old, new = ([(0.0, at * RADIUS, key) for key, at in enumerate(places)] for places in ((0.5, 2.2), (-0.3, 1.45)))
    for edge in (-0.31, 0.0, 0.4, 1.0, 1.5, 2.0):
        _, _, pairs, events = fates(old, new, [edge * RADIUS / 3600], tmp_path)
        assert (pairs, events) == ({(0, 0), (1, 1)}, Counter())


def test_zones_hold_about_as_many_rows_as_asked_and_are_four_radii_high(tmp_path: Path) -> None:
    """Rows at 1,000 declinations in steps of 36 arcseconds: zones of at most 100 rows, unless they were too low."""
    with SpillFile(tmp_path) as spill:
        side = side_of([(0, 36 * i + 18, i) for i in range(1000)], spill)
        zones = make_zones(side, side_of([(0, 0, 1)], spill), RADIUS, most_rows=100)
        high = make_zones(side, side_of([(0, 0, 1)], spill), 100 * RADIUS, most_rows=1)
    inner = np.diff(zones.edges[1:-1]) * 3600
    assert len(zones) == 11
    assert np.allclose(inner, 3600)
    assert (np.diff(high.edges[1:-1]) * 3600 >= 4 * 100 * RADIUS - 1e-6).all()
