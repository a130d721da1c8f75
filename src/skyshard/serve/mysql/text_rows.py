"""Arrow batches → rows of the text protocol, whole columns at a time. No I/O.

A value is its text behind its length (``lenenc``), NULL one byte; a row is its values behind a packet header. Each
column becomes two arrays, lengths and texts, which Arrow joins row by row: the buffer of the result is the stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.db.charsets import codec_of
from skyshard.serve.mysql.definitions import FLOATING_DECIMALS, ColumnType, Definition, Flag
from skyshard.serve.mysql.packets import framed_all, row
from skyshard.serve.mysql.row_packets import Piece, framed_rows, in_pieces, length_marks
from skyshard.serve.number_texts import decimal_texts, double_texts, fixed_texts, float_texts
from skyshard.serve.single_texts import double_text, float_text

FEW_CELLS = 200
"""Up to so many values of a piece are written faster one by one: Arrow's functions take longer to be called."""
_LATIN1_COLLATIONS = frozenset((5, 8, 15, 31, 47, 48, 49, 94))
_ZEROFILL = int(Flag.ZEROFILL)
"""As a plain number, whose bits are compared faster."""
Encode = Callable[[pa.Array, Definition], pa.Array]
"""Texts of a column in UTF-8 → in the character set in which the session wants them."""


def as_they_are(texts: pa.Array, _: Definition) -> pa.Array:
    return texts


def in_three_bytes(texts: pa.Array, _: Definition) -> pa.Array:
    """Texts in utf8mb3, which has no letters of four bytes: ``?`` stands for them, as on a server."""
    return pc.replace_substring_regex(texts, "[\U00010000-\U0010ffff]", "?")


def encoding(codec: str) -> Encode:
    """Texts into another character set than UTF-8; letters that it lacks become ``?``, as on a server."""

    def encode(texts: pa.Array, _: Definition) -> pa.Array:
        if pc.all(pc.string_is_ascii(texts)).as_py() is not False:
            return texts
        kinds = texts.dictionary_encode()
        known = pa.array([one.encode(codec, "replace") for one in kinds.dictionary.to_pylist()], pa.binary())
        return known.take(kinds.indices)

    return encode


def as_stored(texts: pa.Array, definition: Definition) -> pa.Array:
    """Texts in the character set of each column, as a session without one for its results gets them."""
    if definition.charset in _LATIN1_COLLATIONS:
        return encoding(codec_of("latin1"))(texts, definition)
    return texts


def encoded_rows(
    batch: pa.RecordBatch, definitions: Sequence[Definition], sequence: int, encode: Encode = as_they_are
) -> Iterator[Piece]:
    """The packets of a batch's rows in pieces, each with the sequence number of the packet behind it.

    ``sequence``: of the first packet.
    """
    return in_pieces(batch, sequence, lambda piece, number: _encoded(piece, definitions, number, encode))


def _encoded(batch: pa.RecordBatch, definitions: Sequence[Definition], sequence: int, encode: Encode) -> Piece:
    if batch.num_rows * batch.num_columns <= FEW_CELLS:
        return _few_encoded(batch, definitions, sequence, encode)
    parts: list[pa.Array] = []
    lengths = np.zeros(batch.num_rows, np.int64)
    for column, definition in zip(batch.columns, definitions, strict=True):
        texts = value_texts(column, definition, encode)
        before, sizes = length_marks(texts)
        parts += [before, pc.fill_null(texts, b"") if texts.null_count else texts]
        lengths += sizes
    return framed_rows(parts, lengths, sequence)


def _few_encoded(batch: pa.RecordBatch, definitions: Sequence[Definition], sequence: int, encode: Encode) -> Piece:
    """The same of a few values, one by one: Arrow's functions take longer to be called."""
    columns = [_few_texts(column, one, encode) for column, one in zip(batch.columns, definitions, strict=True)]
    return framed_all([row(values) for values in zip(*columns, strict=True)], sequence)


def _few_texts(column: pa.Array, definition: Definition, encode: Encode) -> list[bytes | None]:
    kind = column.type
    if not definition.flags & _ZEROFILL:
        if pa.types.is_integer(kind):
            return [None if value is None else b"%d" % value for value in column.to_pylist()]
        if pa.types.is_floating(kind) and definition.decimals >= FLOATING_DECIMALS:
            text = float_text if definition.type == ColumnType.FLOAT else double_text
            return [None if value is None else text(value).encode() for value in column.to_pylist()]
        if pa.types.is_string(kind) and encode is as_they_are and definition.type != ColumnType.YEAR:
            return [None if value is None else value.encode() for value in column.to_pylist()]
    found: list[bytes | None] = value_texts(column, definition, encode).to_pylist()
    return found


def value_texts(column: pa.Array, definition: Definition, encode: Encode = as_they_are) -> pa.Array:
    """The values of a column as they are sent: binary, NULL as null."""
    texts = _texts(column, definition, encode)
    if definition.flags & _ZEROFILL:
        texts = pc.utf8_lpad(texts, definition.length, "0")
    if pa.types.is_binary(texts.type) or pa.types.is_large_binary(texts.type):
        return texts
    return texts.cast(pa.large_binary() if pa.types.is_large_string(texts.type) else pa.binary())


def _texts(column: pa.Array, definition: Definition, encode: Encode) -> pa.Array:
    kind = column.type
    if definition.type == ColumnType.YEAR and not definition.flags & _ZEROFILL:
        return pc.if_else(pc.equal(column, "0000"), "0", column)  # of an aggregate, which a server takes for a number
    if pa.types.is_floating(kind):
        return _floating(column, definition)
    if pa.types.is_decimal(kind):
        return decimal_texts(column)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return encode(column, definition)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return bit_numbers(column) if definition.is_number else column
    if pa.types.is_fixed_size_binary(kind):
        return column.cast(pa.binary())
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    return column.cast(pa.string())


def bit_numbers(column: pa.Array) -> pa.Array:
    """BITs where an expression makes a whole number of them, as ``MAX(bits)`` does."""
    kinds = column.dictionary_encode()
    known = pa.array([str(int.from_bytes(one, "big")) for one in kinds.dictionary.to_pylist()], pa.string())
    return known.take(kinds.indices)


def _floating(column: pa.Array, definition: Definition) -> pa.Array:
    is_free = definition.decimals >= FLOATING_DECIMALS
    if not is_free:
        return fixed_texts(column, definition.decimals)
    is_short = definition.type == ColumnType.FLOAT
    return float_texts(column) if is_short else double_texts(column)
