"""The column images of one table on one node, as queries read them.

Rules: an image counts when its digest is that of the node's good replica of the same part. A chunk counts when every
part that queries see of it has such an image, with the rows that they see; any other is read as rows.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from skyshard.catalog.schema import Table
from skyshard.columns.block_figures import Limits
from skyshard.columns.segment_file import Block, Segment
from skyshard.columns.segment_folder import SegmentFolder
from skyshard.columns.segment_index import Piece
from skyshard.registry.stored.entry_columns import EntryColumns
from skyshard.registry.stored.lifecycle import ReplicaState
from skyshard.registry.stored.records import Replica

READ_AHEAD = 8
"""So many batches are asked for before the first of them is waited for."""
Target = tuple[int, bool]
"""Chunk, and whether it is its overlap table."""
Run = tuple[Segment, int, int]
"""Consecutive rows of one segment: the segment, the first row, how many."""


@dataclass(frozen=True, slots=True)
class ImagePiece:
    """The image of one part of a chunk table."""

    segment: Segment
    piece: Piece


@dataclass(frozen=True, slots=True)
class ChunkImage:
    """The image of a chunk table: of one part after the other."""

    chunk: int
    is_overlap: bool
    pieces: tuple[ImagePiece, ...]

    @property
    def rows(self) -> int:
        return sum(one.piece.rows for one in self.pieces)


@dataclass(frozen=True, slots=True)
class NodeParts:
    """The parts of a table of which a node has good replicas, with their digests."""

    digests: Mapping[Target, Mapping[int, str]]

    @staticmethod
    def of(replicas: Iterable[Replica], node: str, table: str) -> NodeParts:
        """Of replicas of finished transactions, of whatever node and table."""
        found: dict[Target, dict[int, str]] = defaultdict(dict)
        for one in replicas:
            if one.node == node and one.table == table and one.state is ReplicaState.GOOD:
                found[one.chunk, one.is_overlap][one.part] = one.digest
        return NodeParts(found)


class NodeColumns:
    """Column images of one table on one node whose files this process sees."""

    def __init__(self, data: Path, database: str, table: Table, parts: NodeParts) -> None:
        """Look at the segments there are.

        Args:
            data: the data folder of the node's server.
            database: its stored name.
            table: as it is stored, with its chunk columns: ``CatalogTable.table``.
            parts: what the registry has of the node, read with the catalog or after it.
        """
        self.table = table
        self._parts = parts
        self._images: dict[tuple[Target, int, str], list[ImagePiece]] = defaultdict(list)
        segments, self.unreadable = SegmentFolder.of(data, database).segments(table.name)
        for segment in segments:
            for piece in segment.index.pieces:
                self._images[(piece.chunk, segment.index.is_overlap), piece.part, piece.digest].append(
                    ImagePiece(segment, piece)
                )

    def chunks(self, entries: EntryColumns, names: Sequence[str], *, is_overlap: bool = False) -> dict[int, ChunkImage]:
        """The chunks that have a valid image of these columns, as a catalog sees them, in ascending order.

        Raises:
            UserError: the table has no such column.
        """
        if not self._images:
            return {}
        shown, rows = (entries.overlap_shown, entries.overlap_rows) if is_overlap else (entries.shown, entries.rows)
        fits: dict[int, bool] = {}
        found = {}
        for chunk, last, count in zip(entries.chunk.tolist(), shown.tolist(), rows.tolist(), strict=True):
            image = self._image((chunk, is_overlap), last, names, fits) if count else ChunkImage(chunk, is_overlap, ())
            if image is not None and image.rows == count:
                found[chunk] = image
        return found

    def _image(self, target: Target, shown: int, names: Sequence[str], fits: dict[int, bool]) -> ChunkImage | None:
        """The image of what queries see of a chunk table: part n where ``shown`` is n, all up to n where it is -n."""
        digests = self._parts.digests.get(target, {})
        numbers = [shown] if shown >= 0 else sorted(number for number in digests if number <= -shown)
        pieces = []
        for number in numbers:
            piece = self._piece(target, number, digests.get(number, ""), names, fits)
            if piece is None:
                return None
            pieces.append(piece)
        return ChunkImage(*target, tuple(pieces))

    def _piece(
        self, target: Target, part: int, digest: str, names: Sequence[str], fits: dict[int, bool]
    ) -> ImagePiece | None:
        for one in self._images.get((target, part, digest), ()):
            key = id(one.segment)
            if key not in fits:
                fits[key] = one.segment.index.holds(self.table, names)
            if fits[key]:
                return one
        return None


def read_images(
    images: Iterable[ChunkImage], names: Sequence[str], limits: Mapping[str, Limits] | None = None
) -> Iterator[pa.RecordBatch]:
    """Columns of chunks, in their order: :func:`read_runs` of their rows."""
    return read_runs(runs_of(images), names, limits)


def read_runs(
    runs: Iterable[Run], names: Sequence[str], limits: Mapping[str, Limits] | None = None
) -> Iterator[pa.RecordBatch]:
    """The batches of :func:`read_blocks`."""
    return (block.batch for block in read_blocks(runs, names, limits))


def read_blocks(
    runs: Iterable[Run], names: Sequence[str], limits: Mapping[str, Limits] | None = None
) -> Iterator[Block]:
    """Columns of rows, in their order; batches are in memory, views of the files, and cross the borders of chunks.

    Args:
        names: as the table spells them; at least one; ``chunkId`` and ``subChunkId`` are columns like others.
        limits: by column: batches of which no value is within them are left out. What comes is not filtered further.

    Raises:
        OSError: a file does not give what it held.
    """
    ahead: deque[tuple[Block, bool]] = deque()
    for block in _blocks(runs, names, limits or {}):
        ahead.append((block, block.fetch()))
        if len(ahead) > READ_AHEAD:
            yield _in_memory(*ahead.popleft())
    while ahead:
        yield _in_memory(*ahead.popleft())


def _in_memory(block: Block, is_there: bool) -> Block:
    if not is_there:
        block.require()
    return block


def _blocks(runs: Iterable[Run], names: Sequence[str], limits: Mapping[str, Limits]) -> Iterator[Block]:
    """What is to be read, of which nothing is looked at."""
    for segment, first, rows in runs:
        wanted = _possible(segment, limits)
        for number, block in segment.rows(first, rows, names):
            if wanted is None or wanted[number]:
                yield block


def runs_of(images: Iterable[ChunkImage]) -> Iterator[Run]:
    """The rows of chunks, in their order, as few runs as there can be."""
    last: Run | None = None
    for image in images:
        for one in image.pieces:
            if last is not None and last[0] is one.segment and last[1] + last[2] == one.piece.first_row:
                last = (last[0], last[1], last[2] + one.piece.rows)
                continue
            if last is not None and last[2]:
                yield last
            last = (one.segment, one.piece.first_row, one.piece.rows)
    if last is not None and last[2]:
        yield last


def _possible(segment: Segment, limits: Mapping[str, Limits]) -> list[bool] | None:
    """By batch: whether it may have rows within the limits; None where there are none."""
    if not limits:
        return None
    possible = None
    for name, limit in limits.items():
        found = segment.index.figures.may_hold(segment.places[name], limit)
        possible = found if possible is None else possible & found
    return None if possible is None else possible.tolist()
