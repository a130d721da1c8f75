"""Streams rows of a FITS table as Arrow batches: bounded memory, whatever the size of the file and of its rows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.ingest.fits.hdus import CheckedRows, FoundTable, Hdu, find_table, has_sums, is_plain, open_fits, skip
from skyshard.ingest.fits.header import FitsError
from skyshard.ingest.fits.row_values import PIECE_BYTES, Gathered, Raw, ascii_texts, batched, decoded
from skyshard.ingest.fits.table_columns import Field, table_fields

FITS = b"fits"
"""Metadata of schemas that come from a header."""
_LONG = 1 << 16
"""Letters of texts of which the file does not say how long they are."""


@dataclass(frozen=True, slots=True)
class FitsTable:
    """A table of a file: where it is, and its fields."""

    path: str
    found: FoundTable
    fields: tuple[Field, ...]

    @staticmethod
    def of(path: str | Path, wanted: str | int | None = None) -> FitsTable:
        """The first table of a file, or the one that is named.

        Raises:
            UserError: no such table, or one that is not as the standard has it.
        """
        found = find_table(path, wanted)
        hdu = found.hdu
        with open_fits(path):  # a fault of the columns is one of the file
            if hdu.kind != "BINTABLE":
                raise FitsError(
                    f"HDU {hdu.shown} is a table of text (TABLE)", "write it as a binary table, or name another"
                )
            _require_standard(hdu)
            fields = _fields(hdu)
        return FitsTable(str(path), found, fields)

    @property
    def hdu(self) -> Hdu:
        return self.found.hdu

    @property
    def shown(self) -> str:
        """File and unit, for messages."""
        return f"{self.path}[{self.hdu.name or self.hdu.number}]"

    @property
    def rows(self) -> int:
        return self.hdu.header.whole("NAXIS2")

    @property
    def row_bytes(self) -> int:
        return self.hdu.header.whole("NAXIS1")

    @property
    def has_heap(self) -> bool:
        return self.hdu.header.whole("PCOUNT", 0) > 0

    @property
    def schema(self) -> pa.Schema:
        """Names and types; unit, description and the length of texts are metadata of a field."""
        return pa.schema([_described(field) for field in self.fields], metadata={FITS: ""})


def _require_standard(hdu: Hdu) -> None:
    """Refuse a table whose data are no rows of bytes (section 7.3.1)."""
    header = hdu.header
    for keyword, wanted, default in (("BITPIX", 8, None), ("NAXIS", 2, None), ("GCOUNT", 1, 1)):
        if (said := header.whole(keyword, default)) != wanted:
            what = f"HDU {hdu.shown}: {keyword} is {said}, that of a binary table is {wanted}"
            raise FitsError(what, "write the file again")


def _fields(hdu: Hdu) -> tuple[Field, ...]:
    try:
        return table_fields(hdu.header)
    except FitsError as error:
        raise FitsError(f"HDU {hdu.shown}: {error.what}", error.remedy) from None


def _described(field: Field) -> pa.Field:
    longest = str(field.longest or _LONG) if field.code in "APQ" and not field.is_list else ""
    said = {"unit": field.unit, "description": field.description, "longest": longest}
    return pa.field(field.name, field.arrow, metadata={key: text for key, text in said.items() if text} or None)


def declared_length(field: pa.Field) -> int:
    """Letters that a text of a schema has at most, as its file declares it."""
    return int((field.metadata or {}).get(b"longest", 0))


def row_batches(
    table: FitsTable, fields: Sequence[Field], most: int, rows: tuple[int, int] | None = None, *, is_checked: bool
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Batches of some fields, each with the number of its first row, from 0.

    Args:
        most: rows of a batch.
        rows: the first row, and the one behind the last; all if None.
        is_checked: hold the data, where they begin with the first row, against the sums of the header.

    Raises:
        UserError: the file is cut off, or its sums are others.
        RowError: a value that is not as the standard has it; its row counts in the batch.
    """
    first, past = rows or (0, table.rows)
    is_summed = is_checked and not first and has_sums(table.hdu.header)
    with open_fits(table.path) as file, _heap(table, fields) as heap:
        stream = CheckedRows(file, table.hdu, first_byte=first * table.row_bytes, is_summed=is_summed)
        for count in batched(past - first, most):
            yield first, _batch(stream, heap, table, fields, count)
            first += count
        stream.finish()


def _batch(
    stream: CheckedRows, heap: _Heap | None, table: FitsTable, fields: Sequence[Field], count: int
) -> pa.RecordBatch:
    gathered, size = Gathered(fields, count), table.row_bytes
    for rows in batched(count, max(1, PIECE_BYTES // max(1, size))):
        gathered.add(stream.read(rows * size), size)
    raw = gathered.by_place()
    arrays = [
        _heap_texts(heap, table, field, raw[field.at, field.width])
        if field.code in "PQ" and heap is not None
        else decoded(field, raw)
        for field in fields
    ]
    names = [field.name for field in fields]
    return pa.RecordBatch.from_arrays(arrays or [pa.nulls(count)], names=names or ["\0"])


# texts of variable length


@contextmanager
def _heap(table: FitsTable, fields: Sequence[Field]) -> Iterator[_Heap | None]:
    """The heap, where a field needs it: of a packed file, unpacked into a file that nobody else sees."""
    if not any(field.code in "PQ" for field in fields):
        yield None
        return
    first = table.rows * table.row_bytes
    begin, end = table.hdu.header.whole("THEAP", first), table.hdu.data_bytes
    with open_fits(table.path) as file:
        if not first <= begin <= end:
            raise FitsError(f"HDU {table.hdu.shown}: THEAP {begin} is not within its data", "write the file again")
        skip(file, 0, table.hdu.data_at + begin)
        if is_plain(file):
            yield _Heap(file, table.hdu.data_at + begin, end - begin)
            return
        with tempfile.TemporaryFile() as unpacked:
            left = end - begin
            while piece := file.read(min(left, PIECE_BYTES)):
                unpacked.write(piece)
                left -= len(piece)
            yield _Heap(unpacked, 0, end - begin)


@dataclass(frozen=True, slots=True)
class _Heap:
    """So many bytes of a file, from an offset on."""

    file: BinaryIO
    at: int
    size: int

    def read(self, first: int, past: int) -> bytes:
        self.file.seek(self.at + first)
        return self.file.read(past - first)


def _heap_texts(heap: _Heap, table: FitsTable, field: Field, stored: Raw) -> pa.Array:
    """The texts that descriptors of a batch point to (section 7.3.5): a count and an offset each."""
    pairs = np.ascontiguousarray(stored).view(">i4" if field.code == "P" else ">i8").astype(np.int64)
    counts, offsets = pairs[:, 0], pairs[:, 1]
    is_there = counts > 0
    if not is_there.any():
        return pa.array([""] * len(counts), pa.string())
    first, past = int(offsets[is_there].min()), int((offsets + counts)[is_there].max())
    is_within = counts.min() >= 0 and 0 <= first < past <= heap.size
    content = np.frombuffer(heap.read(first, past), np.uint8) if is_within else np.empty(0, np.uint8)
    if not is_within or len(content) < past - first:
        raise FitsError(f"HDU {table.hdu.shown}, column '{field.name}': texts beyond its end", "write the file again")
    offsets, counts = offsets - first, np.where(is_there, counts, 0)
    if not content.min():
        counts = _to_first_nul(content, offsets, counts)
    return pc.utf8_rtrim(ascii_texts(field.name, content[_places(offsets, counts)], counts), " ")


def _places(offsets: Raw, counts: Raw) -> Raw:
    """Where the letters of texts are, text by text.

    >>> _places(np.array([7, 0]), np.array([2, 3])).tolist()
    [7, 8, 0, 1, 2]
    """
    begins = np.cumsum(counts) - counts
    places: Raw = np.repeat(offsets - begins, counts) + np.arange(int(counts.sum()))
    return places


def _to_first_nul(content: Raw, offsets: Raw, counts: Raw) -> Raw:
    """The letters that texts have before a NUL: what follows it has no meaning."""
    ends = np.flatnonzero(content == 0)
    after = np.searchsorted(ends, offsets)  # the first NUL at or behind each beginning
    kept: Raw = np.clip(np.append(ends, len(content))[after] - offsets, 0, counts)
    return kept
