"""Delimited text (CSV, TSV, mysqldump style) → typed batches, as LOAD DATA would read it, but strict.

Two ways, equal in result: Arrow's CSV reader where the block has neither escapes nor quotes, else a vectorised
splitter that knows escapes and quotes. No loop over rows. Every value that is not taken as it stands is counted;
every value that cannot be taken is an error with file, row and column.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from skyshard.errors import UserError
from skyshard.ingest.charset import Given, is_stored_as_given, stored_text
from skyshard.ingest.convert import RowError, to_column, to_doubles
from skyshard.ingest.source import InputBatch, Part, pair_of
from skyshard.layout import TableLayout
from skyshard.rowimage.sqltype import TypeClass
from skyshard.schema import CHUNK_COLUMN, SUB_CHUNK_COLUMN, Column, Table

BLOCK_BYTES = 16 << 20
_NEWLINE = 10
_TEMPORAL = ("date", "time", "datetime", "timestamp", "year", "enum", "set")
_UNESCAPED = np.arange(256, dtype=np.uint8)
_UNESCAPED[np.frombuffer(b"0bnrtZ", np.uint8)] = np.frombuffer(b"\x00\x08\n\r\t\x1a", np.uint8)

Bytes = NDArray[np.uint8]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text file separates and marks values; each mark is one byte, or empty for none.

    ``charset`` is what the bytes are; a column stores them in its own. ``has_carriage_returns`` says that lines end in
    two bytes.
    """

    separator: bytes = b"\t"
    quote: bytes = b""
    escape: bytes = b"\\"
    null: bytes = b"\\N"
    header_lines: int = 0
    charset: Given = "latin1"
    has_carriage_returns: bool = False


Fields = tuple[Column | None, ...]
"""What a file holds, field by field; None is a field that nobody wants."""


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Rows of a file, the wanted fields of it by name; ``exact`` are those asked for at full precision."""

    batch: pa.RecordBatch
    first_row: int
    exact: Mapping[str, NDArray[np.float64]]
    conversions: Counter[str]


@dataclass(frozen=True, slots=True)
class TextReader:
    """Reads text parts, plain or gzip.

    ``fields`` are the columns of the files in their order; empty means the table's own. A file that gives chunk
    columns besides has them checked.
    """

    dialect: Dialect = Dialect()
    fields: Fields = ()

    def narrowed(self, table: Table, wanted: frozenset[str]) -> TextReader:
        return TextReader(self.dialect, only(self.fields or table.columns, wanted))

    def batches(self, part: Part, table: Table, layout: TableLayout) -> Iterator[InputBatch]:
        fields = self.fields or table.columns
        pairs = layout.position, layout.position2
        exact = frozenset(name for pair in pairs if pair for name in pair)
        for read in read_text(part, fields, self.dialect, exact):
            columns = [_column(read.batch, column, layout) for column in table]
            typed = pa.RecordBatch.from_arrays(columns, names=table.column_names)
            one, two = (pair_of(read.exact, pair) for pair in pairs)
            yield InputBatch(typed, read.first_row, one, read.conversions, two, _claimed(read.batch))


def only(fields: Fields, wanted: frozenset[str]) -> Fields:
    """The fields of a file, those that nobody wants left out."""
    return tuple(field if field is not None and field.name in wanted else None for field in fields)


def read_text(part: Part, fields: Fields, dialect: Dialect, exact: frozenset[str]) -> Iterator[TextBatch]:
    """Stream the wanted fields of a file, each as the column that ``fields`` says.

    Args:
        exact: names of fields to give as 64-bit floats too, from the decimal text.

    Raises:
        UserError: what cannot be taken, with file, row and column.
    """
    first_row = 1
    for block in _row_blocks(part, dialect):
        try:
            read = _parse(block, fields, dialect, exact, first_row)
        except RowError as error:
            where = f", row {error.row}" + (f", column '{error.column}'" if error.column else "")
            raise UserError(f"'{part.path}'{where}: {error.what}", remedy=error.remedy) from None
        first_row += read.batch.num_rows
        yield read


def _column(batch: pa.RecordBatch, column: Column, layout: TableLayout) -> pa.Array:
    """A column of the file; a ref-match table's flag is not in it when partitioning has yet to say it."""
    if column.name == layout.flag and column.name not in batch.schema.names:
        return pa.array(np.zeros(batch.num_rows, np.int8)).cast(column.type.arrow)
    return batch.column(column.name)


def _claimed(batch: pa.RecordBatch) -> tuple[pa.Array, pa.Array] | None:
    names = batch.schema.names
    if CHUNK_COLUMN not in names or SUB_CHUNK_COLUMN not in names:
        return None
    return batch.column(CHUNK_COLUMN), batch.column(SUB_CHUNK_COLUMN)


def _row_blocks(part: Part, dialect: Dialect) -> Iterator[bytes]:
    """Blocks of whole rows, each ending in a newline alone."""
    carry = b""
    try:
        with _open(part.path) as file:
            for _ in range(dialect.header_lines):
                file.readline()
            while block := file.read(BLOCK_BYTES):
                block = carry + block
                cut = _last_row_end(block, dialect)
                carry = block[cut:]
                if cut:
                    yield _with_newlines(block[:cut], dialect)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"'{part.path}' is a broken gzip file: {error}", remedy="copy the file again") from None
    except OSError as error:
        raise UserError(f"cannot read '{part.path}': {error.strerror}", remedy="check the file") from None
    if carry:
        yield _with_newlines(carry + b"\n", dialect)


def _with_newlines(block: bytes, dialect: Dialect) -> bytes:
    return block.replace(b"\r\n", b"\n") if dialect.has_carriage_returns else block


def _open(path: str) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.endswith(".gz") else open(path, "rb")


def _last_row_end(block: bytes, dialect: Dialect) -> int:
    """Offset just past the last newline that ends a row."""
    if not (dialect.quote and dialect.quote in block) and not (dialect.escape and dialect.escape in block):
        return block.rfind(b"\n") + 1
    marks = _marks(np.frombuffer(block, np.uint8), dialect)
    return int(marks.newlines[-1]) + 1 if len(marks.newlines) else 0


def _parse(block: bytes, fields: Fields, dialect: Dialect, exact: frozenset[str], first_row: int) -> TextBatch:
    """One block of rows as a typed batch."""
    plain = not (dialect.quote and dialect.quote in block) and (
        not dialect.escape or block.count(dialect.escape) == block.count(dialect.null) * dialect.null.count(b"\\")
    )
    if plain and len(dialect.separator) == 1:
        read = _parse_plain(block, fields, dialect, exact, first_row)
        if read is not None:
            return read
    return _parse_marked(block, fields, dialect, exact, first_row)


def _parse_plain(
    block: bytes, fields: Fields, dialect: Dialect, exact: frozenset[str], first_row: int
) -> TextBatch | None:
    """Arrow's reader; None where a value needs the careful way (which then converts it or names it)."""
    wanted = [field for field in fields if field is not None]
    if any(field.type.type_class is TypeClass.DECIMAL for field in wanted):
        return None
    try:
        read = _read_csv(block, fields, dialect)
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None
    columns: list[pa.Array] = []
    numbers: dict[str, NDArray[np.float64]] = {}
    for field, chunked in zip(wanted, read.columns, strict=True):
        values = chunked.combine_chunks() if chunked.num_chunks != 1 else chunked.chunk(0)
        if not _is_plain(values, field, dialect):
            return None
        if field.name in exact:
            numbers[field.name] = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        columns.append(values.cast(field.type.arrow, safe=False) if values.type != field.type.arrow else values)
    batch = pa.RecordBatch.from_arrays(columns, names=[field.name for field in wanted])
    return TextBatch(batch, first_row, numbers, Counter())


def _read_csv(block: bytes, fields: Fields, dialect: Dialect) -> pa.Table:
    types = {f.name: pa.float64() if f.type.base == "float" else f.type.arrow for f in fields if f is not None}
    names = [f"\0{i}" if field is None else field.name for i, field in enumerate(fields)]
    return pyarrow.csv.read_csv(
        io.BytesIO(block),
        pyarrow.csv.ReadOptions(column_names=names, use_threads=False, block_size=len(block) + 1),
        pyarrow.csv.ParseOptions(
            delimiter=dialect.separator.decode("latin1"), quote_char=False, ignore_empty_lines=False
        ),
        pyarrow.csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=[dialect.null.decode("latin1")],
            strings_can_be_null=True,
            check_utf8=False,
        ),
    )


def _is_plain(values: pa.Array, field: Column, dialect: Dialect) -> bool:
    """Every value can be taken as it stands."""
    if not field.is_nullable and values.null_count:
        return False
    if field.type.type_class is TypeClass.FLOATING:
        numbers = values.fill_null(0.0).to_numpy(zero_copy_only=False)
        with np.errstate(over="ignore"):
            return bool(np.isfinite(numbers.astype(np.float32) if field.type.base == "float" else numbers).all())
    if field.type.type_class is TypeClass.BYTES:
        return _is_plain_text(values, field, dialect)
    return field.type.base != "mediumint"


def _is_plain_text(values: pa.Array, column: Column, dialect: Dialect) -> bool:
    """No escape inside a value, none too long, none to be recoded."""
    if dialect.escape and pc.any(pc.match_substring(values, dialect.escape.decode("latin1"))).as_py():
        return False
    if not is_stored_as_given(values, column, dialect.charset):
        return False
    longest = pc.max(pc.binary_length(values)).as_py() or 0
    most = column.type.most_bytes if column.type.is_blob else column.type.length
    return bool(longest <= most) or column.type.base in ("bit", *_TEMPORAL)


@dataclass(frozen=True, slots=True)
class _Marks:
    """Offsets of the bytes that separate fields (newlines included), and of the newlines among them."""

    separators: Index
    newlines: Index


def _active_escapes(data: Bytes, escape: bytes) -> Index:
    """Offsets of escape bytes that are not themselves escaped."""
    where = np.flatnonzero(data == escape[0]) if escape else np.empty(0, np.int64)
    if not len(where):
        return where
    is_start = np.concatenate([[True], np.diff(where) > 1])
    position = np.arange(len(where))
    start_of_run = np.maximum.accumulate(np.where(is_start, position, 0))
    active: Index = where[(position - start_of_run) % 2 == 0]
    return active


def _marks(data: Bytes, dialect: Dialect) -> _Marks:
    is_newline = data == _NEWLINE
    is_mark = is_newline | (data == dialect.separator[0])
    escaped = _active_escapes(data, dialect.escape) + 1
    escaped = escaped[escaped < len(data)]
    is_mark[escaped] = False
    if dialect.quote:
        is_quote = data == dialect.quote[0]
        is_quote[escaped] = False
        inside = np.logical_xor.accumulate(is_quote)
        is_mark &= ~inside
    separators = np.flatnonzero(is_mark)
    return _Marks(separators, separators[is_newline[separators]])


def _parse_marked(block: bytes, fields: Fields, dialect: Dialect, exact: frozenset[str], first_row: int) -> TextBatch:
    """Split by marks, then convert field by field."""
    data = np.frombuffer(block, np.uint8)
    starts, ends = _field_bounds(data, _marks(data, dialect), len(fields), first_row)
    conversions: Counter[str] = Counter()
    columns: dict[str, pa.Array] = {}
    numbers: dict[str, NDArray[np.float64]] = {}
    for i, field in enumerate(fields):
        if field is None:
            continue
        texts = _texts(data, np.ascontiguousarray(starts[:, i]), np.ascontiguousarray(ends[:, i]), dialect)
        try:
            texts = stored_text(texts, field, dialect.charset, conversions)
            columns[field.name] = to_column(texts, field, conversions)
            if field.name in exact:
                numbers[field.name] = to_doubles(texts)
        except RowError as error:
            raise RowError(error.what, first_row + error.row, field.name, error.remedy) from None
    batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    return TextBatch(batch, first_row, numbers, conversions)


def _field_bounds(data: Bytes, marks: _Marks, width: int, first_row: int) -> tuple[Index, Index]:
    """Start and end offsets of each field, shape (rows, width)."""
    last = np.searchsorted(marks.separators, marks.newlines)
    counts = np.diff(np.concatenate([[-1], last]))
    wrong = np.flatnonzero(counts != width)
    if len(wrong) or not len(counts):
        row = int(wrong[0]) if len(wrong) else 0
        seen = int(counts[row]) if len(counts) else 0
        raise RowError(
            f"{seen} columns where the table has {width}", first_row + row, "", "the schema and the file disagree"
        )
    ends = marks.separators.reshape(-1, width)
    starts = np.concatenate([[0], marks.separators[:-1] + 1]).reshape(-1, width)
    return starts, ends


def _texts(data: Bytes, starts: Index, ends: Index, dialect: Dialect) -> pa.Array:
    """One column's fields as binary values: NULL recognised, quotes stripped, escapes resolved."""
    null = np.frombuffer(dialect.null, np.uint8)
    is_null = (ends - starts) == len(null)
    for offset, byte in enumerate(null):
        is_null[is_null] = data[starts[is_null] + offset] == byte
    quote = dialect.quote[0] if dialect.quote else -1
    is_quoted = (ends - starts >= 2) & (data[np.minimum(starts, len(data) - 1)] == quote) if dialect.quote else None
    if is_quoted is not None:
        starts, ends = starts + is_quoted, ends - is_quoted
    ends = np.where(is_null, starts, ends)
    lengths = ends - starts
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    body = data[np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)]
    dropped = _active_escapes(body, dialect.escape)
    if len(dropped):
        body = body.copy()
        body[dropped + 1] = _UNESCAPED[body[dropped + 1]]
    if is_quoted is not None and is_quoted.any():
        dropped = np.union1d(dropped, _doubled(body, quote, dropped + 1))
    if len(dropped):
        keep = np.ones(len(body), bool)
        keep[dropped] = False
        offsets = np.concatenate([[0], np.cumsum(keep)])[offsets]
        body = body[keep]
    validity = pa.py_buffer(np.packbits(~is_null, bitorder="little").tobytes()) if is_null.any() else None
    buffers = [validity, pa.py_buffer(offsets.astype(np.int32).tobytes()), pa.py_buffer(body.tobytes())]
    return pa.Array.from_buffers(pa.binary(), len(starts), buffers)


def _doubled(body: Bytes, quote: int, escaped: Index) -> Index:
    """Offsets of the first of each pair of quotes (a quote inside a quoted field is doubled)."""
    is_quote = body == quote
    is_quote[escaped[escaped < len(body)]] = False
    where = np.flatnonzero(is_quote)
    return where[::2]
