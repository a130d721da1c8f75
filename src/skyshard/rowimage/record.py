"""The record of a fixed-format MyISAM table: which bytes of it hold which column.

Rules: the null area comes first (live marker, then one bit a nullable column and the uneven bits of BIT columns, in
column order, least significant bit first), then the columns packed without gaps. A record has at least 7 bytes.
Derived from files that MariaDB 10.11 wrote. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import Bytes
from skyshard.basics.errors import UserError
from skyshard.db.charsets import BYTES_A_CHARACTER, codec_of
from skyshard.rowimage.arrays import Origin
from skyshard.rowimage.decimals import DecimalCodec
from skyshard.rowimage.enum_set import MemberCodec, parse_members
from skyshard.rowimage.sqltype import SqlType, TypeClass
from skyshard.rowimage.strings import BitCodec, MediumintCodec, TextCodec
from skyshard.rowimage.temporal import BASES as TEMPORAL_BASES
from skyshard.rowimage.temporal import TemporalCodec

SHORTEST_RECORD = 7
_LOAD_DATA_PATH = "such a table takes the LOAD DATA path"


class FieldLike(Protocol):
    """What a record needs to know of a column; `schema.Column` is one too."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> SqlType: ...
    @property
    def is_nullable(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Field:
    """A column as a record sees it."""

    name: str
    type: SqlType
    is_nullable: bool = True


class Codec(Protocol):
    """Values of one type ↔ their stored bytes, a matrix row each."""

    @property
    def width(self) -> int: ...
    def encode(self, array: pa.Array, origin: Origin) -> Bytes: ...
    def decode(self, cells: Bytes, valid: Bytes | None) -> pa.Array: ...


@dataclass(frozen=True, slots=True)
class RecordSlot:
    """Where a column is in a record.

    ``plain`` is the NumPy type of values that are stored unchanged; for other types ``codec`` or ``bit`` is set.
    ``null_bit`` and ``uneven_bit`` count bits of the null area from its first; -1 = has none.
    """

    name: str
    type: SqlType
    is_nullable: bool
    arrow: pa.DataType
    offset: int
    width: int
    null_bit: int = -1
    uneven_bit: int = -1
    plain: np.dtype[Any] | None = None
    codec: Codec | None = None
    bit: BitCodec | None = None

    def target(self, records: Records, dtype: Any = None) -> Any:
        """The column's bytes in all records, as a strided view."""
        if dtype is None:
            dtype = self.plain if self.plain is not None else f"V{self.width}"
        return bytes_at(records, self.offset, dtype)


Records: TypeAlias = np.ndarray[tuple[int], np.dtype[np.void]]


def bytes_at(records: Records, offset: int, dtype: Any = np.uint8) -> Any:
    """The values at ``offset`` bytes into each record, as a strided view."""
    if not len(records):
        return np.empty(0, dtype)
    return np.ndarray((len(records),), dtype, records, offset, records.strides)


@dataclass(frozen=True, eq=False, slots=True)
class RecordLayout:
    """The record of a table: its slots in column order and its lengths in bytes.

    ``dtype`` names every column that has bytes of its own; integers and floats of 1, 2, 4 and 8 bytes can be read
    from it as they are, all others are raw bytes (`unpack` reads them).

    >>> from skyshard.rowimage.sqltype import parse_type
    >>> layout = RecordLayout.of([Field("id", parse_type("bigint"), False), Field("mag", parse_type("float"), True)])
    >>> [(slot.name, slot.offset, slot.null_bit) for slot in layout.slots], layout.null_bytes, layout.length
    ([('id', 1, -1), ('mag', 9, 1)], 1, 13)
    """

    slots: tuple[RecordSlot, ...]
    null_bytes: int
    length: int
    dtype: np.dtype[np.void]
    empty_nulls: Bytes
    """The null area of a live row whose nullable columns are all NULL and whose uneven bits are 0."""

    @staticmethod
    def of(fields: Iterable[FieldLike]) -> RecordLayout:
        """Lay the columns out.

        Raises:
            UserError: a column that no fixed record holds, two columns of one name, an unknown character set.
        """
        return _layout(tuple(Field(field.name, field.type, field.is_nullable) for field in fields))

    @staticmethod
    def is_packable(fields: Iterable[FieldLike]) -> bool:
        """True when `pack` can write rows of these columns; else they take the LOAD DATA path."""
        return not any(field.type.is_blob or _is_rounded(field.type) for field in fields)


def _is_rounded(kind: SqlType) -> bool:
    """FLOAT(M,D) and DOUBLE(M,D): the server rounds on the way in, which only LOAD DATA does."""
    return kind.type_class is TypeClass.FLOATING and len(kind.arguments) == 2


def require_packable(layout: RecordLayout) -> None:
    """Raises:
    UserError: a column whose values only the server may store.
    """
    for slot in layout.slots:
        if _is_rounded(slot.type):
            raise UserError(f"column '{slot.name}': {slot.type.text} is rounded by the server", remedy=_LOAD_DATA_PATH)


Storage: TypeAlias = tuple[np.dtype[Any] | None, Codec | None, BitCodec | None]


@lru_cache(maxsize=512)
def _layout(fields: tuple[Field, ...]) -> RecordLayout:
    storages = [_storage(field) for field in fields]
    bits = _bits(fields, storages)
    null_bytes = (bits.used + 7) // 8
    offset, slots = null_bytes, []
    for field, (plain, codec, bit), (null_bit, uneven_bit) in zip(fields, storages, bits.of_field, strict=True):
        width = plain.itemsize if plain is not None else codec.width if codec else bit.width if bit else 0
        where = (offset, width, null_bit, uneven_bit, plain, codec, bit)
        slots.append(RecordSlot(field.name, field.type, field.is_nullable, field.type.arrow, *where))
        offset += width
    length = max(offset, SHORTEST_RECORD)
    return RecordLayout(tuple(slots), null_bytes, length, _dtype(slots, length), _null_area(null_bytes, bits.uneven))


@dataclass(slots=True)
class _Bits:
    """The null area while the record is laid out: bits in use, bits of BIT columns, and both bits of each field."""

    used: int
    uneven: list[int]
    of_field: list[tuple[int, int]]


def _bits(fields: tuple[Field, ...], storages: list[Storage]) -> _Bits:
    bits = _Bits(1, [], [])
    for field, (_, _, bit) in zip(fields, storages, strict=True):
        null_bit = bits.used if field.is_nullable else -1
        bits.used += field.is_nullable
        count = bit.uneven if bit else 0
        bits.of_field.append((null_bit, bits.used if count else -1))
        bits.uneven += range(bits.used, bits.used + count)
        bits.used += count
    return bits


def _null_area(null_bytes: int, uneven: list[int]) -> Bytes:
    bits = np.ones(null_bytes * 8, np.uint8)
    bits[uneven] = 0
    return np.packbits(bits, bitorder="little")


def _dtype(slots: list[RecordSlot], length: int) -> np.dtype[np.void]:
    names = [slot.name for slot in slots]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"column '{twice}' is named twice", remedy="give each column its own name")
    held = [slot for slot in slots if slot.width]
    return np.dtype(
        {
            "names": [slot.name for slot in held],
            "formats": [slot.plain if slot.plain is not None else f"V{slot.width}" for slot in held],
            "offsets": [slot.offset for slot in held],
            "itemsize": length,
        }
    )


def _storage(field: Field) -> Storage:
    """How a column's values become bytes: as they are, through a codec, or as BIT."""
    kind = field.type
    if kind.is_blob:
        raise UserError(f"column '{field.name}': no row image holds {kind.text}", remedy=_LOAD_DATA_PATH)
    if kind.base == "bit":
        return None, None, BitCodec(kind.length)
    if kind.base == "mediumint":
        return None, MediumintCodec(kind.is_unsigned), None
    if kind.type_class in (TypeClass.INTEGER, TypeClass.FLOATING):
        return np.dtype(kind.arrow.to_pandas_dtype()).newbyteorder("<"), None, None
    return None, _codec(field), None


def _codec(field: Field) -> Codec:
    kind = field.type
    if kind.base == "decimal":
        return DecimalCodec(kind.arrow.precision, kind.arrow.scale, kind.is_unsigned)
    if kind.base in TEMPORAL_BASES:
        digits = kind.arguments[0] if kind.arguments and kind.base not in ("date", "year") else 0
        return TemporalCodec(kind.base, digits)
    if kind.charset and kind.charset not in BYTES_A_CHARACTER:
        raise UserError(
            f"column '{field.name}': unknown character set '{kind.charset}'",
            remedy=f"use one of {sorted(BYTES_A_CHARACTER)}",
        )
    if kind.base in ("enum", "set"):
        members = tuple(member.encode(codec_of(kind.charset)) for member in parse_members(kind.text))
        return MemberCodec(members, kind.base == "set")
    return TextCodec(kind.base, kind.length, BYTES_A_CHARACTER.get(kind.charset, 1))
