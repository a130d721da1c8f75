"""Tiles that did not come as they should: counted by kind, the first of each named. No I/O."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.catalog.strict_files import Strict

MOST_NAMED = 10


class OddTiles(Strict):
    """Tiles of one kind."""

    what: str
    """What is odd about them, in words."""
    count: int
    named: list[str]
    """The first of them, as ``visit 3, detector 1``."""

    @property
    def sentence(self) -> str:
        """
        >>> OddTiles(what="given up", count=2, named=["visit 3, detector 1"]).sentence
        '2 tiles given up: visit 3, detector 1; 1 more'
        """
        more = self.count - len(self.named)
        listed = "; ".join([*self.named, *([f"{more} more"] if more else [])])
        return f"{self.count:,} {'tile' if self.count == 1 else 'tiles'} {self.what}: {listed}"


def odd_tiles(what: str, tiles: Iterable[tuple[int, int]]) -> list[OddTiles]:
    """One kind, of pairs of visit and detector; nothing where there is none."""
    every = sorted(tiles)
    named = [f"visit {visit}, detector {detector}" for visit, detector in every[:MOST_NAMED]]
    return [OddTiles(what=what, count=len(every), named=named)] if every else []


def gone_on_with(samples: pa.Table) -> list[tuple[int, int]]:
    """Tiles that were sent later than others of their visit, for the trial was stopped in between.

    >>> one = pa.table({"visit": [1, 2, 2], "tile": [0, 0, 4], "due_s": [1.0, 2.0, 90.0], "kind": ["tile"] * 3})
    >>> gone_on_with(one)
    [(2, 4)]
    """
    tiles = samples.filter(pc.equal(samples["kind"], "tile"))
    due = tiles["due_s"].to_numpy()
    _, place = np.unique(tiles["visit"].to_numpy(), return_inverse=True)
    first = np.full(len(due), np.inf)
    np.minimum.at(first, place, due)
    late = tiles.filter(pa.array(due > first[place]))
    return sorted(set(zip(late["visit"].to_pylist(), late["tile"].to_pylist(), strict=True)))


def out_of_order(samples: pa.Table) -> list[tuple[int, int]]:
    """Tiles that ended when one of a later time had ended, as pairs of visit and detector, from ``VISIT_SAMPLES``.

    >>> one = pa.table({"visit": [1, 3, 2], "tile": [0, 0, 4], "time": [5.0, 7.0, 6.0], "done_s": [1.0, 2.0, 3.0],
    ...                 "kind": ["tile"] * 3, "error": pa.nulls(3, pa.string())})
    >>> out_of_order(one)
    [(2, 4)]
    """
    is_stored = pc.and_(pc.equal(samples["kind"], "tile"), pc.is_null(samples["error"]))
    tiles = samples.filter(is_stored).sort_by("done_s")
    times = tiles["time"].to_numpy()
    late = tiles.filter(pa.array(times < np.maximum.accumulate(times))) if len(times) else tiles
    return list(zip(late["visit"].to_pylist(), late["tile"].to_pylist(), strict=True))
