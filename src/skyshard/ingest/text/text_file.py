"""Reads text files as blocks of whole rows, packed or not, in UTF-8 or latin1; what is no text is refused.

What a file holds is seen by its first bytes, never by its name. UTF-16 and UTF-32 need a byte-order mark, and are read
as UTF-8; a byte-order mark is no part of the first value.
"""

from __future__ import annotations

import codecs
import gzip
import itertools
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from skyshard.basics.errors import UserError
from skyshard.db.charsets import codec_of
from skyshard.ingest.text.packed_streams import BrokenStreamError, open_bzip2, open_xz
from skyshard.ingest.text.text_fields import Dialect, Marks, field_bounds, field_texts, find_marks
from skyshard.ingest.values.encoded_text import Given
from skyshard.ingest.values.text_values import RowError

BLOCK_BYTES = 16 << 20
_FIRST_BYTES = 1 << 16
_PACKED: tuple[tuple[re.Pattern[bytes], Callable[..., Any]], ...] = (
    (re.compile(rb"\x1f\x8b\x08"), gzip.open),
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), open_bzip2),
    (re.compile(rb"\xfd7zXZ\x00"), open_xz),
)
_PARQUET, _FITS = "a Parquet file", "a FITS file"
_OTHER = {
    b"PK\x03\x04": "a zip archive", b"\x28\xb5\x2f\xfd": "packed by zstd", b"\x04\x22\x4d\x18": "packed by lz4",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive", b"\x1f\x9d": "packed by compress", b"PAR1\x15": _PARQUET,
    b"SIMPLE  =": _FITS, b"\x89HDF\r\n": "an HDF5 file", b"SQLite format 3\x00": "an SQLite database",
    b"%PDF-": "a PDF document", b"ARROW1\0\0": "an Arrow file", b"<?xml ": "an XML document",
    b"<VOTABLE": "an XML document", b"\x93NUMPY": "an array of NumPy", b"\x5d\0\0": "packed by lzma",
}  # fmt: skip
_FIRST = 32
_UNPACK = "unpack it, or write it as text (plain or gzip)"
_WRITE = "write its rows as Parquet or text"
_INSTEAD = {
    _PARQUET: "let its name end in .parquet, or say format: parquet",
    _FITS: "let its name end in .fits or .fits.gz, or say format: fits",
    **dict.fromkeys(("an HDF5 file", "an SQLite database", "a PDF document"), _WRITE),
    **dict.fromkeys(("an Arrow file", "an XML document", "an array of NumPy"), _WRITE),
}
"""What to do with those that nothing unpacks."""
_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"), (codecs.BOM_UTF8, ""),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip


class TextFile:
    """The bytes of a file without its byte-order mark; ``has_mark`` says that they are UTF-8 for certain."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._head = raw.read(4)
        self._decoder: codecs.IncrementalDecoder | None = None
        found = next((item for item in _ENCODINGS if self._head.startswith(item[0])), None)
        self.has_mark = found is not None
        if found is not None:
            self._head = self._head[len(found[0]) :]
            self._decoder = codecs.getincrementaldecoder(found[1])() if found[1] else None

    def read(self, size: int) -> bytes:
        """About so many bytes more; none at the end.

        Raises:
            UnicodeError: bytes that are not what the byte-order mark says.
        """
        while True:
            content = self._head or self._raw.read(size)
            self._head = b""
            if self._decoder is None:
                return content
            text = self._decoder.decode(content, final=not content).encode()
            if text or not content:
                return text


@contextmanager
def open_text(path: str | Path) -> Iterator[TextFile]:
    """A text file, unpacked.

    Raises:
        UserError: it is not there, broken, or no text.
    """
    try:
        with open(path, "rb") as file:
            first = file.read(_FIRST)
        with _unpacked(path, first) as raw:
            head = raw.peek(_FIRST)[:_FIRST]
            if what := _no_text(head):
                packed = ", packed" if head != first and what in _INSTEAD else ""
                remedy = "unpack it" if packed and what == _PARQUET else _INSTEAD.get(what, _UNPACK)
                raise UserError(f"'{path}' is {what}{packed}, no text", remedy=remedy)
            yield TextFile(raw)
    except (EOFError, gzip.BadGzipFile, zlib.error, BrokenStreamError) as error:
        kind = "gzip" if first.startswith(b"\x1f\x8b") else "packed"
        raise UserError(f"'{path}' is a broken {kind} file: {error}", remedy="copy the file again") from None
    except UnicodeError as error:
        raise UserError(f"'{path}' is not what its byte-order mark says: {error}", remedy="write it as UTF-8") from None
    except OSError as error:
        raise UserError(f"cannot read '{path}': {error.strerror or error}", remedy="check the file") from None


def require_text(path: str | Path) -> None:
    """Refuse a file that is something else, as its first bytes show.

    Raises:
        UserError: see ``open_text``.
    """
    with open_text(path):
        pass


def open_unpacked(path: str | Path) -> BufferedReader:
    """The bytes of a file of any kind, unpacked; errors are those of the packers."""
    with open(path, "rb") as file:
        first = file.read(_FIRST)
    return _unpacked(path, first)


def _unpacked(path: str | Path, first: bytes) -> BufferedReader:
    opener = next((opener for magic, opener in _PACKED if magic.match(first)), open)
    return cast(BufferedReader, opener(path, "rb"))  # the others have its methods, too


def _no_text(first: bytes) -> str:
    """What a file is whose first bytes, unpacked, are no text; empty for one that may be."""
    if any(magic.match(first) for magic, _ in _PACKED):
        return "packed twice"
    return next((what for magic, what in _OTHER.items() if first.startswith(magic)), "")


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Whole rows; ``dialect`` is that of the file. Without ``marks`` nothing in them is quoted or escaped but NULL."""

    data: bytes
    dialect: Dialect
    marks: Marks | None = None

    def all_marks(self) -> Marks:
        return self.marks or find_marks(np.frombuffer(self.data, np.uint8), self.dialect)


def row_blocks(path: str, dialect: Dialect) -> Iterator[TextBlock]:
    """Blocks of whole rows, the lines of the header left out.

    Raises:
        UserError: see ``open_text``.
        RowError: a last row that does not end; its row counts from the first of what would be the next block.
    """
    with open_text(path) as file:
        dialect, carry = _begun(file, dialect)
        while more := file.read(max(BLOCK_BYTES, len(carry))):
            block, carry = _whole_rows(carry + more, dialect)
            if block.data:
                yield block
    if carry:
        yield _whole_rows(_ended(carry, dialect), dialect)[0]


def _begun(file: TextFile, dialect: Dialect) -> tuple[Dialect, bytes]:
    """The dialect with what the file itself shows, and what was read of it already behind the header."""
    content, marks = _read_lines(file, dialect, max(1, dialect.header_lines))
    if file.has_mark:
        dialect = replace(dialect, charset="utf8")
    if not dialect.quote:
        end = int(marks.newlines[0]) if len(marks.newlines) else 0
        has_return = content[:end].endswith(b"\r") and end - 1 not in marks.escaped
        dialect = replace(dialect, line_end=b"\r\n" if has_return else b"\n")
    if not dialect.header_lines:
        return dialect, content
    if len(marks.newlines) < dialect.header_lines:
        return dialect, b""
    return dialect, content[int(marks.newlines[dialect.header_lines - 1]) + 1 :]


def _read_lines(file: TextFile, dialect: Dialect, count: int) -> tuple[bytes, Marks]:
    """The first bytes of a file, with as many lines as are wanted or there, and their marks."""
    content, marks = b"", find_marks(np.empty(0, np.uint8), dialect)
    while len(marks.newlines) < count and (more := file.read(max(min(_FIRST_BYTES, BLOCK_BYTES), len(content)))):
        content += more
        marks = find_marks(np.frombuffer(content, np.uint8), dialect)
    return content, marks


def _ended(carry: bytes, dialect: Dialect) -> bytes:
    """The last rows of a file, a newline behind the very last.

    Raises:
        RowError: it ends within a quoted field, or behind an escape.
    """
    marks = find_marks(np.frombuffer(carry, np.uint8), dialect)
    if marks.end == len(carry):
        return carry
    has_return = carry.endswith(b"\r") and len(carry) - 1 not in marks.escaped
    content = carry + (dialect.line_end if dialect.line_end and not has_return else b"\n")
    marks = find_marks(np.frombuffer(content, np.uint8), dialect)
    if marks.open >= 0:
        row = int(np.searchsorted(marks.newlines, marks.open))
        raise RowError("a quote that is never closed", row, "", "close it, or double the quotes of a value")
    if marks.end < len(content):
        raise RowError("the file ends behind an escape", len(marks.newlines), "", "copy the file again")
    return content


def _whole_rows(content: bytes, dialect: Dialect) -> tuple[TextBlock, bytes]:
    """The rows that end here, and what follows them."""
    if _is_plain(content, dialect):
        marks, end = None, content.rfind(b"\n") + 1
    else:
        marks = find_marks(np.frombuffer(content, np.uint8), dialect)
        end = marks.end
        marks = marks.before(end)
    return TextBlock(content[:end], dialect, marks), content[end:]


def _is_plain(block: bytes, dialect: Dialect) -> bool:
    r"""Nothing is quoted, and nothing escaped but the N of ``\N``."""
    if dialect.quote and dialect.quote in block:
        return False
    if not dialect.escape or dialect.escape not in block:
        return True
    is_simple = dialect.null == dialect.escape + b"N"
    return is_simple and block.count(dialect.escape) == block.count(dialect.null)


def first_rows(path: str | Path, dialect: Dialect, count: int) -> list[list[str]]:
    """The first rows of a file, header lines and empty ones among them, at most ``count``, as names: those that are not
    quoted lose the spaces around them, and none is NULL.

    Raises:
        UserError: see ``open_text``.
        RowError: text behind a closing quote, or a quote that is never closed.
    """
    with open_text(path) as file:
        content, marks = _read_lines(file, dialect, count)
        charset: Given = "utf8" if file.has_mark else dialect.charset
    if len(marks.newlines) < count and content:
        content = _ended(content, dialect)
        marks = find_marks(np.frombuffer(content, np.uint8), dialect)
    ends = [0, *(marks.newlines + 1).tolist()]
    return [_row(content[first:last], dialect, charset) for first, last in itertools.pairwise(ends[: count + 1])]


def _row(line: bytes, dialect: Dialect, charset: Given) -> list[str]:
    """The fields of one row."""
    data = np.frombuffer(line, np.uint8)
    marks = find_marks(data, dialect)
    starts, ends = field_bounds(data, marks, len(marks.separators), replace(dialect, line_end=b""))
    if ends[0, -1] == 0:
        return []
    texts = field_texts(data, starts[0], ends[0], replace(dialect, null=b"\n", null_word=False)).to_pylist()
    names = [text.decode(codec_of(charset), errors="replace") for text in texts]
    quote = dialect.quote or b"\n"
    is_quoted = [line[start : start + 1] == quote for start in starts[0].tolist()]
    return [name if quoted else name.strip() for name, quoted in zip(names, is_quoted, strict=True)]
