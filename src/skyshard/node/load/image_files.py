"""Writes the files of a table made of row images: data by a second name or copy, and the index of its records; or
copies both from another node of the host that has made the same table."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import xxhash

from skyshard.basics.errors import ClusterError
from skyshard.host.disk_space import reserve, writing
from skyshard.host.write_back import begin_write_back
from skyshard.node.load.doubled_rows import DoubledRow
from skyshard.node.messages import MadeFiles, TableBuild
from skyshard.rowimage.index_image import DuplicateKey, IndexImage
from skyshard.rowimage.record import RecordLayout, Records

_READ_BYTES = 1 << 20
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
            end = out.seek(0, os.SEEK_END)
            reserve(out.fileno(), end, sum(piece.rows for piece in rest) * length)
            for piece in rest:
                with open(piece.bundle, "rb") as bundle:
                    _copy(bundle.fileno(), out.fileno(), piece.offset, piece.rows * length)


def write_index(
    target: Path, build: TableBuild, records: Records, layout: RecordLayout, empty: EmptyTable
) -> str | None:
    """Write the index file of a table with these records, ``target`` being its data file, and give it its definition.

    Returns the file's XXH3; None, and the index of no row, where the server has to make it.

    Raises:
        DoubledRow: two rows have one key of a unique index.
    """
    index = IndexImage.of(empty.index)
    if index is not None and (index.length != layout.length or len(records) > INDEXED_HERE_ROWS):
        index = None
    try:
        pieces = index.fill(records) if index is not None and len(records) else [memoryview(empty.index)]
    except DuplicateKey as error:
        names = {slot.offset: slot.name for slot in layout.slots}
        raise DoubledRow(build, {names[place]: value for place, value in error.values.items()}) from error
    digest = _finish(target, pieces, empty)
    return digest if index is not None or not len(records) else None


def copy_data(target: Path, made: MadeFiles) -> bool:
    """Make a table's data file like the one that another node of the host has made; what it has is compared.

    Returns False, and leaves no file, where that is gone, cannot be read or has other bytes now.
    """
    source = Path(made.data)
    target.unlink(missing_ok=True)
    try:
        opened = source.open("rb", buffering=0)
    except OSError:
        return False
    with opened, writing(target):
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o660), "wb", buffering=0) as out:
            size = os.fstat(opened.fileno()).st_size
            reserve(out.fileno(), 0, size)
            _copy(opened.fileno(), out.fileno(), 0, size)
        if _digest_of_file(target) == made.data_digest:
            return True
        target.unlink()
    return False


def copy_index(target: Path, made: MadeFiles, empty: EmptyTable) -> bool:
    """Give a table whose data file was copied the index file of the same node, and its own definition.

    Returns False, and gives nothing, where that is not there, or not what was made, or of a table with other indexes.
    """
    index = IndexImage.of(empty.index)
    if index is None or not made.index_digest:
        return False
    try:
        content = Path(made.data).with_suffix(".MYI").read_bytes()
    except OSError:
        return False
    if data_digest(content) != made.index_digest or not index.has_shape_of(content):
        return False
    _finish(target, [memoryview(content)], empty)
    return True


def begin_files(target: Path) -> None:
    """Have the disk begin to write the data and the index of a table."""
    for path in (target, target.with_suffix(".MYI")):
        with path.open("rb") as file:
            begin_write_back(file.fileno())


def data_digest(content: bytes | memoryview) -> str:
    """XXH3 of bytes, 128 bits."""
    return xxhash.xxh3_128_hexdigest(content)


def _digest_of_file(file: Path) -> str:
    digest, room = xxhash.xxh3_128(), bytearray(_READ_BYTES)
    with file.open("rb", buffering=0) as source:
        while count := source.readinto(room):
            digest.update(memoryview(room)[:count])
    return digest.hexdigest()


def _finish(target: Path, index: Sequence[memoryview], empty: EmptyTable) -> str:
    """Write the index file, in pieces, and link the definition; returns the file's XXH3."""
    file, definition = target.with_suffix(".MYI"), target.with_suffix(".frm")
    digest = xxhash.xxh3_128()
    file.unlink(missing_ok=True)
    with writing(file), file.open("xb", buffering=0) as out:
        for piece in index:
            out.write(piece)
            digest.update(piece)
    if definition != empty.definition:
        os.link(empty.definition, definition)
    return digest.hexdigest()


def _taken_over(own: Path, target: Path, size: int) -> bool:
    """Give a bundle's file a second name, as a table's data file; False where the disk is another one.

    A build that was killed may have appended to it: what is behind its rows goes.
    """
    if own.stat().st_nlink > 1:  # it is another table's file already
        return False
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
