"""Rows of tables with BLOB or TEXT, by way of a text that the server writes and Arrow parses.

A quarter of the processor time that the driver takes, which makes a Python object of each value. Bytes are spelled in
hexadecimal digits, so that no value needs an escape. Values come as
:func:`~skyshard.node.read.read_table.select_batches` has them, which reads rows of long values: their digits cost more
than objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from skyshard.catalog.schema import Column, Table
from skyshard.db.connection import Connection, quote_name, quote_text
from skyshard.node.messages import ExportOrder
from skyshard.node.read.read_table import exact, select_batches
from skyshard.node.server.server_files import ServerFiles
from skyshard.rowimage.arrays import bitmap_buffer
from skyshard.rowimage.digest import RowDigest, digest
from skyshard.rowimage.sqltype import TypeClass

TEXT_BYTES = 128 << 20
"""What a file of text aims at; one row may be longer."""
FIRST_ROWS, GROWTH = 64, 8
"""Rows of the first file, and how many times as many the next one has at most: nobody knows yet how long they are."""
MOST_SKIPPED = 32
"""How many times the rows of a file the server may pass over to come to them; the driver passes over what is before the
rest once. A table is read in a time that grows with its rows."""
LONG_BYTES = 400
"""Bytes of text a value, on average, above which the driver takes less processor time, of the server and of ours."""
_ALL_ROWS = 1 << 62
_NULL = "NULL"
_BLOCK_BYTES = 8 << 20
_FIELDS = r"FIELDS TERMINATED BY '\t' ESCAPED BY '' LINES TERMINATED BY '\n'"
_DIGITS = np.zeros(256, np.uint8)
_DIGITS[np.frombuffer(b"0123456789ABCDEF", np.uint8)] = np.arange(16)


def spelled_digest(connection: Connection, data: ServerFiles, database: str, table: Table, name: str) -> RowDigest:
    """Count and digest a table."""
    total = RowDigest()
    for batch in spelled_batches(connection, data, database, table, name):
        total += digest(batch, table.columns)
    return total


def export_table(connection: Connection, data: ServerFiles, order: ExportOrder) -> list[int]:
    """Write a table's rows as an Arrow file; returns the rows of each batch in it."""
    schema = pa.schema([(column.name, column.type.arrow) for column in order.table])
    counts = []
    with pa.ipc.new_file(order.path, schema) as writer:
        for batch in spelled_batches(connection, data, order.database, order.table, order.name):
            writer.write_batch(batch)
            counts.append(batch.num_rows)
    return counts


def spelled_batches(
    connection: Connection, data: ServerFiles, database: str, table: Table, name: str
) -> Iterator[pa.RecordBatch]:
    """Columns of a table as batches in their Arrow types, in the order in which the server reads its rows.

    Args:
        connection: in the database, of an account that may write files (FILE).
        data: the server's data folder.

    Raises:
        ClusterError: the table cannot be read, or the disk is full.
    """
    start, step = 0, FIRST_ROWS
    while True:
        path = data.text_file(database, name)
        try:
            count = _write(connection, data, table, name, (start, step), path)
            if connection.warned:  # a value whose digits are more than a packet may hold is NULL there
                yield from select_batches(connection, table, name, limit=(start, step))
            elif count:
                yield from _read(path, table)
            size = path.stat().st_size
        finally:
            path.unlink(missing_ok=True)
        if count < step:
            return
        start += step
        is_long = size > LONG_BYTES * step * len(table.columns)
        step = max(1, min(step * GROWTH, step * TEXT_BYTES // max(1, size)))
        if is_long or start > MOST_SKIPPED * step:
            yield from select_batches(connection, table, name, limit=(start, _ALL_ROWS))
            return


def _write(
    connection: Connection, data: ServerFiles, table: Table, name: str, limit: tuple[int, int], path: Path
) -> int:
    """Have the server write so many rows from there on; returns how many there were."""
    listed = ", ".join(_spelled(column) for column in table)
    inside = quote_text(f"./{path.relative_to(data.path)}")
    return connection.execute(
        f"SELECT {listed} INTO OUTFILE {inside} CHARACTER SET binary {_FIELDS} "
        f"FROM {quote_name(name)} USE INDEX () LIMIT {limit[0]}, {limit[1]}"
    )


def _spelled(column: Column) -> str:
    is_bytes = column.type.type_class is TypeClass.BYTES
    return f"HEX(CAST({quote_name(column.name)} AS BINARY))" if is_bytes else exact(column)


def _read(path: Path, table: Table) -> Iterator[pa.RecordBatch]:
    with pa.memory_map(str(path)) as text:
        names = [str(place) for place in range(len(table.columns))]
        parsed = csv.read_csv(
            text,
            csv.ReadOptions(column_names=names, block_size=max(_BLOCK_BYTES, _longest_line(text))),
            csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(
                column_types={name: _parsed(column) for name, column in zip(names, table, strict=True)},
                null_values=[_NULL], strings_can_be_null=True, check_utf8=False,
            ),
        )  # fmt: skip
    for batch in parsed.to_batches():
        arrays = [_value(array, column) for array, column in zip(batch.columns, table, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, names=table.column_names)


def _longest_line(text: pa.MemoryMappedFile) -> int:
    """Bytes of the longest line, with its end: a parser's block has to hold it."""
    ends = np.flatnonzero(np.frombuffer(text.read_buffer(), np.uint8) == ord("\n"))
    text.seek(0)
    return int(np.diff(ends, prepend=-1).max(initial=0))


def _parsed(column: Column) -> pa.DataType:
    """The type in which Arrow reads the text of a column."""
    if column.type.type_class is TypeClass.BYTES:
        return pa.large_binary()
    if column.type.type_class is TypeClass.DECIMAL:
        return pa.string()
    return pa.float64() if column.type.base == "float" else column.type.arrow


def _value(parsed: pa.Array, column: Column) -> pa.Array:
    if column.type.type_class is TypeClass.BYTES:
        return from_digits(parsed).cast(column.type.arrow)
    return parsed if parsed.type == column.type.arrow else parsed.cast(column.type.arrow, safe=False)


def from_digits(spelled: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """The bytes that pairs of hexadecimal digits, of capital letters, stand for.

    >>> from_digits(pa.array([b"00FF", None, b"", b"61"], pa.large_binary())).to_pylist()
    [b'\\x00\\xff', None, b'', b'a']
    """
    _validity, ends, content = spelled.buffers()
    offsets = np.frombuffer(ends, np.int64, len(spelled) + 1, spelled.offset * 8)
    size = int(offsets[-1] - offsets[0])
    digits = np.frombuffer(content, np.uint8, size, int(offsets[0])) if size else np.empty(0, np.uint8)
    values = _DIGITS[digits]
    packed = values[0::2] << 4 | values[1::2]
    halved = (offsets - offsets[0]) >> 1
    known = bitmap_buffer(spelled.is_valid().to_numpy(False) if spelled.null_count else None)
    return pa.Array.from_buffers(
        pa.large_binary(), len(spelled), [known, pa.py_buffer(halved), pa.py_buffer(packed)], spelled.null_count
    )
