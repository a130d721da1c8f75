"""The formats of answers: VOTable, CSV, TSV, Parquet; each is written as rows come.

Rules: times are written as DALI has them (with a T); a NULL is an empty cell in CSV and TSV, where an empty text is
``""`` in CSV and not told from NULL in TSV. No I/O.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from skyshard.basics.errors import UserError
from skyshard.serve.batch_pieces import bytes_of
from skyshard.serve.votable.binary2 import Base64Stream, binary2_rows
from skyshard.serve.votable.document import MIME, Serialization, Status, footer, header, without_rows
from skyshard.serve.votable.fields import Field, as_declared
from skyshard.serve.votable.tabledata import tabledata_rows

Fields = tuple[Field, ...]


class Writer(Protocol):
    """Gives the text of a result piece by piece."""

    def begin(self, query: str) -> bytes: ...

    def rows(self, batch: pa.RecordBatch) -> bytes: ...

    def end(self, status: Status, words: str = "") -> bytes: ...


class VOTableWriter:
    """A VOTable; what was cut or went wrong stands behind its rows."""

    def __init__(self, fields: Fields, serialization: Serialization) -> None:
        self._fields, self._serialization = fields, serialization
        self._stream = Base64Stream()

    def begin(self, query: str) -> bytes:
        return header(self._fields, self._serialization, {"QUERY": query})

    def rows(self, batch: pa.RecordBatch) -> bytes:
        if self._serialization is Serialization.TABLEDATA:
            return tabledata_rows(batch, self._fields)
        return self._stream.add(binary2_rows(batch, self._fields))

    def end(self, status: Status, words: str = "") -> bytes:
        return self._stream.end() + footer(self._serialization, status, words)


class CsvWriter:
    """CSV with a header line, lines ended by a newline."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def begin(self, query: str) -> bytes:
        return (",".join(_quoted(field.name) for field in self._fields) + "\n").encode()

    def rows(self, batch: pa.RecordBatch) -> bytes:
        out = io.BytesIO()
        table = pa.Table.from_arrays(_texts(batch, self._fields), [str(place) for place in range(batch.num_columns)])
        pa_csv.write_csv(table, out, pa_csv.WriteOptions(include_header=False))
        return out.getvalue()

    def end(self, status: Status, words: str = "") -> bytes:
        return _cut_short(status, words)


class TsvWriter:
    """TSV with a header line; tabs and ends of lines within texts become blanks."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def begin(self, query: str) -> bytes:
        return ("\t".join(" ".join(field.name.split()) for field in self._fields) + "\n").encode()

    def rows(self, batch: pa.RecordBatch) -> bytes:
        if not batch.num_rows:
            return b""
        kind = pa.large_string()
        cells = [
            pc.fill_null(pc.replace_substring_regex(column.cast(kind), "[\t\r\n]", " "), "")
            for column in _texts(batch, self._fields)
        ]
        lines = pc.binary_join_element_wise(*cells, pa.scalar("\t", kind)) if len(cells) > 1 else cells[0]
        ended = pc.binary_join_element_wise(lines, pa.scalar("\n", kind), pa.scalar("", kind))
        return bytes(bytes_of(ended))

    def end(self, status: Status, words: str = "") -> bytes:
        return _cut_short(status, words)


class ParquetWriter:
    """Parquet, with a VOTable that describes the columns in its metadata (VOParquet 1.0); types as the czar's."""

    def __init__(self, fields: Fields, schema: pa.Schema) -> None:
        content = {b"IVOA.VOTable-Parquet.version": b"1.0"}
        content[b"IVOA.VOTable-Parquet.content"] = without_rows(fields).encode()
        named = [pa.field(field.name, one.type) for field, one in zip(fields, schema, strict=True)]
        self._schema = pa.schema(named, metadata=content)
        self._sink = _Pieces()
        self._writer: Any = pq.ParquetWriter(pa.PythonFile(self._sink, "w"), self._schema, compression="zstd")

    def begin(self, query: str) -> bytes:
        return b""

    def rows(self, batch: pa.RecordBatch) -> bytes:
        self._writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=self._schema))
        return self._sink.taken()

    def end(self, status: Status, words: str = "") -> bytes:
        if status is Status.ERROR:
            raise UserError(words)
        self._writer.close()
        return self._sink.taken()


class _Pieces(io.RawIOBase):
    """A file that is taken away piece by piece while it is written."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        self._written += len(self._pieces[-1])
        return len(self._pieces[-1])

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _quoted(name: str) -> str:
    """A name of the header line, in quotes where it needs them."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"' if any(letter in name for letter in ',"\n\r') else name


def _texts(batch: pa.RecordBatch, fields: Fields) -> list[pa.Array]:
    """Columns as they are printed; DECIMALs with all their digits, bytes in hexadecimal digits."""
    return [_text(column, field) for column, field in zip(batch.columns, fields, strict=True)]


def _text(column: pa.Array, field: Field) -> pa.Array:
    if pa.types.is_decimal(column.type):
        return column.cast(pa.large_string())
    declared = as_declared(column, field)
    if field.is_bytes:
        return pa.array([None if value is None else value.hex() for value in declared.to_pylist()], pa.large_string())
    return declared


def _cut_short(status: Status, words: str) -> bytes:
    """Formats without a place for it: an error ends the connection instead."""
    if status is Status.ERROR:
        raise UserError(words)
    return b""


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its MIME type, and the short names that ask for it."""

    mime: str
    aliases: tuple[str, ...]
    make: Callable[[Fields, pa.Schema], Writer]
    ivo_id: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.mime, *self.aliases)


_TABLE = "ivo://ivoa.net/std/TAPRegExt#output-votable-"
FORMATS = (
    Format(
        f"{MIME};serialization=BINARY2", ("votable/b2", "votable"),
        lambda fields, _: VOTableWriter(fields, Serialization.BINARY2), f"{_TABLE}binary2",
    ),
    Format(
        f"{MIME};serialization=TABLEDATA", ("votable/td",),
        lambda fields, _: VOTableWriter(fields, Serialization.TABLEDATA), f"{_TABLE}td",
    ),
    Format("text/csv;header=present", ("csv",), lambda fields, _: CsvWriter(fields)),
    Format("text/tab-separated-values", ("tsv",), lambda fields, _: TsvWriter(fields)),
    Format("application/vnd.apache.parquet", ("parquet",), ParquetWriter),
)  # fmt: skip
"""The first one is what is given where nothing is asked for."""
_MORE = {MIME: 0, "application/xml": 1, "text/xml": 1, "text/csv": 2}
"""Further MIME types → the places of their formats."""
_SAYS_NOTHING = re.compile(r";(?:charset=(?:utf-8|us-ascii)|(?<=text/tab-separated-values;)header=present)")
"""Parameters of a MIME type that are so anyway."""


def format_of(asked: str) -> Format:
    """The format that a RESPONSEFORMAT asks for, in any case and with or without blanks; what is asked for by its MIME
    type is sent as that (DALI 1.1, section 3.4.3).

    Raises:
        UserError: there is none of that name.

    >>> format_of("Application/X-VOTable+XML; serialization=TableData").aliases, format_of("").aliases
    (('votable/td',), ('votable/b2', 'votable'))
    """
    wanted = _SAYS_NOTHING.sub("", "".join(asked.lower().split()).replace('"', ""))
    if wanted in ("", "*/*"):
        return FORMATS[0]
    for one in FORMATS:
        if wanted in (name.lower() for name in one.names):
            return one
    if wanted in _MORE:
        found = FORMATS[_MORE[wanted]]
        return found if found.mime.startswith(wanted) else replace(found, mime=wanted)
    known = ", ".join(one.aliases[0] for one in FORMATS)
    raise UserError(f"there is no format '{asked}'", remedy=f"ask for one of {known}")
