"""SQL column types as MariaDB spells them, and what each is in Arrow.

Rule: the text of a type goes to the server unchanged; what is derived here (Arrow type, class) only says how values
travel. No I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import pyarrow as pa

from skyshard.errors import UserError


class TypeClass(StrEnum):
    """How values of a column travel in Arrow."""

    INTEGER = "integer"
    FLOATING = "floating"
    DECIMAL = "decimal"
    BYTES = "bytes"
    """Text, binary, BIT, dates and times: the bytes that LOAD DATA would read, in the column's character set."""


@dataclass(frozen=True, slots=True)
class SqlType:
    """One column type.

    ``base`` is the canonical lower-case name (``bigint``, ``double``, ``varchar`` ...), ``arguments`` what stood in
    parentheses, as integers where it was numbers.
    """

    text: str
    base: str
    arguments: tuple[int, ...] = ()
    is_unsigned: bool = False

    @property
    def type_class(self) -> TypeClass:
        if self.base in _INTEGER_BITS:
            return TypeClass.INTEGER
        if self.base in ("float", "double"):
            return TypeClass.FLOATING
        return TypeClass.DECIMAL if self.base == "decimal" else TypeClass.BYTES

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type of a batch column of this type."""
        if self.base in _INTEGER_BITS:
            bits = {24: 32}.get(_INTEGER_BITS[self.base], _INTEGER_BITS[self.base])
            return pa.type_for_alias(f"{'u' if self.is_unsigned else ''}int{bits}")
        if self.base == "float":
            return pa.float32()
        if self.base == "double":
            return pa.float64()
        if self.base == "decimal":
            precision, scale = (*self.arguments, 10, 0)[:2] if len(self.arguments) != 1 else (self.arguments[0], 0)
            return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
        return pa.large_binary() if self.is_blob else pa.binary()

    @property
    def is_blob(self) -> bool:
        """Stored outside the fixed record: such a table takes the LOAD DATA path."""
        return self.base.endswith(("blob", "text")) or self.base in ("json", "geometry")

    @property
    def length(self) -> int:
        """Declared length of CHAR, VARCHAR, BINARY, VARBINARY, BIT (1 if none is declared)."""
        return self.arguments[0] if self.arguments else 1

    def integer_range(self) -> tuple[int, int]:
        """Smallest and largest value, both inclusive."""
        bits = _INTEGER_BITS[self.base]
        return (0, 2**bits - 1) if self.is_unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


_INTEGER_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_ALIASES = {
    "bool": "tinyint", "boolean": "tinyint", "int1": "tinyint", "int2": "smallint", "int3": "mediumint",
    "int4": "int", "int8": "bigint", "integer": "int", "middleint": "mediumint", "real": "double",
    "double precision": "double", "float4": "float", "float8": "double", "numeric": "decimal", "dec": "decimal",
    "fixed": "decimal", "character": "char", "character varying": "varchar", "char varying": "varchar",
    "nchar": "char", "nvarchar": "varchar", "year": "year",
}  # fmt: skip
_KNOWN = {
    *_INTEGER_BITS, "float", "double", "decimal", "char", "varchar", "binary", "varbinary", "bit", "date", "time",
    "datetime", "timestamp", "year", "enum", "set", "tinyblob", "blob", "mediumblob", "longblob", "tinytext", "text",
    "mediumtext", "longtext", "json",
}  # fmt: skip
_TYPE = re.compile(r"\s*([a-z]+[0-9]?(?:\s+(?:precision|varying))?)\s*(?:\(([^)]*)\))?(.*)$", re.IGNORECASE | re.DOTALL)


@lru_cache(maxsize=4096)
def parse_type(text: str) -> SqlType:
    """Read a column type such as ``bigint(20) unsigned``.

    Raises:
        UserError: a type that Skyshard cannot carry.

    >>> parse_type("BIGINT(20) UNSIGNED")
    SqlType(text='bigint(20) unsigned', base='bigint', arguments=(20,), is_unsigned=True)
    >>> parse_type("double precision").base, parse_type("VARCHAR(80)").length
    ('double', 80)
    """
    match = _TYPE.match(text)
    name = re.sub(r"\s+", " ", match.group(1).lower()) if match else ""
    base = _ALIASES.get(name, name)
    if match is None or base not in _KNOWN:
        raise UserError(
            f"unsupported column type '{text.strip()}'", remedy="see docs/ingest.md for the types that load"
        )
    inner, tail = match.group(2), match.group(3).lower().split()
    if base == "float" and inner and int(inner.split(",")[0]) > 24 and "," not in inner:
        base = "double"
    if name in ("bool", "boolean"):
        inner = "1"
    arguments = tuple(int(part) for part in inner.split(",")) if inner and base not in ("enum", "set") else ()
    flags = [word for word in tail if word in ("unsigned", "zerofill")]
    spelled = re.sub(r"\s+", " ", text.strip())
    canonical = spelled if base in ("enum", "set") else spelled.lower()
    return SqlType(canonical, base, arguments, bool(flags))
