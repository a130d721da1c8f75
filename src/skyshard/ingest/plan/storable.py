"""Checks whether MariaDB can make a table, as far as that is known without asking a server. No I/O.

The numbers are MariaDB 10.11's, each tried on a server. What these rules do not know, ``server_check`` asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Table
from skyshard.db.charsets import BYTES_A_CHARACTER, encoded
from skyshard.ingest.sources.column_names import twin_names
from skyshard.rowimage.enum_set import parse_members
from skyshard.rowimage.record import Field, RecordLayout
from skyshard.rowimage.sqltype import SqlType, parse_type

MOST_ROW_BYTES = 65_535
MOST_COLUMNS = 4_096
MOST_KEYS = 64
MOST_KEY_COLUMNS = 32
MOST_INNODB_COLUMNS = 1_017
MOST_INNODB_ROW_BYTES = 8_126
"""Of the parts that InnoDB keeps in a page, of which two rows must fit into one of 16 KiB."""
_KEY_BYTES = {"MyISAM": 1_000, "Aria": 2_000, "InnoDB": 3_072, "MyRocks": 3_072}
_POINTER_BYTES = 8
_LONGEST = {"char": 255, "binary": 255, "varchar": 65_532, "varbinary": 65_532}
_STRINGS = tuple(_LONGEST)
_LONGEST |= {"bit": 64, "time": 6, "datetime": 6, "timestamp": 6}
_MOST_MEMBERS = {"enum": 65_535, "set": 64}
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_ATTRIBUTE = re.compile(r"\b(compressed|generated|as|invisible|unique|key|auto_increment|check|references)\b", re.I)
"""What may follow a type, but makes another table of it than its columns and keys say."""


def require_storable(table: Table, engine: str) -> None:
    """Refuse a stored table that no server would make.

    Raises:
        UserError: names the table, and the column or key where it is one's.
    """
    where = f"table '{table.name}'"
    _require_distinct(where, "columns", table.column_names)
    if len(table.columns) > MOST_COLUMNS:
        raise UserError(f"{where}: {len(table.columns):,} columns", remedy=f"a table has at most {MOST_COLUMNS:,}")
    for column in table:
        _require_type(f"{where}, column '{column.name}'", column.type)
    if engine == "InnoDB":
        _require_innodb(where, table)
    size = row_bytes(table)
    if size > MOST_ROW_BYTES:
        raise UserError(
            f"{where}: a row of {size:,} bytes is too long for the server, which takes {MOST_ROW_BYTES:,}",
            remedy="shorten CHAR and VARCHAR columns, or make them TEXT",
        )
    _require_keys(where, table, engine)


def require_tables_distinct(names: Iterable[str]) -> None:
    """Refuse tables whose names differ in case only: to many clients and file systems they are one.

    Raises:
        UserError: names both.
    """
    _require_distinct("the catalog", "tables", list(names))


def _require_distinct(where: str, what: str, names: Sequence[str]) -> None:
    for name, others in twin_names(names).items():
        raise UserError(
            f"{where}: '{name}' and '{others[0]}' are one name to SQL", remedy=f"give {what} names that differ"
        )


def _require_type(where: str, kind: SqlType) -> None:
    is_binary = kind.charset == "binary"  # only where it leaves ENUM and SET what they are
    if is_binary or (kind.charset and kind.charset not in BYTES_A_CHARACTER):
        raise UserError(
            f"{where}: character set '{kind.charset}' of {kind.text}",
            remedy=f"use one of {', '.join(BYTES_A_CHARACTER)}",
        )
    if attribute := _ATTRIBUTE.search(_QUOTED.sub("", kind.text)):
        raise UserError(f"{where}: {attribute[0].upper()} in {kind.text}", remedy="give the type alone")
    if kind.base in ("enum", "set"):
        _require_members(where, kind)
    longest = _LONGEST.get(kind.base)
    if longest is None:
        return
    if kind.base.startswith("var"):
        longest //= BYTES_A_CHARACTER.get(kind.charset, 1)
        if not kind.arguments:
            raise UserError(f"{where}: {kind.text} without a length", remedy=f"write {kind.base}(20) or the like")
    if kind.length > longest:
        remedy = f"at most {kind.base}({longest})" + ", or make it TEXT" * (kind.base in _STRINGS)
        raise UserError(f"{where}: {kind.text} is too long", remedy=remedy)


def _require_members(where: str, kind: SqlType) -> None:
    members = parse_members(kind.text)
    most = _MOST_MEMBERS[kind.base]
    if len(members) > most:
        raise UserError(f"{where}: {len(members):,} members", remedy=f"{kind.base.upper()} has at most {most:,}")
    for member in members:
        try:
            encoded(member, kind.charset)
        except UnicodeEncodeError:
            raise UserError(
                f"{where}: member '{member}' has a character outside {kind.charset}",
                remedy="replace the character, or declare the column utf8mb4",
            ) from None


def row_bytes(table: Table) -> int:
    """Bytes of a row as the server counts them: BLOBs and TEXTs by their length and pointer.

    >>> from skyshard.catalog.schema import Column
    >>> row_bytes(Table("t", (Column("a", parse_type("char(255)"), False), Column("b", parse_type("blob")))))
    266
    """
    blobs = [column for column in table if column.type.is_blob]
    fields = [Field(c.name, parse_type("tinyint") if c.type.is_blob else c.type, c.is_nullable) for c in table]
    outside = sum((column.type.most_bytes.bit_length() + 7) // 8 + _POINTER_BYTES - 1 for column in blobs)
    return RecordLayout.of(fields).length + outside


def _require_innodb(where: str, table: Table) -> None:
    other = "use another engine, or leave columns out"
    if len(table.columns) > MOST_INNODB_COLUMNS:
        raise UserError(
            f"{where}: {len(table.columns):,} columns with our own, where InnoDB takes {MOST_INNODB_COLUMNS:,}",
            remedy=other,
        )
    size = sum(_bytes_in_page(column.type) for column in table)
    if size > MOST_INNODB_ROW_BYTES:
        raise UserError(
            f"{where}: at least {size:,} bytes of a row must be in one page, where InnoDB takes "
            f"{MOST_INNODB_ROW_BYTES:,}",
            remedy=other,
        )


def _bytes_in_page(kind: SqlType) -> int:
    """The fewest bytes that InnoDB keeps of a column in a row's page: of a longer text or BLOB a pointer of 20."""
    if kind.is_blob or kind.base.startswith("var"):
        return min(20, kind.most_bytes)
    width = RecordLayout.of([Field("c", kind, False)]).slots[0].width
    return width if kind.base not in _STRINGS or width < 256 else 20


def _require_keys(where: str, table: Table, engine: str) -> None:
    keys = [("the primary key", table.primary_key, True)] if table.primary_key else []
    keys += [(f"key '{key.name}'", key.columns, key.is_unique) for key in table.keys]
    if len(keys) > MOST_KEYS:
        raise UserError(f"{where}: {len(keys)} keys with our own", remedy=f"a table has at most {MOST_KEYS}")
    for name, columns, is_unique in keys:
        if len(columns) > MOST_KEY_COLUMNS:
            raise UserError(f"{where}: {name} has {len(columns)} columns", remedy=f"at most {MOST_KEY_COLUMNS}")
        size = sum(_key_bytes(f"{where}, {name}", table, column) for column in columns)
        if is_unique and size > _KEY_BYTES[engine]:  # a longer UNIQUE key is a hash in a hidden column
            raise UserError(
                f"{where}: {name} is too long: {size:,} bytes, where {engine} takes {_KEY_BYTES[engine]:,}",
                remedy="leave columns out, or give the beginning of one, as in name(20)",
            )


def _key_bytes(where: str, table: Table, part: str) -> int:
    """Bytes of a column in a key, or of its beginning where that is given: ``name(10)``."""
    name, _, length = part.partition("(")
    column = table.find(name)
    if column is None:
        raise UserError(f"{where}: no column '{name}'", remedy="name one of the table")
    kind = column.type
    extra = column.is_nullable + 2 * kind.base.startswith("var")
    if kind.base in _STRINGS:
        characters = int(length.rstrip(")")) if length else kind.length
        return characters * BYTES_A_CHARACTER.get(kind.charset, 1) + extra
    if kind.is_blob:
        return (int(length.rstrip(")")) if length else 0) + extra + 2
    return RecordLayout.of([Field(name, kind, False)]).slots[0].width + extra
