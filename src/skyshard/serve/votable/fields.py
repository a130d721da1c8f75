"""The columns of a VOTable, and which of its types a column of a result has.

Rules: a type holds every value of the column, but that a DECIMAL becomes a double. Types depend on the column, never on
its rows: ``char`` is ASCII only, so texts are ``unicodeChar`` unless a schema says that they are plain; a letter that a
column's type cannot hold is refused. Source: IVOA VOTable 1.4 and DALI 1.1, section 3.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.errors import UserError
from skyshard.rowimage.arrays import as_doubles
from skyshard.rowimage.sqltype import SqlType

UNICODE, BOOLEAN = "unicodeChar", "boolean"
TIMES = ("date", "datetime", "timestamp")
"""SQL types whose values are times; they come as texts."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column as VOTable declares it; ``arraysize`` is empty for single numbers."""

    name: str
    datatype: str
    arraysize: str = ""
    xtype: str = ""
    unit: str = ""
    ucd: str = ""
    description: str = ""
    utype: str = ""

    @property
    def is_text(self) -> bool:
        return self.datatype in ("char", UNICODE)

    @property
    def is_bytes(self) -> bool:
        return self.datatype == "unsignedByte" and bool(self.arraysize)


_NUMBERS: dict[pa.DataType, tuple[str, str]] = {
    pa.bool_(): ("short", ">i2"), pa.int8(): ("short", ">i2"), pa.uint8(): ("short", ">i2"),
    pa.int16(): ("short", ">i2"), pa.uint16(): ("int", ">i4"), pa.int32(): ("int", ">i4"),
    pa.uint32(): ("long", ">i8"), pa.int64(): ("long", ">i8"), pa.uint64(): ("long", ">i8"),
    pa.float32(): ("float", ">f4"), pa.float64(): ("double", ">f8"),
}  # fmt: skip
NUMPY_TYPES = {**dict(_NUMBERS.values()), "unsignedByte": ">u1", BOOLEAN: ">u1"}
"""VOTable's type of a number → NumPy's, big-endian; a boolean is a letter."""
_ARROW_TYPES = {
    "short": pa.int16(), "int": pa.int32(), "long": pa.int64(), "float": pa.float32(), "double": pa.float64(),
    "unsignedByte": pa.uint8(), BOOLEAN: pa.int8(),
}  # fmt: skip


def field_of(name: str, kind: pa.DataType, sql_type: SqlType | None = None, *, is_plain: bool = False) -> Field:
    """The field of a column of this Arrow type, and of this SQL type where that is known.

    ``is_plain``: its texts are ASCII.

    >>> from skyshard.rowimage.sqltype import parse_type
    >>> field_of("n", pa.uint32()).datatype, field_of("t", pa.string(), parse_type("datetime")).xtype
    ('long', 'timestamp')
    """
    if kind in _NUMBERS:
        return Field(name, _NUMBERS[kind][0])
    if pa.types.is_decimal(kind):
        return Field(name, "double")
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return Field(name, "unsignedByte", "*")
    base = sql_type.base if sql_type is not None else ""
    is_plain = is_plain or base in TIMES or base in ("time", "year")
    return Field(name, "char" if is_plain else UNICODE, "*", "timestamp" if base in TIMES else "")


def with_distinct_names(fields: Iterable[Field]) -> tuple[Field, ...]:
    """The same fields, names made different where they repeat, as readers of VOTables and Parquet want them.

    >>> [field.name for field in with_distinct_names([Field("n", "int"), Field("n", "int"), Field("N_2", "int")])]
    ['n', 'n_2', 'N_2_2']
    """
    taken: set[str] = set()
    found = []
    for field in fields:
        name, count = field.name, 1
        while name.lower() in taken:
            count += 1
            name = f"{field.name}_{count}"
        taken.add(name.lower())
        found.append(replace(field, name=name))
    return tuple(found)


def as_declared(column: pa.Array, field: Field) -> pa.Array:
    """The values of a column in the Arrow type that its field stands for.

    Raises:
        UserError: a whole number has no room in 64 bits with a sign.
    """
    if field.is_text:
        texts = column.cast(pa.large_string())
        return pc.replace_substring(texts, " ", "T") if field.xtype == "timestamp" else texts
    if field.is_bytes:
        return column.cast(pa.large_binary())
    wanted = _ARROW_TYPES[field.datatype]
    if column.type == wanted:
        return column
    try:
        if pa.types.is_floating(wanted):
            return as_doubles(column).cast(wanted)
        return column.cast(wanted, safe=not pa.types.is_decimal(column.type))
    except pa.ArrowInvalid:
        raise UserError(
            f"column '{field.name}' has a whole number that VOTable cannot hold", remedy="cast it to DOUBLE PRECISION"
        ) from None


def declared_batches(batch: pa.RecordBatch, fields: tuple[Field, ...]) -> Iterator[pa.Array]:
    """The columns of a batch, each as its field declares it."""
    for column, field in zip(batch.columns, fields, strict=True):
        yield as_declared(column, field)
