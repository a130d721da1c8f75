"""Replica chunks: stores of the same ten minutes, which leave the database together and in order. Mostly no I/O.

A store belongs to the chunk of its time, or, where that has left already, to the next one that leaves: a store that
comes late is never lost, and a chunk never changes once it has left. A chunk leaves when a later store has begun and
none of its own is unfinished.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from skyshard.db.connection import Connection, quote_name
from skyshard.registry.catalog.mutable_chunks import TILE_STORES

CHUNK_S = 600.0
DAY_S = 86_400.0
_STORES = quote_name(TILE_STORES)


@dataclass(frozen=True, slots=True)
class StoredTile:
    """An entry of the ledger that is whole."""

    number: int
    visit: int
    detector: int
    time: float
    """MJD TAI."""


@dataclass(frozen=True, slots=True)
class ReplicaChunk:
    """What leaves together; ``number`` is that of the latest chunk in it."""

    number: int
    tiles: tuple[StoredTile, ...]


def replica_chunk_of(time: float) -> int:
    """The chunk of a time, MJD TAI.

    >>> replica_chunk_of(60000.0), replica_chunk_of(60000.0 + 599 / 86400), replica_chunk_of(60000.0 + 601 / 86400)
    (8640000, 8640000, 8640001)
    """
    return math.floor(time * DAY_S / CHUNK_S)


def next_chunks(
    waiting: Iterable[StoredTile], unfinished: Iterable[float], last: int | None, at_once: int, *, is_all: bool = False
) -> list[ReplicaChunk]:
    """The chunks that may leave now, in order.

    Args:
        waiting: whole stores that have not left.
        unfinished: times of stores that were begun and are not whole; no chunk from theirs on leaves.
        last: the chunk that left last; None before the first.
        at_once: so many chunks with stores leave together.
        is_all: also the chunk of the newest store, which may get more.

    >>> tiles = [StoredTile(n, n, 0, 60000.0 + n * 300 / 86400) for n in range(5)]
    >>> [(one.number, len(one.tiles)) for one in next_chunks(tiles, [], None, 1)]
    [(8640000, 2), (8640001, 2)]
    >>> [(one.number, len(one.tiles)) for one in next_chunks(tiles, [tiles[3].time], None, 1)]
    [(8640000, 2)]
    >>> [(one.number, len(one.tiles)) for one in next_chunks(tiles[:1], [], 8640004, 1, is_all=True)]
    [(8640005, 1)]
    >>> [(one.number, len(one.tiles)) for one in next_chunks(tiles, [], None, 2, is_all=True)]
    [(8640001, 4), (8640002, 1)]
    """
    tiles = sorted(waiting, key=lambda one: (replica_chunk_of(one.time), one.number))
    if not tiles:
        return []
    end = min(map(replica_chunk_of, unfinished), default=None)
    newest = replica_chunk_of(tiles[-1].time)
    end = newest + is_all if end is None else min(end, newest + is_all)
    first = -math.inf if last is None else last + 1
    leaving = [one for one in tiles if replica_chunk_of(one.time) < end]
    grouped = [list(group) for _, group in groupby(leaving, key=lambda one: max(first, replica_chunk_of(one.time)))]
    together = [grouped[place : place + at_once] for place in range(0, len(grouped), at_once)]
    found, before = [], first
    for groups in together:
        number = int(max(before, replica_chunk_of(groups[-1][-1].time)))
        found.append(ReplicaChunk(number, tuple(one for group in groups for one in group)))
        before = number + 1
    return found


def read_waiting(ledger: Connection) -> tuple[list[StoredTile], list[float], int | None]:
    """What :func:`next_chunks` is made from: whole stores that have not left, times of others, the last chunk."""
    rows = ledger.rows(f"SELECT storeId, visit, detector, time, is_whole FROM {_STORES} WHERE replicaChunk IS NULL")
    tiles = [StoredTile(int(n), int(v), int(d), float(t)) for n, v, d, t, is_whole in rows if is_whole]
    last = ledger.value(f"SELECT MAX(replicaChunk) FROM {_STORES}")
    return tiles, [float(t) for *_, t, is_whole in rows if not is_whole], None if last is None else int(last)


def read_tagged(ledger: Connection) -> list[ReplicaChunk]:
    """Chunks that were given their stores and are not published, in order: interrupted runs left them."""
    rows = ledger.rows(
        f"SELECT replicaChunk, storeId, visit, detector, time FROM {_STORES} "
        "WHERE replicaChunk IS NOT NULL AND is_published = 0 ORDER BY replicaChunk, storeId"
    )
    return [
        ReplicaChunk(int(number), tuple(StoredTile(int(n), int(v), int(d), float(t)) for _, n, v, d, t in group))
        for number, group in groupby(rows, key=lambda row: row[0])
    ]


def tag(ledger: Connection, chunk: ReplicaChunk) -> None:
    """Give a chunk its stores: from here on they are what it has, whatever comes."""
    _set(ledger, f"replicaChunk = {chunk.number}", [one.number for one in chunk.tiles])


def set_published(ledger: Connection, chunk: ReplicaChunk) -> None:
    """Say that all rows of a chunk are in the published database."""
    _set(ledger, "is_published = 1", [one.number for one in chunk.tiles])


def _set(ledger: Connection, change: str, numbers: Sequence[int]) -> None:
    ledger.execute(f"UPDATE {_STORES} SET {change} WHERE storeId IN ({', '.join(map(str, numbers))})")
