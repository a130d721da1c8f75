"""Which bytes an order needs that are on other hosts than its node, in which blocks they come, and into which files.

Pure: no I/O. Large tables get a file each, which becomes the table's data file by a second name; the rows of small ones
come together in one file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from skyshard.ingest.partition.bundle import OWN_FILE_BYTES
from skyshard.node.host_files import BatchPart, FilePart, Parts
from skyshard.node.messages import BuildOrder, BundleSlice, Loader, TableBuild
from skyshard.rowimage.record import RecordLayout

BLOCK_BYTES = 64 << 20
"""Bytes on the way at once, at most: large enough that sending them pays, small enough to hold some in memory."""
VALUE_BYTES = 16
"""What a value of an Arrow batch is taken for."""


@dataclass(frozen=True, slots=True)
class Block:
    """What is read on one host in one call, and written elsewhere in another."""

    host: str
    """A node's name; empty for the host of this process."""
    parts: Parts
    places: tuple[FilePart, ...]
    """Files of the other host; for batches the one file that they make."""


def carried(order: BuildOrder, here: str, prefix: str) -> tuple[BuildOrder, list[Block]]:
    """The order with all its slices on the host ``here``, and the blocks that bring those that are not there yet.

    Args:
        prefix: with which the paths begin of files that are made on the host.
    """
    hosts = sorted({piece.host for build in order.builds for piece in build.slices} - {here})
    if not hosts:
        return order, []
    names = (f"{prefix}-{number}" for number in count())
    carry = _carry_batches if order.loader is Loader.LOAD_DATA else _carry_records
    taken = [[piece for piece in build.slices if piece.host == here] for build in order.builds]
    blocks = carry(order, hosts, names, here, taken)
    builds = [replace(build, slices=tuple(slices)) for build, slices in zip(order.builds, taken, strict=True)]
    return replace(order, builds=tuple(builds)), blocks


def whole_files(host: str, files: Mapping[str, tuple[str, int]]) -> list[Block]:
    """The blocks that copy whole files of a host: path that they get → path there, and bytes.

    >>> [block.places for block in whole_files("node1", {"a": ("/x/a", 3), "b": ("/x/b", 4)})]
    [(FilePart(path='a', offset=0, size=3), FilePart(path='b', offset=0, size=4))]
    """
    filling = _Filling(host)
    for target, (source, size) in files.items():
        filling.add(source, 0, size, _Target(target))
    filling.end()
    return filling.done


@dataclass(slots=True)
class _Target:
    """A file that is filled."""

    path: str
    size: int = 0


@dataclass(slots=True)
class _Filling:
    """The block that is put together, and those that are done."""

    host: str
    parts: list[FilePart] = field(default_factory=list)
    places: list[FilePart] = field(default_factory=list)
    size: int = 0
    done: list[Block] = field(default_factory=list)

    def add(self, source: str, offset: int, size: int, target: _Target) -> None:
        """Have bytes of a file brought to the end of another; a block that is full is ended."""
        while size:
            taken = min(size, BLOCK_BYTES - self.size)
            self.parts.append(FilePart(source, offset, taken))
            if self.places and self.places[-1].path == target.path:
                last = self.places[-1]
                self.places[-1] = replace(last, size=last.size + taken)
            else:
                self.places.append(FilePart(target.path, target.size, taken))
            offset, size, target.size, self.size = offset + taken, size - taken, target.size + taken, self.size + taken
            if self.size == BLOCK_BYTES:
                self.end()

    def end(self) -> None:
        if self.parts:
            self.done.append(Block(self.host, tuple(self.parts), tuple(self.places)))
        self.parts, self.places, self.size = [], [], 0


def _carry_records(
    order: BuildOrder, hosts: Sequence[str], names: Iterator[str], here: str, taken: list[list[BundleSlice]]
) -> list[Block]:
    length = RecordLayout.of(order.table).length
    long = [place for place, build in enumerate(order.builds) if _is_long(build, here, length)]
    own = {place: _Target(f"{next(names)}.rows") for place in long}
    blocks: list[Block] = []
    for host in hosts:
        together, filling = _Target(f"{next(names)}.rows"), _Filling(host)
        for place, build in enumerate(order.builds):
            target = own.get(place, together)
            pieces = [piece for piece in build.slices if piece.host == host]
            start, rows = target.size, sum(piece.rows for piece in pieces)
            for piece in pieces:
                filling.add(piece.bundle, piece.offset, piece.rows * length, target)
            if rows and target is together:
                taken[place].append(BundleSlice(target.path, start, rows, host=here))
        filling.end()
        blocks += filling.done
    for place, target in own.items():
        taken[place].append(BundleSlice(target.path, 0, target.size // length, is_own=True, host=here))
    return blocks


def _is_long(build: TableBuild, here: str, length: int) -> bool:
    return length * sum(piece.rows for piece in build.slices if piece.host != here) >= OWN_FILE_BYTES


def _carry_batches(
    order: BuildOrder, hosts: Sequence[str], names: Iterator[str], here: str, taken: list[list[BundleSlice]]
) -> list[Block]:
    row_bytes = VALUE_BYTES * len(order.table.columns)
    blocks: list[Block] = []
    for host in hosts:
        parts: list[BatchPart] = []
        path, size = f"{next(names)}.arrow", 0
        for place, build in enumerate(order.builds):
            for piece in (piece for piece in build.slices if piece.host == host):
                if parts and size + piece.rows * row_bytes > BLOCK_BYTES:
                    blocks.append(Block(host, tuple(parts), (FilePart(path, 0, 0),)))
                    parts, path, size = [], f"{next(names)}.arrow", 0
                taken[place].append(BundleSlice(path, len(parts), piece.rows, host=here))
                parts.append(BatchPart(piece.bundle, piece.offset))
                size += piece.rows * row_bytes
        if parts:
            blocks.append(Block(host, tuple(parts), (FilePart(path, 0, 0),)))
    return blocks
