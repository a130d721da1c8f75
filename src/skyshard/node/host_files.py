"""The files of one host, for those who do not see them: what runs beside a node reads, writes and removes them.

Rows go from host to host in blocks of bounded size: one call reads some pieces of files there, another writes them to
files here. Every method can be called again after a failure. Paths are those of the host on which the object lives.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.errors import ClusterError
from skyshard.host.disk_space import require_room, writing
from skyshard.host.write_back import write_back

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FilePart:
    """Consecutive bytes of a file."""

    path: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class BatchPart:
    """One record batch of an Arrow file."""

    path: str
    number: int


Parts = tuple[FilePart, ...] | tuple[BatchPart, ...]


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it is now: bytes, and time of change in nanoseconds since 1970."""

    size: int
    changed_ns: int


class HostFiles:
    """Every method raises ClusterError for a file that cannot be read or written."""

    def states(self, paths: Sequence[str]) -> list[FileState | None]:
        """The files as this host sees them; None for one that it does not."""
        return [_state(Path(path)) for path in paths]

    def prepare(self, folder: str) -> None:
        """Make a folder for rows on their way, for its owner only; one that is there stays as it is."""
        with writing(folder):
            Path(folder).parent.mkdir(parents=True, exist_ok=True)
            Path(folder).mkdir(mode=0o700, exist_ok=True)

    def require_room(self, folder: str, size: int) -> None:
        """Make sure that so many bytes can be written below a folder, be it there or not."""
        require_room(_present(Path(folder)), size)

    def read(self, parts: Parts) -> Bytes:
        """The bytes of parts, one after the other; of batches, an Arrow file of them, which have one schema."""
        batches = [part for part in parts if isinstance(part, BatchPart)]
        return _batches(batches) if batches else _bytes([part for part in parts if isinstance(part, FilePart)])

    def write(self, places: Sequence[FilePart], block: Bytes) -> None:
        """Write a block to files: its first bytes to the first place, and so on; the last one takes what is left.

        Files and folders that are not there are made, for their owner and group only; the blocks of a file may come in
        any order, and what else is in it stays.
        """
        rest = memoryview(block.data)
        require_room(_present(Path(places[0].path).parent), len(rest))
        for place in places:
            size = len(rest) if place is places[-1] else place.size
            path = Path(place.path)
            with writing(path):
                path.parent.mkdir(mode=0o770, parents=True, exist_ok=True)
                file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o660)
                try:
                    _write(file, rest[:size], place.offset)
                finally:
                    os.close(file)
            rest = rest[size:]

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files and folders; those that are not there are passed over."""
        for path in paths:
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                Path(path).unlink(missing_ok=True)

    def remove_last(self, folder: str) -> None:
        """Remove a folder, and the one above it if nothing else is in that."""
        self.remove([folder])
        with suppress(OSError):
            Path(folder).parent.rmdir()

    def keep_only(self, folder: str, name: str) -> None:
        """Remove all folders in a folder but the one of this name; with no name, the folder itself."""
        if not name:
            self.remove([folder])
        self.remove([str(inner) for inner in Path(folder).glob("*") if inner.name != name])

    def write_back(self, folder: str) -> None:
        """Have written what waits for the disk of a folder."""
        write_back(_present(Path(folder)))


def _bytes(parts: Sequence[FilePart]) -> Bytes:
    together = np.empty(sum(part.size for part in parts), np.uint8)
    room = together.data
    for part in parts:
        end = len(room) - part.size
        with _reading(part.path), open(part.path, "rb", buffering=0) as file:
            file.seek(part.offset)
            while len(room) > end and (count := file.readinto(room[: len(room) - end])):
                room = room[count:]
        if len(room) > end:
            raise ClusterError(f"'{part.path}' is shorter than it was", remedy="run the ingest again")
    return together


def _batches(parts: Sequence[BatchPart]) -> Bytes:
    sink = pa.BufferOutputStream()
    writer: pa.ipc.RecordBatchFileWriter | None = None
    for part in parts:
        with _reading(part.path), pa.memory_map(part.path) as source:
            opened = pa.ipc.open_file(source)
            writer = writer or pa.ipc.new_file(sink, opened.schema)
            writer.write_batch(opened.get_batch(part.number))
    if writer is not None:
        writer.close()
    return np.frombuffer(sink.getvalue(), np.uint8)


def _state(path: Path) -> FileState | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return FileState(found.st_size, found.st_mtime_ns)


def _present(folder: Path) -> Path:
    """The folder, or the first above it that is there."""
    while not folder.exists():
        folder = folder.parent
    return folder


def _write(file: int, data: memoryview, offset: int) -> None:
    while data:
        count = os.pwrite(file, data, offset)
        data, offset = data[count:], offset + count


@contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowInvalid) as error:
        reason = getattr(error, "strerror", "") or str(error)
        raise ClusterError(f"cannot read '{path}': {reason}", remedy="run the ingest again") from error
