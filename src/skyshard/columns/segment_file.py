"""One segment as a file: written whole or not at all, read through memory that the system maps, without a copy.

Rules: a file never changes once it has its name. Nothing of a column is read from the disk before it is looked at.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa

from skyshard.basics.errors import Bug
from skyshard.columns.block_figures import BlockFigures, FiguresTaken, at_its_beginning, block_checksum
from skyshard.columns.segment_index import BLOCKS_KEY, SegmentIndex, UnreadableSegment, schema_of
from skyshard.host.atomic_files import new_file
from skyshard.host.disk_space import require_room, writing
from skyshard.host.mapped_pages import are_in_memory, fetch_pages, require_pages, tells_pages
from skyshard.host.write_back import begin_write_back
from skyshard.rowimage.digest import digest

BATCH_ROWS = 1 << 16
ENDING = ".arrow"
Span = tuple[int, int]
"""An address of mapped memory, and bytes from there on."""
_MOST_OPEN = 4096
"""Segments that are kept open; each takes some kilobytes and one mapping."""
_KNOWN_BLOCKS = 4
"""Of so many sets of columns a segment keeps its blocks."""


def write_segment(
    path: Path, index: SegmentIndex, batches: Iterable[pa.RecordBatch], *, is_settled: bool = True
) -> SegmentIndex:
    """Write batches with the columns of an index, whose figures and rows a batch are taken of them.

    Args:
        batches: gone through twice, since the index stands before the rows; a list of them, or what makes them again.
        is_settled: the file is on the disk when the call returns; else the caller sees to that.

    Raises:
        ClusterError: the disk is full, or cannot be written.
    """
    made, size = _with_figures(index, batches)
    with _new_segment(path, size, is_settled=is_settled) as draft:
        _write_batches(draft, made, _filled(batches))
    return made


def write_segment_once(
    path: Path, index: SegmentIndex, batches: Iterable[pa.RecordBatch], size: int, *, is_settled: bool = True
) -> SegmentIndex:
    """The same of batches that are gone through once: ``index`` says how many rows each has, their bytes are about
    ``size``. Their figures, for which there is room before the first of them, are put in at the end.

    Raises:
        ClusterError: the disk is full, or cannot be written.
    """
    taken = FiguresTaken(len(index.columns))
    blank = replace(index, figures=BlockFigures.blank(len(index.batch_rows), len(index.columns)))

    def looked_at() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if not batch.num_rows:
                continue
            whole = _at_beginnings(batch)
            del batch
            taken.add(whole)
            yield whole
            del whole  # the next one may have its memory

    with _new_segment(path, size, is_settled=is_settled) as draft:
        _write_batches(draft, blank, looked_at())
        made = replace(index, figures=taken.figures())
        _put_in(draft, blank.metadata()[BLOCKS_KEY], made.metadata()[BLOCKS_KEY])
    return made


@contextmanager
def _new_segment(path: Path, size: int, *, is_settled: bool) -> Iterator[Path]:
    """The draft of a segment of about so many bytes, which gets its name when the block ends."""
    with writing(path):
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        require_room(path.parent, size)
        with new_file(path) as draft:
            yield draft
            if is_settled:
                _sync(draft)
        if is_settled:
            _sync(path.parent)


def _write_batches(draft: Path, index: SegmentIndex, batches: Iterable[pa.RecordBatch]) -> None:
    schema = schema_of(index.columns, index.metadata())
    with (
        pa.OSFile(str(draft), "wb") as sink,
        draft.open("rb") as beside,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        begun = 0
        for batch in batches:
            writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
            del batch
            end = sink.tell() // mmap.PAGESIZE * mmap.PAGESIZE
            begin_write_back(beside.fileno(), begun, end - begun)
            begun = end


def _put_in(draft: Path, blank: bytes, made: bytes) -> None:
    """Put the figures in the place of blank ones: the schema, of which they are part, is at both ends of a file."""
    with draft.open("r+b") as file:
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            first, last = mapped.find(blank), mapped.rfind(blank)
        if len(blank) != len(made) or not 0 <= first < last:
            raise Bug(f"'{draft}' has no room for the figures of its blocks")
        for place in (first, last):  # not by the mapping: where the disk is full, that would end the process
            file.seek(place)
            file.write(made)


def _with_figures(index: SegmentIndex, batches: Iterable[pa.RecordBatch]) -> tuple[SegmentIndex, int]:
    """The index with what batches say, and their bytes."""
    rows, sizes = [], []

    def looked_at() -> Iterator[pa.RecordBatch]:
        for batch in _filled(batches):
            rows.append(batch.num_rows)
            sizes.append(batch.nbytes)
            yield batch

    figures = BlockFigures.of(looked_at(), len(index.columns))
    return replace(index, batch_rows=tuple(rows), figures=figures), sum(sizes)


def _filled(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return (_at_beginnings(batch) for batch in batches if batch.num_rows)


def _at_beginnings(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([at_its_beginning(one) for one in batch.columns], names=batch.schema.names)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def spans_of(arrays: Sequence[pa.Array]) -> tuple[Span, ...]:
    """Where the buffers of arrays are, in ascending order; those that meet in a page, or follow one another, as one.

    >>> one = pa.array([1, None, 3])
    >>> [size for _, size in spans_of([one, one])] == [size for _, size in spans_of([one])]
    True
    """
    held = sorted(
        (one.address, one.size) for array in arrays for one in array.buffers() if one is not None and one.size
    )
    made: list[Span] = []
    for address, size in held:
        if made and address // mmap.PAGESIZE <= (made[-1][0] + made[-1][1] + mmap.PAGESIZE - 1) // mmap.PAGESIZE:
            made[-1] = (made[-1][0], max(made[-1][1], address + size - made[-1][0]))
        else:
            made.append((address, size))
    return tuple(made)


def require_spans(spans: Sequence[Span]) -> None:
    """Return when all of some places is in memory.

    Raises:
        OSError: the disk does not give it, or somebody cut the file: to look at it would end the process.
    """
    for address, size in spans:
        require_pages(address, size)


@dataclass(frozen=True, slots=True)
class Block:
    """Some columns of rows of one batch, and where the columns of the whole batch are."""

    batch: pa.RecordBatch
    size: int
    """Bytes of these rows."""
    spans: tuple[Span, ...]
    is_told: bool
    """Whether the system says which pages of the file are in memory."""

    def fetch(self) -> bool:
        """Have the system begin to read what is not in memory of the columns, and nothing else; returns whether all is
        known to be there, so that it need not be asked for again."""
        if self.is_told and all(are_in_memory(address, size) for address, size in self.spans):
            return True
        for address, size in self.spans:
            fetch_pages(address, size)
        return False

    def require(self) -> None:
        """Return when all of the columns is in memory; OSError as of :func:`require_spans`."""
        require_spans(self.spans)

    def slice(self, first: int, rows: int) -> Block:
        """Some of its rows."""
        some = self.batch.slice(first, rows)
        return replace(self, batch=some, size=some.nbytes)


@dataclass(frozen=True, eq=False, slots=True)
class Segment:
    """An open segment. ``batches`` have all its columns; what is not looked at is not read."""

    path: Path
    size: int
    index: SegmentIndex
    batches: tuple[pa.RecordBatch, ...]
    first_rows: tuple[int, ...]
    """Of each batch, and the end."""
    places: Mapping[str, int]
    """Column → its place in the batches."""
    mapped: mmap.mmap
    address: int
    """Where the mapping begins in memory."""
    is_told: bool
    """Whether the system says which pages of it are in memory."""
    known_blocks: dict[tuple[str, ...], Sequence[Block]] = field(default_factory=dict)

    @staticmethod
    def open(path: Path) -> Segment:
        """Map a file.

        Raises:
            UnreadableSegment: it is torn, no segment, of a later release, or cannot be read.
        """
        try:
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            is_told = tells_pages(path)
            mapped.madvise(mmap.MADV_RANDOM)  # who reads says what: ``Block.fetch``
            buffer = pa.py_buffer(mapped)
            reader = pa.ipc.open_file(pa.BufferReader(buffer))
            index = SegmentIndex.of(reader.schema.metadata)
            batches = tuple(reader.get_batch(number) for number in range(reader.num_record_batches))
        except (OSError, ValueError, pa.ArrowException) as error:
            raise UnreadableSegment(str(error)) from error
        names, held = [column.name for column in index.columns], tuple(batch.num_rows for batch in batches)
        kinds = [column.type.arrow for column in index.columns]
        if held != index.batch_rows or reader.schema.names != names or reader.schema.types != kinds:
            raise UnreadableSegment("its rows or columns are not those of its index")
        first, places = np.cumsum([0, *held]).tolist(), {name: place for place, name in enumerate(names)}
        return Segment(path, len(mapped), index, batches, tuple(first), places, mapped, buffer.address, is_told)

    def blocks(self, names: Sequence[str]) -> Sequence[Block]:
        """Some columns of each batch; made once for several scans of the same columns. Any thread may ask."""
        listed = tuple(names)
        found = self.known_blocks.get(listed)
        if found is None:
            places = [self.places[name] for name in listed]
            picked = ([batch.column(place) for place in places] for batch in self.batches)
            found = [self._block(listed, some) for some in picked]
            if len(self.known_blocks) >= _KNOWN_BLOCKS:
                self.known_blocks.clear()
            self.known_blocks[listed] = found
        return found

    def _block(self, names: Sequence[str], arrays: Sequence[pa.Array]) -> Block:
        batch = pa.RecordBatch.from_arrays(arrays, names=names)
        return Block(batch, batch.nbytes, spans_of(arrays), self.is_told)

    def rows(self, first: int, count: int, names: Sequence[str]) -> Iterator[tuple[int, Block]]:
        """The number of each batch that has some of these rows, and these rows of it, with some columns; no copy."""
        blocks = self.blocks(names) if count > 0 else ()
        number = bisect_right(self.first_rows, first) - 1
        while count > 0:
            block, skip = blocks[number], first - self.first_rows[number]
            some = min(count, block.batch.num_rows - skip)
            whole = some == block.batch.num_rows
            yield number, block if whole else block.slice(skip, some)
            first, count, number = first + some, count - some, number + 1

    def faults(self) -> Iterator[str]:
        """What is wrong with its blocks, as they are now: checksums, and digests of rows where it has all columns."""
        try:
            for batch in self.batches:
                require_spans(spans_of(batch.columns))
        except OSError as error:
            yield error.strerror or str(error)
            return
        for number, batch in enumerate(self.batches):
            for place, column in enumerate(self.index.columns):
                if block_checksum(batch.column(place)) != int(self.index.figures.checksum[number, place]):
                    yield f"block {number} of column {column.name} has other bytes than were written"
        if self.index.is_whole:
            yield from self._other_rows()

    def _other_rows(self) -> Iterator[str]:
        names = [column.name for column in self.index.columns]
        for piece in self.index.pieces:
            parts = [block.batch for _, block in self.rows(piece.first_row, piece.rows, names)]
            if parts and str(digest(pa.Table.from_batches(parts), self.index.columns)) != piece.digest:
                yield f"its rows of chunk {piece.chunk}, part {piece.part} have another digest than {piece.digest}"


class OpenSegments:
    """Segments that are open, by file; one that has been replaced is opened anew. Several threads may share it."""

    def __init__(self) -> None:
        self._open: dict[Path, tuple[tuple[int, int, int], Segment]] = {}
        self._lock = Lock()

    def get(self, path: Path) -> Segment:
        """The segment of a file as it is now.

        Raises:
            UnreadableSegment: as ``Segment.open``; also for a file that is gone.
        """
        try:
            found = path.stat()
        except OSError as error:
            raise UnreadableSegment(str(error)) from error
        version = (found.st_mtime_ns, found.st_size, found.st_ino)
        with self._lock:
            known = self._open.get(path)
        if known is not None and known[0] == version:
            return known[1]
        segment = Segment.open(path)
        with self._lock:
            if len(self._open) >= _MOST_OPEN:
                self._open.clear()
            self._open[path] = (version, segment)
        return segment


OPEN_SEGMENTS = OpenSegments()
"""Of this process."""
