"""Stores that did not come as a survey sends them, read from the ledger: counted by kind, the first of each named.

None is refused for it: a visit may come late, and what it brings is stored where its time says.
"""

from __future__ import annotations

from dataclasses import dataclass

from skyshard.db.connection import Connection, quote_name
from skyshard.registry.catalog.mutable_chunks import TILE_STORES

MOST_NAMED = 10
_STORES = quote_name(TILE_STORES)
_BEFORE = "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
_KINDS = {
    "came after a store of a later time": (
        f"SELECT visit, detector FROM (SELECT visit, detector, time, MAX(time) OVER (ORDER BY storeId {_BEFORE}) "
        f"AS latest FROM {_STORES}) AS q WHERE time < latest"
    ),
    "are earlier than a visit of a smaller number": (
        "SELECT visit, detector FROM (SELECT visit, MIN(detector) AS detector, MIN(time) AS time, "
        f"MAX(MIN(time)) OVER (ORDER BY visit {_BEFORE}) AS latest FROM {_STORES} GROUP BY visit) AS q "
        "WHERE time < latest"
    ),
    "have another time than other detectors of their visit": (
        f"SELECT s.visit, s.detector FROM {_STORES} AS s JOIN (SELECT visit, MIN(time) AS first FROM {_STORES} "
        "GROUP BY visit HAVING MIN(time) < MAX(time)) AS v ON s.visit = v.visit WHERE s.time > v.first"
    ),
}


@dataclass(frozen=True, slots=True)
class OddStores:
    """Stores of one kind."""

    what: str
    """In words, behind ``stores``."""
    count: int
    named: tuple[str, ...]
    """The first of them, as ``visit 3, detector 1``."""


def odd_stores(ledger: Connection) -> tuple[OddStores, ...]:
    """Those of the ledger, by kind; kinds that there are none of are left out."""
    found = []
    for what, select in _KINDS.items():
        rows = ledger.rows(
            f"SELECT COUNT(*) OVER (), visit, detector FROM ({select}) AS o ORDER BY visit, detector LIMIT {MOST_NAMED}"
        )
        if rows:
            named = tuple(f"visit {visit}, detector {detector}" for _, visit, detector in rows)
            found.append(OddStores(what, int(rows[0][0]), named))
    return tuple(found)
