"""Answers as text or file: table, CSV, TSV, JSON, Parquet, Arrow; files are written as rows come, in bounded memory.

Rules: nothing is rounded: integers are exact, floats the shortest text that reads back as the same value. NULL is
``\\N`` in CSV and TSV (a text ``\\N`` is quoted in CSV, escaped in TSV). CSV is RFC 4180, binary columns are raw bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from skyshard.basics.lazy import lazy_module
from skyshard.czar.result.answer import Answer, ReadyAnswer, distinct_names

pc = lazy_module("pyarrow.compute")
pq = lazy_module("pyarrow.parquet")

NAMES = b"skyshard.columns"
NULL = b"\\N"
SHOWN_ROWS = 100
JSON_ROWS = 10_000
"""Rows that are Python texts at a time."""
SHOWN_CHARACTERS = 60
FEW_CELLS = 1000
"""So few cells are written one by one: ``pyarrow.compute`` takes longer to import than that."""
PLAIN_DIGITS = (1e-4, 1e10)
"""Floats in between are written as Arrow does by NumPy, which is imported anyway: all digits, no exponent."""
TSV_ESCAPES = ((b"\\", b"\\\\"), (b"\t", b"\\t"), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\0", b"\\0"))


Check = Callable[[pa.RecordBatch], None]
"""Raises where rows must not be written."""


def write_parquet(answer: Answer | ReadyAnswer, path: Path, check: Check | None = None) -> None:
    """A Parquet file; :func:`written_names` gives its columns their names again where these repeat."""
    schema = _file_schema(answer)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in answer.batches:
            if check is not None:
                check(batch)
            writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))


def write_arrow(answer: Answer | ReadyAnswer, path: Path) -> None:
    """An Arrow IPC file (Feather), not compressed, so that it can be mapped into memory."""
    schema = _file_schema(answer)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in answer.batches:
            writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))


def _file_schema(answer: Answer | ReadyAnswer) -> pa.Schema:
    """Names made different, as files have no two columns of one name."""
    names = distinct_names(answer.columns)
    fields = [pa.field(name, field.type) for name, field in zip(names, answer.schema, strict=True)]
    return pa.schema(fields, metadata={NAMES: "\0".join(answer.columns).encode()})


def written_names(schema: pa.Schema) -> tuple[str, ...]:
    """The names of the answer that was written to a file of this schema."""
    return tuple((schema.metadata or {})[NAMES].decode().split("\0"))


def write_csv(table: pa.Table, names: Sequence[str], out: BinaryIO, *, header: bool = True) -> None:
    """Comma-separated, quoted where needed, lines ended by a newline."""
    if header:
        out.write(b",".join(_csv_cell(name.encode()) for name in names) + b"\n")
    if _is_small(table):
        _write_cells(table, _csv_cell, b",", out)
    else:
        _write_lines([_csv_cells(_bytes(column)) for column in table.columns], b",", out)


def write_tsv(table: pa.Table, names: Sequence[str], out: BinaryIO, *, header: bool = True) -> None:
    """Tab-separated, with the escapes that LOAD DATA reads."""
    if header:
        out.write(b"\t".join(_tsv_cell(name.encode()) for name in names) + b"\n")
    if _is_small(table):
        _write_cells(table, _tsv_cell, b"\t", out)
    else:
        _write_lines([_tsv_cells(_bytes(column)) for column in table.columns], b"\t", out)


def _is_small(table: pa.Table) -> bool:
    return bool(table.num_rows * table.num_columns <= FEW_CELLS)


def write_json(tables: Iterable[pa.Table], names: Sequence[str], out: BinaryIO) -> None:
    """``{"columns": [...], "rows": [[...], ...]}``; binary values as ``0x...``, DECIMALs as numbers with all digits.

    ``tables`` are written as they come.
    """
    out.write(f'{{"columns": {json.dumps(list(names))}, "rows": ['.encode())
    before = "\n"
    for table in tables:
        for start in range(0, table.num_rows, JSON_ROWS):
            columns = [_json_cells(column) for column in table.slice(start, JSON_ROWS).columns]
            rows = ("[" + ", ".join(cells) + "]" for cells in zip(*columns, strict=True))
            out.write((before + ",\n".join(rows)).encode())
            before = ",\n"
    out.write(b"\n]}\n")


def shown(table: pa.Table) -> list[list[str]]:
    """The first rows as text for a terminal, long values cut."""
    cells = [_cut(_few_bytes(column)) for column in table.slice(0, SHOWN_ROWS).columns]
    return [list(row) for row in zip(*cells, strict=True)]


def _cut(cells: Iterable[bytes | None]) -> list[str]:
    texts = (None if value is None else value.decode(errors="backslashreplace") for value in cells)
    return ["NULL" if text is None else _short(text) for text in texts]


def _short(text: str) -> str:
    printable = "".join(
        letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text[: SHOWN_CHARACTERS + 1]
    )
    return printable if len(text) <= SHOWN_CHARACTERS else f"{printable[:SHOWN_CHARACTERS]}…"


def _bytes(column: pa.ChunkedArray) -> pa.Array:
    """Every value as the bytes that are printed."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], column.type)
    if not (pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)):
        array = _texts(array)
    return array.cast(pa.large_binary())


def _few_bytes(column: pa.ChunkedArray) -> list[bytes | None]:
    """The same of a few values; of the usual types without ``pyarrow.compute``."""
    kind, values = column.type, column.to_pylist()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return list(values)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind):
        return [None if value is None else str(value).encode() for value in values]
    if pa.types.is_float32(kind) or pa.types.is_float64(kind):
        exact = np.float32 if pa.types.is_float32(kind) else np.float64
        if all(not value or PLAIN_DIGITS[0] <= abs(value) < PLAIN_DIGITS[1] for value in values):
            texts = (None if value is None else np.format_float_positional(exact(value), trim="-") for value in values)
            return [None if text is None else text.encode() for text in texts]
    return list(_bytes(column).to_pylist())


def _texts(array: pa.Array) -> pa.Array:
    if pa.types.is_decimal256(array.type) or pa.types.is_decimal128(array.type):
        return pa.array([None if value is None else f"{value:f}" for value in array.to_pylist()], pa.large_string())
    return array.cast(pa.large_string())


def _csv_cell(value: bytes | None) -> bytes:
    """One value as ``_csv_cells`` writes it."""
    if value is None:
        return NULL
    is_quoted = value in (b"", NULL) or any(special in value for special in (b",", b'"', b"\n", b"\r"))
    return b'"' + value.replace(b'"', b'""') + b'"' if is_quoted else value


def _tsv_cell(value: bytes | None) -> bytes:
    """One value as ``_tsv_cells`` writes it."""
    if value is None:
        return NULL
    for plain, escaped in TSV_ESCAPES:
        value = value.replace(plain, escaped)
    return value


def _write_cells(table: pa.Table, cell: Callable[[bytes | None], bytes], separator: bytes, out: BinaryIO) -> None:
    columns = [map(cell, _few_bytes(column)) for column in table.columns]
    out.write(b"".join(separator.join(row) + b"\n" for row in zip(*columns, strict=True)))


def _csv_cells(column: pa.Array) -> pa.Array:
    quote, doubled = b'"', b'""'
    needs = pc.or_(pc.equal(column, pa.scalar(NULL, column.type)), pc.equal(pc.binary_length(column), 0))
    for special in (b",", quote, b"\n", b"\r"):
        needs = pc.or_(needs, pc.match_substring(column, special))
    if pc.any(needs).as_py():
        mark = pa.scalar(quote, column.type)
        escaped = pc.replace_substring(column, quote, doubled)
        quoted = pc.binary_join_element_wise(mark, escaped, mark, pa.scalar(b"", column.type))
        column = pc.if_else(needs, quoted, column)
    return pc.fill_null(column, pa.scalar(NULL, column.type))


def _tsv_cells(column: pa.Array) -> pa.Array:
    for plain, escaped in TSV_ESCAPES:
        column = pc.replace_substring(column, plain, escaped)
    return pc.fill_null(column, pa.scalar(NULL, column.type))


def _write_lines(columns: Sequence[pa.Array], separator: bytes, out: BinaryIO) -> None:
    if not columns or not len(columns[0]):
        return
    kind = pa.large_binary()
    lines = pc.binary_join_element_wise(*columns, pa.scalar(separator, kind)) if len(columns) > 1 else columns[0]
    ended = pc.binary_join_element_wise(lines, pa.scalar(b"\n", kind), pa.scalar(b"", kind))
    offsets, data = ended.buffers()[1], ended.buffers()[2]
    ends = memoryview(offsets).cast("q")
    out.write(memoryview(data)[ends[ended.offset] : ends[ended.offset + len(ended)]])


def _json_cells(column: pa.ChunkedArray) -> list[str]:
    kind = column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return ["null" if value is None else f'"0x{value.hex()}"' for value in column.to_pylist()]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return ["null" if value is None else json.dumps(value, ensure_ascii=False) for value in column.to_pylist()]
    if pa.types.is_integer(kind):
        return ["null" if value is None else str(value) for value in column.to_pylist()]
    texts = _bytes(column).to_pylist()
    return ["null" if value is None else value.decode() for value in texts]
