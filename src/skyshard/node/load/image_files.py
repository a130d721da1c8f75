"""Writes the files of a table made of row images: data by a second name or copy, and the index of its records."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from skyshard.basics.errors import ClusterError
from skyshard.host.disk_space import writing
from skyshard.node.load.doubled_rows import DoubledRow
from skyshard.node.messages import TableBuild
from skyshard.rowimage.index_image import DuplicateKey, IndexImage
from skyshard.rowimage.record import RecordLayout, Records

INDEXED_HERE_ROWS = 4_000_000
"""Rows of the longest table whose index is sorted in this process's memory, some 70 bytes a row."""


@dataclass(frozen=True, slots=True)
class EmptyTable:
    """A table without rows: the file that defines it, and the content of its index file."""

    definition: Path
    index: bytes

    @staticmethod
    def of(data: Path) -> EmptyTable:
        """Read a table that the server has made and closed; ``data`` is its data file."""
        return EmptyTable(data.with_suffix(".frm"), data.with_suffix(".MYI").read_bytes())


def write_image(target: Path, build: TableBuild, length: int) -> None:
    """Make the data file of a table that the server does not know: the longest file of its own, the other slices."""
    rest = list(build.slices)
    with writing(target):
        target.unlink(missing_ok=True)
        for piece in sorted((piece for piece in rest if piece.is_own), key=lambda piece: -piece.rows)[:1]:
            if _taken_over(Path(piece.bundle), target, piece.rows * length):
                rest.remove(piece)
        with open(os.open(target, os.O_RDWR | os.O_CREAT, 0o660), "r+b", buffering=0) as out:
            out.seek(0, os.SEEK_END)
            for piece in rest:
                with open(piece.bundle, "rb") as bundle:
                    _copy(bundle.fileno(), out.fileno(), piece.offset, piece.rows * length)


def write_index(target: Path, build: TableBuild, records: Records, layout: RecordLayout, empty: EmptyTable) -> bool:
    """Write the index file of a table with these records, ``target`` being its data file, and give it its definition.

    Returns False, and the index of no row, where the server has to make it.

    Raises:
        DoubledRow: two rows have one key of a unique index.
    """
    index = IndexImage.of(empty.index)
    if index is not None and (index.length != layout.length or len(records) > INDEXED_HERE_ROWS):
        index = None
    try:
        pieces = index.fill(records) if index is not None and len(records) else [empty.index]
    except DuplicateKey as error:
        names = {slot.offset: slot.name for slot in layout.slots}
        raise DoubledRow(build, {names[place]: value for place, value in error.values.items()}) from error
    file, definition = target.with_suffix(".MYI"), target.with_suffix(".frm")
    file.unlink(missing_ok=True)
    with writing(file), file.open("xb", buffering=0) as out:
        for piece in pieces:
            out.write(piece)
    if definition != empty.definition:
        os.link(empty.definition, definition)
    return index is not None or not len(records)


def _taken_over(own: Path, target: Path, size: int) -> bool:
    """Give a bundle's file a second name, as a table's data file; False where the disk is another one.

    A build that was killed may have appended to it: what is behind its rows goes.
    """
    try:
        target.hardlink_to(own)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            return False
        raise
    if target.stat().st_size > size:
        os.truncate(target, size)
    return True


def _copy(source: int, target: int, offset: int, count: int) -> None:
    while count:
        moved = os.sendfile(target, source, offset, count)
        if not moved:
            raise ClusterError("a bundle is shorter than its sidecar says", remedy="run the ingest again")
        offset, count = offset + moved, count - moved
