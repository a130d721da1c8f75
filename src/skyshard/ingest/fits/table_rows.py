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
    header = table.hdu.header
    at = table.hdu.data_at + header.whole("THEAP", table.rows * table.row_bytes)
    with open_fits(table.path) as file:
        skip(file, 0, at)
        if is_plain(file):
            yield _Heap(file, at)
            return
        with tempfile.TemporaryFile() as unpacked:
            while piece := file.read(PIECE_BYTES):
                unpacked.write(piece)
            yield _Heap(unpacked, 0)


class _Heap:
    """A file from an offset on."""

    def __init__(self, file: BinaryIO, at: int) -> None:
        self._file, self._at = file, at

    def read(self, at: int, size: int) -> bytes:
        self._file.seek(self._at + at)
        return self._file.read(size)


def _heap_texts(heap: _Heap, table: FitsTable, field: Field, stored: Raw) -> pa.Array:
    """The texts that descriptors of a batch point to (section 7.3.5): a count and an offset each."""
    pairs = np.ascontiguousarray(stored).view(">i4" if field.code == "P" else ">i8").astype(np.int64)
    counts, offsets = pairs[:, 0], pairs[:, 1]
    is_there = counts > 0
    if not is_there.any():
        return pa.array([""] * len(counts), pa.string())
    first, past = int(offsets[is_there].min()), int((offsets + counts)[is_there].max())
    content = np.frombuffer(heap.read(first, past - first), np.uint8) if 0 <= first < past else np.empty(0, np.uint8)
    if counts.min() < 0 or len(content) < past - first:
        raise FitsError(f"HDU {table.hdu.shown}, column '{field.name}': texts beyond its end", "write the file again")
    counts = np.where(is_there, counts, 0)
    begins = np.cumsum(counts) - counts
    places = np.repeat(offsets - first - begins, counts) + np.arange(int(counts.sum()))
    found = ascii_texts(field.name, content[places], counts)
    if not content.min():
        found = pc.replace_substring_regex(found, "\\x00(?s:.*)", "")
    return pc.utf8_rtrim(found, " ")
