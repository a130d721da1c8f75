"""Tables that a client uploads with a query: VOTables within the request or at a URL, as tables that servers can hold.

Rules: nothing is fetched from this host or its network but what the operator allows; documents are checked before they
are parsed; bytes and rows have limits. A NaN becomes NULL, as servers have none. Source: TAP 1.1, section 2.5.
"""

from __future__ import annotations

import io
import re
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skyshard.basics.errors import UserError
from skyshard.basics.lazy import lazy_module
from skyshard.catalog.schema import Column, Table
from skyshard.rowimage.sqltype import parse_type
from skyshard.serve.tap.described_tables import DescribedColumn, DescribedTable
from skyshard.serve.tap.upload_check import check_upload, require_taken
from skyshard.serve.tap_services import Rows
from skyshard.serve.votable.fields import UNICODE, Field

np = lazy_module("numpy")

SCHEMA = "TAP_UPLOAD"
INLINE = "param:"
MOST_TABLES = 16
LONGEST_VARCHAR = 4000
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_NUMBERS = {
    "boolean": "tinyint", "unsignedByte": "tinyint unsigned", "short": "smallint", "int": "int", "long": "bigint",
    "float": "float", "double": "double",
}  # fmt: skip
_HELP = "write UPLOAD=name,param:part or UPLOAD=name,https://..."
_PARSING = threading.Lock()
"""Warnings are the process's: of two documents at once, one would not hear what the parser says of its values."""


@dataclass(frozen=True)
class UploadedTable:
    """A table that came with a query."""

    name: str
    fields: tuple[Field, ...]
    table: Table
    rows: Rows

    def described(self, physical: tuple[str, str]) -> DescribedTable:
        """How answers declare its columns: as it came."""
        columns = tuple(DescribedColumn(field) for field in self.fields)
        return DescribedTable(SCHEMA, self.name, "", columns, physical=physical)


def upload_places(text: str) -> dict[str, str]:
    """Name → URI of each table that the parameter UPLOAD names.

    Raises:
        UserError: it does not name tables, or one twice.

    >>> upload_places("mine,param:t1; other,https://sky.example/t.xml")
    {'mine': 'param:t1', 'other': 'https://sky.example/t.xml'}
    """
    found: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        name, _, uri = (piece.strip() for piece in part.partition(","))
        name = name.removeprefix(f"{SCHEMA}.")
        if not _NAME.fullmatch(name) or not uri:
            raise UserError(f"UPLOAD '{part[:60]}' does not name a table", remedy=_HELP)
        if name.lower() in (known.lower() for known in found):
            raise UserError(f"UPLOAD names '{name}' twice", remedy="give each table a name of its own")
        found[name] = uri
    if len(found) > MOST_TABLES:
        raise UserError(f"UPLOAD names {len(found)} tables, more than {MOST_TABLES}", remedy="upload fewer")
    return found


def read_upload(name: str, content: bytes, most_rows: int) -> UploadedTable:
    """The first table of a VOTable.

    Raises:
        UserError: it is none, is too long, or has columns that servers cannot hold.
    """
    where = f"upload '{name}'"
    check_upload(where, content, most_rows)
    found = _parsed(where, content)
    rows = len(found.array)
    if rows > most_rows:
        raise UserError(f"{where} has {rows:,} rows, more than {most_rows:,}", remedy="upload fewer rows")
    fields = tuple(_field(where, one) for one in found.fields)
    lowered = [field.name.lower() for field in fields]
    if len(set(lowered)) < len(lowered) or not lowered:
        raise UserError(f"{where} has two columns of one name, or none", remedy="name each column")
    columns = [_values(where, field, found.array[one.ID]) for field, one in zip(fields, found.fields, strict=True)]
    kinds = (_stored(field, values) for field, values in zip(fields, columns, strict=True))
    table = Table(name, tuple(Column(field.name, parse_type(kind)) for field, kind in zip(fields, kinds, strict=True)))
    return UploadedTable(name, fields, table, list(zip(*columns, strict=True)))


def _parsed(where: str, content: bytes) -> Any:
    from astropy.io.votable import parse_single_table  # takes half a second, and only uploads need it
    from astropy.io.votable.exceptions import W46, W51

    try:
        with _PARSING, warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = parse_single_table(io.BytesIO(content), verify="warn")
    except Exception as error:  # whatever a parser says of whatever was sent
        raise UserError(f"{where} is no VOTable: {' '.join(str(error).split())[:200]}", remedy="send one") from None
    for one in told:
        if isinstance(one.message, W46 | W51):  # it was cut, or is the nearest number that its type has
            words = " ".join(str(one.message).split())[:200]
            raise UserError(f"{where} has a value that its column does not hold: {words}", remedy="declare it larger")
    return found


def _field(where: str, found: Any) -> Field:
    """A column as it is declared; arrays of numbers have no place in a table of a server."""
    size = str(found.arraysize or "")
    size = "" if size == "1" and found.datatype not in ("char", UNICODE) else size
    is_text, is_bytes = found.datatype in ("char", UNICODE), found.datatype == "unsignedByte" and bool(size)
    require_taken(where, found.name or found.ID, found.datatype, size)
    datatype = "boolean" if found.datatype == "bit" else found.datatype  # as astropy declares what is true or false
    return Field(
        found.name or found.ID, datatype, "*" if is_text or is_bytes else "", str(found.xtype or ""),
        str(found.unit or ""), str(found.ucd or ""), str(found.description or ""),
    )  # fmt: skip


def _values(where: str, field: Field, column: Any) -> list[Any]:
    """The values as Python has them, None for NULL; an array of one value is that value."""
    column = column[:, 0] if not field.arraysize and column.ndim > 1 else column
    values: list[Any] = column.tolist() if not field.arraysize else list(column)
    if field.is_text:
        return [None if value is None else str(value) for value in values]
    if field.arraysize:
        mask = np.ma.getmaskarray(column)
        absent = mask if mask.ndim == 1 else mask.all(axis=1)
        return [
            None if value is None or is_absent else np.asarray(value, np.uint8).tobytes()
            for value, is_absent in zip(values, absent, strict=True)
        ]
    if field.datatype in ("float", "double"):
        values = [None if value is None or value != value else value for value in values]
        if any(value in (float("inf"), float("-inf")) for value in values):
            raise UserError(f"{where}, column '{field.name}': servers hold no infinity", remedy="leave such rows out")
    if field.datatype == "boolean":
        return [None if value is None else int(bool(value)) for value in values]
    return values


def _stored(field: Field, values: Sequence[Any]) -> str:
    """The type in which a server holds a column."""
    if not field.arraysize:
        return _NUMBERS[field.datatype]
    longest = max((len(value) for value in values if value is not None), default=1) or 1
    if field.is_bytes:
        return f"varbinary({longest})" if longest <= LONGEST_VARCHAR else "longblob"
    base = f"varchar({longest})" if longest <= LONGEST_VARCHAR else "longtext"
    return f"{base} character set utf8mb4 collate utf8mb4_bin"


def inline_parts(places: Mapping[str, str], files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The documents of the tables that came with the request.

    Raises:
        UserError: there is no such part.
    """
    found = {}
    for name, uri in places.items():
        if uri.startswith(INLINE):
            part = uri.removeprefix(INLINE)
            if part not in files:
                raise UserError(f"UPLOAD names the part '{part[:60]}', which did not come", remedy=_HELP)
            found[name] = files[part]
    return found
