"""Chunks of a node in units: so many that each thread gets its share, so few that the calls take little time.

No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from skyshard.czar.plan.query_plan import Pull
from skyshard.czar.scan.scan_schedule import Unit, even_units, units_up_to

UNIT_CHUNKS = 128
"""Chunk statements put into one round trip: 0.03 ms a chunk instead of 0.12 ms (measured with small chunks)."""
UNIT_ROWS = (60_000, 200_000)
"""Chunk statements are put together up to so many rows that they read: fewer where there are few rows in all, so that
every thread gets its share."""
UNITS_A_NODE, UNITS_A_THREAD = 8, 4
"""So many units at most for the sake of shares: a unit more takes 0.3 to 0.6 ms, in which its node waits."""
FIRST_ROWS = 8_000
"""Of a scan whose rows are the answer the first unit of each node reads so many rows, so that whoever takes them begins
while nodes go on; where there are fewer than ``FIRST_SHARE`` times as many, all are here soon enough."""
FIRST_SHARE = 8
PAIR_ROWS = 50
"""A row whose neighbours are sought takes the time of so many that are only read."""
COLUMN_CHUNKS, COLUMN_ROWS = 100_000, (250_000, 2_000_000)
"""The same of units that are read by columns: a call of the engine takes about a millisecond."""
ROW_S, CHUNK_S = 1e-7, 3e-5
"""What a row and a chunk cost on a node, roughly: enough to tell a short scan from a long one."""


def units_of(
    pull: Pull,
    chunks: Sequence[int],
    threads: int = 1,
    most_rows: int = UNIT_ROWS[1],
    *,
    is_paired_here: bool = False,
    is_awaited: bool = False,
) -> tuple[Unit, ...]:
    """The chunks of one node in units for so many threads; where a few rows are enough, the first units are small.

    ``most_rows``: of a unit of more than one chunk. ``is_paired_here``: nodes only read the rows of pairs.
    ``is_awaited``: somebody takes the rows as they come.
    """
    tables = [slot.table.chunks for slot in pull.template.slots.values() if slot.table.layout.role.is_chunked]
    has_pairs = any(slot.overlap_columns is not None for slot in pull.template.slots.values())
    factor = PAIR_ROWS if has_pairs and not is_paired_here else 1
    rows = (factor * sum((table.rows_of(chunks) for table in tables), np.zeros(len(chunks), np.int64))).tolist()
    if pull.limit is None:
        first = _first_unit(chunks, rows, min(FIRST_ROWS, most_rows)) if is_awaited else ()
        begun = sum(len(unit.chunks) for unit in first)
        return (*first, *_shared_units(chunks[begun:], rows[begun:], threads, most_rows))
    units: list[Unit] = []
    start, size = 0, 1
    while start < len(chunks):
        units.append(Unit(tuple(chunks[start : start + size]), sum(rows[start : start + size])))
        start, size = start + size, min(size * 4, UNIT_CHUNKS)
    return tuple(units)


def _shared_units(chunks: Sequence[int], rows: Sequence[int], threads: int, most_rows: int) -> tuple[Unit, ...]:
    """Units for threads that all begin at once and are to end together."""
    low, high = (min(one, most_rows) for one in UNIT_ROWS)
    shares = min(UNITS_A_NODE, UNITS_A_THREAD * threads)
    count = max(1, -(-sum(rows) // high), min(shares, sum(rows) // low))
    return even_units(chunks, rows, -(-count // threads) * threads if count > 1 else 1, most_chunks=UNIT_CHUNKS)


def _first_unit(chunks: Sequence[int], rows: Sequence[int], most_rows: int) -> tuple[Unit, ...]:
    """A small unit of the first chunks, if that is worth a unit more."""
    if len(chunks) < FIRST_SHARE or sum(rows) < FIRST_SHARE * most_rows:
        return ()
    return units_up_to(chunks, rows, most_chunks=UNIT_CHUNKS, most_rows=most_rows)[:1]


def column_units(pull: Pull, chunks: Sequence[int], threads: int) -> tuple[Unit, ...]:
    """The chunks of one node that are read by columns, in units for so many threads."""
    tables = [slot.table.chunks for slot in pull.template.slots.values()]
    rows = sum((table.rows_of(chunks) for table in tables), np.zeros(len(chunks), np.int64))
    total, (low, high) = int(rows.sum()), COLUMN_ROWS
    count = max(1, -(-total // high), min(threads, total // low))
    if count == 1 and len(chunks) <= COLUMN_CHUNKS:
        return (Unit(tuple(chunks), total, by_columns=True),)
    count = -(-count // threads) * threads if count > 1 else 1
    return tuple(
        replace(unit, by_columns=True) for unit in even_units(chunks, rows.tolist(), count, most_chunks=COLUMN_CHUNKS)
    )


def expected_s(units_by_node: Mapping[str, Sequence[Unit]]) -> float:
    """Seconds that the slowest node will take, roughly."""
    return max(
        (sum(unit.rows * ROW_S + len(unit.chunks) * CHUNK_S for unit in units) for units in units_by_node.values()),
        default=0.0,
    )
