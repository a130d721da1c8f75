"""What a visit asks of an alert production database, and the interface between its driver and a backend.

The cycle of a tile (``ap_proto``, l1dbproto): read the newest objects of a padded region, associate, read twelve
months of sources and forced sources of the same region, store objects, sources and forced sources in one call.

Times are MJD in TAI, in days; positions are degrees, ICRS. Rows are Arrow tables whose columns are named and typed as
in ``skyshard.apdb.tables``. Nothing here knows a server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import pyarrow as pa

from skyshard.chunking.sphere import Polygon

TableName = Literal["DiaObject", "DiaObjectLast", "DiaSource", "DiaForcedSource"]
OperationKind = Literal["select", "insert", "upsert", "delete", "commit", "drop", "prepare"]
"""``drop``: a whole partition at once; ``prepare``: a new one, before rows come."""


@dataclass(frozen=True, slots=True)
class VisitId:
    """What a store is keyed by: each pair is stored once, however often it is sent."""

    visit: int
    detector: int
    """The tile's number within the visit."""


@dataclass(frozen=True, slots=True)
class Tile:
    """The part of one visit that one client processes."""

    id: VisitId
    time: float
    """Middle of the exposure, MJD TAI."""
    region: Polygon
    """Where the tile's detections lie."""
    padded: Polygon
    """What is read: the region with a margin on every side."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One statement, or one group of statements to several nodes at once, as it was timed."""

    table: TableName | Literal[""]
    """Empty for a commit, and where several tables get their month at once."""
    kind: OperationKind
    rows: int
    bytes: int
    """Received or sent."""
    server_s: float
    """Seconds until the server had answered: from sending a statement to its first byte, summed over statements that
    followed each other, the longest of those that ran at once."""
    client_s: float
    """Seconds of this process: building statements, decoding rows, cutting to the region."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Rows of a region, cut to it exactly, in any order, and how they were read.

    Columns and types are those of ``apdb_table(name).chosen(columns)``; values are those that were stored, bit by bit.
    """

    rows: pa.Table
    operations: Sequence[Operation]


@dataclass(frozen=True, slots=True)
class TileRows:
    """What a tile stores in one call."""

    tile: Tile
    objects: pa.Table
    """New versions, as rows of DiaObject; a backend derives those of DiaObjectLast from them. ``validityEndMjdTai``
    stays NULL: a copy fills it in."""
    sources: pa.Table
    forced: pa.Table


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of a store."""

    was_there: bool
    """The tile had been stored before; nothing was changed."""
    operations: Sequence[Operation]


@dataclass(frozen=True, slots=True)
class TableSize:
    """How large a table is now."""

    rows: int
    bytes: int
    """Data and indexes on disk."""


class StoreSession(Protocol):
    """The connection of one tile's client; used by one thread at a time.

    Reads see each tile whole or not at all. All methods raise ``ClusterError`` when a server fails.
    """

    def holds(self, tile: VisitId) -> bool:
        """Whether a tile has been stored."""
        ...

    def read_objects(self, region: Polygon) -> Reading:
        """The newest version of each object in a region: rows of DiaObjectLast, all columns.

        Newest is the greatest ``validityStartMjdTai``, whatever the order in which versions were stored.
        """
        ...

    def read_sources(self, region: Polygon, since: float, until: float, columns: Sequence[str] | None) -> Reading:
        """Rows of DiaSource in a region with ``since <= midpointMjdTai < until``; None: all columns."""
        ...

    def read_forced(self, region: Polygon, since: float, until: float, columns: Sequence[str] | None) -> Reading:
        """Rows of DiaForcedSource in a region with ``since <= midpointMjdTai < until``; None: all columns."""
        ...

    def store(self, rows: TileRows) -> Receipt:
        """Write what a tile found, once: a second call with the same tile changes nothing.

        Raises:
            UserError: rows that are not this tile's (``check_tile_rows``), or that no table can hold
                (``storable_rows``); nothing is stored.
        """
        ...

    def close(self) -> None: ...


class VisitStore(Protocol):
    """A backend: where the tables of an alert production database are."""

    @property
    def name(self) -> str:
        """Short name for the page, such as ``InnoDB, 2 nodes`` or ``SQLite``."""
        ...

    def open_session(self) -> StoreSession:
        """A session for one more client; called from any thread."""
        ...

    def describe(self) -> Mapping[str, object]:
        """Facts for the manifest: version, engine, upsert, partition, pixel, nodes."""
        ...

    def stored_tiles(self) -> pa.Table:
        """Which tiles are stored: one row a tile, any order.

        Columns ``visit`` (int64), ``detector`` (int32), ``time`` (float64, MJD TAI).
        """
        ...

    def prepare_month(self, time: float) -> Sequence[Operation]:
        """Make the month of a time, MJD TAI, ready for rows; empty where this process knows that it is.

        A store does it, too, for a month that nobody has prepared, and is the longer for it.
        """
        ...

    def drop_before(self, time: float) -> Sequence[Operation]:
        """Drop the monthly partitions of DiaSource and DiaForcedSource that end at or before a time, MJD TAI.

        A month is dropped by ``midpointMjdTai`` (``tables.month_of``).
        """
        ...

    def purge_objects(self, time: float) -> Sequence[Operation]:
        """Delete the rows of DiaObjectLast whose ``lastDiaSourceMjdTai`` is before a time, MJD TAI.

        The versions in DiaObject stay. An object is there again when a version is stored that is newer than those
        that were known; a version that comes late does not bring it back.
        """
        ...

    def sizes(self) -> Mapping[TableName, TableSize]: ...

    def close(self) -> None: ...
