"""Columns of a binary table: what TFORM and its companions say, as fields of one value each. No I/O.

Rules: a vector becomes numbered fields (``mag_0``, ``mag_1``; ``prof_2_14`` of two axes, the first index changing
slowest), a complex number ``_re`` and ``_im``, bits with TFLAG cards (tables of the LSST pipelines) fields of their
names. Vectors of more than ``MOST_ELEMENTS``, and arrays of variable length other than texts, are lists that no column
takes. Sections are those of the FITS standard 4.0.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import prod

import pyarrow as pa

from skyshard.ingest.fits.header import FitsError, Header

MOST_ELEMENTS = 100
"""Of a vector that becomes columns."""
_FORM = re.compile(r"\s*(\d*)\s*([LXBIJKAEDCMPQ])\s*(.*?)\s*", re.DOTALL)
_ARRAY = re.compile(r"([LXBIJKAEDCM])\s*(?:\(\s*(\d*)\s*\))?.*", re.DOTALL)
_BITS = {"L": 8, "X": 1, "B": 8, "I": 16, "J": 32, "K": 64, "A": 8, "E": 32, "D": 64, "C": 64, "M": 128, "P": 64,
         "Q": 128}  # fmt: skip
_WHOLE = {"B": pa.uint8(), "I": pa.int16(), "J": pa.int32(), "K": pa.int64()}
_TURNED = {"B": pa.int8(), "I": pa.uint16(), "J": pa.uint32(), "K": pa.uint64()}
_PARTS = {"C": "E", "M": "D"}
"""What the parts of a complex number are."""
_ARROW = {"L": pa.bool_(), "X": pa.bool_(), "A": pa.string(), "E": pa.float32(), "D": pa.float64(), "P": pa.string(),
          "Q": pa.string(), **_WHOLE}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scale:
    """TSCAL and TZERO of a column (section 7.3.2): the value is factor x stored + zero."""

    factor: Decimal
    zero: Decimal

    def is_turned(self, code: str) -> bool:
        """True where only the first bit changes: unsigned integers, and signed bytes."""
        bits = _BITS[code]
        return code in _WHOLE and self.factor == 1 and self.zero == (-(1 << 7) if code == "B" else 1 << (bits - 1))

    def is_whole(self, code: str) -> bool:
        """True where whole numbers remain whole."""
        return code in _WHOLE and self.factor == 1 and self.zero == self.zero.to_integral_value()


@dataclass(frozen=True, slots=True)
class Field:
    """One value of each row."""

    name: str
    code: str
    """The letter of TFORM; that of the parts of a complex number; P and Q for texts of variable length."""
    at: int
    """Offset of its bytes in a row."""
    width: int
    """Bytes."""
    bit: int = 0
    """Of a bit: its place in the byte, 0 is the most significant."""
    null: int | None = None
    """TNULL: the stored number that means NULL."""
    scale: Scale | None = None
    elements: int = 1
    """More than 1 for a list that no column takes; of a text of variable length the most letters, 0 where unknown."""
    unit: str = ""
    description: str = ""

    @property
    def is_list(self) -> bool:
        return self.code not in "PQ" and self.elements != 1

    @property
    def arrow(self) -> pa.DataType:
        """The type of its values."""
        kind = _ARROW[self.code]
        if self.scale is not None and self.scale.is_turned(self.code):
            kind = _TURNED[self.code]
        elif self.scale is not None:
            kind = pa.int64() if self.scale.is_whole(self.code) else pa.float64()
        return pa.list_(kind) if self.is_list else kind

    @property
    def longest(self) -> int:
        """Letters of the longest text; 0 where it is not known."""
        return self.width if self.code == "A" else self.elements


def table_fields(header: Header) -> tuple[Field, ...]:
    """The fields of a binary table in the order of its columns.

    Raises:
        FitsError: a column that is not as the standard has it; columns that do not fill the rows.
    """
    columns: list[tuple[str, list[Field]]] = []
    at = 0
    for number in range(1, header.whole("TFIELDS") + 1):
        name = header.text(f"TTYPE{number}").strip() or f"col{number}"
        try:
            fields, size = _column(header, number, name, at)
        except FitsError as error:
            raise FitsError(f"column '{name}': {error.what}", error.remedy) from None
        columns.append((name, fields))
        at += size
    if at != header.whole("NAXIS1"):
        what = f"its columns take {at} bytes, its rows have {header.whole('NAXIS1')}"
        raise FitsError(what, "write the file again")
    return tuple(_apart(columns))


def _column(header: Header, number: int, name: str, at: int) -> tuple[list[Field], int]:
    """The fields of a column, whose names begin with ``_`` where it has several, and its bytes in a row."""
    form = header.text(f"TFORM{number}")
    found = _FORM.fullmatch(form)
    if found is None:
        raise FitsError(f"TFORM '{form}' is none of the standard's", "write it as another type")
    repeat, code, rest = int(found[1] or 1), found[2], found[3]
    size = -(-repeat * _BITS[code] // 8)
    unit, description = header.text(f"TUNIT{number}"), _description(header, number)
    field = Field(name, code, at, _BITS[code] // 8, unit=unit, description=description)
    if not repeat:
        return [], size
    if code in "PQ":
        return [_array(field, rest, form)], size
    if code == "X":
        return _bits(header, number, field, repeat), size
    if code == "A":
        return _texts(field, _axes(header, number, repeat), repeat, rest), size
    field = replace(field, null=_null(header, number, code), scale=_scale(header, number, code))
    return _numbers(field, _axes(header, number, repeat)), size


def _description(header: Header, number: int) -> str:
    """What a column is: the pipelines' TDOC, the registered TCOMM, else the comment of its name."""
    said = (header.text(f"TDOC{number}"), header.text(f"TCOMM{number}"), header.comments.get(f"TTYPE{number}", ""))
    return next((text for text in said if text), "")


def _null(header: Header, number: int, code: str) -> int | None:
    has_one = header.values.get(f"TNULL{number}") is not None and code in _WHOLE
    return header.whole(f"TNULL{number}") if has_one else None


def _scale(header: Header, number: int, code: str) -> Scale | None:
    """None where values are as they are stored; logicals have no scale (section 7.3.2)."""
    factor, zero = header.number(f"TSCAL{number}", 1), header.number(f"TZERO{number}", 0)
    is_scaled = code != "L" and (factor != 1 or zero != 0)
    if is_scaled and code in "CM":
        raise FitsError("complex numbers with TSCAL or TZERO are not read", "write it without them, or omit it")
    return Scale(factor, zero) if is_scaled else None


def _axes(header: Header, number: int, repeat: int) -> tuple[int, ...]:
    """The axes of a vector, the one that changes slowest first; TDIM of more elements than there are counts not.

    Of fewer ones, those behind them have no meaning (section 7.3.2).
    """
    said = re.findall(r"\d+", header.text(f"TDIM{number}"))
    axes = tuple(int(axis) for axis in reversed(said))
    return axes if axes and 0 < prod(axes) <= repeat else (repeat,)


def _array(field: Field, rest: str, form: str) -> Field:
    """A text of variable length, or a list of anything else."""
    found = _ARRAY.fullmatch(rest)
    if found is None:
        raise FitsError(f"TFORM '{form}' is none of the standard's", "write it as another type")
    most = int(found[2] or 0)
    if found[1] == "A":
        return replace(field, elements=most)
    code = _PARTS.get(found[1], found[1])
    return replace(field, code=code, width=_BITS[field.code] // 8, elements=most if most > 1 else 2)


def _bits(header: Header, number: int, field: Field, repeat: int) -> list[Field]:
    bits = [replace(field, at=field.at + place // 8, width=1, bit=place % 8) for place in range(repeat)]
    flags = [header.text(f"TFLAG{place + 1}") for place in range(repeat)] if _is_flags(header, number) else []
    if any(flags):
        said = [header.text(f"TFDOC{place + 1}") for place in range(repeat)]
        return [replace(bit, name=flag, description=text) for bit, flag, text in zip(bits, flags, said, strict=True)
                if flag]  # fmt: skip
    if repeat > MOST_ELEMENTS:
        return [replace(field, width=1, elements=repeat)]
    return bits if repeat == 1 else _numbered(bits, (repeat,))


def _is_flags(header: Header, number: int) -> bool:
    """The column that the TFLAG cards are of: FLAGCOL says so, else it is the first one of bits."""
    forms = (header.text(f"TFORM{other}").lstrip("0123456789 ") for other in range(1, number))
    said = header.values.get("FLAGCOL")
    return said == number if isinstance(said, int) else "X" not in forms


def _texts(field: Field, axes: tuple[int, ...], repeat: int, rest: str) -> list[Field]:
    """One text, or several of one width: the last axis of TDIM, or the number behind the letter (``20A5``)."""
    width = axes[-1] if len(axes) > 1 else int(rest) if rest.isdigit() and 0 < int(rest) <= repeat else repeat
    axes = axes[:-1] if len(axes) > 1 else (repeat // width,)
    count = prod(axes)
    if count > MOST_ELEMENTS:
        return [replace(field, width=repeat, elements=count)]
    texts = [replace(field, at=field.at + place * width, width=width) for place in range(count)]
    return texts if count == 1 else _numbered(texts, axes)


def _numbers(field: Field, axes: tuple[int, ...]) -> list[Field]:
    count, width = prod(axes), field.width
    if count > MOST_ELEMENTS:
        return [replace(field, code=_PARTS.get(field.code, field.code), elements=count)]
    values = [replace(field, at=field.at + place * width) for place in range(count)]
    values = values if count == 1 else _numbered(values, axes)
    return [part for value in values for part in _parts(value)]


def _parts(field: Field) -> Iterator[Field]:
    """Real and imaginary part of a complex number; anything else as it is."""
    if field.code not in "CM":
        yield field
        return
    code, width = _PARTS[field.code], field.width // 2
    yield replace(field, name=f"{field.name}_re", code=code, width=width)
    yield replace(field, name=f"{field.name}_im", code=code, width=width, at=field.at + width)


def _numbered(fields: Sequence[Field], axes: tuple[int, ...]) -> list[Field]:
    places = itertools.product(*(range(axis) for axis in axes))
    return [replace(field, name="_".join((field.name, *map(str, place)))) for field, place in
            zip(fields, places, strict=True)]  # fmt: skip


def _apart(columns: Sequence[tuple[str, Sequence[Field]]]) -> Iterator[Field]:
    """All fields; those of a vector get a second ``_`` before their numbers where a column is called like one of
    them."""
    names = {name.lower() for name, _ in columns}
    for name, fields in columns:
        begin = f"{name}_"
        while len(fields) > 1 and any(field.name.lower() in names for field in fields if field.name.startswith(begin)):
            fields = [replace(field, name=f"{begin}_{field.name.removeprefix(begin)}") for field in fields]
            begin += "_"
        yield from fields
