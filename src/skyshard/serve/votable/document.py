"""The text of a VOTable before and after its rows, and documents that tell of errors. Source: VOTable 1.4, DALI 1.1."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from xml.sax.saxutils import escape, quoteattr

from skyshard.serve.votable.fields import Field

MIME = "application/x-votable+xml"
_BEGIN = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="http://www.ivoa.net/xml/VOTable/v1.3 http://www.ivoa.net/xml/VOTable/v1.3">\n'
    '<RESOURCE type="results">\n'
)
_END = "</RESOURCE>\n</VOTABLE>\n"
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Status(StrEnum):
    """How a query ended, as DALI calls it."""

    OK = "OK"
    OVERFLOW = "OVERFLOW"
    ERROR = "ERROR"


class Serialization(StrEnum):
    """How a VOTable holds its rows."""

    BINARY2 = "BINARY2"
    TABLEDATA = "TABLEDATA"

    @property
    def around(self) -> tuple[str, str]:
        """What stands before and after the rows."""
        if self is Serialization.BINARY2:
            return '<BINARY2>\n<STREAM encoding="base64">\n', "</STREAM>\n</BINARY2>\n"
        return "<TABLEDATA>\n", "</TABLEDATA>\n"


def xml_text(text: str) -> str:
    """Text as XML holds it; letters that it cannot hold become U+FFFD."""
    return escape(_NO_XML.sub("\ufffd", text))


def attribute(name: str, value: str) -> str:
    """`` name="value"``; nothing for an empty value."""
    return f" {name}={quoteattr(_NO_XML.sub(chr(0xFFFD), value))}" if value else ""


def info(status: Status, text: str = "") -> str:
    """The element that says how a query ended."""
    return f'<INFO name="QUERY_STATUS" value="{status}">{xml_text(text)}</INFO>\n'


def header(fields: Sequence[Field], rows: Serialization, said: Mapping[str, str]) -> bytes:
    """All that comes before the first row; ``said`` are further INFO elements by name."""
    infos = "".join(f"<INFO{attribute('name', name)}{attribute('value', value)}/>\n" for name, value in said.items())
    text = [_BEGIN, info(Status.OK), infos, '<TABLE name="result">\n', *map(_field, fields), "<DATA>\n", rows.around[0]]
    return "".join(text).encode()


def footer(rows: Serialization, status: Status, text: str = "") -> bytes:
    """All that comes after the last row; what went wrong or was cut is said there."""
    said = info(status, text) if status is not Status.OK else ""
    return f"{rows.around[1]}</DATA>\n</TABLE>\n{said}{_END}".encode()


def without_rows(fields: Sequence[Field]) -> str:
    """A document that only describes columns."""
    return "".join((_BEGIN, '<TABLE name="result">\n', *map(_field, fields), "</TABLE>\n", _END))


def error_document(text: str) -> bytes:
    """A document in place of a result."""
    return f"{_BEGIN}{info(Status.ERROR, text)}{_END}".encode()


def _field(field: Field) -> str:
    names = ("name", "datatype", "arraysize", "xtype", "unit", "ucd", "utype")
    attributes = "".join(attribute(name, getattr(field, name)) for name in names)
    described = f"<DESCRIPTION>{xml_text(field.description)}</DESCRIPTION>" if field.description else ""
    return f"<FIELD{attributes}>{described}</FIELD>\n" if described else f"<FIELD{attributes}/>\n"
