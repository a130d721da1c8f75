"""Finds the fields of delimited text and their values. Vectorised; no I/O, no loop over rows.

Rules, those that RFC 4180 and LOAD DATA share:

- A field is quoted when its first byte is the quote. It ends at a quote that a separator or the end of the line
  follows. Two quotes inside are one. Any other quote of a quoted field is refused.
- Quotes of other fields are bytes like all others. An escaped byte marks nothing.
- A line ends in LF or CR LF. A line without a byte is no row of a table of several columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.array_types import Bytes, Flags
from skyshard.ingest.values.encoded_text import Given
from skyshard.ingest.values.text_values import RowError

Index = NDArray[np.int64]

_NEWLINE, _RETURN = 10, 13
_UNESCAPED = np.arange(256, dtype=np.uint8)
_UNESCAPED[np.frombuffer(b"0bnrtZ", np.uint8)] = np.frombuffer(b"\x00\x08\n\r\t\x1a", np.uint8)
_NONE: Index = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text file separates and marks values; each mark is one byte, or empty for none.

    ``charset`` is what the bytes are; a column stores them in its own. With ``null_word`` the bare
    word NULL is NULL too, as LOAD DATA has it where fields may be quoted. ``line_end`` is what every line of the file
    ends in; empty: in LF or CR LF, each for itself, as only a quoted field can end in a CR of its own. With
    ``pairs_anywhere`` two quotes are one in fields that are not quoted, too: LOAD DATA where the escape is the quote.
    """

    separator: bytes = b"\t"
    quote: bytes = b""
    escape: bytes = b"\\"
    null: bytes = b"\\N"
    header_lines: int = 0
    charset: Given = "latin1"
    null_word: bool = False
    line_end: bytes = b""
    pairs_anywhere: bool = False

    @property
    def null_texts(self) -> tuple[bytes, ...]:
        """The text that means NULL where it is not quoted."""
        return (self.null, b"NULL") if self.null_word else (self.null,)


@dataclass(frozen=True, slots=True)
class Marks:
    """Offsets of the bytes that end fields (newlines included), and of the newlines among them.

    ``escaped`` are the offsets of bytes behind an escape. ``misplaced`` is where a quoted field goes on behind its
    closing quote, ``open`` where the quoted field begins that does not end; -1 = nowhere.
    """

    separators: Index
    newlines: Index
    escaped: Index
    misplaced: int = -1
    open: int = -1

    @property
    def end(self) -> int:
        """Offset just past the last whole row."""
        return int(self.newlines[-1]) + 1 if len(self.newlines) else 0

    def before(self, stop: int) -> Marks:
        """The marks of the bytes up to ``stop``, which are whole rows."""
        fields, lines, escaped = (
            where[: np.searchsorted(where, stop)] for where in (self.separators, self.newlines, self.escaped)
        )
        return Marks(fields, lines, escaped, self.misplaced if self.misplaced < stop else -1)


def find_marks(data: Bytes, dialect: Dialect) -> Marks:
    """The marks of text that begins with a row; the row at its end may be cut off."""
    is_newline = data == _NEWLINE
    is_mark: Flags = is_newline | (data == dialect.separator[0])
    escaped = _active_escapes(data, dialect.escape) + 1
    escaped = escaped[escaped < len(data)]
    is_mark[escaped] = False
    separators = np.flatnonzero(is_mark)
    misplaced, opened = -1, -1
    if dialect.quote:
        is_quote = data == dialect.quote[0]
        is_quote[escaped] = False
        quotes = np.flatnonzero(is_quote)
        if len(quotes):
            runs = _QuoteRuns.of(data, quotes, is_mark)
            separators = separators[~runs.contain(separators)]
            misplaced, opened = runs.misplaced, runs.open
    return Marks(separators, separators[is_newline[separators]], escaped, misplaced, opened)


def _active_escapes(data: Bytes, escape: bytes) -> Index:
    """Offsets of escape bytes that are not themselves escaped."""
    where = np.flatnonzero(data == escape[0]) if escape else _NONE
    if not len(where):
        return where
    is_start = np.concatenate([[True], np.diff(where) > 1])
    position = np.arange(len(where))
    start_of_run = np.maximum.accumulate(np.where(is_start, position, 0))
    active: Index = where[(position - start_of_run) % 2 == 0]
    return active


@dataclass(frozen=True, slots=True)
class _QuoteRuns:
    """Quotes next to each other, by the first of them; ``is_inside`` says whether a quoted field goes on behind.

    What a run does depends on its length and on what is before it. An even number changes nothing. An odd number
    ends a quoted field; where none is under way it begins one behind a mark, and is plain text elsewhere.
    """

    first: Index
    is_inside: Flags
    misplaced: int
    open: int

    @staticmethod
    def of(data: Bytes, quotes: Index, is_mark: Flags) -> _QuoteRuns:
        """The runs of some quotes; ``is_mark`` says for each byte whether it may end a field."""
        starts = np.flatnonzero(np.concatenate([[True], np.diff(quotes) > 1]))
        first, counts = quotes[starts], np.diff(np.concatenate([starts, [len(quotes)]]))
        is_odd, is_leading = (counts & 1).astype(bool), (first == 0) | is_mark[first - 1]
        turns = np.cumsum(is_odd & is_leading)
        turns_at_end = np.maximum.accumulate(np.where(is_odd & ~is_leading, turns, 0))
        is_inside = ((turns - turns_at_end) & 1).astype(bool)
        was_inside = np.concatenate([[False], is_inside[:-1]])
        is_closing = np.where(was_inside, is_odd, is_leading & ~is_odd)
        wrong = np.flatnonzero(is_closing & ~_ends_field(data, first + counts, is_mark))
        opened = int(first[np.flatnonzero(is_odd & ~was_inside)[-1]]) if is_inside[-1] else -1
        return _QuoteRuns(first, is_inside, int(first[wrong[0]]) if len(wrong) else -1, opened)

    def contain(self, where: Index) -> Flags:
        """Which offsets lie in quoted fields."""
        run = np.searchsorted(self.first, where)
        inside: Flags = np.concatenate([[False], self.is_inside])[run]
        return inside


def _ends_field(data: Bytes, where: Index, is_mark: Flags) -> Flags:
    """Whether a field may end at each offset: at a mark, at a CR before a newline, or where the text breaks off."""
    last = len(data) - 1
    at, behind = np.minimum(where, last), np.minimum(where + 1, last)
    is_return = (data[at] == _RETURN) & ((where >= last) | (data[behind] == _NEWLINE))
    ends: Flags = (where > last) | is_mark[at] | is_return
    return ends


def field_bounds(data: Bytes, marks: Marks, width: int, dialect: Dialect) -> tuple[Index, Index]:
    """Start and end offsets of each field of whole rows, shape (rows, width).

    Raises:
        RowError: a row of another width, a line that ends otherwise, text behind a closing quote.
    """
    starts, ends, last = _line_bounds(data, marks, dialect)
    counts = np.diff(np.concatenate([[-1], last]))
    is_row = np.ones(len(last), bool)
    if width > 1:
        is_row = (counts != 1) | (ends[last] > starts[last])
    if marks.misplaced >= 0:
        line = int(np.searchsorted(marks.newlines, marks.misplaced))
        row = int(np.count_nonzero(is_row[:line]))
        raise RowError("text behind a closing quote", row, "", "double the quotes inside of a quoted value")
    if not is_row.all():
        kept = np.repeat(is_row, counts)
        starts, ends, counts = starts[kept], ends[kept], counts[is_row]
    wrong = np.flatnonzero(counts != width)
    if len(wrong):
        row = int(wrong[0])
        first = int(counts[:row].sum())
        text = data[starts[first] : ends[first + counts[row] - 1]].tobytes()
        remedy = "take lines of comment out" if text.startswith(b"#") else "the schema and the file disagree"
        if not text.strip():
            remedy = "take lines of blanks out"
        raise RowError(f"{counts[row]} columns where the table has {width}", row, "", remedy)
    return starts.reshape(-1, width), ends.reshape(-1, width)


def _line_bounds(data: Bytes, marks: Marks, dialect: Dialect) -> tuple[Index, Index, Index]:
    """Start and end offsets of all fields, one after the other, and which of them are the last of their line."""
    starts = np.concatenate([[0], marks.separators[:-1] + 1])[: len(marks.separators)]
    ends = marks.separators.copy()
    last = np.searchsorted(marks.separators, marks.newlines)
    returns = marks.newlines - 1
    has_return = (starts[last] <= returns) & (data[returns] == _RETURN)
    if len(marks.escaped) and has_return.any():
        has_return &= ~np.isin(returns, marks.escaped)
    if dialect.line_end:
        is_other = has_return != (dialect.line_end == b"\r\n")
        is_other &= np.diff(marks.newlines, prepend=-1) > 1
        if is_other.any():
            raise RowError(
                "the line ends otherwise than the first one of the file (CR LF and LF)", int(is_other.argmax()), "",
                "end all lines alike; a CR that belongs to a value has to be quoted or escaped",
            )  # fmt: skip
    ends[last] -= has_return
    return starts, ends, last


def field_texts(data: Bytes, starts: Index, ends: Index, dialect: Dialect) -> pa.Array:
    """One column's fields as binary values: NULL recognised, quotes stripped, escapes resolved."""
    is_quoted = _begin_with(data, starts, ends, dialect.quote) if dialect.quote else None
    is_null = _are_null(data, starts, ends, dialect)
    if is_quoted is not None:
        starts, ends = starts + is_quoted, ends - is_quoted
        if dialect.escape and dialect.null.startswith(dialect.escape):  # LOAD DATA takes "\N" for \N
            is_null |= is_quoted & _equal(data, starts, ends, dialect.null)
    lengths = np.where(is_null, 0, ends - starts)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    body = data[np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)]
    dropped = _active_escapes(body, dialect.escape)
    if len(dropped):
        body = body.copy()
        body[dropped + 1] = _UNESCAPED[body[dropped + 1]]
    if is_quoted is not None and is_quoted.any():
        dropped = np.union1d(dropped, _doubled(body, dialect.quote[0], dropped + 1, offsets, is_quoted))
    if is_quoted is not None and dialect.pairs_anywhere:
        dropped = np.union1d(dropped, _pairs(body, dialect.quote[0], offsets, ~is_quoted))
    if len(dropped):
        keep = np.ones(len(body), bool)
        keep[dropped] = False
        offsets = np.concatenate([[0], np.cumsum(keep)])[offsets]
        body = body[keep]
    validity = pa.py_buffer(np.packbits(~is_null, bitorder="little").tobytes()) if is_null.any() else None
    buffers = [validity, pa.py_buffer(offsets.astype(np.int32).tobytes()), pa.py_buffer(body.tobytes())]
    return pa.Array.from_buffers(pa.binary(), len(starts), buffers)


def _are_null(data: Bytes, starts: Index, ends: Index, dialect: Dialect) -> Flags:
    """Which fields, quotes included, are a text that means NULL."""
    found = np.zeros(len(starts), bool)
    for text in dialect.null_texts:
        found |= _equal(data, starts, ends, text)
    return found


def _equal(data: Bytes, starts: Index, ends: Index, text: bytes) -> Flags:
    found: Flags = (ends - starts) == len(text)
    for offset, byte in enumerate(text):
        found[found] = data[starts[found] + offset] == byte
    return found


def _begin_with(data: Bytes, starts: Index, ends: Index, mark: bytes) -> Flags:
    found: Flags = ends > starts
    found[found] = data[starts[found]] == mark[0]
    return found


def _doubled(body: Bytes, quote: int, escaped: Index, offsets: Index, is_quoted: Flags) -> Index:
    """Offsets of the first of each pair of quotes in quoted fields, where they come in pairs only."""
    is_quote = body == quote
    is_quote[escaped[escaped < len(body)]] = False
    where = np.flatnonzero(is_quote)
    field = np.searchsorted(offsets, where, side="right") - 1
    return where[is_quoted[field]][::2]


def _pairs(body: Bytes, quote: int, offsets: Index, is_asked: Flags) -> Index:
    """Offsets of every second one of quotes next to each other, in the fields that are asked for."""
    where = np.flatnonzero(body == quote)
    field = np.searchsorted(offsets, where, side="right") - 1
    where, field = where[is_asked[field]], field[is_asked[field]]
    if not len(where):
        return where
    is_first = np.concatenate([[True], (np.diff(where) > 1) | (np.diff(field) > 0)])
    place = np.arange(len(where))
    is_second: Flags = (place - np.maximum.accumulate(np.where(is_first, place, 0))) % 2 == 1
    return where[is_second]
