"""``skyshard locate``: positions in CSV to chunk and sub-chunk numbers in CSV, streamed block by block."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
import pyarrow as pa
import typer
from pyarrow import csv

from skyshard.basics.errors import UserError
from skyshard.chunking import Chunker

COLUMNS = ("row", "chunkId", "subChunkId", "overlap")
_BLOCK_BYTES = 1 << 22
_ARROW_MESSAGE = re.compile(r"(?:In CSV column #\d+: |CSV parse error: )?Row #(?P<line>\d+): (?P<what>.*)", re.DOTALL)
_WRONG_VALUE = re.compile(r"CSV conversion error to double: invalid value '(.*)'", re.DOTALL)


def locate(
    stripes: Annotated[int, typer.Option(help="Stripes from pole to pole.")],
    substripes: Annotated[int, typer.Option(help="Sub-stripes in each stripe.")],
    overlap: Annotated[float, typer.Option(help="Overlap radius in degrees.")],
    file: Annotated[Path | None, typer.Argument(help="CSV with columns ra and dec; standard input if absent.")] = None,
) -> None:
    """Chunk and sub-chunk of each position, and the overlap copies of it.

    Reads CSV with a header line that names `ra` and `dec` (degrees); other columns are ignored. Writes CSV
    `row,chunkId,subChunkId,overlap`: rows count from 0 in input order, overlap 0 is the row's own sub-chunk, 1 a copy.
    """
    chunker = Chunker(stripes, substripes, overlap)
    if file is None or str(file) == "-":
        locate_csv(chunker, sys.stdin.buffer, sys.stdout.buffer, "standard input")
        return
    try:
        source = file.open("rb")
    except OSError as error:
        raise UserError(f"cannot read '{file}': {error.strerror}", remedy="check the path") from None
    with source:
        locate_csv(chunker, source, sys.stdout.buffer, f"'{file}'")


def locate_csv(chunker: Chunker, source: BinaryIO, sink: BinaryIO, name: str) -> None:
    """Copy positions from ``source`` to numbers in ``sink``; ``name`` is what messages call the source.

    Raises:
        UserError: no such columns, a value that is not a number, or a position out of range, with its row.
    """
    schema = pa.schema([(column, pa.int64() if column == "row" else pa.int32()) for column in COLUMNS])
    blocks = _number_blocks(chunker, source, name)
    first = list(islice(blocks, 1))  # read before anything is written: most wrong input is found here
    sink.write((",".join(COLUMNS) + "\n").encode())
    with csv.CSVWriter(sink, schema, write_options=csv.WriteOptions(include_header=False)) as writer:
        for block in chain(first, blocks):
            writer.write_batch(pa.record_batch(block, schema=schema))


def _number_blocks(chunker: Chunker, source: BinaryIO, name: str) -> Iterator[list[Any]]:
    first_row = 0
    for batch in _read_positions(source, name):
        yield _numbers(chunker, batch, first_row, name)
        first_row += batch.num_rows


def _read_positions(source: BinaryIO, name: str) -> Iterator[pa.RecordBatch]:
    types = {"ra": pa.float64(), "dec": pa.float64()}
    with _arrow_errors(name):
        yield from csv.open_csv(
            source,
            read_options=csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
            convert_options=csv.ConvertOptions(include_columns=list(types), column_types=types, null_values=[]),
        )


@contextmanager
def _arrow_errors(name: str) -> Iterator[None]:
    """Arrow's complaints about a file as one line with the row, counted from 0 as in the output."""
    try:
        yield
    except KeyError as error:
        column = re.search(r"Column '(.*)' in include_columns", str(error))
        what = f"{name}: no column '{column[1]}'" if column else f"{name}: {error}"
        raise UserError(what, remedy="begin the file with the header line ra,dec") from None
    except pa.ArrowInvalid as error:
        message = " ".join(str(error).split())
        found = _ARROW_MESSAGE.match(message)
        if not found:
            raise UserError(f"{name}: {message}", remedy="begin the file with the header line ra,dec") from None
        value = _WRONG_VALUE.match(found["what"])
        what = f"'{value[1]}' is not a number" if value else found["what"]
        raise UserError(f"{name}, row {int(found['line']) - 2}: {what}", remedy="fix or drop the row") from None


def _numbers(chunker: Chunker, batch: pa.RecordBatch, first_row: int, name: str) -> list[Any]:
    """The four output columns: each row's own numbers, then those of its copies."""
    ra, dec = (batch.column(column).to_numpy() for column in ("ra", "dec"))
    try:
        chunk_ids, sub_chunk_ids = chunker.locate(ra, dec, first_row=first_row)
    except UserError as error:
        raise UserError(f"{name}, {error.what}", remedy=error.remedy) from None
    copies = chunker.overlap_copies(ra, dec)
    is_copy = np.zeros(len(ra) + len(copies.row), dtype=bool)
    is_copy[np.arange(len(copies.row)) + copies.row + 1] = True
    columns = []
    own = (np.arange(len(ra)), chunk_ids, sub_chunk_ids)
    for own_values, copied, dtype in zip(own, copies, (np.int64, np.int32, np.int32), strict=True):
        column = np.empty(len(is_copy), dtype)
        column[~is_copy], column[is_copy] = own_values, copied
        columns.append(column)
    return [columns[0] + first_row, *columns[1:], is_copy.astype(np.int32)]
