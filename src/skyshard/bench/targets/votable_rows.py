"""Rows of a VOTable in BINARY2, as a table. No I/O. Source: IVOA VOTable 1.4, section 5.4; DALI 1.1, section 3.3.

Rules: columns have numbers as names, since names may repeat. A text with xtype ``timestamp`` has a blank where DALI has
a T, as servers print it. What a service says in place of rows, or behind them, is the ``status``.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.errors import ClusterError
from skyshard.bench.targets.shown_digits import shown_field

STREAM_BEGIN = re.compile(rb"<STREAM[^>]*>\s*")
_STREAM_END = b"</STREAM>"
DOUBLE_DIGITS = 15
"""Of a DECIMAL, which VOTable has as a double."""
_FIXED = {"short": ">i2", "int": ">i4", "long": ">i8", "float": ">f4", "double": ">f8", "unsignedByte": "u1"}


@dataclass(frozen=True, slots=True)
class ReadVOTable:
    """A document: its rows, and how the query ended: OK, OVERFLOW, ERROR, with words."""

    table: pa.Table
    status: str
    words: str


@dataclass(frozen=True, slots=True)
class _Field:
    datatype: str
    arraysize: str
    xtype: str

    @property
    def is_text(self) -> bool:
        return self.datatype in ("char", "unicodeChar")

    @property
    def is_long(self) -> bool:
        """A value has its own length before it."""
        return "*" in self.arraysize


def read_votable(document: bytes) -> ReadVOTable:
    """A whole document.

    Raises:
        ClusterError: it is no VOTable, or not one whose rows are in BINARY2.
    """
    begin, end = STREAM_BEGIN.search(document), document.find(_STREAM_END)
    rows = b""
    if begin is not None and end >= 0:
        rows = base64.b64decode(document[begin.end() : end])
        document = document[: begin.end()] + document[end:]
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError as error:
        raise ClusterError(f"the answer is no whole VOTable: {error}") from None
    fields, status, words = [], "", ""
    for element in root.iter():
        name = element.tag.rpartition("}")[2]
        if name == "FIELD":
            fields.append(_Field(*(element.get(key, "") for key in ("datatype", "arraysize", "xtype"))))
        elif name == "INFO" and element.get("name") == "QUERY_STATUS":
            status, words = element.get("value", ""), " ".join((element.text or "").split())
    return ReadVOTable(_table(fields, rows), status, words)


def _table(fields: Sequence[_Field], data: bytes) -> pa.Table:
    if any(not one.is_long and one.datatype not in _FIXED for one in fields):
        raise ClusterError("the answer has a column of a type that is not read here")
    arrays = _all_fixed(fields, data) if not any(one.is_long for one in fields) else _row_by_row(fields, data)
    schema = [
        shown_field(f"c{place}", array.type, DOUBLE_DIGITS if one.datatype == "double" else 0)
        for place, (one, array) in enumerate(zip(fields, arrays, strict=True))
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(schema))


def _mask_bytes(fields: Sequence[_Field]) -> int:
    return (len(fields) + 7) // 8


def _all_fixed(fields: Sequence[_Field], data: bytes) -> list[pa.Array]:
    """Rows of one length: whole columns at a time."""
    if not fields:
        return []
    parts = [("mask", "u1", (_mask_bytes(fields),)), *((f"c{n}", _FIXED[one.datatype]) for n, one in enumerate(fields))]
    rows = np.frombuffer(data, np.dtype(parts))
    is_null = np.unpackbits(rows["mask"], axis=1)
    found = []
    for place, one in enumerate(fields):
        values = rows[f"c{place}"].astype(np.dtype(_FIXED[one.datatype]).newbyteorder("="))
        found.append(pa.array(values, mask=is_null[:, place].astype(bool)))
    return found


def _row_by_row(fields: Sequence[_Field], data: bytes) -> list[pa.Array]:
    """Rows with values of their own lengths."""
    columns: list[list[Any]] = [[] for _ in fields]
    readers = [None if one.is_long else struct.Struct(_STRUCTS[one.datatype]) for one in fields]
    widths = [2 if one.datatype == "unicodeChar" else 1 for one in fields]
    at, size = 0, _mask_bytes(fields)
    while at < len(data):
        mask, at = int.from_bytes(data[at : at + size], "big"), at + size
        for place, reader in enumerate(readers):
            if reader is not None:
                value: Any = reader.unpack_from(data, at)[0]
                at += reader.size
            else:
                begin, length = at + 4, int.from_bytes(data[at : at + 4], "big") * widths[place]
                value, at = data[begin : begin + length], begin + length
            columns[place].append(None if mask >> (8 * size - 1 - place) & 1 else value)
    return [_array(one, values) for one, values in zip(fields, columns, strict=True)]


_STRUCTS = {"short": ">h", "int": ">i", "long": ">q", "float": ">f", "double": ">d", "unsignedByte": ">B"}


def _array(one: _Field, values: list[Any]) -> pa.Array:
    if not one.is_text:
        kind = pa.binary() if one.is_long else pa.from_numpy_dtype(np.dtype(_FIXED[one.datatype]).newbyteorder("="))
        return pa.array(values, kind)
    codec = "utf-16-be" if one.datatype == "unicodeChar" else "utf-8"
    texts = pa.array([None if value is None else value.decode(codec) for value in values], pa.string())
    return pc.replace_substring(texts, "T", " ") if one.xtype == "timestamp" else texts
