"""The ledger of a store on several nodes: which stores of tiles were begun, and which are whole.

Rules: a store is entered here before a row of it is on a node, and is whole after the last node has committed. Stores
are numbered in the order in which others see them entered, so that a reader that knows the newest number and those not
whole knows which rows to see. While a process stores a tile, no other stores the same one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from skyshard.apdb.model import Tile, VisitId
from skyshard.apdb.stores.ledger import TILES_SCHEMA
from skyshard.apdb.stores.sql_dialect import double
from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.db.connection import Connection, at_once, quote_name, quote_text
from skyshard.registry.catalog.mutable_chunks import (
    STORES_LOCK_WAIT_S,
    TILE_STORES,
    Visible,
    read_nodes,
    read_visible,
    stores_lock,
)

_STORES = quote_name(TILE_STORES)


@dataclass(frozen=True, slots=True)
class Entry:
    """A store in the ledger."""

    store_id: int
    time: float
    """Of the tile, when it was entered."""
    is_whole: bool
    is_new: bool
    """Entered just now: no node has a row of it."""


class TileLedger:
    """The ledger as one session of the writing account sees it; the session is in the database."""

    def __init__(self, connection: Connection, database: str) -> None:
        self._connection = connection
        self._database = database
        self._is_inside = False
        """It may hold locks of a tile."""

    def enter(self, tile: Tile, *, is_alone: bool = False) -> Entry:
        """Enter a tile, or find it; this session has the tile until :meth:`leave`.

        Args:
            is_alone: nobody else stores any tile until then: for engines that lock no rows.

        Raises:
            ClusterError: another session has it for too long.
        """
        mine, all_tiles = self._lock_of(tile.id), quote_text(stores_lock(self._database))
        after = "" if is_alone else f"DO RELEASE_LOCK({all_tiles}); "
        self._is_inside = True
        # one question to the server: others wait for their numbers until this one is given
        rows = self._connection.rows(
            "BEGIN NOT ATOMIC "
            f"DECLARE has_tile INT DEFAULT GET_LOCK({mine}, {STORES_LOCK_WAIT_S}); "
            f"DECLARE has_turn INT DEFAULT IF(has_tile = 1, GET_LOCK({all_tiles}, {STORES_LOCK_WAIT_S}), 0); "
            "DECLARE is_new INT DEFAULT 0; "
            "IF has_turn = 1 THEN "
            f"INSERT IGNORE INTO {_STORES} (visit, detector, time) "
            f"VALUES ({tile.id.visit}, {tile.id.detector}, {double(tile.time)}); "
            f"SET is_new = ROW_COUNT(); {after}"
            "END IF; "
            f"SELECT has_turn, is_new, storeId, time, is_whole FROM {_STORES} WHERE {_of(tile.id)}; "
            "END"
        )
        if not rows or rows[0][0] != 1:
            self.leave()
            where = f"visit {tile.id.visit}, detector {tile.id.detector}"
            raise ClusterError(f"{where} is being stored by another process", retryable=True)
        [(_, is_new, store_id, time, is_whole)] = rows
        return Entry(int(store_id), float(time), bool(is_whole), bool(is_new))

    @contextlib.contextmanager
    def across_nodes(self) -> Iterator[None]:
        """While rows are locked on several nodes at once, nobody else locks rows on several.

        A server ends a wait in a circle only where it sees the whole of it. Two stores that each wait on another node
        for the other would stand still until a wait is too long. A store on one node may wait, but nobody waits for it
        elsewhere.

        Raises:
            ClusterError: another session has several nodes for too long.
        """
        several = quote_text(f"skyshard nodes {self._database}"[:64])
        if self._connection.value(f"SELECT GET_LOCK({several}, {STORES_LOCK_WAIT_S})") != 1:
            raise ClusterError(f"other tiles of '{self._database}' are being stored for too long", retryable=True)
        try:
            yield
        finally:
            with contextlib.suppress(SkyshardError):
                self._connection.execute(f"DO RELEASE_LOCK({several})")

    def finish(self, entry: Entry, time: float) -> None:
        """Let readers see the store, and others store the tile; ``time`` is the tile's."""
        seen = f"UPDATE {_STORES} SET is_whole = 1, time = {double(time)} WHERE storeId = {entry.store_id}"
        self._connection.execute(at_once(seen, "DO RELEASE_ALL_LOCKS()"))
        self._is_inside = False

    def strike(self, entry: Entry) -> None:
        """Take out a store of which no node has a row any more."""
        self._connection.execute(f"DELETE FROM {_STORES} WHERE storeId = {entry.store_id} AND is_whole = 0")

    def leave(self) -> None:
        """Let others store the tile; nothing is raised when the server is gone, which frees it, too."""
        if self._is_inside:
            with contextlib.suppress(SkyshardError):
                self._connection.execute("DO RELEASE_ALL_LOCKS()")
        self._is_inside = False

    def visible(self) -> Visible:
        """The stores that are whole at this moment."""
        return read_visible(self._connection, self._database)

    def holds(self, tile: VisitId) -> bool:
        return bool(self._connection.value(f"SELECT COUNT(*) FROM {_STORES} WHERE {_of(tile)} AND is_whole = 1"))

    def nodes(self) -> list[str]:
        """Every node that has a chunk at this moment."""
        return read_nodes(self._connection, self._database)

    def whole_tiles(self) -> pa.Table:
        rows = self._connection.rows(f"SELECT visit, detector, time FROM {_STORES} WHERE is_whole = 1")
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(TILES_SCHEMA)
        return pa.table(
            [pa.array(one, kind) for one, kind in zip(columns, TILES_SCHEMA.types, strict=True)], TILES_SCHEMA
        )

    def close(self) -> None:
        self._connection.close()

    def _lock_of(self, tile: VisitId) -> str:
        return quote_text(f"skyshard {tile.visit} {tile.detector} {self._database}"[:64])


def _of(tile: VisitId) -> str:
    return f"visit = {tile.visit} AND detector = {tile.detector}"
