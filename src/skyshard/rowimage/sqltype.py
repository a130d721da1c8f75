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

from skyshard.basics.errors import UserError
from skyshard.db.charsets import BYTES_A_CHARACTER


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

    ``base`` is the canonical lower-case name (``bigint``, ``double``, ``varchar`` ...), ``arguments`` what the
    parentheses hold, as integers where it was numbers.
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
            precision = precision or 10
            return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
        return pa.large_binary() if self.is_blob else pa.binary()

    @property
    def is_blob(self) -> bool:
        """Stored outside the fixed record: such a table takes the LOAD DATA path."""
        return self.base.endswith(("blob", "text")) or self.base in ("json", "geometry")

    @property
    def charset(self) -> str:
        """Character set of a text type as it is declared, ``latin1`` where none is; empty for other types.

        >>> parse_type("varchar(8) collate utf8mb4_bin").charset, parse_type("NATIONAL CHAR(2)").charset
        ('utf8mb4', 'utf8mb3')
        """
        return _charset(self.text, self.base)

    def in_charset(self, charset: str, collation: str = "") -> SqlType:
        """The type as it is in a table of this default: with its own character set, if it names one.

        >>> parse_type("char(3)").in_charset("utf8mb4", "utf8mb4_bin").text
        'char(3) character set utf8mb4 collate utf8mb4_bin'
        >>> parse_type("char(3) ascii").in_charset("utf8mb4").text, parse_type("int").in_charset("utf8mb4").text
        ('char(3) ascii', 'int')
        """
        tail = self.text.rpartition(")")[2].lower()
        if self.base not in _TEXT_BASES or _CHARSET.search(tail):
            return self
        is_bin = tail.endswith(" binary")  # of its character set
        return parse_type(
            f"{self.text} character set {charset}{f' collate {collation}' * bool(collation and not is_bin)}"
        )

    @property
    def most_bytes(self) -> int:
        """Bytes that a value of a BLOB or TEXT type may have.

        A declared length makes the server take the smallest of the four types that holds so many characters.
        """
        size = next((size for name, size in _BLOB_BYTES.items() if self.base.startswith(name)), 2**16 - 1)
        if not self.arguments or self.base not in ("blob", "text"):
            return size
        wanted = self.arguments[0] * BYTES_A_CHARACTER.get(self.charset, 1)
        return next((size for size in _BLOB_SIZES if wanted <= size), _BLOB_SIZES[-1])

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
    "nchar": "char", "nvarchar": "varchar", "nchar varying": "varchar", "year": "year",
}  # fmt: skip
MOST_DIGITS, MOST_SCALE = 65, 38
_NATIONAL = re.compile(r"national |nchar|nvarchar")
_CHARSET = re.compile(
    r"\b(?:char(?:acter)? set|charset)\s*=?\s*['\"`]?(\w+)|\bcollate\s*['\"`]?([a-z0-9]+)|\b(ascii|unicode|byte)\b"
)
_ATTRIBUTE_CHARSETS = {"ascii": "latin1", "unicode": "ucs2", "byte": "binary"}
"""ASCII and UNICODE as attributes are MySQL's old words for these sets."""
_TEXT_BASES = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
_BINARY_BASES = {
    "char": "binary", "varchar": "varbinary", "tinytext": "tinyblob", "text": "blob", "mediumtext": "mediumblob",
    "longtext": "longblob",
}  # fmt: skip
"""What the server makes of a text type in the character set ``binary``."""
_BLOB_SIZES = (2**8 - 1, 2**16 - 1, 2**24 - 1, 2**32 - 1)
_BLOB_BYTES = {"tiny": 2**8 - 1, "medium": 2**24 - 1, "long": 2**32 - 1, "json": 2**32 - 1, "geometry": 2**32 - 1}
_KNOWN = {
    *_INTEGER_BITS, "float", "double", "decimal", "char", "varchar", "binary", "varbinary", "bit", "date", "time",
    "datetime", "timestamp", "year", "enum", "set", "tinyblob", "blob", "mediumblob", "longblob", "tinytext", "text",
    "mediumtext", "longtext", "json", "geometry",
}  # fmt: skip
_TYPE = re.compile(
    r"\s*((?:national\s+|nchar\s+)?[a-z]+[0-9]?(?:\s+(?:precision|varying))?)\s*(?:\(([^)]*)\))?(.*)$",
    re.IGNORECASE | re.DOTALL,
)
_BLANKS = re.compile(r"('(?:[^'\\]|\\.)*')|\s+", re.DOTALL)
"""Texts in quotes, which stay as they are, and blanks between words."""


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
    is_national = _NATIONAL.match(name) is not None
    name = re.sub(r"^(national|nchar) (?=.*char)", "", name)
    base = _ALIASES.get(name, name)
    if match is None or base not in _KNOWN:
        raise UserError(
            f"unsupported column type '{text.strip()}'", remedy="see docs/reference/sources.md for the types that load"
        )
    inner, tail = match.group(2), match.group(3).lower().split()
    _require_arguments(text.strip(), base, inner)
    if base == "float" and inner and int(inner.split(",")[0]) > 24 and "," not in inner:
        base = "double"
    if name in ("bool", "boolean"):
        inner = "1"
    arguments = tuple(int(part) for part in inner.split(",")) if inner and base not in ("enum", "set") else ()
    flags = [word for word in tail if word in ("unsigned", "zerofill")]
    spelled = _BLANKS.sub(lambda found: found[1] or " ", text.strip())
    canonical = spelled if base in ("enum", "set") else spelled.lower()
    if is_national:
        canonical = f"{base}{f'({inner})' * bool(inner)} character set utf8mb3{match.group(3).lower()}"
    if _charset(canonical, base) == "binary":
        base = _BINARY_BASES.get(base, base)
    return SqlType(canonical, base, arguments, bool(flags))


def _require_arguments(text: str, base: str, inner: str | None) -> None:
    """Refuse content of parentheses that later steps could not interpret."""
    if base in ("enum", "set"):
        if "'" not in (inner or ""):
            raise UserError(f"column type '{text}' has no members", remedy="write enum('a','b')")
        return
    numbers = (inner or "0").split(",")
    if not all(number.strip().isdecimal() for number in numbers) or len(numbers) > 2:
        raise UserError(f"column type '{text}' is no type", remedy="write whole numbers in its parentheses")
    precision, scale = (*map(int, numbers), 0)[:2]
    if base == "decimal" and (precision > MOST_DIGITS or scale > min(precision or scale, MOST_SCALE)):
        remedy = f"a DECIMAL has at most {MOST_DIGITS} digits, {MOST_SCALE} of them behind the point"
        raise UserError(f"column type '{text}' is no type", remedy=remedy)


@lru_cache(maxsize=4096)
def _charset(text: str, base: str) -> str:
    if base == "json":
        return "utf8mb4"
    if base not in _TEXT_BASES:
        return ""
    found = _CHARSET.search(text.rpartition(")")[2].lower())
    if found is None:
        return "latin1"
    return found.group(1) or found.group(2) or _ATTRIBUTE_CHARSETS[found.group(3)]
