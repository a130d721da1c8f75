"""Copies one table from a node to another, at a rate, and makes it there: counted and digested before it counts.

Rules: bytes go in blocks from host to host; what has come is kept as ``<part>.part``, so that an interrupted copy goes
on at its offset. Room is asked for first. Of engines whose files are not row images, rows are exported beside the
source.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skyshard.basics.errors import ClusterError
from skyshard.catalog.engines import MYISAM, TableEngine
from skyshard.catalog.schema import Table
from skyshard.node.host_files import FilePart, HostFiles
from skyshard.node.known_table import make_known_table
from skyshard.node.messages import BuildOrder, BuiltTable, BundleSlice, ExportOrder, Loader
from skyshard.node.node_loader import NodeLoader
from skyshard.node.server.server_files import ServerFiles
from skyshard.registry.stored.records import Replica
from skyshard.replicate.place import NodePlace
from skyshard.replicate.shared_rate import SharedRate
from skyshard.rowimage.record import RecordLayout

BLOCK_BYTES = 16 << 20
"""Bytes of a block: large enough that sending it pays, small enough for a rate of some MB a second."""
FOLDER = ".replicas"
"""Below a database's staging folder, which the next ingest and the drop of the database clear."""
ROOM_A_BYTE = 3
"""Bytes that a byte on the way takes at most where it goes: itself, the table, its indexes."""


def way_folder(place: NodePlace, database: str) -> Path:
    """Of tables on their way, on a node's host."""
    return place.staging / database / FOLDER


def clear_way(place: NodePlace, database: str) -> None:
    """Remove what copies that were given up, or interrupted, have left on a node's host."""
    place.files.call(HostFiles.remove_last, str(way_folder(place, database))).result()


@dataclass(frozen=True, slots=True)
class TableCopy:
    """One table to be had on another node: as the registry has it."""

    database: str
    stored: Table
    engine: TableEngine
    replica: Replica
    """Where it is to be; its rows and digest are those that must come out."""

    @property
    def loader(self) -> Loader:
        return Loader.IMAGE if RecordLayout.is_packable(self.stored) and not self.stored.has_blob else Loader.LOAD_DATA

    @property
    def is_plain_file(self) -> bool:
        """The source's data file is what is copied."""
        return self.loader is Loader.IMAGE and self.engine.name == MYISAM.name

    @property
    def data_bytes(self) -> int:
        """Of the data file, where that is a row image."""
        return self.replica.rows * RecordLayout.of(self.stored).length


class TableCopier:
    """Copies tables to one node, one after another."""

    def __init__(self, target: NodePlace, rate: SharedRate) -> None:
        self._target = target
        self._rate = rate

    def copy(self, order: TableCopy, source: NodePlace) -> BuiltTable:
        """Have the table on the target, whole and checked, or not at all.

        Raises:
            ClusterError: a host does not answer, a disk is full, or other rows came than the registry has.
        """
        part = way_folder(self._target, order.database) / f"{self._own_name(order, source)}.part"
        pieces = self._brought(order, source, part) if order.replica.rows else ()
        try:
            return self.build(order, pieces)
        finally:  # what came is the table now, or wrong: it is not gone on with
            self._remove(self._target, part)

    def _own_name(self, order: TableCopy, source: NodePlace) -> str:
        """Of files on the way: several nodes of one host may get, or give, the same table at a time."""
        return f"{order.replica.name}-{source.name}-{self._target.name}"

    def has_all_records(self, order: TableCopy) -> bool:
        """False where the target's data file is not as long as the registry's rows are."""
        if not order.is_plain_file:
            return True
        path = ServerFiles(self._target.data).data_file(order.database, order.replica.name)
        (state,) = self._target.files.call(HostFiles.states, [str(path)]).result()
        return state is not None and state.size == order.data_bytes

    def build(self, order: TableCopy, pieces: tuple[BundleSlice, ...] = ()) -> BuiltTable:
        """Make the table of rows that are on the target's host; an empty one without any."""
        place = (order.database, order.stored, order.replica, order.engine, order.loader)
        (built,) = make_known_table(self._built, *place, pieces)
        return built

    def _built(self, order: BuildOrder) -> list[BuiltTable]:
        return self._target.loader.call(NodeLoader.build, order).result()

    def _brought(self, order: TableCopy, source: NodePlace, part: Path) -> tuple[BundleSlice, ...]:
        """The rows as slices of a file on the target's host."""
        replica = order.replica
        if order.is_plain_file:
            path = ServerFiles(source.data).data_file(order.database, replica.name)
            self._bring(source, path, order.data_bytes, part)
            return (BundleSlice(str(part), 0, replica.rows, is_own=True),)
        is_image = order.loader is Loader.IMAGE
        path = way_folder(source, order.database) / f"{self._own_name(order, source)}.{'rows' if is_image else 'arrow'}"
        source.files.call(HostFiles.prepare, str(path.parent)).result()
        exported = ExportOrder(order.database, order.stored, replica.name, str(path), as_records=is_image)
        try:
            counts = source.loader.call(NodeLoader.export, exported).result()
            (state,) = source.files.call(HostFiles.states, [str(path)]).result()
            if state is None:
                raise ClusterError(f"node '{source.name}': '{path}' is gone", retryable=True)
            self._remove(self._target, part)  # another export may have another order
            self._bring(source, path, state.size, part)
        finally:
            self._remove(source, path)
        return tuple(BundleSlice(str(part), number, count) for number, count in enumerate(counts))

    def _bring(self, source: NodePlace, path: Path, size: int, part: Path) -> None:
        """Bytes of a file of the source's host to a file of the target's, from where an earlier copy ended."""
        here, there = source.files, self._target.files
        (found,) = there.call(HostFiles.states, [str(part)]).result()
        offset = min(found.size, size) if found is not None else 0
        there.call(HostFiles.require_room, str(part.parent), size * ROOM_A_BYTE - offset).result()
        while offset < size:
            count = min(BLOCK_BYTES, size - offset)
            block: Any = here.call(HostFiles.read, (FilePart(str(path), offset, count),))
            if source.is_here != self._target.is_here:
                block = block.result()
            there.call(HostFiles.write, [FilePart(str(part), offset, count)], block).result()
            offset += count
            self._rate.took(count, source.name, self._target.name)

    def _remove(self, place: NodePlace, path: Path) -> None:
        place.files.call(HostFiles.remove, [str(path)]).result()
